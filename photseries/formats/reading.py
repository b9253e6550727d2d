"""A table as returned by a reader, and the series made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from photseries.formats.own_files import Note
from photseries.formats.time_frames import TimeFrame

__all__ = ["Reading", "Role", "Table"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as a reader returns it.

    Parameters
    ----------
    frame : DataFrame
        The columns with their names in the file; astropy's times as MJD.
    header : mapping
        Keywords of the file.
    units : mapping
        Units by column, as text or astropy units.
    unit_texts : mapping of str to str
        Units as spelled in the file, if astropy's spelling differs.
    fields : mapping
        Fields of the series derived from the file.
    file_metadata : mapping
        Fields in the file under the service's names.
    notes : mapping of str to Note
        The notes on columns in a file of the service.
    frames : mapping of str to TimeFrame
        The time frames stated by the file, by column.
    time : str, optional
        The time column, if certain.
    mjd : mapping of str to dict
        Columns in MJD regardless of their names, with the fields of a series that has them as its times.
    warnings : tuple of str
    blob : bytes, optional
        The file, if it can be sent unchanged.
    uses : tuple of str
        The options that the reader has applied: ``table``, ``names``.
    """

    frame: pd.DataFrame
    header: Mapping[str, object] = field(default_factory=dict)
    units: Mapping[str, object] = field(default_factory=dict)
    unit_texts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    file_metadata: Mapping[str, object] = field(default_factory=dict)
    notes: Mapping[str, Note] = field(default_factory=dict)
    frames: Mapping[str, TimeFrame] = field(default_factory=dict)
    time: str | None = None
    mjd: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    blob: bytes | None = None
    uses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    """A column with a meaning, and why it has it."""

    column: str
    why: str


@dataclass(frozen=True)
class Reading:
    """A series that was read.

    Parameters
    ----------
    frame : DataFrame
        The table, with the column names of the service.
    fields : dict
        Fields of the series found in the data.
    file_metadata : dict
        Fields in the file under the service's names.
    warnings : tuple of str
        Warnings for the user.
    blob : bytes, optional
        The file, if it can be sent unchanged.
    roles : mapping of str to Role
        The columns with a role, by their names in the file.
    survey : str, optional
        The survey that was recognised.
    filters : mapping of str to int
        The filters in the file, with their numbers of rows.
    filter : str, optional
        The filter of the series, as named in the file.
    names : tuple of str
        The names of the columns in the file.
    part : str, optional
        The value of the column ``split_by`` in its rows.
    calibration : mapping
        Fields without which the numbers would be misread, as far as the data state them, with defaults.
    """

    frame: pd.DataFrame
    fields: Mapping[str, Any] = field(default_factory=dict)
    file_metadata: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    blob: bytes | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    survey: str | None = None
    filters: Mapping[str, int] = field(default_factory=dict)
    filter: str | None = None
    names: tuple[str, ...] = ()
    part: str | None = None
    calibration: Mapping[str, object] = field(default_factory=dict)

    def merged(self, overrides: Mapping[str, object], *, replaces: bool = False) -> dict[str, object]:
        """Merge fields of the user over those of the data; merge altdata key by key.

        Parameters
        ----------
        replaces : bool
            Whether the data may replace those of a series, whose calibration must not remain.
        """
        merged = {**(self.calibration if replaces else {}), **self.fields, **overrides}
        altdata, more = self.fields.get("altdata"), overrides.get("altdata")
        if altdata and isinstance(more, Mapping):
            merged["altdata"] = {**altdata, **more}
        return {name: value for name, value in merged.items() if value is not None}
