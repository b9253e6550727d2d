"""The page on which series are found: a form made from the table of criteria, and a page of what matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from photseries import parameters
from photseries.errors import InvalidError
from photseries.fields import FIELDS, displayed
from photseries.lightcurve.table import TIME
from photseries.parameters import CONTROLS, CRITERIA, Criterion, Parameter, Query
from photseries.parameters.kinds import FLAG, MOMENT
from photseries.server.catalogue.finding import Page
from photseries.server.http.base import ANY
from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import CREATE_SERIES

__all__ = ["FindHandler"]

#: The criteria that are always in view; all others are under "More criteria".
_FIRST = (
    "objectID",
    "filter",
    "instrumentID",
    "ra",
    "dec",
    "radius",
    "endAfter",
    "startBefore",
    "minNumExposures",
)

#: The fields that the results show, in columns that sort by them.
_COLUMNS = (
    "obj_id",
    "filter",
    "series_name",
    "num_exp",
    "mean_mag",
    "rms_mag",
    "median_snr",
    "mjd_first",
    "mjd_last",
)

_PER_PAGE = "25"
_MOST_LISTED = 500


@dataclass(frozen=True)
class Input:
    """A criterion in the form, with what was typed."""

    parameter: Parameter
    values: Sequence[str]
    problem: str

    @property
    def label(self) -> str:
        """What people call it."""
        if isinstance(self.parameter, Criterion):
            return self.parameter.label
        return parameters.snake_case(self.parameter.name).replace("_", " ").capitalize().replace("rms", "RMS")

    @property
    def unit(self) -> str:
        """The unit of its value."""
        return displayed(self.parameter.unit) if isinstance(self.parameter, Criterion) and not self.hint else ""

    @property
    def hint(self) -> str:
        """An example of what to type."""
        return "MJD or 2026-11-21" if self.parameter.kind is MOMENT else ""

    @property
    def is_flag(self) -> bool:
        """Whether it is true or false."""
        return self.parameter.kind is FLAG


class FindHandler(PageHandler):
    """The search."""

    needs: ClassVar = {"GET": ANY}

    async def get(self) -> None:
        """Find series by a form."""
        await self.show("find.html", self._values)

    def _values(self) -> Mapping[str, Any]:
        given = {name: [text for text in texts if text] for name, texts in self.arguments().items()}
        given = {name: texts for name, texts in given.items() if texts}
        query, found, problem = Query(), Page([], None), None
        try:
            query = parameters.parse({"numPerPage": [_PER_PAGE], **given, "includeTotal": ["false"]})
            found, _ = self.services.reader.find(self.principal, query)
        except InvalidError as error:
            problem = error
            self.set_status(error.status)
        instruments, _ = self.services.accounts.find(self.principal, "instrument", 1, _MOST_LISTED)
        return {
            "problem": problem,
            "first": _inputs((_BY_NAME[name] for name in _FIRST), given, problem),
            "more": _inputs((*(known for known in CRITERIA if known.name not in _FIRST), _ROBUST), given, problem),
            "instruments": {one["id"]: one["name"] for one in instruments},
            "filters": self.services.archive.filters,
            "narrowed": bool(query.restrictions or query.cone),
            "found": [one.fields for one in found.found],
            "columns": [FIELDS[name] for name in (*_COLUMNS, *(["separation"] if query.cone else []))],
            "query": query,
            "page_after": found.cursor is not None,
            "link": lambda **changed: _link(given, changed),
            "time_of": lambda fields: next(name for name in TIME if name in fields["medians"]),
            "may_upload": CREATE_SERIES.allows(self.principal),
        }


_BY_NAME = {known.name: known for known in CRITERIA}
_ROBUST = next(known for known in CONTROLS if known.name == "useRobustMagAndRMS")


def _inputs(
    parameters: Iterable[Parameter], given: Mapping[str, Sequence[str]], problem: InvalidError | None
) -> list[Input]:
    fields = {} if problem is None else problem.fields
    return [
        Input(
            known,
            next((given[name] for name in known.spellings if name in given), [""]),
            " ".join(text for name in known.spellings for text in fields.get(name, ())),
        )
        for known in parameters
    ]


def _link(given: Mapping[str, Sequence[str]], changed: Mapping[str, Any]) -> str:
    """Return the address of this search with some parameters changed; whatever else changes, it begins at page 1."""
    kept = {name: texts for name, texts in given.items() if name not in ("pageNumber", "cursor")}
    text = urlencode({**kept, **changed}, doseq=True)
    return f"/?{text}" if text else "/"
