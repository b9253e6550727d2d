"""Parse the search form: a name or a position in one box, filters by common names, criteria."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from photseries import parameters
from photseries.errors import InvalidError
from photseries.formats.registry import EXPORTS, Format
from photseries.lightcurve.positions import Cone, parse_position, position_in_name
from photseries.lightcurve.selection import Selection
from photseries.parameters import SEPARATION, Query
from photseries.parameters.value_types import MAX_VALUES, join_values
from photseries.server.archive import SeriesReader
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.exports import ExportHandler
from photseries.server.http.pages.page import PageHandler
from photseries.server.http.series import restricted_to_source
from photseries.server.principal import Principal

__all__ = ["BOX", "ArchiveHandler", "NamesHandler", "Search", "SearchFileHandler", "SearchSummaryHandler", "interpret"]

#: The parameter of the search box.
BOX = "q"
_MAX_TEXT_LENGTH = 200
_CONE = ("ra", "dec", "radius")
_MAX_NAMES = 200
_SUGGESTED = 8


@dataclasses.dataclass(frozen=True)
class Search:
    """A parsed search.

    Attributes
    ----------
    query : Query
    criteria : dict of str to list of str
        The same search in the API, without the names.
    names : list of str, optional
        The sources whose names match the text in the box; None without text or for a position.
    place : Cone, optional
        The position in the box.
    """

    query: Query
    criteria: dict[str, list[str]]
    names: list[str] | None = None
    place: Cone | None = None


def interpret(
    reader: SeriesReader,
    principal: Principal,
    arguments: Mapping[str, Sequence[str]],
    filters: Sequence[str],
    **shape: str,
) -> Search:
    """Parse the parameters of the search page.

    Parameters
    ----------
    reader : SeriesReader
    principal : Principal
    arguments : mapping of str to sequence of str
        The parameters of the API, and the text in the box as ``q``: a position, or else a part of a name.
    filters : sequence of str
        The allowed filters.
    **shape
        Default parameters of the answer.

    Raises
    ------
    InvalidError
    """
    criteria = {name: list(texts) for name, texts in arguments.items() if name != BOX}
    if "filter" in criteria:
        short = {name: _letters(name) for name in filters}
        named = [
            filter_name
            for text in criteria["filter"][-1].split(",", MAX_VALUES)  # parse refuses more values
            for filter_name in filters_named(text.strip(), short)
        ]
        criteria["filter"] = [join_values(named)] if len(named) > 1 else named
    text = (list(arguments.get(BOX, ())) or [""])[-1].strip()
    if len(text) > _MAX_TEXT_LENGTH:
        raise InvalidError(f"The text to search for has more than {_MAX_TEXT_LENGTH} characters. Shorten it.")
    position, names = parse_position(text), None
    if text and position is None:
        names = reader.names_like(principal, text, _MAX_NAMES)
        position = None if names else position_in_name(text)
    if position is not None:
        criteria |= {name: [repr(value)] for name, value in zip(_CONE, position, strict=True)}
        shape = {"sortBy": SEPARATION, **shape}
        names = None
    query = parameters.parse({**{name: [value] for name, value in shape.items()}, **criteria})
    if names is not None:
        query = restricted_to_source(query, *names)
    return Search(query, criteria, names, position)


def filters_named(text: str, short: Mapping[str, str]) -> list[str]:
    """Return the allowed filters with a common name: ``r`` every r filter, ``ZTF r`` or ``ztf-r`` one of them.

    Return other texts unchanged.

    Parameters
    ----------
    text : str
    short : mapping of str to str
        The lower-case letters and digits of each allowed filter.
    """
    if text in short:
        return [text]
    letter = _letters(text)
    same = [name for name, letters in short.items() if letters == letter]
    if same or len(letter) != 1:
        return same or [text]
    systems = Counter(letters[:-1] for letters in short.values() if letters)  # a system has several filters
    return [name for name, letters in short.items() if letters[-1:] == letter and systems[letters[:-1]] > 2] or [text]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


class SearchSummaryHandler(BaseHandler):
    """The counts of a search."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    async def get(self) -> None:
        """Count the series that match, as ``/api/photometric_series/summary`` does."""

        def summarize() -> object:
            self.weigh()
            reader = self.services.reader
            search = interpret(reader, self.principal, self.arguments(), self.services.archive.filters)
            return reader.summarize(self.principal, search.query)

        await self.reply(summarize)


class ArchiveHandler(BaseHandler):
    """The content of the archive."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    async def get(self) -> None:
        """Count the visible series and points, on the sky and by day of upload."""

        def overview() -> object:
            self.weigh()
            return self.services.reader.overview(self.principal)

        await self.reply(overview)


class NamesHandler(BaseHandler):
    """Suggestions of source names."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    async def get(self) -> None:
        """List a few names that contain the text ``q``."""

        def names() -> list[str]:
            text = (self.arguments().get(BOX) or [""])[-1][:_MAX_TEXT_LENGTH]
            return self.services.reader.names_like(self.principal, text, _SUGGESTED)

        await self.reply(names)


class SearchFileHandler(PageHandler, ExportHandler):
    """All series of a search as one file, a link of the page."""

    needs: ClassVar = {"GET": ANY}

    def _parse_export(self) -> tuple[Format, Iterator[bytes]]:
        self.weigh()
        arguments = self.arguments()
        file_format = EXPORTS.get(arguments.pop("format", ["zip"])[-1])
        if file_format is None:
            raise InvalidError(f"Unknown format. It must be one of {', '.join(EXPORTS)}.")
        search = interpret(self.services.reader, self.principal, arguments, self.services.archive.filters)
        return file_format, self.services.exporter.export(self.principal, search.query, file_format, Selection())
