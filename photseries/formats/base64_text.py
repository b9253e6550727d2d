"""Base64 for files in JSON."""

from __future__ import annotations

import string

import pybase64

from photseries.errors import InvalidError

__all__ = ["decode", "encode"]

_WHITESPACE = string.whitespace.encode()


def decode(text: str) -> bytes:
    """Return the bytes of standard base64 with padding; line breaks and spaces are allowed.

    Raises
    ------
    InvalidError
        When the text is anything else.
    """
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        # Only now look for the line breaks of base64.encodebytes: most texts have none. Splitting at them would make
        # an object of each line, and a line may have one character.
        compact = text.encode("ascii", "replace").translate(None, _WHITESPACE)
    try:
        return pybase64.b64decode(compact, validate=True)
    except ValueError as error:
        message = (
            "data is not base64 of an HDF5 file: base64.b64encode(...).decode(), the standard alphabet with padding."
        )
        raise InvalidError.of_field("data", message) from error


def encode(blob: bytes) -> bytes:
    """Write bytes as standard base64 without line breaks."""
    return pybase64.b64encode(blob)
