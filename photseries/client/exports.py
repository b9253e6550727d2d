"""Download one series, or many series, to a file."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from photseries.client.downloads import partial
from photseries.client.lists import ListQuery
from photseries.client.payload import message
from photseries.client.queries import list_arguments
from photseries.client.search import SERIES, metadata, path_of
from photseries.client.transport import Transport
from photseries.errors import InvalidError
from photseries.formats import EXPORTS, WRITERS, format_of
from photseries.text import file_name

__all__ = ["export", "save"]


def save(transport: Transport, series_id: int, target: Path, form: str | None, revision: int | None) -> Path:
    """Download a series as a file; see :meth:`photseries.Client.save`."""
    if target.is_dir():
        form = form or "hdf5"
        suffix = WRITERS[form].suffixes[0] if form in WRITERS else ""  # the service refuses unknown formats
        target /= file_name(metadata(transport, series_id), suffix)
    else:
        form = format_of(target, WRITERS) if form is None else form
    query = {} if revision is None else {"revision": revision}
    stored = (lambda: metadata(transport, series_id).get("hash")) if form == "hdf5" and not query else None
    transport.save(f"{path_of(series_id)}/data", {"format": form, **query}, target, stored)
    writer = WRITERS[form].writer if form in WRITERS else None
    if writer is not None and writer.warning:
        warnings.warn(writer.warning, stacklevel=3)
    return target


def export(
    transport: Transport, target: Path, form: str | None, lists: Mapping[str, object], options: Mapping[str, object]
) -> Path:
    """Download all matching series, or those of a list, into one file; see :meth:`photseries.Client.export`."""
    form = format_of(target, EXPORTS) if form is None else form
    if not lists:
        transport.save(f"{SERIES}/export", {**list_arguments(options), "format": form}, target)
        return target
    request = ListQuery(lists, options)
    if not request.entries:
        raise InvalidError("The list is empty.")
    ((_, body),) = request.portions(len(request.entries))
    with partial(target) as file:
        transport.stream(f"{SERIES}/export", message({**body, "format": form}), file)
    return target
