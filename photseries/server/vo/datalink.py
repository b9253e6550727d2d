"""DataLink 1.1: links from a series to its light curve in every format, picture, metadata and services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from photseries.extras import is_installed
from photseries.formats.registry import HDF5, WRITERS
from photseries.formats.xml import element, escaped, param
from photseries.server.vo.results import QueryResult, votable
from photseries.server.vo.soda import series_number
from photseries.server.vo.tables import TapColumn

__all__ = ["MAX_IDS", "MEDIA_TYPE", "SERVICES", "STANDARD", "descriptor", "document", "fault_of", "links_of"]

STANDARD: Final = "ivo://ivoa.net/std/DataLink#links-1.1"
MEDIA_TYPE: Final = "application/x-votable+xml;content=datalink"

#: Maximum number of series per request.
MAX_IDS: Final = 500

_COLUMNS: Final = (
    *(
        TapColumn(name=name, datatype="char", ucd=ucd)
        for name, ucd in (
            ("ID", "meta.id;meta.main"),
            ("access_url", "meta.ref.url"),
            ("service_def", "meta.ref"),
            ("error_message", "meta.code.error"),
            ("semantics", "meta.code"),
            ("description", "meta.note"),
            ("content_type", "meta.code.mime"),
        )
    ),
    TapColumn(name="content_length", datatype="long", unit="byte", ucd="phys.size;meta.file"),
)


class ServiceParameter(NamedTuple):
    """A parameter of a service: the attributes and description of its PARAM; ``options`` are the accepted values."""

    attributes: Mapping[str, str]
    description: str
    options: tuple[str, ...] = ()


class Service(NamedTuple):
    """A service on a series, for its service descriptor."""

    name: str
    path: str
    semantics: str
    description: str
    content_type: str
    inputs: tuple[ServiceParameter, ...]
    standard: str | None = None


def _days(name: str, description: str, ucd: str) -> ServiceParameter:
    attributes = {"name": name, "datatype": "double", "unit": "d", "value": "", "ucd": ucd}
    return ServiceParameter(attributes, description)


def _text_parameter(name: str, description: str, options: tuple[str, ...] = ()) -> ServiceParameter:
    return ServiceParameter({"name": name, "datatype": "char", "arraysize": "*", "value": ""}, description, options)


#: The format that VO readers recognise as a light curve comes first.
_FORMATS: Final = (WRITERS["votable"], *(one for one in WRITERS.values() if one.name != "votable"))

SERVICES: Final = (
    Service(
        "cutout",
        "/vo/soda",
        "#cutout",
        "rows between two times, and some columns",
        WRITERS["votable"].plain_type,
        (
            ServiceParameter(
                {"name": "TIME", "datatype": "double", "arraysize": "2", "xtype": "interval", "unit": "d",
                 "ucd": "time.interval;obs.exposure", "value": ""},
                "interval of MJD in the time scale of the series",
            ),
            _text_parameter("COLUMN", "columns, separated by commas"),
            _text_parameter("RESPONSEFORMAT", "format of the answer", tuple(one.name for one in _FORMATS)),
        ),
        "ivo://ivoa.net/std/SODA#sync-1.0",
    ),
    Service(
        "periodogram",
        "/vo/periodogram",
        "#proc",
        "periodogram of the light curve",
        "application/json",
        (
            _days("minPeriod", "the shortest period", "time.period"),
            _days("maxPeriod", "the longest period", "time.period"),
        ),
    ),
    Service(
        "fold",
        "/vo/folded",
        "#proc",
        "light curve folded on a period",
        "application/json",
        (
            _days("period", "the period", "time.period"),
            _days("epoch", "MJD of phase 0", "time.epoch"),
        ),
    ),
)  # fmt: skip


def links_of(identity: str, url: str, size: int) -> Iterator[dict[str, object]]:
    """Yield the links of a series.

    Parameters
    ----------
    identity : str
        As in the request.
    url : str
        Of the series.
    size : int
        Of its stored file [bytes].
    """

    def link(semantics: str, description: str, content_type: str, **more: object) -> dict[str, object]:
        about = {"ID": identity, "semantics": semantics, "description": description, "content_type": content_type}
        return {**about, **more}

    for offer in (form for form in _FORMATS if form.is_installed):
        address, length = f"{url}.{offer.extension}", size if offer is HDF5 else None
        words = f"the light curve as {offer.name}"
        yield link("#this", words, offer.plain_type, access_url=address, content_length=length)
    if is_installed("matplotlib"):
        yield link("#preview", "the light curve as a picture", "image/png", access_url=f"{url}/plot.png")
    metadata = f"{url}?dataFormat=none"
    yield link("#documentation", "the metadata and the statistics", "application/json", access_url=metadata)
    for service in SERVICES:
        yield link(service.semantics, service.description, service.content_type, service_def=service.name)


def fault_of(identity: str) -> dict[str, object]:
    """Return the row of an absent or invisible series."""
    message = f"NotFoundFault: No photometric series with ID {series_number(identity)[:40]}."
    return {"ID": identity, "error_message": message, "semantics": "#this"}


def document(rows: Iterable[Mapping[str, object]], service: str) -> bytes:
    """Write links as a VOTable, with the descriptors of the services on series.

    Parameters
    ----------
    service : str
        The URL of the archive.
    """
    return b"".join(
        votable(
            QueryResult(
                _COLUMNS,
                [[[row.get(column.name) for column in _COLUMNS] for row in rows]],
                standard=STANDARD,
                services="".join(_service(described, service) for described in SERVICES),
            )
        )
    )


def _service(service: Service, url: str) -> str:
    """Write the descriptor of a service, with the ID that the row of the service refers to."""
    identity = param("", name="ID", ref="ID", ucd="meta.id;meta.main")
    inputs = identity + "".join(map(_param, service.inputs))
    description = element("DESCRIPTION", escaped(service.description))
    return descriptor(f"{url}{service.path}", inputs, service.standard, description, ID=service.name)


def descriptor(url: str, inputs: str, standard: str | None, description: str = "", **attributes: str) -> str:
    """Write the descriptor of a service (DataLink 1.1, section 4); ``inputs`` and ``description`` are XML."""
    parts = (
        description,
        "" if standard is None else param(standard, name="standardID"),
        param(url, name="accessURL"),
        element("GROUP", inputs, name="inputParams"),
    )
    return element("RESOURCE", "".join(parts), type="meta", utype="adhoc:service", **attributes)


def _param(parameter: ServiceParameter) -> str:
    options = "".join(element("OPTION", value=value) for value in parameter.options)
    content = element("DESCRIPTION", escaped(parameter.description)) + (element("VALUES", options) if options else "")
    return element("PARAM", content, **parameter.attributes)
