"""Compare SkyPortal's values of a series with the values of its file, field by field, with reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from photseries.server.importers.reasons import REASONS, UNEXPLAINED, ReasonInput
from photseries.server.importers.skyportal_schema import FIELDS, STATISTICS, SkyPortalSeries

__all__ = ["Difference", "archive_metadata", "compare", "of_history", "of_the_file", "to_history"]

#: Maximum relative difference of equal numbers; for a spread, relative to its mean.
PRECISION = 1e-9
_SPREADS = {"rms_mag": "mean_mag", "robust_rms": "robust_mag"}
#: Maximum number of columns named in a difference.
MAX_COLUMNS = 3
ARCSEC = 3600.0


@dataclass(frozen=True)
class Difference:
    """A field that differs from SkyPortal: both values, and the reasons."""

    field: str
    theirs: object
    ours: object
    reasons: tuple[str, ...]


def compare(series: SkyPortalSeries, frame: pd.DataFrame, ours: Mapping[str, Any]) -> list[Difference]:
    """Compare the statistics of a series.

    Parameters
    ----------
    frame : DataFrame
        The table of its file.
    ours : mapping
        The statistics computed from it.
    """
    values: dict[str, tuple[object, object]] = {}
    for field in STATISTICS:
        theirs, value = series.statistics[field], ours[field]
        if isinstance(value, Mapping):
            pair: tuple[object, object] = _columns(field, theirs if isinstance(theirs, Mapping) else {}, value, ours)
        else:
            pair = (_finite_or_none(theirs), value)
            if _are_equal(*pair, scale=ours.get(_SPREADS.get(field, ""))):
                continue
        if pair[0] != pair[1]:
            values[field] = pair
    if ours["mean_flux"] is not None:
        values["mean_flux"] = (None, ours["mean_flux"])
    table = ReasonInput(frame, series.statistics, ours, values)
    holding = [reason for reason in REASONS if any(field in values for field in reason.fields) and reason.holds(table)]
    differences = []
    for field, (theirs, value) in values.items():
        reasons = tuple(reason.name for reason in holding if field in reason.fields)
        if reasons or field != "mean_flux":
            differences.append(Difference(field, theirs, value, reasons or (UNEXPLAINED[0],)))
    return differences


def of_the_file(series: SkyPortalSeries, md5: str, rows: int, metadata: Mapping[str, object]) -> list[Difference]:
    """Return why the MD5 of a file differs from SkyPortal's, and warnings about texts that may be nulls.

    Parameters
    ----------
    md5 : str
        Of the file.
    rows : int
        Of its table.
    metadata : mapping
        In the file.
    """
    differences = [
        Difference(field, "None", "None", ("probably null: SkyPortal's PATCH stores null as the text None",))
        for field in ("channel", "origin")
        if series.fields[field] == "None"
    ]
    if md5 != series.hash:
        row = {**series.fields, "owner_id": series.owner_id, "group_ids": series.group_ids}
        row["stream_ids"] = series.stream_ids
        other = [name for name, value in row.items() if name in metadata and not _equal(value, metadata[name])]
        if rows != series.statistics["num_exp"]:
            reason = "the file contains another table than the database row describes"
        elif other:
            reason = f"the metadata in the file, which the MD5 covers, differ from the database row: {', '.join(other)}"
        else:
            reason = "table and metadata agree: the file was rewritten, or altered in a part that is not read"
        differences.append(Difference("md5", series.hash, md5, (reason,)))
    return differences


def archive_metadata(series: SkyPortalSeries, unit: str) -> dict[str, object]:
    """Return the metadata of a series for the archive, with SkyPortal's placeholders for absent values as null.

    Parameters
    ----------
    unit : {"deg", "arcsec"}
        Of ra_unc and dec_unc in SkyPortal.
    """
    fields = {name: _finite_or_none(series.fields[name]) for name in FIELDS}
    for name in ("channel", "origin"):
        fields[name] = fields[name] or None
    if unit == "arcsec":
        for name in ("ra_unc", "dec_unc"):
            fields[name] = None if fields[name] is None else fields[name] / ARCSEC
    if fields["ref_flux"] is None:
        fields["ref_fluxerr"] = None
    return fields


def to_history(
    series: SkyPortalSeries, differences: list[Difference], warnings: Sequence[str] = ()
) -> dict[str, dict[str, object]]:
    """Encode differences and warnings for the history; always with SkyPortal's MD5, which identifies the series."""
    changed: dict[str, dict[str, object]] = {"hash": {"from": series.hash}}
    for difference in differences:
        changed[difference.field] = {
            "from": difference.theirs,
            "to": difference.ours,
            "reasons": list(difference.reasons),
        }
    if warnings:
        changed["warnings"] = {"from": None, "to": list(warnings)}
    return changed


def of_history(changed: Mapping[str, Mapping[str, Any]]) -> list[Difference]:
    """Decode differences from the history."""
    return [
        Difference(field, change["from"], change["to"], tuple(change["reasons"]))
        for field, change in changed.items()
        if "reasons" in change
    ]


def _columns(
    field: str, theirs: Mapping[str, object], values: Mapping[str, object], ours: Mapping[str, Any]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the first columns whose statistics differ."""
    scales = ours["maxima"] if field == "stds" else {}
    differing = [
        name
        for name, value in values.items()
        if name in theirs and not _are_equal(_finite_or_none(theirs[name]), value, scale=scales.get(name))
    ][:MAX_COLUMNS]
    return {name: _finite_or_none(theirs[name]) for name in differing}, {name: values[name] for name in differing}


def _are_equal(theirs: Any, value: Any, scale: float | None = None) -> bool:
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in (theirs, value)):
        return type(theirs) is type(value) and bool(theirs == value)
    return math.isclose(theirs, value, rel_tol=PRECISION, abs_tol=PRECISION * abs(scale or 0))


def _equal(row: object, file: object) -> bool:
    """Return whether an untrusted value in a file equals the value of the row."""
    row, file = (None if value == "" else _finite_or_none(value) for value in (row, file))
    if isinstance(row, list) and isinstance(file, list):
        return sorted(map(str, row)) == sorted(map(str, file))
    if isinstance(row, float) and isinstance(file, float):
        return math.isclose(row, file, rel_tol=PRECISION)
    return bool(row == file)


def _finite_or_none(value: object) -> Any:
    """Return a number, or None where it is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
