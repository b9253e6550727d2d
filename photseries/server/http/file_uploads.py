"""The handlers for files of any format: inspect and store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import ClassVar, Final

from photseries import parameters
from photseries.errors import DuplicateError, InvalidError, NotAdoptedError, OutcomeUnknownError, QuotaExceededError
from photseries.fields import SETTABLE
from photseries.fields.texts import fields_of_texts
from photseries.formats.options import OPTIONS, SHARED
from photseries.parameters import Parameter, ParameterValues
from photseries.parameters.value_types import POINTS, TEXT
from photseries.server.archive import Archive, SentFile
from photseries.server.http.contract import Contract
from photseries.server.http.uploads import MAX_FIELDS_SIZE, UploadHandler, require_short_fields
from photseries.server.principal import requirement_of
from photseries.text import suggestion

__all__ = ["FileUploadHandler", "InspectHandler"]

#: The parameters of a file: its name, and the read options.
FILE: Final[tuple[Parameter, ...]] = (
    Parameter(
        name="filename",
        kind=TEXT,
        default="upload",
        sentence="The name of the file, for messages, and for its format if the content does not show it.",
    ),
    *(
        Parameter(name=name, kind=TEXT, sentence=f"{sentence.rstrip('.')}.", repeatable=name == "where")
        for name, sentence in OPTIONS.items()
    ),
)

#: The parameters of a description.
INSPECT: Final[tuple[Parameter, ...]] = (
    *FILE,
    Parameter(
        name="maxPoints",
        kind=POINTS,
        default=2000,
        sentence="Maximum number of rows of the light curve of each series, for a plot.",
    ),
)

#: The parameters of a file that is stored.
STORE: Final[tuple[Parameter, ...]] = (*FILE, *parameters.UPLOAD)


class _FileHandler(UploadHandler):
    """A handler whose body is a file of any format, with read options and fields of the series in the query."""

    takes_any_file: ClassVar[bool] = True

    @contextmanager
    def sent(self, accepted: tuple[Parameter, ...]) -> Iterator[tuple[SentFile, dict[str, object], ParameterValues]]:
        """Yield the file, the fields and the other parameters; call it in a thread.

        Raises
        ------
        InvalidError, TooLargeError
        """
        accepts = {parameter.name for parameter in accepted}
        arguments = self.arguments()
        values = parameters.read({name: texts for name, texts in arguments.items() if name in accepts}, accepted)
        fields = fields_of_texts({name: texts for name, texts in arguments.items() if name not in accepts})
        for name in fields:
            if name not in SETTABLE:
                message = f"Unknown parameter {name!r:.60}.{suggestion(name, (*accepts, *SETTABLE))}"
                raise InvalidError.of_field(name[:60], message)
        require_short_fields(fields, MAX_FIELDS_SIZE * self.services.config.limits.metadata)
        option_names = (*OPTIONS, *SHARED)
        options = {name: value for name, value in {**values, **fields}.items() if name in option_names}
        metadata = {name: value for name, value in fields.items() if name not in option_names}
        with self.content() as content:
            yield SentFile(content, PurePosixPath(values["filename"]).name or "upload", options), metadata, values


class InspectHandler(_FileHandler):
    """A file that is described."""

    needs: ClassVar = {"POST": requirement_of(Archive.create)}

    @Contract(query=INSPECT, body="File", gives="Inspected")
    async def post(self) -> None:
        """Describe a file: roles of columns with reasons, times, filters, limits, and missing fields."""

        def inspect() -> object:
            with self.sent(INSPECT) as (file, fields, values):
                return self.services.file_uploads.inspect(self.principal, file, fields, values["maxPoints"])

        await self.reply(inspect, heavy=True)


class FileUploadHandler(_FileHandler):
    """A file that becomes a series."""

    needs: ClassVar = {"POST": requirement_of(Archive.create)}

    @Contract(
        query=STORE,
        body="File",
        gives={"anyOf": [{"$ref": "#/components/schemas/Created"}, {"$ref": "#/components/schemas/Preview"}]},
        fails=(DuplicateError, OutcomeUnknownError, QuotaExceededError, NotAdoptedError),
    )
    async def post(self) -> None:
        """Create a series from a file in any format; query parameters supply missing fields."""

        def create() -> object:
            with self.sent(STORE) as (file, fields, values):
                if values["dryRun"]:
                    return self.services.file_uploads.preview(self.principal, file, fields, values.get("maxPoints"))
                created = self.services.file_uploads.create(self.principal, file, fields)
            self.shared.metrics.count_uploads()
            return created

        await self.reply(create, heavy=True)
