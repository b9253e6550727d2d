"""Simple Cone Search 1.03 with DALI's MAXREC: a VOTable that is streamed while rows are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from photseries import parameters
from photseries.errors import InvalidError
from photseries.formats.xml import FOOT, HEAD, element, param
from photseries.parameters import MAX_PER_PAGE, SEPARATION, Cone, Parameter, Query, choice
from photseries.parameters.value_types import COUNT, DECLINATION, RIGHT_ASCENSION, SEARCH_RADIUS
from photseries.server.vo.datalink import STANDARD, descriptor
from photseries.server.vo.observations import COLUMNS, Observation
from photseries.server.vo.results import QueryResult, votable

__all__ = ["PARAMETERS", "answer", "error", "parse"]

#: The default and the maximum number of series.
USUAL: Final = 10_000
MAX_RECORDS: Final = 1_000_000

#: Number of rows per piece of the answer.
_BATCH: Final = 500

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
        sentence=f"Maximum number of rows, at most {MAX_RECORDS:,}; 0 returns only the columns.",
    ),
)


def parse(arguments: Mapping[str, Sequence[str]]) -> tuple[Query, int, int]:
    """Parse the parameters of a cone search, ignoring case and, as DALI requires, unknown parameters.

    Returns
    -------
    query, verbosity, limit : Query, int, int
        Maximum number of rows; 0 requests the columns alone.

    Raises
    ------
    InvalidError
    """
    names = {parameter.name for parameter in PARAMETERS}
    texts_by_name: dict[str, list[str]] = {}
    for name, texts in arguments.items():
        if name.upper() in names:
            texts_by_name.setdefault(name.upper(), []).extend(texts)
    values = parameters.read(texts_by_name, PARAMETERS)
    for name in ("RA", "DEC", "SR"):
        if name not in values:
            raise InvalidError(f"{name} is missing: a cone search needs RA, DEC and SR [deg].")
    cone = Cone(values["RA"], values["DEC"], values["SR"])
    limit = min(values["MAXREC"], MAX_RECORDS) if cone.radius else 0
    return Query(cone=cone, sort_by=SEPARATION, per_page=MAX_PER_PAGE, include_total=False), int(values["VERB"]), limit


def answer(observations: Iterable[Observation], verbosity: int, limit: int, service: str) -> Iterator[bytes]:
    """Write the VOTable of a cone search in pieces.

    Parameters
    ----------
    observations : iterable of Observation
        Nearest first; at most one more than ``limit`` is read.
    limit : int
        Maximum number of rows; the end of the table states whether there are more.
    service : str
        The URL of the service.
    """
    columns = [column for column in COLUMNS if column.verbosity <= verbosity]
    rows = ([column.value(observation) for column in columns] for observation in islice(observations, limit + 1))
    # Maps the column id to the links of each row.
    links = descriptor(f"{service}/vo/datalink", param("", name="ID", ref="id"), STANDARD)
    result = QueryResult([column.column for column in columns], services=links)
    result.limit(iter(lambda: list(islice(rows, _BATCH)), []), limit)
    return votable(result)


def error(message: str) -> str:
    """Write the VOTable of an error, as in erratum 3 of the standard."""
    information = element("INFO", ID="Error", name="Error", value=message)
    return HEAD + information + element("RESOURCE", type="results") + FOOT
