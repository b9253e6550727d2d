"""Every series that matches, as one file that is made while it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from photseries import parameters
from photseries.errors import BusyError, DamagedError, InvalidError, NotInstalledError, UnavailableError
from photseries.formats.registry import EXPORTS, Format
from photseries.parameters import LONG_TABLE, SUMMED_UP, Parameter, choice
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract, Raw

__all__ = ["EXPORT", "ExportHandler"]

_SHAPING: tuple[Parameter, ...] = (
    Parameter(name="format", kind=choice(*EXPORTS), default=next(iter(EXPORTS)), sentence="The format of the file."),
    *LONG_TABLE,
)

#: The parameters of an export.
EXPORT: tuple[Parameter, ...] = (*_SHAPING, *SUMMED_UP)


class ExportHandler(BaseHandler):
    """Every series that matches."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @Contract(
        query=EXPORT,
        gives=Raw(tuple(one.media_type for one in EXPORTS.values())),
        fails=(DamagedError, NotInstalledError, BusyError),
    )
    async def get(self) -> None:
        """Return every series that matches as one file: a long table as HDF5 or Parquet, or a zip of their files."""
        form, pieces = await self.run(self._asked)
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
        form, part = EXPORTS[values["format"]], parameters.part_of(values)
        if form.name == "zip" and (part.columns or part.derive):
            message = "'columns' and 'derive' cannot be combined with format=zip, which contains the stored files."
            raise InvalidError(message, fields={"format": [message]})
        return form, self.services.exporter.export(self.principal, query, form, part)
