"""The declaration of a survey or product: how its files are recognised, and what they contain."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Mission", "Survey", "first_of"]


def first_of(header: Mapping[str, object], keywords: Iterable[str]) -> object:
    """Return the value of the first keyword that is present, or None."""
    return next((header[keyword] for keyword in keywords if header.get(keyword) not in (None, "")), None)


@dataclass(frozen=True, kw_only=True)
class Mission:
    """A space mission, by the keywords of its light curves.

    Parameters
    ----------
    catalogue : str
        Prefix of the star's number, such as ``TIC``.
    identity : tuple of str
        Keywords that contain the number, the first one present is used.
    part : str
        Keyword of the sector, quarter or campaign.
    series_name : str
        Template of the series name, with a placeholder for the number.
    """

    catalogue: str
    identity: tuple[str, ...]
    part: str
    series_name: str


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A survey or product.

    Parameters
    ----------
    name : str
    source : str
        Reference of its format.
    line : str
        Options of ``photseries upload`` for such a file, for the documentation.
    header : mapping of str to str
        Keywords, and the regular expressions that their values match, in any case; of keywords with ``|`` between
        them the first one present counts.
    columns : tuple of str
        Columns that such a file has.
    time, mag, filter_col : str, optional
        Columns by role.
    zero_point : str or float, optional
        The column with AB zero points, or the AB zero point of all fluxes.
    flux : tuple of str
        Flux columns, the preferred one first.
    errors : mapping of str to str
        Error column by value column.
    time_format : str, optional
        Default format of the times.
    times : mapping of str to str
        Default fields about the times.
    flux_unit : mapping of str to str
        Default units of columns; ``*`` means all others.
    magsys : mapping of str to str
        Magnitude system by filter in the file; ``*`` means all others.
    filter : str, optional
        Bandpass of all its files.
    filters : mapping of str to str
        Bandpass by filter in the file.
    limits_have_no_error : bool
        Whether a magnitude without an error is an upper limit.
    rename : mapping of str to str
        Further columns to rename to the names of the service.
    fields : mapping of str to str
        Fields of the series, and their keywords.
    constants : mapping
        Fields of the series that are the same in all its files.
    mission : Mission, optional
    """

    name: str
    source: str
    line: str = ""
    header: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    time: str | None = None
    flux: tuple[str, ...] = ()
    mag: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    zero_point: str | float | None = None
    filter_col: str | None = None
    time_format: str | None = None
    times: Mapping[str, str] = field(default_factory=dict)
    flux_unit: Mapping[str, str] = field(default_factory=dict)
    magsys: Mapping[str, str] = field(default_factory=dict)
    filter: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    limits_have_no_error: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, object] = field(default_factory=dict)
    mission: Mission | None = None

    def matches(self, header: Mapping[str, object], columns: Iterable[str]) -> bool:
        """Return whether a file with this header and these columns belongs to the survey."""
        if not set(self.columns) <= set(columns):
            return False
        return all(
            re.fullmatch(pattern, str(first_of(header, keywords.split("|")) or "").strip(), re.IGNORECASE)
            for keywords, pattern in self.header.items()
        )

    @property
    def weight(self) -> int:
        """How specific the declaration is: the number of its conditions."""
        return len(self.header) + len(self.columns)
