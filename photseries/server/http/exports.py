"""Export handlers: many series as one file, sent while it is made, by criteria or by a list."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
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


#: How long the body of an export may be [bytes]: a list of 100,000 entries.
MOST_LISTED = 16 * 1024 * 1024


class ExportHandler(BaseHandler):
    """Every series that matches, and those of a list."""

    needs: ClassVar = {"GET": ANY, "POST": ANY}
    public: ClassVar[bool] = True

    @property
    def longest_body(self) -> int:
        """How long a body may be [bytes]."""
        return min(self.services.config.server.max_body, MOST_LISTED)

    @Contract(
        query=EXPORT,
        gives=Raw(tuple(one.media_type for one in EXPORTS.values())),
        fails=(DamagedError, NotInstalledError, BusyError),
    )
    async def get(self) -> None:
        """Return all matching series as one file: a long table, or a zip of the stored files."""
        await self._export(self._asked)

    @Contract(
        body="Export",
        gives=Raw(tuple(one.media_type for one in EXPORTS.values())),
        fails=(NotInstalledError, BusyError),
    )
    async def post(self) -> None:
        """Return the series of a list of ids, names, hashes or positions as one file with a manifest."""
        body = functools.cache(self.json_body)  # the body is read once, though the function may be called again

        def asked() -> tuple[Format, Iterator[bytes]]:
            wanted = parameters.parse_asked(body(), tuple(EXPORTS))
            self.weigh()
            return EXPORTS[wanted.format], self.services.exporter.answer(self.principal, wanted)

        await self._export(asked)

    async def _export(self, asked: Callable[[], tuple[Format, Iterator[bytes]]]) -> None:
        form, pieces = await self.run(asked)
        if self.shared.exports.locked():
            raise UnavailableError("Too many exports are running. Try again later.")
        async with self.shared.exports:
            self.set_header("Content-Type", form.media_type)
            self.set_header("Content-Disposition", f'attachment; filename="photometric_series.{form.extension}"')
            self.set_header("Cache-Control", "private, no-store")
            await self.stream(pieces)

    def _asked(self) -> tuple[Format, Iterator[bytes]]:
        self.weigh()
        arguments = self.arguments()
        shaping = {known.name: arguments.pop(known.name) for known in _SHAPING if known.name in arguments}
        query, values = parameters.parse_criteria(arguments), parameters.read(shaping, _SHAPING)
        form, part = EXPORTS[values["format"]], parameters.selection_of(values)
        if form.name == "zip" and (part.columns or part.derive):
            message = "'columns' and 'derive' cannot be combined with format=zip, which contains the stored files."
            raise InvalidError(message, fields={"format": [message]})
        return form, self.services.exporter.export(self.principal, query, form, part)
