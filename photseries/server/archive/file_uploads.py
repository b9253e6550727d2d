"""The use cases for files of any readable format: inspect, dry run, store.

A worker converts the file to HDF5 with the readers of the command, and the result is handled like any upload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from photseries.errors import InvalidError
from photseries.server.archive.archive import Archive, Created
from photseries.server.principal import CREATE_SERIES, Principal, requires
from photseries.server.sandbox.pool import FileSandbox

__all__ = ["FileUploads", "SentFile"]


@dataclass(frozen=True)
class SentFile:
    """A file that a client sent.

    Parameters
    ----------
    content : bytes
    name : str
        For messages, and for the format where the content does not tell it.
    options : mapping
        How it is read: see :class:`photseries.formats.ReadOptions`.
    """

    content: bytes
    name: str
    options: Mapping[str, object]


class FileUploads:
    """Takes files of any format.

    Every method raises InvalidError when the file, or a field, is refused, and UnavailableError when no worker became
    free in time.

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
        """Describe the series in a file, each with the light curve in so many points.

        Returns
        -------
        mapping
            ``series`` and ``more``: see :func:`photseries.formats.inspection.described`.
        """
        return self._sandbox.found(file.content, _request(file, fields, points)).about

    @requires(CREATE_SERIES)
    def create(self, principal: Principal, file: SentFile, fields: Mapping[str, object]) -> Created:
        """Store the one series in a file; see :meth:`photseries.server.archive.Archive.create`."""
        body, about = self._body(file, fields)
        with _hinting(about["hint"]):
            created = self._archive.create(principal, body)
        return Created(created.id, (*about["warnings"], *created.warnings))

    @requires(CREATE_SERIES)
    def preview(
        self, principal: Principal, file: SentFile, fields: Mapping[str, object], points: int | None = None
    ) -> dict[str, object]:
        """Return what :meth:`create` would store; see :meth:`photseries.server.archive.Archive.preview`."""
        body, about = self._body(file, fields)
        with _hinting(about["hint"]):
            shown = self._archive.preview(principal, body, points)
        told = {name: "file" for name in about["fields"] if name in shown["sources"] and name not in fields}
        return {
            **shown,
            "warnings": [*about["warnings"], *shown["warnings"]],
            "sources": {**shown["sources"], **told},
        }

    def _body(self, file: SentFile, fields: Mapping[str, object]) -> tuple[dict[str, object], Mapping[str, Any]]:
        found = self._sandbox.found(file.content, _request(file, fields, None))
        return {**found.about["fields"], "data": bytes(found.blob)}, found.about


@contextmanager
def _hinting(hint: str | None) -> Iterator[None]:
    """Add how to name the filter to a refusal of the one that the file has."""
    try:
        yield
    except InvalidError as error:
        if hint is None or "filter" not in error.fields:
            raise
        raise InvalidError(f"{error.message} {hint}", fields=error.fields, details=error.details) from error


def _request(file: SentFile, fields: Mapping[str, object], points: int | None) -> dict[str, object]:
    return {"name": file.name, "options": dict(file.options), "fields": dict(fields), "points": points}
