"""The use cases for files of any readable format: inspect, dry run, store.

A worker converts the file to HDF5 with the readers of the command, and the result is handled like any upload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from photseries.errors import InvalidError
from photseries.server.archive.archive import Archive, Created
from photseries.server.principal import CREATE_SERIES, Principal, requires
from photseries.server.sandbox.pool import FileSandbox

__all__ = ["FileUploads", "SentFile"]


@dataclass(frozen=True)
class SentFile:
    """An uploaded file.

    Parameters
    ----------
    content : bytes
    name : str
        For messages, and for the format if the content does not determine it.
    options : mapping
        Read options, see :class:`photseries.formats.ReadOptions`.
    """

    content: bytes
    name: str
    options: Mapping[str, object]


class _ReadResult(NamedTuple):
    """The result of a worker: the body of an upload, a hint about the filter, and warnings."""

    body: dict[str, object]
    hint: str | None
    warnings: list[str]


class FileUploads:
    """Takes files of any format.

    Every method raises InvalidError when the file, or a field, is refused, and UnavailableError if no worker is free in
    time.

    Parameters
    ----------
    archive : Archive
    sandbox : FileSandbox
    """

    def __init__(self, archive: Archive, sandbox: FileSandbox) -> None:
        self._archive = archive
        self._sandbox = sandbox

    @requires(CREATE_SERIES)
    def inspect(
        self, principal: Principal, file: SentFile, fields: Mapping[str, object], points: int
    ) -> Mapping[str, object]:
        """Describe the series in a file, each with a light curve of a number of points.

        Returns
        -------
        mapping
            ``series`` and ``more``: see :func:`photseries.formats.inspection.describe`.
        """
        return self._sandbox.read_file(file.content, _request(file, fields, points)).about

    @requires(CREATE_SERIES)
    def create(self, principal: Principal, file: SentFile, fields: Mapping[str, object]) -> Created:
        """Store the one series in a file; see :meth:`photseries.server.archive.Archive.create`."""
        read = self._read_file(file, fields)
        with _hinting(read.hint):
            created = self._archive.create(principal, read.body)
        return Created(created.id, (*read.warnings, *created.warnings))

    @requires(CREATE_SERIES)
    def preview(
        self, principal: Principal, file: SentFile, fields: Mapping[str, object], points: int | None = None
    ) -> dict[str, object]:
        """Preview :meth:`create`; see :meth:`photseries.server.archive.Archive.preview`."""
        read = self._read_file(file, fields)
        with _hinting(read.hint):
            shown = self._archive.preview(principal, read.body, points)
        file_sources = {name: "file" for name in read.body if name in shown["sources"] and name not in fields}
        return {
            **shown,
            "warnings": [*read.warnings, *shown["warnings"]],
            "sources": {**shown["sources"], **file_sources},
        }

    def _read_file(self, file: SentFile, fields: Mapping[str, object]) -> _ReadResult:
        content = self._sandbox.read_file(file.content, _request(file, fields, None))
        about = content.about
        return _ReadResult({**about["fields"], "data": bytes(content.blob)}, about["hint"], about["warnings"])


@contextmanager
def _hinting(hint: str | None) -> Iterator[None]:
    """Add a hint about the filter of the file to the error about it."""
    try:
        yield
    except InvalidError as error:
        if hint is None or "filter" not in error.fields:
            raise
        raise InvalidError(f"{error.message} {hint}", fields=error.fields, details=error.details) from error


def _request(file: SentFile, fields: Mapping[str, object], points: int | None) -> dict[str, object]:
    return {"name": file.name, "options": dict(file.options), "fields": dict(fields), "points": points}
