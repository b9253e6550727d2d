"""Random damage to good files, and the seeds of what went wrong once."""

import random
from pathlib import Path

from tests.hostile.cases import EITHER, Case, good, some_frame, written
from tests.hostile.mutate import mutated

SEEDS = Path(__file__).parent / "seeds"
FLIPS = 60


def _flipped(blob, seed):
    draw = random.Random(seed)  # noqa: S311
    content = bytearray(blob)
    for _ in range(draw.choice((1, 1, 1, 8, 64))):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(content)


def cases():
    """Yield the cases."""
    compressed = written(some_frame(500), {"origin": "x"}, complib="zlib", complevel=1)
    for seed in range(FLIPS):
        yield Case(f"bits flipped {seed}", EITHER, lambda traps, s=seed: _flipped(good({"origin": "x"}), s))
        yield Case(f"bits flipped in a compressed file {seed}", EITHER, lambda traps, s=seed: _flipped(compressed, s))
    for seed in range(FLIPS):
        yield Case(f"mutated {seed}", EITHER, lambda traps, s=seed: mutated(good({"origin": "x"}), random.Random(s)))  # noqa: S311
    for path in sorted(SEEDS.glob("*.h5")):
        yield Case(f"seed {path.stem}", EITHER, lambda traps, p=path: p.read_bytes())
