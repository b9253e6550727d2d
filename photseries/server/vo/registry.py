"""VOResource 1.1 records for VO registries: the services and their data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from photseries.errors import NotFoundError
from photseries.formats.xml import DECLARATION, element, escaped
from photseries.server.settings import VOSettings
from photseries.server.vo import vosi
from photseries.server.vo.conesearch import MAX_RECORDS

__all__ = ["RECORDS", "record"]

_SPACES: Final = {
    "ri": "RegistryInterface/v1.0", "vr": "VOResource/v1.0", "vs": "VODataService/v1.1", "tr": "TAPRegExt/v1.0",
    "cs": "ConeSearch/v1.0",
}  # fmt: skip
_URIS: Final = {prefix: f"http://www.ivoa.net/xml/{name}" for prefix, name in _SPACES.items()}
#: The namespaces, with the schema location of each.
_NAMESPACES: Final = (
    " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _URIS.items())
    + f' xsi:schemaLocation="{" ".join(f"{uri} {uri}" for uri in _URIS.values())}"'
)
#: The date of this description, which registries require.
_CREATED: Final = "2026-11-29T00:00:00Z"

#: The records, with their subjects.
RECORDS: Final[Mapping[str, str]] = {
    "tap": "TAP service",
    "scs": "cone search",
    "data": "data collection",
    "authority": "publisher",
}


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
    authority = f"ivo://{settings.authority}"
    content = ""
    if name == "tap":
        content = vosi.tap_capabilities(f"{url}/vo/tap", settings) + _tables()
    elif name == "scs":
        content = _cone_search(f"{url}/vo/scs")
    elif name == "data":
        content = _tables()
    kind = {"tap": "vs:CatalogService", "scs": "vs:CatalogService", "data": "vs:CatalogResource"}
    identity = f"{authority}/{'photseries' if name == 'data' else name}"
    collection = _related("IsServiceFor", "data collection", f"{authority}/photseries")
    related = {
        "tap": collection,
        "scs": collection,
        "data": _related("IsServedBy", "TAP", f"{authority}/tap")
        + _related("IsServedBy", "cone search", f"{authority}/scs"),
    }
    text = _service_resource(name, identity, url, settings, related.get(name, "")) + content
    written = f' xsi:type="{kind.get(name, "vr:Organisation")}" created="{_CREATED}" updated="{_CREATED}"'
    return (
        f'{DECLARATION}<ri:Resource xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'{_NAMESPACES}{written} status="active">\n{text}</ri:Resource>\n'
    )


def _service_resource(name: str, identity: str, url: str, settings: VOSettings, related: str) -> str:
    titles = {"tap": " (TAP)", "scs": " (cone search)", "authority": " (publisher)"}
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
        + related
    )
    return (
        element("title", escaped(settings.title + titles.get(name, "")))
        + element("shortName", escaped(name.upper()[:16]))
        + element("identifier", escaped(identity))
        + element("curation", curation)
        + element("content", content)
    )


def _related(kind: str, description: str, identity: str) -> str:
    resource = element("relatedResource", description, **{"ivo-id": identity})
    return element("relationship", element("relationshipType", kind) + resource)


def _tables() -> str:
    return element("tableset", vosi.schemas())


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
