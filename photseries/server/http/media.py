"""Content negotiation: the media types of request bodies and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import Message

from tornado.httputil import HTTPFile, HTTPInputError, parse_multipart_form_data

from photseries.errors import InvalidError, NotAcceptableError, UnsupportedMediaTypeError

__all__ = [
    "FILE_TYPES",
    "FORM",
    "check_media",
    "content_length",
    "encoding_of",
    "media_type_of",
    "parse_form",
    "preferred_type",
    "texts_of",
]

#: Media types of a body that is an HDF5 file, and of a form with one.
FILE_TYPES = ("application/x-hdf5", "application/x-hdf", "application/octet-stream")
FORM = "multipart/form-data"

#: The supported values of Content-Encoding.
ENCODINGS = ("identity", "gzip", "zstd")

#: Maximum number of considered ranges in Accept.
MAX_RANGES = 100

# Other types count as JSON, because many clients do not set the type.
_FILES = (
    "multipart/",
    "application/x-hdf",
    "application/octet-stream",
    "image/",
    "application/zip",
    "text/csv",
    "text/tab-separated-values",
    "application/fits",
    "application/vnd.apache.",
)


def media_type_of(headers: Mapping[str, str]) -> str:
    """Return the media type of the body."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def encoding_of(headers: Mapping[str, str]) -> str:
    """Return the Content-Encoding of the body."""
    return headers.get("Content-Encoding", "identity").strip().lower()


def content_length(headers: Mapping[str, str]) -> int:
    """Return the Content-Length [bytes].

    Raises
    ------
    InvalidError
        When it is not a number, or differs between several headers (RFC 9110, 8.6).
    """
    lengths = {text.strip() for text in headers.get("Content-Length", "0").split(",")}
    length = lengths.pop()
    if lengths or not (length.isascii() and length.isdigit() and len(length) < 20):
        raise InvalidError("Content-Length must be one whole number.")
    return int(length)


def texts_of(arguments: Mapping[str, Sequence[bytes]]) -> dict[str, list[str]]:
    """Return query arguments as text; Tornado reads names as Latin-1."""
    return {
        name if name.isascii() else name.encode("latin-1").decode("utf-8", "replace"): [
            value.decode("utf-8", "replace") for value in values
        ]
        for name, values in arguments.items()
    }


def parse_form(content_type: str, content: bytes) -> tuple[dict[str, list[bytes]], dict[str, list[bytes]]]:
    """Parse a body of multipart/form-data.

    Returns
    -------
    texts, files : dict, dict
        The contents of the parts without and with a file name, by the name of the part.

    Raises
    ------
    InvalidError
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = str(header.get_param("boundary", ""))  # get_boundary() strips the brackets of that of STILTS, <<<...>>>
    texts: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    try:
        # STILTS sends an empty line before the first boundary, which Tornado would parse as a part.
        parse_multipart_form_data(boundary.encode(), content.lstrip(b"\r\n"), texts, files)
    except (HTTPInputError, UnicodeError) as error:
        raise InvalidError("The form is not one of multipart/form-data in UTF-8.") from error
    return texts, {name: [file["body"] for file in group] for name, group in files.items()}


def check_media(
    headers: Mapping[str, str], *, takes_files: bool, only: Sequence[str] = (), any_file: bool = False
) -> None:
    """Refuse a body that is neither JSON nor, if files are accepted, a file; or not of the types ``only``.

    A handler of any file accepts every type, such as curl's default, except forms.

    Raises
    ------
    UnsupportedMediaTypeError
    """
    kind = media_type_of(headers)
    if only:
        if kind not in only:
            raise UnsupportedMediaTypeError(f"The Content-Type of the body must be one of: {', '.join(only)}.")
        if encoding_of(headers) != ENCODINGS[0]:
            raise UnsupportedMediaTypeError("The body must have no Content-Encoding: compress its columns instead.")
        return
    if any_file and kind.startswith("multipart/"):
        raise UnsupportedMediaTypeError("The body must be the file itself, as sent by curl --data-binary @FILE.")
    if not any_file and kind.startswith(_FILES) and not (takes_files and kind in (*FILE_TYPES, FORM)):
        files = f", an HDF5 file ({FILE_TYPES[0]}) or a form with one ({FORM})" if takes_files else ""
        hint = " POST files of other formats to /api/photometric_series/file." if takes_files else ""
        raise UnsupportedMediaTypeError(f"The body must be JSON (application/json){files}.{hint}")
    encodings = ENCODINGS if takes_files else ENCODINGS[:1]
    if encoding_of(headers) not in encodings:
        raise UnsupportedMediaTypeError(f"The Content-Encoding of the body must be one of: {', '.join(encodings)}.")


def preferred_type(headers: Mapping[str, str], offers: Sequence[str]) -> str:
    """Choose the media type that Accept prefers (RFC 9110); on a tie the first offer.

    Parameters
    ----------
    headers : mapping
    offers : sequence of str
        Media types without parameters.

    Raises
    ------
    NotAcceptableError
        When it accepts none of them.
    """
    ranges = [_range(text) for text in headers.get("Accept", "*/*").split(",")[:MAX_RANGES] if text.strip()]
    liked = {}
    for offer in offers:
        covering = ("*/*", f"{offer.partition('/')[0]}/*", offer)
        liked[offer] = max((media_range for media_range in ranges if media_range[1] in covering), default=(0, "", 0.0))
    best = max(offers, key=lambda offer: liked[offer][2])
    if ranges and not liked[best][2]:
        raise NotAcceptableError(
            f"No media type of the header Accept is available. Available are: {', '.join(offers)}."
        )
    return best


def _range(text: str) -> tuple[int, str, float]:
    """Parse one media range of Accept: specificity, type, quality."""
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        liking = float(quality)
    except ValueError:
        liking = 0.0
    return 3 - name.count("*"), name, liking if 0 <= liking <= 1 else 0.0
