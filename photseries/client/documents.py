"""The JSON documents that the client returns as the service sent them, typed for editors and type checkers.

A test compares their keys with the OpenAPI document of the service.
"""

from __future__ import annotations

from typing import Literal, TypedDict

__all__ = ["Event", "Peak", "Period", "Periodogram", "SourcePeriodogram", "Summary", "Usage", "WhoAmI"]


class WhoAmI(TypedDict):
    """The user of a token, with the permissions of the token."""

    user_id: int
    username: str
    permissions: list[str]
    group_ids: list[int]
    stream_ids: list[int]


class _Used(TypedDict):
    owner_id: int
    username: str
    series: int
    bytes: int
    kept_bytes: int


class _Limits(TypedDict):
    series: int
    bytes: int


class Usage(TypedDict):
    """The usage of users, and their quotas (0: none)."""

    usage: list[_Used]
    limits: _Limits


class Summary(TypedDict):
    """The number of matching series and sources, their time span [MJD], and the most frequent values of some fields."""

    series: int
    sources: int
    mjd_first: float | None
    mjd_last: float | None
    instrument_id: list[dict[str, int | str]]
    filter: list[dict[str, int | str]]
    series_name: list[dict[str, int | str]]
    owner_id: list[dict[str, int | str]]
    batch: list[dict[str, int | str]]


#: ``{"from": ..., "to": ...}``, values of a field.
_Change = TypedDict("_Change", {"from": object, "to": object})


class _PublicEvent(TypedDict):
    revision: int
    at: str
    action: Literal["create", "update", "share", "delete", "restore", "import", "purge"]


class Event(_PublicEvent, total=False):
    """A change of a series; the optional keys are for its owner and for tokens that may change the series."""

    user_id: int
    username: str
    changed: dict[str, _Change]
    hash: str | None


class Period(TypedDict):
    """A period of a series [d], found by a user or by the service."""

    period: float
    method: str
    preferred: bool
    power: float | None
    false_alarm: float | None
    error: float | None
    who: str | None
    when: str
    version: int | None
    grid: dict[str, float] | None


class Peak(TypedDict):
    """A peak of a periodogram; frequency [1/d], period, its error and duration [d]."""

    frequency: float
    period: float
    period_error: float | None
    power: float
    false_alarm: float | None
    at_edge: bool
    depth: float | None
    duration: float | None


class _Searched(TypedDict):
    num_points: int
    min_period: float
    max_period: float
    num_frequencies: int
    limited: bool
    warnings: list[str]
    peaks: list[Peak]
    frequency: list[float]
    power: list[float]


class Periodogram(_Searched):
    """The periodogram of a series: peaks, the highest first, and power by frequency [1/d]."""

    method: str
    brightness: Literal["flux", "mag"]
    unit: str
    magsys: str | None
    label: str
    weighted: bool


class SourcePeriodogram(_Searched):
    """The periodogram of all series of a source, with their ids."""

    series: list[int]
