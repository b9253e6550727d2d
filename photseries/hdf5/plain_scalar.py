"""numpy scalars in pickles, built without calling the functions that the pickle names.

The payload is converted to one Python value by a type from a fixed list; no name is looked up.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from photseries.errors import UnreadableFileError

__all__ = ["SYMBOLS", "Dtype", "Symbol", "call_known", "printable", "refusal"]

_SCALARS: Final = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar")
_BYTES: Final = ("__builtin__ bytes", "builtins bytes")
#: Before protocol 3, bytes are pickled as ``_codecs.encode(text, "latin1")``, and empty bytes as ``bytes()``.
SYMBOLS: Final = (*_SCALARS, *_BYTES, "numpy dtype", "_codecs encode")
_DTYPES: Final = {"b1", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8"}


class Symbol(str):
    """A name of :data:`SYMBOLS`, as inert as any text."""

    __slots__ = ()


class Dtype:
    """A numpy scalar's type while its pickle is read: the code first, the byte order by BUILD."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "|"

    def set_state(self, state: object) -> None:
        """Set the byte order from (version, byte order, ...); the rest concerns subarrays, fields and alignment."""
        if not (isinstance(state, tuple) and len(state) >= 2 and state[1] in ("<", ">", "|", "=")):
            raise refusal("a numpy type of an unknown form")
        self.order = state[1]


def refusal(content: str) -> UnreadableFileError:
    """Return the error about a value that is not plain."""
    return UnreadableFileError(f"it contains {content}, and only plain values and numpy scalars are read")


def printable(name: object) -> str:
    """Return an untrusted name, short and printable."""
    text = "".join(character if character.isprintable() else "?" for character in str(name)[:80])
    return text.replace(" ", ".")


def call_known(function: object, arguments: object) -> object:
    """Compute the result of a known function after checking its arguments."""
    match function, arguments:
        case Symbol("numpy dtype"), (str() as code, *_) if code in _DTYPES or _is_text_code(code):
            return Dtype(code)
        case Symbol("numpy dtype"), (str() as code, *_):
            raise refusal(f"a numpy value of type {printable(code)}")
        case Symbol("_codecs encode"), (str() as text, "latin1" | "latin-1"):
            return text.encode("latin-1")
        case Symbol(name), () if name in _BYTES:
            return b""
        case Symbol(name), (Dtype() as dtype, bytes() | str() as payload) if name in _SCALARS:
            data = payload.encode("latin-1") if isinstance(payload, str) else payload
            return _scalar(dtype, data)
    raise refusal("a numpy value of an unknown form")


def _is_text_code(code: str) -> bool:
    return code[:1] in ("U", "S") and code[1:].isascii() and code[1:].isdigit() and len(code) <= 7


def _scalar(dtype: Dtype, payload: bytes) -> object:
    numpy_dtype = np.dtype(dtype.code if dtype.order == "|" else dtype.order + dtype.code)
    if numpy_dtype.itemsize != len(payload):
        raise ValueError("a numpy scalar of the wrong length")
    if not payload:
        return numpy_dtype.type().item()
    if numpy_dtype.kind == "U":  # numpy raises SystemError for numbers beyond Unicode; the codec raises ValueError
        return payload.decode("utf-32-be" if numpy_dtype.str[0] == ">" else "utf-32-le").rstrip("\0")
    return np.frombuffer(payload, numpy_dtype)[0].item()
