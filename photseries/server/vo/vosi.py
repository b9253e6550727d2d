"""VOSI 1.1 for TAP: capabilities, tables and availability."""

from __future__ import annotations

from typing import Final

from photseries.errors import NotFoundError
from photseries.formats.xml import document, element, escaped
from photseries.server.settings import VOSettings
from photseries.server.vo.adql.functions import AGGREGATES, FUNCTIONS
from photseries.server.vo.results import FORMATS
from photseries.server.vo.tables import KEYS, SCHEMAS, TABLES, Key, TapColumn, TapTable

__all__ = ["availability", "capabilities", "capability", "schemas", "tableset", "tap_capabilities"]

_NAMESPACES: Final = {
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xmlns:vr": "http://www.ivoa.net/xml/VOResource/v1.0",
    "xmlns:vs": "http://www.ivoa.net/xml/VODataService/v1.1",
}

#: The optional features of the language, by the names of TAPRegExt 1.0 and ADQL 2.1.
_LANGUAGE_FEATURES: Final = (
    ("adqlgeo", ("BOX", "CIRCLE", "CONTAINS", "COORD1", "COORD2", "DISTANCE", "INTERSECTS", "POINT", "POLYGON")),
    ("adql-string", ("LOWER", "UPPER", "ILIKE")),
    ("adql-sets", ("UNION", "EXCEPT", "INTERSECT")),
    ("adql-common-table", ("WITH",)),
    ("adql-type", ("CAST",)),
    ("adql-offset", ("OFFSET",)),
)


def capability(standard: str | None, content: str, kind: str | None = None) -> str:
    """Write a capability of a standard."""
    return element("capability", content, **{"standardID": standard, "xsi:type": kind})


def _interface(url: str, kind: str, role: str | None = None) -> str:
    """Write an interface without sign-in."""
    return element("interface", element("accessURL", escaped(url), use="full"), **{"xsi:type": kind, "role": role})


def tap_capabilities(url: str, settings: VOSettings) -> str:
    """Write the capabilities of TAP at a URL, without the element around them."""
    features = "".join(
        element(
            "languageFeatures",
            "".join(element("feature", element("form", name)) for name in names),
            type=f"ivo://ivoa.net/std/TAPRegExt#features-{kind}",
        )
        for kind, names in _LANGUAGE_FEATURES
    )
    versions = "".join(
        element("version", version, **{"ivo-id": f"ivo://ivoa.net/std/ADQL#v{version}"}) for version in ("2.0", "2.1")
    )
    functions = ", ".join((*FUNCTIONS, *AGGREGATES))
    language = element("name", "ADQL") + versions + element("description", f"ADQL with {functions}") + features
    formats = "".join(
        element("outputFormat", element("mime", result_format.media_type) + element("alias", name))
        for name, result_format in FORMATS.items()
    )
    methods = "".join(
        element("securityMethod", standardID=f"ivo://ivoa.net/sso#{name}") for name in ("BasicAA", "OAuth")
    )
    queries = element("accessURL", escaped(url), use="base") + "<securityMethod/>" + methods
    parts = (
        element("interface", queries, **{"xsi:type": "vs:ParamHTTP", "role": "std", "version": "1.1"}),
        element("dataModel", "ObsCore-1.1", **{"ivo-id": "ivo://ivoa.net/std/ObsCore#core-1.1"}),
        element("language", language),
        formats,
        *(
            element("uploadMethod", **{"ivo-id": f"ivo://ivoa.net/std/TAPRegExt#upload-{kind}"})
            for kind in ("inline", "http", "https")
        ),
        _limits("retentionPeriod", settings.job_lifetime, settings.job_lifetime),
        _limits("executionDuration", settings.job_timeout, settings.job_timeout),
        _limits("outputLimit", settings.rows, settings.most_rows, unit="row"),
        _limits("uploadLimit", settings.upload, settings.upload, unit="byte"),
    )
    vosi = "".join(
        capability(f"ivo://ivoa.net/std/VOSI#{name}", _interface(f"{url}/{path}", "vs:ParamHTTP", "std"))
        for name, path in (
            ("capabilities", "capabilities"), ("availability", "availability"), ("tables-1.1", "tables"),
        )
    )  # fmt: skip
    examples = capability("ivo://ivoa.net/std/DALI#examples", _interface(f"{url}/examples", "vr:WebBrowser"))
    return capability("ivo://ivoa.net/std/TAP", "".join(parts), "tr:TableAccess") + vosi + examples


def _limits(name: str, default: float, maximum: float, unit: str | None = None) -> str:
    return element(
        name, element("default", str(round(default)), unit=unit) + element("hard", str(round(maximum)), unit=unit)
    )


def capabilities(content: str) -> str:
    """Write a document of capabilities."""
    namespaces = {
        "xmlns:vosi": "http://www.ivoa.net/xml/VOSICapabilities/v1.0",
        "xmlns:tr": "http://www.ivoa.net/xml/TAPRegExt/v1.0",
    }
    return document("vosi:capabilities", content, **_NAMESPACES, **namespaces)


def availability(reason: str | None) -> str:
    """Write whether the service is available, or the reason why not."""
    note = "" if reason is None else element("vosi:note", escaped(reason))
    available = element("vosi:available", str(reason is None).lower())
    namespace = {"xmlns:vosi": "http://www.ivoa.net/xml/VOSIAvailability/v1.0"}
    return document("vosi:availability", available + note, **namespace)


def _column(column: TapColumn) -> str:
    flags = (("indexed", column.indexed), ("principal", column.principal))
    datatype = element("dataType", column.datatype, **{
        "xsi:type": "vs:VOTableType", "arraysize": column.size, "extendedType": column.xtype,
    })  # fmt: skip
    parts = (
        element("name", escaped(column.quoted_name)),
        element("description", escaped(column.description or "")),
        *(element(name, escaped(text)) for name in ("unit", "ucd", "utype") if (text := getattr(column, name))),
        datatype,
        "".join(element("flag", name) for name, is_set in flags if is_set),
    )
    return element("column", "".join(parts), std=str(column.std).lower())


def _key(key: Key) -> str:
    columns = element("fromColumn", key.column) + element("targetColumn", key.target_column)
    return element("foreignKey", element("targetTable", key.target) + element("fkColumn", columns))


def _table(table: TapTable, *, with_columns: bool = True) -> str:
    """Write the content of the element of a table."""
    parts = (
        element("name", table.full_name),
        element("description", escaped(table.description)),
        element("utype", table.utype) if table.utype else "",
        "".join(map(_column, table.columns)) if with_columns else "",
        "".join(_key(key) for key in KEYS.values() if key.origin == table.full_name) if with_columns else "",
    )
    return "".join(parts)


def tableset(name: str | None = None, *, detail: str = "max") -> str:
    """Write all tables, or one.

    Raises
    ------
    NotFoundError
    """
    namespaces = {"xmlns:vosi": "http://www.ivoa.net/xml/VOSITables/v1.0", **_NAMESPACES}
    if name is not None:
        if name.lower() not in TABLES:
            raise NotFoundError(f"There is no table {name[:60]!r}.")
        table = TABLES[name.lower()]
        return document("vosi:table", _table(table), type=table.kind, **namespaces)
    return document("vosi:tableset", schemas(with_columns=detail != "min"), **namespaces)


def schemas(*, with_columns: bool = True) -> str:
    """Write the schemas with their tables."""
    return "".join(element("schema", _schema(name, words, with_columns)) for name, words in SCHEMAS.items())


def _schema(name: str, description: str, with_columns: bool) -> str:
    tables = (
        element("table", _table(table, with_columns=with_columns), type=table.kind)
        for table in TABLES.values()
        if table.schema == name
    )
    return element("name", name) + element("description", escaped(description)) + "".join(tables)
