"""Simple Cone Search 1.03 with DALI's MAXREC: a VOTable that is sent while rows are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from photseries import parameters
from photseries.errors import InvalidError
from photseries.formats.xml import FOOT, HEAD, element, escaped, param
from photseries.parameters import MOST_PER_PAGE, SEPARATION, Cone, Parameter, Query, choice
from photseries.parameters.value_types import COUNT, DECLINATION, RIGHT_ASCENSION, SEARCH_RADIUS
from photseries.server.vo.observations import COLUMNS, Observation, VOColumn

__all__ = ["PARAMETERS", "answer", "asked", "error"]

#: The default and the maximum number of series.
USUAL: Final = 10_000
MOST: Final = 1_000_000

#: The parameters of a cone search.
PARAMETERS: Final = (
    Parameter(name="RA", kind=RIGHT_ASCENSION, sentence="Centre of the cone, ICRS [deg]."),
    Parameter(name="DEC", kind=DECLINATION, sentence="Centre of the cone, ICRS [deg]."),
    Parameter(name="SR", kind=SEARCH_RADIUS, sentence="Radius of the cone [deg]; 0 returns only the columns."),
    Parameter(name="VERB", kind=choice("1", "2", "3"), default="2", sentence="Level of detail of the columns."),
    Parameter(
        name="MAXREC",
        kind=COUNT,
        default=USUAL,
        sentence=f"Maximum number of rows, at most {MOST:,}; 0 returns only the columns.",
    ),
)


def asked(arguments: Mapping[str, Sequence[str]]) -> tuple[Query, int, int]:
    """Read the parameters of a cone search, in capitals or not; others are ignored, as DALI wants it.

    Returns
    -------
    query, verbosity, most : Query, int, int
        At most so many rows; none for a request of the columns alone.

    Raises
    ------
    InvalidError
    """
    known = {parameter.name for parameter in PARAMETERS}
    given: dict[str, list[str]] = {}
    for name, texts in arguments.items():
        if name.upper() in known:
            given.setdefault(name.upper(), []).extend(texts)
    values = parameters.read(given, PARAMETERS)
    for name in ("RA", "DEC", "SR"):
        if name not in values:
            raise InvalidError(f"{name} is missing: a cone search needs RA, DEC and SR [deg].")
    cone = Cone(values["RA"], values["DEC"], values["SR"])
    most = min(values["MAXREC"], MOST) if cone.radius else 0
    return Query(cone=cone, sort_by=SEPARATION, per_page=MOST_PER_PAGE, include_total=False), int(values["VERB"]), most


def answer(observations: Iterable[Observation], verbosity: int, most: int, service: str) -> Iterator[str]:
    """Write the VOTable of a cone search, piece by piece.

    Parameters
    ----------
    observations : iterable of Observation
        The nearest first; no more than one above ``most`` is taken.
    most : int
        Whether there are more is said at the end.
    service : str
        The URL of the service.
    """
    columns = [column for column in COLUMNS if column.verbosity <= verbosity]
    fields = "".join(one.column.as_field(one.column.name, one.column.name) for one in columns)
    status = element("INFO", name="QUERY_STATUS", value="OK")
    system = element("COOSYS", ID="icrs", system="ICRS")
    yield (
        f'{HEAD}<RESOURCE type="results">\n{status}{system}<TABLE name="photometric_series">\n{fields}'
        "<DATA><TABLEDATA>\n"
    )
    rest = iter(observations)
    for observation in islice(rest, most):
        yield _row_of(columns, observation)
    overflow = element("INFO", name="QUERY_STATUS", value="OVERFLOW") if most and next(rest, None) else ""
    yield f"</TABLEDATA></DATA>\n</TABLE>\n{overflow}</RESOURCE>\n{_links(service)}{FOOT}"


def error(message: str) -> str:
    """Write the VOTable of a request that was wrong, as erratum 3 of the standard shows it."""
    return f'{HEAD}{element("INFO", ID="Error", name="Error", value=message)}<RESOURCE type="results"/>\n{FOOT}'


def _links(service: str) -> str:
    """Describe that the column ``id`` leads to the links of each row, as DataLink 1.1 does."""
    parts = (
        param("ivo://ivoa.net/std/DataLink#links-1.1", name="standardID"),
        param(f"{service}/vo/datalink", name="accessURL"),
        element("GROUP", param("", name="ID", ref="id"), name="inputParams"),
    )
    return element("RESOURCE", "".join(parts), type="meta", utype="adhoc:service")


def _row_of(columns: Sequence[VOColumn], observation: Observation) -> str:
    """Write a series as a row of TABLEDATA; what is missing is an empty cell."""
    cells = (column.value(observation) for column in columns)
    written = ("" if cell is None else escaped(str(cell)) for cell in cells)
    return element("TR", "".join(f"<TD>{cell}</TD>" for cell in written))
