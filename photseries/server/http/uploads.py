"""The bodies that contain a series: JSON, an HDF5 file, or a form with a file; compressed or not."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import IO, ClassVar, cast

import orjson
import zstandard

from photseries import parameters
from photseries.errors import InvalidError, TooLargeError
from photseries.fields.texts import fields_of_texts
from photseries.formats import json_columns
from photseries.parameters import Parameter, ParameterValues
from photseries.server.http.base import MAX_PLAIN_BYTES, BaseHandler
from photseries.server.http.media import FILE_TYPES, FORM, encoding_of, media_type_of, parse_form

__all__ = ["MAX_FIELDS_SIZE", "UploadHandler", "require_short_fields"]

#: Maximum size of the fields of a body, in units of limits.metadata, because groups and streams are not metadata.
MAX_FIELDS_SIZE = 2

#: Size of the pieces in which a body is inflated, each within the budget of memory [bytes].
_PIECE = 4 * 1024 * 1024

#: The content of a frame that is decompressed after a body, and the frame.
_FURTHER = bytes(1000)
_FURTHER_FRAME = zstandard.compress(_FURTHER)

_Write = Callable[[bytes], object]


class UploadHandler(BaseHandler):
    """A handler whose body may be a file; then fields are query arguments or form fields."""

    takes_files: ClassVar[bool] = True

    def upload(self, accepted: Sequence[Parameter] = ()) -> tuple[dict[str, object], ParameterValues]:
        """Parse the body and the query; call it in a thread.

        Parameters
        ----------
        accepted : sequence of Parameter
            The query parameters besides fields.

        Returns
        -------
        body, values : dict, dict
            The fields, with an uploaded file as bytes in ``data``; the parameters.

        Raises
        ------
        InvalidError, TooLargeError
        """
        arguments = self.arguments()
        spellings = {spelling for parameter in accepted for spelling in parameter.spellings}
        parameter_texts = {name: texts for name, texts in arguments.items() if name in spellings}
        field_texts = {name: texts for name, texts in arguments.items() if name not in spellings}
        limits = self.services.config.limits
        headers = self.request.headers
        with self.content() as content:
            if media_type_of(headers) in FILE_TYPES:
                body = {**fields_of_texts(field_texts), "data": content}
            elif media_type_of(headers) == FORM:
                body = {**fields_of_texts(field_texts), **_form(headers["Content-Type"], content)}
            else:
                body, parameter_texts = json_columns.parse(content, limits), arguments
            require_short_fields(body, MAX_FIELDS_SIZE * limits.metadata)
            return body, parameters.read(parameter_texts, accepted)

    @contextmanager
    def content(self) -> Iterator[bytes]:
        """Yield the decompressed body; call it in a thread.

        Raises
        ------
        InvalidError, TooLargeError
        """
        with self._body.content() as raw, ExitStack() as stack:
            encoding, limit = encoding_of(self.request.headers), self.services.config.server.max_body
            if encoding == "identity" or not raw:
                yield raw
                return
            inflated = io.BytesIO()  # whose value is not a copy, unlike joined pieces

            def write(piece: bytes) -> None:
                length = inflated.tell() + len(piece)
                if length > limit:
                    raise TooLargeError(f"The body is larger than the limit of {limit} bytes once it is inflated.")
                # The budget already includes the compressed body, whose room the content may take.
                stack.enter_context(self._body.borrowed(max(0, length - max(len(raw), inflated.tell()))))
                inflated.write(piece)

            try:
                _INFLATERS[encoding](raw, write)
            except (zlib.error, zstandard.ZstdError, EOFError) as error:
                raise InvalidError(f"The body is not {encoding}, as Content-Encoding states.") from error
            yield inflated.getvalue()


def require_short_fields(body: Mapping[str, object], limit: int) -> None:
    """Refuse fields larger than any metadata, because validation costs far more than encoding them as JSON.

    Raises
    ------
    InvalidError
    """
    size = len(orjson.dumps({name: value for name, value in body.items() if name != "data"}))
    if size > limit:
        raise InvalidError(f"The fields besides data take {size:,} bytes as JSON; at most {limit:,} are accepted.")


def _form(content_type: str, content: bytes) -> dict[str, object]:
    """Parse a form with a file and fields."""
    texts, files = parse_form(content_type, content)
    sent_files = [file for group in files.values() for file in group]
    if len(sent_files) != 1:
        raise InvalidError(f"The form must have one file, not {len(sent_files)}.", fields={"data": ["One file."]})
    if sum(len(value) for values in texts.values() for value in values) > MAX_PLAIN_BYTES:
        raise InvalidError(f"The fields of the form are longer than {MAX_PLAIN_BYTES:,} bytes.")
    decoded = {name: [value.decode("utf-8", "replace") for value in values] for name, values in texts.items()}
    return {**fields_of_texts(decoded), "data": sent_files[0]}


def _gunzip(content: bytes, write: _Write) -> None:
    stream = zlib.decompressobj(wbits=31)
    for start in range(0, len(content), _PIECE):
        part = content[start : start + _PIECE]
        while part and not stream.eof:
            write(stream.decompress(part, _PIECE))
            part = stream.unconsumed_tail
        if stream.eof:
            if stream.unused_data or start + _PIECE < len(content):
                raise InvalidError("Bytes follow the end of the gzip stream: compress the body as one stream.")
            return
    write(stream.flush())
    if not stream.eof:
        raise EOFError


def _unzstd(content: bytes, write: _Write) -> None:
    """Decompress frames; a further frame shows whether the last one is complete, which zstandard does not say."""
    target = SimpleNamespace(write=write)
    stream = zstandard.ZstdDecompressor(max_window_size=2**27).stream_writer(cast("IO[bytes]", target))
    stream.write(content)
    further: list[bytes] = []
    target.write = further.append
    stream.write(_FURTHER_FRAME[:1])  # libzstd decodes a whole frame even if it is due to continue a header
    stream.write(_FURTHER_FRAME[1:])
    if b"".join(further) != _FURTHER:
        raise EOFError


#: Content-Encoding -> function that writes the content in pieces.
_INFLATERS: Mapping[str, Callable[[bytes, _Write], None]] = {"gzip": _gunzip, "zstd": _unzstd}
