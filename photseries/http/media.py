"""What a request body may be, by its headers."""

from __future__ import annotations

from collections.abc import Mapping

from photseries.errors import UnsupportedMediaTypeError

__all__ = ["FILE_TYPES", "FORM", "check_media", "encoding_of", "media_type_of"]

#: Media types of a body that is an HDF5 file, and of a form with one.
FILE_TYPES = ("application/x-hdf5", "application/x-hdf", "application/octet-stream")
FORM = "multipart/form-data"

#: What a body may be compressed by.
ENCODINGS = ("identity", "gzip", "zstd")

# Any other type is taken for JSON, as many clients do not say.
_BINARY_TYPES = ("multipart/", "application/x-hdf", "application/octet-stream", "image/", "application/zip")


def media_type_of(headers: Mapping[str, str]) -> str:
    """Tell what the body is."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def encoding_of(headers: Mapping[str, str]) -> str:
    """Tell what the body is compressed by."""
    return headers.get("Content-Encoding", "identity").strip().lower()


def check_media(headers: Mapping[str, str], *, takes_files: bool) -> None:
    """Refuse a body that is neither JSON nor, where files are taken, a file.

    Raises
    ------
    UnsupportedMediaTypeError
    """
    kind = media_type_of(headers)
    if kind.startswith(_BINARY_TYPES) and not (takes_files and kind in (*FILE_TYPES, FORM)):
        files = f", an HDF5 file ({FILE_TYPES[0]}) or a form with one ({FORM})" if takes_files else ""
        raise UnsupportedMediaTypeError(f"The body must be JSON (application/json){files}.")
    known = ENCODINGS if takes_files else ENCODINGS[:1]
    if encoding_of(headers) not in known:
        raise UnsupportedMediaTypeError(f"The Content-Encoding of the body must be one of: {', '.join(known)}.")
