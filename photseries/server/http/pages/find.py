"""The search page: a form made from the table of criteria, and a page of matches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from photseries import parameters
from photseries.errors import InvalidError
from photseries.fields import FIELDS, Section, displayed
from photseries.lightcurve.positions import angle
from photseries.parameters import CONTROLS, CRITERIA, Criterion, Parameter, Query, likely_mistakes
from photseries.parameters.value_types import FLAG, MOMENT
from photseries.server.catalogue.series_queries import SeriesPage
from photseries.server.http.credentials import origin_of
from photseries.server.http.pages.page import PageHandler
from photseries.server.http.pages.search import BOX, Search, interpret
from photseries.server.http.pages.snippets import of_search
from photseries.server.http.pages.source import source_path
from photseries.server.principal import CREATE_SERIES

__all__ = ["FindHandler"]

#: The criteria that are always visible, besides the box for a name or a position; all others are in groups.
_FIRST = ("filter", "instrumentID", "endAfter", "startBefore", "minNumExposures")

#: The groups of the other criteria.
_GROUPS = ("Source and position", "Observation", "Times", "Points and brightness", "Variability", "Sharing and files")

#: The fields of the results, in sortable columns.
_COLUMNS = ("filter", "series_name", "num_exp", "mean_mag", "rms_mag", "median_snr", "mjd_first", "mjd_last")

_SHAPE = {"numPerPage": "25", "includeTotal": "false"}
_SHAPING = ("sortBy", "sortOrder", "pageNumber", "numPerPage", "cursor", "includeTotal", "dataFormat")


@dataclass(frozen=True)
class FormInput:
    """A criterion in the form, with its input."""

    parameter: Parameter
    values: Sequence[str]
    problem: str

    @property
    def label(self) -> str:
        """The label."""
        if isinstance(self.parameter, Criterion):
            return self.parameter.label
        return parameters.snake_case(self.parameter.name).replace("_", " ").capitalize().replace("rms", "RMS")

    @property
    def unit(self) -> str:
        """The unit of its value."""
        return displayed(self.parameter.unit) if isinstance(self.parameter, Criterion) and not self.hint else ""

    @property
    def hint(self) -> str:
        """What a value looks like."""
        return "MJD or date" if self.parameter.kind is MOMENT else ""

    @property
    def is_flag(self) -> bool:
        """Whether the value is a boolean."""
        return self.parameter.kind is FLAG


class FindHandler(PageHandler):
    """The search page."""

    public: ClassVar[bool] = True

    async def get(self) -> None:
        """Find series by a form."""
        await self.show("find.html", self._values)

    def _values(self) -> Mapping[str, object]:
        arguments = {name: [text for text in texts if text] for name, texts in self.arguments().items()}
        arguments = {name: texts for name, texts in arguments.items() if texts}
        reader, search, page, problem = self.services.reader, Search(Query(), {}), SeriesPage([], None), None
        try:
            search = interpret(reader, self.principal, arguments, self.services.archive.filters, **_SHAPE)
            page, _ = reader.find(self.principal, search.query)
        except InvalidError as error:
            problem = error
            self.set_status(error.status)
        query = search.query
        nearest = None
        if search.place is not None and not page.records and query.page == 1:
            nearest = reader.nearest(self.principal, search.place.ra, search.place.dec, query.restrictions)
        return {
            "problem": problem and _worded(problem.message),
            "first": _inputs((_BY_NAME[name] for name in _FIRST), arguments, problem),
            "groups": {
                title: _inputs((item for item in (*CRITERIA, _ROBUST) if _group_of(item) == title), arguments, problem)
                for title in _GROUPS
            },
            "text": (arguments.get(BOX) or [""])[-1],
            "search": search,
            "nearest": None if nearest is None else nearest.fields,
            "alike": reader.names_alike(self.principal, arguments[BOX][-1]) if search.names == [] else [],
            "angle": angle,
            "snippets": of_search(
                origin_of(self.request, self.services.config.server), query, search.criteria, search.names
            ),
            "asked": urlencode({name: texts for name, texts in arguments.items() if name not in _SHAPING}, doseq=True),
            "instruments": {item["id"]: item["name"] for item in self.listed("instrument")},
            "filters": self.services.archive.filters,
            "mistakes": map(_worded, likely_mistakes(query, self.services.archive.filters)),
            "narrowed": bool(query.restrictions or query.cone),
            "source_path": source_path,
            "found": [item.fields for item in page.records],
            "columns": [FIELDS[name] for name in (*_COLUMNS, *(["separation"] if query.cone else []))],
            "query": query,
            "page_after": page.cursor is not None,
            "link": lambda **changed: _link(arguments, changed),
            "may_upload": CREATE_SERIES.allows(self.principal),
        }


_BY_NAME = {known.name: known for known in CRITERIA}
_ROBUST = next(known for known in CONTROLS if known.name == "useRobustMagAndRMS")
_LABELS = {name: FormInput(known, (), "").label for known in (*CRITERIA, _ROBUST) for name in known.spellings}

#: A parameter in a message: in capitals or after "Invalid", unlike the same word in a sentence or a quoted value.
_NAMED = re.compile(r"""(?<=\bInvalid )\w+|(?<!["\w])[a-z]+[A-Z]\w*(?!["\w])""")


def _group_of(criterion: Parameter) -> str:
    """Return the group of a criterion; empty for those always visible."""
    if criterion.name in _FIRST:
        return ""
    field = FIELDS.get(criterion.field) if isinstance(criterion, Criterion) else None
    if isinstance(criterion, Criterion) and criterion.field in ("position", "obj_id"):
        return _GROUPS[0]
    if field is not None and field.type == "mjd":
        return _GROUPS[2]
    section = Section.STATISTIC if field is None else field.section
    return {Section.METADATA: _GROUPS[1], Section.STATISTIC: _GROUPS[3], Section.FEATURE: _GROUPS[4]}.get(
        section, _GROUPS[5]
    )


def _worded(message: str) -> str:
    """Replace the parameters that a message names by the labels of their inputs."""
    return _NAMED.sub(lambda name: f"“{_LABELS[name[0]]}”" if name[0] in _LABELS else name[0], message)


def _inputs(
    parameters: Iterable[Parameter], arguments: Mapping[str, Sequence[str]], problem: InvalidError | None
) -> list[FormInput]:
    fields = {} if problem is None else problem.fields
    return [
        FormInput(
            parameter,
            next((arguments[name] for name in parameter.spellings if name in arguments), [""]),
            " ".join(_worded(text) for name in parameter.spellings for text in fields.get(name, ())),
        )
        for parameter in parameters
    ]


def _link(arguments: Mapping[str, Sequence[str]], changed: Mapping[str, object]) -> str:
    """Return the URL of this search with changed parameters, starting at page 1 unless the page is given."""
    kept = {name: texts for name, texts in arguments.items() if name not in ("pageNumber", "cursor")}
    text = urlencode({**kept, **changed}, doseq=True)
    return f"/?{text}" if text else "/"
