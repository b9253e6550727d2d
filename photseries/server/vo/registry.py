"""VOResource 1.1 records for VO registries: the services and their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from photseries.errors import NotFoundError
from photseries.formats.xml import document, element, escaped
from photseries.server.settings import VOSettings
from photseries.server.vo import vosi
from photseries.server.vo.conesearch import MAX_RECORDS

__all__ = ["RECORDS", "record"]

_SPACES: Final = {
    "ri": "RegistryInterface/v1.0", "vr": "VOResource/v1.0", "vs": "VODataService/v1.1", "tr": "TAPRegExt/v1.0",
    "cs": "ConeSearch/v1.0",
}  # fmt: skip
_URIS: Final = {prefix: f"http://www.ivoa.net/xml/{name}" for prefix, name in _SPACES.items()}
_NAMESPACES: Final = {
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    **{f"xmlns:{prefix}": uri for prefix, uri in _URIS.items()},
    "xsi:schemaLocation": " ".join(f"{uri} {uri}" for uri in _URIS.values()),
}
#: The date of this description, which registries require.
_CREATED: Final = "2026-11-29T00:00:00Z"


class Record(NamedTuple):
    """The type of a record, the ends of its title and identifier, and its relations to other records."""

    kind: str
    title: str
    identity: str
    related: tuple[tuple[str, str, str], ...] = ()


_OF_DATA: Final = (("IsServiceFor", "data collection", "photseries"),)

#: The records by their names.
RECORDS: Final[Mapping[str, Record]] = {
    "tap": Record("vs:CatalogService", " (TAP)", "tap", _OF_DATA),
    "scs": Record("vs:CatalogService", " (cone search)", "scs", _OF_DATA),
    "data": Record(
        "vs:CatalogResource", "", "photseries",
        (("IsServedBy", "TAP", "tap"), ("IsServedBy", "cone search", "scs")),
    ),
    "authority": Record("vr:Organisation", " (publisher)", "authority"),
}  # fmt: skip


def record(name: str, url: str, settings: VOSettings) -> str:
    """Write a record.

    Parameters
    ----------
    name : str
        A key of :data:`RECORDS`.
    url : str
        Of the service.

    Raises
    ------
    NotFoundError
    """
    if name not in RECORDS:
        raise NotFoundError(f"There is no record {name[:40]!r}. The records are {', '.join(RECORDS)}.")
    content = _resource(name, url, settings)
    if name == "tap":
        content += vosi.tap_capabilities(f"{url}/vo/tap", settings)
    if name == "scs":
        content += _cone_search(f"{url}/vo/scs")
    if name in ("tap", "data"):
        content += element("tableset", vosi.schemas())
    attributes = {"xsi:type": RECORDS[name].kind, "created": _CREATED, "updated": _CREATED, "status": "active"}
    return document("ri:Resource", content, **_NAMESPACES, **attributes)


def _resource(name: str, url: str, settings: VOSettings) -> str:
    record, authority = RECORDS[name], f"ivo://{settings.authority}"
    contact = element("name", escaped(settings.contact_name))
    contact += element("email", escaped(settings.contact_email)) if settings.contact_email else ""
    curation = (
        element("publisher", escaped(settings.publisher))
        + element("creator", element("name", escaped(settings.creator)))
        + element("contact", contact)
    )
    content = (
        "".join(element("subject", escaped(subject)) for subject in settings.subjects)
        + element("description", escaped(settings.description))
        + element("referenceURL", escaped(settings.reference_url or url))
        + element("type", "Organisation" if name == "authority" else "Catalog")
        + element("contentLevel", "Research")
        + "".join(_related(kind, words, f"{authority}/{other}") for kind, words, other in record.related)
    )
    return (
        element("title", escaped(settings.title + record.title))
        + element("shortName", escaped(name.upper()[:16]))
        + element("identifier", escaped(f"{authority}/{record.identity}"))
        + element("curation", curation)
        + element("content", content)
    )


def _related(kind: str, description: str, identity: str) -> str:
    resource = element("relatedResource", description, **{"ivo-id": identity})
    return element("relationship", element("relationshipType", kind) + resource)


def _cone_search(url: str) -> str:
    test = "".join(element(name, value) for name, value in (("ra", "10"), ("dec", "-20"), ("sr", "0.1")))
    base = element("accessURL", escaped(url), use="base")
    parts = (
        element("interface", base, **{"xsi:type": "vs:ParamHTTP", "role": "std"}),
        element("maxSR", "180"),
        element("maxRecords", str(MAX_RECORDS)),
        element("verbosity", "true"),
        element("testQuery", test),
    )
    return vosi.capability("ivo://ivoa.net/std/ConeSearch", "".join(parts), "cs:ConeSearch")
