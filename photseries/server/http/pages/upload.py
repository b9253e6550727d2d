"""The page on which a light curve is looked at before it is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from marshmallow.fields import Field

from photseries.schemas.fields import Name, Text
from photseries.schemas.metadata import SHARING, MetadataSchema
from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import UPLOAD

__all__ = ["UploadPageHandler"]

_MOST_LISTED = 500


@dataclass(frozen=True)
class Entry:
    """A field of the metadata in the form."""

    name: str
    field: Field[Any]

    @property
    def about(self) -> Mapping[str, Any]:
        """What it is: ``description``, ``unit`` and the ``values`` it may have."""
        return self.field.metadata

    @property
    def is_text(self) -> bool:
        """Whether what is typed is meant as it is; everything else is read as JSON."""
        return isinstance(self.field, Text | Name)


class UploadPageHandler(PageHandler):
    """The page for uploads."""

    needs: ClassVar = {"GET": UPLOAD}
    plots: ClassVar[bool] = True

    async def get(self) -> None:
        """Show the form for an upload."""
        await self.show("upload.html", self._values)

    def _values(self) -> Mapping[str, Any]:
        schema = MetadataSchema(self.services.archive.filters, self.services.config.limits.depth)
        listed = {
            kind: self.services.accounts.find(self.principal, kind, 1, _MOST_LISTED)[0]
            for kind in ("instrument", "sources", "groups")
        }
        own = self.principal.own_group_id
        return {
            "needed": list(_entries(schema, required=True)),
            "others": list(_entries(schema, required=False)),
            "filters": schema.filters,
            "instruments": listed["instrument"],
            "sources": listed["sources"],
            "groups": [one for one in listed["groups"] if one["id"] in self.principal.group_ids and one["id"] != own],
        }


def _entries(schema: MetadataSchema, *, required: bool) -> Iterator[Entry]:
    for name, field in schema.fields.items():
        if field.required is required and name not in SHARING:
            yield Entry(name, field)
