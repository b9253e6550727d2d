"""Export handlers: many series as one file, sent while it is made, by criteria or by a list."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar

from photseries import parameters
from photseries.errors import BusyError, DamagedError, InvalidError, NotInstalledError, UnavailableError
from photseries.formats.registry import EXPORTS, Format
from photseries.parameters import LONG_TABLE, SUMMARY_CRITERIA, Parameter, choice
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract, Raw

__all__ = ["EXPORT", "ExportHandler"]

_SHAPING: tuple[Parameter, ...] = (
    Parameter(name="format", kind=choice(*EXPORTS), default=next(iter(EXPORTS)), sentence="The format of the file."),
    *LONG_TABLE,
)

#: The parameters of an export.
EXPORT: tuple[Parameter, ...] = (*_SHAPING, *SUMMARY_CRITERIA)


#: Maximum length of the body of an export [bytes]: a list of 100,000 entries.
MAX_LISTED = 16 * 1024 * 1024


class ExportHandler(BaseHandler):
    """Exports of matching series, and of a list."""

    needs: ClassVar = {"GET": ANY, "POST": ANY}
    public: ClassVar[bool] = True

    @property
    def max_body_length(self) -> int:
        """The maximum length of a body [bytes]."""
        return min(self.services.config.server.max_body, MAX_LISTED)

    @Contract(
        query=EXPORT,
        gives=Raw(tuple(one.media_type for one in EXPORTS.values())),
        fails=(DamagedError, NotInstalledError, BusyError),
    )
    async def get(self) -> None:
        """Return all matching series as one file: a long table, or a zip of the stored files."""
        await self._export(self._parse_export)

    @Contract(
        body="Export",
        gives=Raw(tuple(one.media_type for one in EXPORTS.values())),
        fails=(NotInstalledError, BusyError),
    )
    async def post(self) -> None:
        """Return the series of a list of ids, names, hashes or positions as one file with a manifest."""
        body = functools.cache(self.json_body)  # the body is read only once, but the function may be called again

        def parse() -> tuple[Format, Iterator[bytes]]:
            request = parameters.parse_list_request(body(), tuple(EXPORTS))
            self.weigh()
            return EXPORTS[request.format], self.services.exporter.answer(self.principal, request)

        await self._export(parse)

    async def _export(self, parse: Callable[[], tuple[Format, Iterator[bytes]]]) -> None:
        file_format, pieces = await self.run(parse)
        with self._place():
            self.set_header("Content-Type", file_format.media_type)
            self.set_header("Content-Disposition", f'attachment; filename="photometric_series.{file_format.extension}"')
            await self.stream(self.work.while_allowed(pieces))

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places for exports; beyond its first, a client leaves as many free as it holds."""
        running, client = self.shared.exports, self.caller.key
        free = self.services.config.server.exports - running.total() - 1
        if free < 0 or (running[client] and running[client] + 1 > free):
            raise UnavailableError("Too many exports are running. Try again later.")
        running[client] += 1
        try:
            yield
        finally:
            running -= Counter({client: 1})

    def _parse_export(self) -> tuple[Format, Iterator[bytes]]:
        self.weigh()
        arguments = self.arguments()
        shaping = {name.name: arguments.pop(name.name) for name in _SHAPING if name.name in arguments}
        query, values = parameters.parse_criteria(arguments), parameters.read(shaping, _SHAPING)
        file_format, part = EXPORTS[values["format"]], parameters.selection_of(values)
        if file_format.name == "zip" and (part.columns or part.derive):
            message = "'columns' and 'derive' cannot be combined with format=zip, which contains the stored files."
            raise InvalidError.of_field("format", message)
        return file_format, self.services.exporter.export(self.principal, query, file_format, part)
