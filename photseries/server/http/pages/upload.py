"""The upload page, which shows light curves before they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from photseries.fields import FIELDS, METADATA
from photseries.formats.options import OPTIONS
from photseries.formats.registry import READERS
from photseries.server.archive import Archive
from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import requirement_of

__all__ = ["UploadPageHandler"]

#: Suffixes of compressed files of any format.
_COMPRESSED: Final = (".gz", ".bz2", ".xz")

#: Labels of the read options: columns by their role, and all others.
_ROLES: Final[Mapping[str, tuple[str, str]]] = {
    "mjd": ("time_col", "Time"),
    "mag": ("mag_col", "Magnitude"),
    "magerr": ("magerr_col", "Error of the magnitude"),
    "flux": ("flux_col", "Flux"),
    "fluxerr": ("fluxerr_col", "Error of the flux"),
    "filter": ("filter_col", "Filters"),
}
_LABELS: Final[Mapping[str, str]] = {
    "time_format": "Time format",
    "zero_point": "Zero point",
    "filter_map": "Bandpass of each filter",
    "where": "Only rows with",
    "split_by": "One series for each",
    "limit": "Rows with limits",
    "names": "Names of the columns",
    "table": "Table",
    "format": "File format",
}


class UploadPageHandler(PageHandler):
    """The page for uploads."""

    needs: ClassVar = {"GET": requirement_of(Archive.create)}

    async def get(self) -> None:
        """Show the form for uploads."""
        await self.show("upload.html", self._values)

    def _values(self) -> Mapping[str, object]:
        member = self.principal.as_member()
        suffixes = [suffix for name, item in READERS.items() if name != "excel" for suffix in item.suffixes]
        return {
            "accepted": ",".join((*suffixes, *_COMPRESSED)),
            "roles": [(role, name, label, OPTIONS[name]) for role, (name, label) in _ROLES.items()],
            "options": [(name, label, OPTIONS[name]) for name, label in _LABELS.items()],
            "needed": [FIELDS[name] for name in METADATA if FIELDS[name].required],
            "others": [FIELDS[name] for name in METADATA if not FIELDS[name].required],
            "filters": self.services.archive.filters,
            "instruments": self.listed("instrument", member),
            "sources": self.listed("sources", member),
            "groups": [item for item in self.listed("groups", member) if item["id"] != member.own_group_id],
        }
