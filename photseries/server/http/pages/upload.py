"""The page on which a light curve is looked at before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from photseries.fields import FIELDS, METADATA
from photseries.formats.registry import READERS
from photseries.server.archive import Archive
from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import requirement_of

__all__ = ["UploadPageHandler"]

_MOST_LISTED = 500

#: The formats that the page takes.
_TAKEN = ("hdf5", "csv", "tsv", "text")


class UploadPageHandler(PageHandler):
    """The page for uploads."""

    needs: ClassVar = {"GET": requirement_of(Archive.create)}
    plots: ClassVar[bool] = True

    async def get(self) -> None:
        """Show the form for an upload."""
        await self.show("upload.html", self._values)

    def _values(self) -> Mapping[str, Any]:
        listed = {
            kind: self.services.accounts.find(self.principal, kind, 1, _MOST_LISTED)[0]
            for kind in ("instrument", "sources", "groups")
        }
        own = self.principal.own_group_id
        return {
            "needed": [FIELDS[name] for name in METADATA if FIELDS[name].required],
            "others": [FIELDS[name] for name in METADATA if not FIELDS[name].required],
            "accepted": ",".join(suffix for name in _TAKEN for suffix in READERS[name].suffixes),
            "filters": self.services.archive.filters,
            "instruments": listed["instrument"],
            "sources": listed["sources"],
            "groups": [one for one in listed["groups"] if one["id"] in self.principal.group_ids and one["id"] != own],
        }
