"""DataLink 1.1: for each series the light curve in every format, a picture of it, and its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from photseries.extras import is_installed
from photseries.formats.registry import HDF5, WRITERS
from photseries.formats.xml import FOOT, HEAD, element, escaped, field

__all__ = ["MEDIA_TYPE", "MOST", "document", "fault_of", "links_of"]

MEDIA_TYPE: Final = "application/x-votable+xml;content=datalink"

#: Most series of one request.
MOST: Final = 500

#: The columns: name, UCD, and what is no text.
_COLUMNS: Final[tuple[tuple[str, str, Mapping[str, str]], ...]] = (
    ("ID", "meta.id;meta.main", {}),
    ("access_url", "meta.ref.url", {}),
    ("service_def", "meta.ref", {}),
    ("error_message", "meta.code.error", {}),
    ("semantics", "meta.code", {}),
    ("description", "meta.note", {}),
    ("content_type", "meta.code.mime", {}),
    ("content_length", "phys.size;meta.file", {"datatype": "long", "unit": "byte"}),
)


def links_of(identity: str, url: str, size: int) -> Iterator[dict[str, Any]]:
    """Yield the links of a series.

    Parameters
    ----------
    identity : str
        As the request has it.
    url : str
        Of the series.
    size : int
        Of its stored file [bytes].
    """
    for one in WRITERS.values():
        if one.is_installed:
            yield {
                "ID": identity,
                "access_url": f"{url}.{one.extension}",
                "semantics": "#this",
                "description": f"the light curve as {one.name}",
                "content_type": one.plain_type,
                "content_length": size if one is HDF5 else None,
            }
    if is_installed("matplotlib"):
        yield {
            "ID": identity,
            "access_url": f"{url}/plot.png",
            "semantics": "#preview",
            "description": "the light curve as a picture",
            "content_type": "image/png",
        }
    yield {
        "ID": identity,
        "access_url": f"{url}?dataFormat=none",
        "semantics": "#documentation",
        "description": "the metadata and the statistics",
        "content_type": "application/json",
    }


def fault_of(identity: str, message: str) -> dict[str, Any]:
    """Return the row of a series that is not there, or not visible."""
    return {"ID": identity, "error_message": f"NotFoundFault: {message}", "semantics": "#this"}


def document(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write links as a VOTable."""
    text = {"datatype": "char", "arraysize": "*"}
    fields = "".join(field(name=name, ucd=ucd, **(other or text)) for name, ucd, other in _COLUMNS)
    lines = "".join(
        element("TR", "".join(f"<TD>{escaped(str(row.get(name) or ''))}</TD>" for name, *_ in _COLUMNS)) for row in rows
    )
    status = element("INFO", name="QUERY_STATUS", value="OK")
    standard = element("INFO", name="standardID", value="ivo://ivoa.net/std/DataLink#links-1.1")
    table = element("TABLE", f"{fields}<DATA><TABLEDATA>\n{lines}</TABLEDATA></DATA>\n")
    return f'{HEAD}<RESOURCE type="results">\n{standard}{status}{table}</RESOURCE>\n{FOOT}'
