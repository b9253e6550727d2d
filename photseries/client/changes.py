"""Changes of stored series: their fields, tables and revisions."""

from __future__ import annotations

from collections.abc import Mapping

from photseries.client.payload import message
from photseries.client.queries import plain_fields
from photseries.client.search import SERIES, path_of
from photseries.client.transport import RetryState, Transport
from photseries.errors import NotFoundError
from photseries.formats import ReadOptions, collect, one_of

__all__ = ["delete", "if_revision", "undo", "update"]


def if_revision(series_id: int, revision: int | None) -> dict[str, str]:
    """Return the If-Match header for a revision of a series; empty for None."""
    return {} if revision is None else {"If-Match": f'"{series_id}.{revision:d}.none"'}


def update(
    transport: Transport,
    series_id: int,
    data: object,
    if_match: int | None,
    options: ReadOptions | None,
    fields: Mapping[str, object],
) -> tuple[str, ...]:
    """Change a series; see :meth:`photseries.Client.update`."""
    # Fields inferred from the data apply to new series only, except those without which the numbers would be misread.
    reading = None if data is None else one_of(collect(data, options or ReadOptions()))
    calibration = {} if reading is None else reading.calibration
    written = message({**calibration, **plain_fields(fields)}, reading)
    headers = if_revision(series_id, if_match)
    answer = transport.write("PATCH", path_of(series_id), written, repeatable=False, headers=headers)
    return (*(reading.warnings if reading is not None else ()), *answer.get("warnings", ()))


def delete(transport: Transport, series_id: int, if_match: int | None) -> None:
    """Remove a series; see :meth:`photseries.Client.delete`."""
    state, headers = RetryState(), if_revision(series_id, if_match)
    try:
        transport.write("DELETE", path_of(series_id), repeatable=True, retry_state=state, headers=headers)
    except NotFoundError:
        if not state.outcome_unknown:  # otherwise an earlier attempt whose answer was lost has removed it
            raise


def undo(transport: Transport, batch: str, dry_run: bool) -> dict[str, list[int]]:
    """Undo an upload batch in parts; see :meth:`photseries.Client.undo`."""
    undone: dict[str, list[int]] = {}
    after: int | None = 0
    while after is not None:
        written = message({"batch": batch, "dryRun": dry_run, "after": after})
        answer = transport.write("POST", f"{SERIES}/undo", written, repeatable=True, changes=not dry_run)
        after = answer.pop("next")
        for outcome, ids in answer.items():
            undone.setdefault(outcome, []).extend(ids)
    return undone
