"""Pickles in every attribute and protocol, and the tricks of their opcodes."""

import os
import pickle
import subprocess

from tests.hostile.cases import ACCEPT, EITHER, REJECT, Case, good, some_frame, with_attribute, written


class _Calls:
    def __init__(self, function, *arguments):
        self._call = (function, arguments)

    def __reduce__(self):
        return self._call


GADGETS = {
    "os.system": lambda traps: _Calls(os.system, traps.command),
    "subprocess": lambda traps: _Calls(subprocess.check_output, ["touch", str(traps.marker)]),
    "eval": lambda traps: _Calls(eval, f"__import__('os').system({traps.command!r})"),
    "exec": lambda traps: _Calls(exec, f"import os; os.system({traps.command!r})"),
    "open": lambda traps: _Calls(open, str(traps.marker), "w"),
    "getattr": lambda traps: _Calls(getattr, "text", "join"),
    "in a list": lambda traps: {"altdata": [1, {"a": _Calls(os.system, traps.command)}]},
    "as a key": lambda traps: {(1, 2): 3},
}

#: Attributes that are read as pickles, with the object that holds them.
READ = [
    *(("phot", name) for name in ("metadata", "non_index_axes", "values_cols", "index_cols", "info")),
    *(("phot/table", f"values_block_{number}_kind") for number in range(3)),
]
#: Attributes that are never looked at.
UNREAD = [("/", "TITLE"), ("/", "evil"), ("phot", "CLASS"), ("phot", "levels"), ("phot/table", "FILTERS")]

_BIG = b"\x8a\xff" + b"\xff" * 254 + b"\x7f"
OPCODES = {
    "no stop": b"}",
    "empty": b".",
    "persistent id": b"Pos.system\n.",
    "binary persistent id": b"X\x02\x00\x00\x00idQ.",
    "extension": b"\x82\x01.",
    "instance": b"(S'touch /tmp/x'\nios\nsystem\n.",
    "object": b"(cos\nsystem\nS'touch /tmp/x'\no.",
    "new object": b"\x80\x02cos\nsystem\n)\x81.",
    "build": b"\x80\x02cos\nsystem\n}b.",
    "a symbol alone": b"cnumpy\ndtype\n.",
    "other codec": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zlibtR.",
    "reconstruct": b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR.",
    "dtype of objects": b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(X\x02\x00\x00\x00O8tRC\x08aaaaaaaatR.",
    "scalar of a wrong size": b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(X\x02\x00\x00\x00f8tRC\x01atR.",
    "huge text dtype": b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n(X\x0b\x00\x00\x00U9999999999tRC\x00tR.",
    "a name with dots": b"\x80\x04\x8c\x05numpy\x8c\x0fdtype.__class__\x93.",
    "memo that is not there": b"h\x05.",
    "unhashable key": b"}]]s.",
    "odd number of items": b"}(X\x01\x00\x00\x00au.",
    "long integer": b"}X\x01\x00\x00\x00a" + _BIG + b"s.",
    "decimal integer": b"}X\x01\x00\x00\x00aI" + b"9" * 60_000 + b"\ns.",
    "long string size": b"}X\x01\x00\x00\x00aX\xff\xff\xff\x7fs.",
    "bytes size of 8 bytes": b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
    "deep list": b"}X\x01\x00\x00\x00a" + b"]" * 30_000 + b"a" * 29_999 + b"s.",
    "many marks": b"(" * 60_000 + b".",
    "itself": b"]q\x00h\x00a.",
    "itself in a dict": b"}q\x00X\x01\x00\x00\x00ah\x00s.",
    "reduce of nothing": b"R.",
    "bytearray": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.",
    "out of band": b"\x80\x05\x97.",
    "set": b"\x80\x04\x8f(K\x01\x90.",
    "text": b"X\x01\x00\x00\x00a.",
}


def _laughs(opener, closer):
    """Nine levels of ten references each to the level below: 640 bytes for a billion values."""
    text = b"]q\x00" if opener == b"]" else b"(q\x00"
    text = b"X\x03\x00\x00\x00lolq\x00"
    for level in range(9):
        text += opener + b"h" + bytes([level])
        text += (b"h" + bytes([level])) * 9 + closer + b"q" + bytes([level + 1])
    return b"}X\x01\x00\x00\x00a" + text + b"s."


def cases():
    """Yield the cases."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for place, name in READ:
            yield Case(
                f"pickle {protocol} in {name}",
                REJECT,
                lambda traps, p=protocol, n=name, w=place: with_attribute(
                    pickle.dumps(_Calls(os.system, traps.command), p), n, w
                ),
            )
        for place, name in UNREAD:
            yield Case(
                f"pickle {protocol} in {place} {name}, which is not read",
                ACCEPT,
                lambda traps, p=protocol, n=name, w=place: with_attribute(
                    pickle.dumps(_Calls(os.system, traps.command), p), n, w
                ),
                some_frame(),
            )
        for name in ("pandas_type", "encoding", "nan_rep"):
            yield Case(
                f"pickle {protocol} as the text {name}",
                EITHER if name == "nan_rep" else REJECT,
                lambda traps, p=protocol, n=name: with_attribute(
                    pickle.dumps(_Calls(os.system, traps.command), p), n, "phot"
                ),
            )
        for name, gadget in GADGETS.items():
            yield Case(
                f"pickle {protocol} {name}",
                REJECT,
                lambda traps, p=protocol, g=gadget: with_attribute(
                    pickle.dumps({"origin": g(traps)} if not isinstance(g(traps), dict) else g(traps), p), "metadata"
                ),
            )
    for name, content in OPCODES.items():
        yield Case(f"pickle opcodes: {name}", REJECT, lambda traps, c=content: with_attribute(c, "metadata"))
    yield Case("billion laughs of lists", REJECT, lambda traps: with_attribute(_laughs(b"(", b"l"), "metadata"))
    yield Case("billion laughs of tuples", REJECT, lambda traps: with_attribute(_laughs(b"(", b"t"), "metadata"))
    yield Case(
        "foreign object in info, which is skipped",
        ACCEPT,
        lambda traps: with_attribute(pickle.dumps({"mjd": {"x": _Calls(os.system, traps.command)}}), "info"),
        some_frame(),
    )
    whole = pickle.dumps({"origin": "x", "altdata": {"a": [1, 2.5, "x", None, True]}}, 2)
    for length in range(0, len(whole), 6):
        yield Case(
            f"pickle cut at {length}", REJECT, lambda traps, n=length: with_attribute(whole[:n] or b"\0", "metadata")
        )
    yield Case("objects in a column", REJECT, _objects)
    yield Case("a fixed frame of objects", REJECT, lambda traps: written(_object_frame(traps), format="fixed"))


def _object_frame(traps):
    frame = some_frame()
    frame["evil"] = [_Calls(os.system, traps.command)] * len(frame)
    return frame


def _objects(traps):
    """A text column that says of itself that its values are pickles."""
    blob = good({})
    return with_attribute(b"object", "values_block_2_dtype", "phot/table", blob)
