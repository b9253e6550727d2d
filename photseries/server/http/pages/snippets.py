"""The query of a page as Python, curl, TOPCAT and ADQL."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from photseries.parameters import CONTROLS, CRITERIA, Parameter, Query, snake_case
from photseries.parameters.value_types import MOMENT, join_values

__all__ = ["of_period", "of_search", "of_series", "of_source"]

_BEGIN = "import photseries\n{imports}\nclient = photseries.Client({origin!r})  # the token is in PHOTSERIES_TOKEN\n"
_CURL = 'curl -sS -H "Authorization: token $PHOTSERIES_TOKEN" {more}{url}'
_API = "/api/photometric_series"
_ADQL = "SELECT * FROM photseries.series WHERE "
_ANALYSES = (
    ("binning", "cleaned"),
    ("calibration", "calibration_of"),
    ("curve", "good_rows"),
    ("period_methods", "search_by"),
    ("periodogram", "SearchOptions, search_periods"),
    ("samples", "samples"),
)
_BY_SPELLING = {spelling: parameter for parameter in (*CRITERIA, *CONTROLS) for spelling in parameter.spellings}
_TOPCAT = "topcat -f {format} {url}  # token as password, any user name"


def of_search(
    origin: str, query: Query, criteria: Mapping[str, Sequence[str]], names: Sequence[str] | None
) -> dict[str, str]:
    """Return a search as code.

    Parameters
    ----------
    origin : str
        The URL of the service.
    query : Query
    criteria : mapping of str to sequence of str
        The parameters of the API.
    names : sequence of str, optional
        The sources to which the search is also restricted.
    """
    shaped = {name: list(texts) for name, texts in criteria.items() if name not in ("pageNumber", "numPerPage")}
    keywords = {snake_case(name): _value(_BY_SPELLING[name], texts) for name, texts in shaped.items()}
    if names is not None:  # unless the form names a source, which is narrower
        shaped = {"objID": [join_values(names)]} | shaped
        keywords = {"obj_id": repr(list(names))} | keywords
    url = f"{origin}{_API}?{urlencode(shaped, doseq=True)}".rstrip("?")
    arguments = ", ".join(f"{name}={text}" for name, text in keywords.items())
    made = {
        "Python": f"{_begin(origin)}found = client.find({arguments})",
        "curl": _CURL.format(more="", url=shlex.quote(url)),
    }
    where = []
    if query.cone is not None:
        ra, dec, radius = query.cone
        url = f"{origin}/vo/scs?{urlencode({'RA': ra, 'DEC': dec, 'SR': radius})}"
        made["TOPCAT"] = _TOPCAT.format(format="votable", url=shlex.quote(url))
        where.append(f"1 = CONTAINS(POINT(ra, dec), CIRCLE({ra!r}, {dec!r}, {radius!r}))")
    if names is not None:
        where.append(_one_of(names))
    if where and len(query.restrictions) == (names is not None):  # other criteria have no simple ADQL
        made["ADQL"] = _ADQL + " AND ".join(where)
    return made


def of_source(origin: str, name: str) -> dict[str, str]:
    """Return all series of a source as code."""
    path = f"{origin}{_API}?{urlencode({'objID': join_values([name])})}"
    adql = _ADQL + _one_of([name])
    tap = f"{origin}/vo/tap/sync?{urlencode({'LANG': 'ADQL', 'QUERY': adql})}"
    return {
        "Python": f"{_begin(origin)}found = client.find(obj_id={[name]!r})\n"
        "tables = {one: client.get(one).data for one in found.id}",
        "curl": _CURL.format(more="", url=shlex.quote(path)),
        "TOPCAT": f"topcat -f votable {shlex.quote(tap)}",
        "ADQL": adql,
    }


def of_series(origin: str, series_id: int) -> dict[str, str]:
    """Return one series as code."""
    path = f"{origin}{_API}/{series_id}/data"
    return {
        "Python": f"{_begin(origin)}series = client.get({series_id})\nseries.data",
        "curl": _CURL.format(more="-OJ ", url=path),
        "TOPCAT": _TOPCAT.format(format="votable", url=shlex.quote(f"{path}?format=votable")),
        "ADQL": f"{_ADQL}id = {series_id}",
    }


def of_period(origin: str, series_id: int) -> dict[str, str]:
    """Return the first lines of the code of a period search, which the page's script completes."""
    path = f"{origin}{_API}/{series_id}"
    imports = "".join(f"from photseries.lightcurve.{module} import {name}\n" for module, name in _ANALYSES)
    return {
        "Python": f"{_begin(origin, imports)}series = client.get({series_id})",
        "curl": _CURL.format(more="", url=shlex.quote(f"{path}/periodogram")),
        "TOPCAT": _TOPCAT.format(format="votable", url=shlex.quote(f"{path}/data?format=votable")),
        "ADQL": f"{_ADQL}id = {series_id}",
    }


def _begin(origin: str, imports: str = "") -> str:
    return _BEGIN.format(origin=origin, imports=imports)


def _one_of(names: Sequence[str]) -> str:
    quoted = ["'" + name.replace("'", "''") + "'" for name in names]
    return f"obj_id = {quoted[0]}" if len(quoted) == 1 else f"obj_id IN ({', '.join(quoted)})"


def _value(parameter: Parameter, texts: Sequence[str]) -> str:
    """Return the Python literal of a keyword value; texts of digits and dates are strings, unlike numbers and MJD."""
    written: list[str] = []
    for text in texts:
        value = parameter.kind.read(text)
        if isinstance(value, tuple):
            written += map(repr, value)
        else:
            is_plain = isinstance(value, bool | int | float) and not (parameter.kind is MOMENT and "-" in text)
            written.append(repr(value) if is_plain else repr(text))
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"
