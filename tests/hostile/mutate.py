"""Mutations of HDF5 files that know a little about what they hit."""

import re

#: Where structures begin: object headers' pieces, B-trees, heaps, symbol nodes, and pickles in attributes.
_LANDMARKS = re.compile(rb"TREE|HEAP|SNOD|GCOL|FRHP|FSHD|BTHD|OHDR|\x89HDF|values_block|\(lp|\(dp|index|TABLE")
_ODD = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def _flip(content, draw, at):
    content[at] ^= 1 << draw.randrange(8)


def _odd_number(content, draw, at):
    """Write a number of the kind that overflows where a size or an address may stand."""
    size = draw.choice((1, 2, 4, 8))
    number = draw.choice((*_ODD, len(content), at, draw.randrange(2**16))) % 256**size
    content[at : at + size] = number.to_bytes(size, "little")


def _splice(content, draw, at):
    """Copy some bytes over others."""
    size = draw.choice((1, 4, 8, 16, 64, 256))
    source = draw.randrange(len(content))
    piece = content[source : source + size]
    content[at : at + len(piece)] = piece


def _insert(content, draw, at):
    content[at:at] = draw.randbytes(draw.choice((1, 8, 16)))


def _remove(content, draw, at):
    del content[at : at + draw.choice((1, 8, 16))]


def _cut(content, draw, at):
    del content[max(at, 100) :]


_CHANGES = (_flip,) * 4 + (_odd_number,) * 6 + (_splice,) * 3 + (_insert, _remove, _cut)


def mutated(blob, draw):
    """Give a changed file; half of the changes hit near a landmark, the head of the file counts as one."""
    content = bytearray(blob)
    places = [match.start() for match in _LANDMARKS.finditer(blob)]
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        if not content:
            break
        near = draw.choice(places) + draw.randrange(-24, 200) if draw.random() < 0.7 else draw.randrange(len(content))
        draw.choice(_CHANGES)(content, draw, min(max(near, 0), len(content) - 1))
    return bytes(content)
