"""The reasons why imported numbers differ from SkyPortal's: one table for the report and the documentation.

A reason applies to a series if its table shows the cause, and explains the fields that the reason names. A field that
differs without a reason was not computed from the current file; the report states this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from photseries.fields import PER_COLUMN
from photseries.lightcurve.metadata import INFERRED, MAGNITUDES
from photseries.lightcurve.table import BRIGHTNESS, FLUX, SENTINEL_MAG, TIME, error_column, first_present, is_numeric

__all__ = ["REASONS", "UNEXPLAINED", "Reason", "ReasonInput"]

_TIMES = ("mjd_first", "mjd_mid", "mjd_last", "mag_first", "mag_last")
_DETECTED = ("mjd_last_detected", "mag_last_detected")
_SNR = ("median_snr", "best_snr", "worst_snr", "is_detected", *_DETECTED)
_MAGNITUDES = ("mean_mag", "rms_mag", "robust_mag", "robust_rms")


class ReasonInput:
    """The input of the reasons.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    theirs, ours : mapping
        The statistics of the other archive, and those computed here.
    differing : collection of str
        The fields in which they differ.
    """

    def __init__(
        self, frame: pd.DataFrame, theirs: Mapping[str, object], ours: Mapping[str, object], differing: Collection[str]
    ) -> None:
        self.frame = frame
        self.differing = differing
        self.theirs = theirs
        self.ours = ours

    @cached_property
    def steps(self) -> np.ndarray:
        """The differences of successive times in row order [d]."""
        return np.diff(self.column(*TIME).astype(np.float64))

    def column(self, *spellings: str) -> np.ndarray:
        """Return the first column with one of the names; empty if there is none."""
        name = first_present(self.frame, spellings)
        return np.empty(0) if name is None else self.frame[name].to_numpy()

    @cached_property
    def errors(self) -> np.ndarray:
        """The effective error column."""
        name = error_column(self.frame, first_present(self.frame, BRIGHTNESS))
        return self.column(name) if name else np.empty(0)


@dataclass(frozen=True)
class Reason:
    """A reason: its name, SkyPortal's and this archive's behaviour, the explained fields, and its condition."""

    name: str
    sentence: str
    fields: tuple[str, ...]
    holds: Callable[[ReasonInput], bool]


def _is_single_precision(table: ReasonInput) -> bool:
    columns = (table.column(*TIME), table.column(*BRIGHTNESS), table.errors)
    return any(column.dtype.kind == "f" and column.dtype.itemsize < 8 for column in columns)


def _infinite(table: ReasonInput) -> bool:
    return any(bool(np.isinf(column).any()) for _, column in table.frame.items() if column.dtype.kind == "f")


def _bad_errors(table: ReasonInput) -> bool:
    return bool(table.errors.size) and not bool((table.errors > 0).all() and np.isfinite(table.errors).all())


def _sentinels(table: ReasonInput) -> bool:
    columns = [column for name, column in table.frame.items() if name in MAGNITUDES and is_numeric(column)]
    return any(bool((np.isfinite(column) & (np.abs(column) >= SENTINEL_MAG)).any()) for column in columns)


def _is_around_zero(table: ReasonInput) -> bool:
    columns = [
        column.to_numpy() for name, column in table.frame.items() if name in INFERRED["ra"] and is_numeric(column)
    ]
    return any(bool(np.nanmax(column, initial=0) - np.nanmin(column, initial=360) > 180) for column in columns)


def _are_statistics_of_times(table: ReasonInput) -> bool:
    """Return whether every column has the statistics of the times."""
    name = first_present(table.frame, TIME)
    return any(
        isinstance(statistics, Mapping)
        and len(statistics) > 1
        and name in statistics
        and all(value == statistics[name] for value in statistics.values())
        for statistics in map(table.theirs.get, PER_COLUMN)
    )


#: All reasons, in the order of the report.
REASONS: tuple[Reason, ...] = (
    Reason(
        "unsorted rows",
        "SkyPortal uses the first and last row as the first and last time; here rows are sorted by time.",
        (*_TIMES, *_DETECTED, "frame_rate"),
        lambda table: bool((table.steps < 0).any()),
    ),
    Reason(
        "repeated times",
        "SkyPortal's frame rate includes steps of zero; here it uses positive steps only.",
        ("frame_rate",),
        lambda table: bool((table.steps == 0).any()),
    ),
    Reason(
        "rows without a time",
        "SkyPortal accepts null as the first or last time; here such rows count only for brightness.",
        (*_TIMES, *_DETECTED, "frame_rate"),
        lambda table: not bool(np.isfinite(table.column(*TIME)).all()),
    ),
    Reason(
        "single precision",
        "SkyPortal computes in the precision of the columns, float32 or less; here all is float64.",
        (*_TIMES, *_SNR, *_MAGNITUDES, *PER_COLUMN, "frame_rate"),
        _is_single_precision,
    ),
    Reason(
        "infinite values",
        "SkyPortal ignores NaN but not infinity; here only finite values count.",
        (*_TIMES, *_SNR, *_MAGNITUDES, *PER_COLUMN),
        _infinite,
    ),
    Reason(
        "bad errors",
        "SkyPortal divides by errors that are zero, negative or null; here such an error counts as absent.",
        _SNR,
        _bad_errors,
    ),
    Reason(
        "magnitudes that mean 'not measured'",
        "SkyPortal treats magnitudes such as 99.999 and -99 as measurements; here those of 40 or more, or -40 or "
        "less, count as absent.",
        (*_TIMES, *_SNR, *_MAGNITUDES, *PER_COLUMN),
        _sentinels,
    ),
    Reason(
        "right ascensions around zero",
        "SkyPortal uses the plain median of right ascensions; here the median is circular: 359.9 and 0.1 give 0.",
        ("medians",),
        _is_around_zero,
    ),
    Reason(
        "constant brightness",
        "SkyPortal's scatter of equal values is a rounding error, and its S/N huge; here the scatter is 0 and gives "
        "no S/N.",
        ("rms_mag", "robust_rms", *_SNR),
        lambda table: table.ours["rms_mag"] == 0,
    ),
    Reason(
        "S/N definition",
        "SkyPortal divides by the larger of the error and the scatter of the whole series; here the divisor is the "
        "error or, without an error, the noise of successive fluxes, so that variation does not count as noise.",
        _SNR,
        lambda table: any(field in table.differing for field in _SNR[:3]),
    ),
    Reason(
        "positive fluxes only",
        "SkyPortal has only statistics of magnitudes, which ignore fluxes of 0 or less; here mean_flux, rms_flux, "
        "robust_flux and robust_rms_flux of all fluxes are added.",
        ("mean_flux",),
        lambda table: bool((table.column(*FLUX) <= 0).any()),
    ),
    Reason(
        "statistics of the times",
        "SkyPortal wrote the statistics of the times under the name of every column.",
        PER_COLUMN,
        _are_statistics_of_times,
    ),
)

#: The text about a difference without a reason.
UNEXPLAINED = (
    "not computed from this file",
    "The value does not follow from the table: it was computed from another table, or by another SkyPortal version.",
)
