"""TAP 1.1: parse the parameters of a query and run it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from photseries.cancellation import check_cancelled
from photseries.errors import ForbiddenError, InvalidError, TooLargeError
from photseries.server.catalogue import vo_queries
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.vo_queries import BATCH, Context
from photseries.server.settings import VOSettings
from photseries.server.vo import results
from photseries.server.vo.adql import UploadedTable, translate
from photseries.server.vo.fetching import fetch, fetch_deadline
from photseries.server.vo.results import QueryResult, ResultFormat
from photseries.server.vo.tables import MAX_TEXT, TapColumn
from photseries.server.vo.uploads import MAX_CELLS, read_votable, temporary_table

__all__ = ["LANGUAGES", "TapRequest", "execute", "parse_request", "uploads_of"]

LANGUAGES: Final = ("ADQL", "ADQL-2.0", "ADQL-2.1")

_UPLOAD: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]{0,62}),(.+)", re.DOTALL)
_MAX_UPLOADS: Final = 10
#: Maximum length of the texts of a fetch [characters], unless one row has more.
_MAX_FETCHED: Final = 64 * 1024 * 1024


@dataclass(frozen=True)
class TapRequest:
    """A parsed request.

    Parameters
    ----------
    query : str
        ADQL.
    form : ResultFormat
    rows : int
        Maximum number of rows of the result.
    uploads : mapping of str to bytes
        VOTables by their names.
    """

    query: str
    form: ResultFormat
    rows: int
    uploads: Mapping[str, bytes]


def parse_request(parameters: Mapping[str, str], files: Mapping[str, bytes], settings: VOSettings) -> TapRequest:
    """Parse the parameters of a query (names in capitals); ignore others.

    Parameters
    ----------
    files : mapping of str to bytes
        The uploaded tables by their names; see :func:`uploads_of`.

    Raises
    ------
    InvalidError, TooLargeError, NotInstalledError
    """
    request = parameters.get("REQUEST", "doQuery")
    if request.lower() != "doquery":
        raise InvalidError(f"REQUEST {request[:40]!r} is not known: it must be doQuery.")
    language = parameters.get("LANG", LANGUAGES[0])
    if language.upper() not in LANGUAGES:
        raise InvalidError(f"LANG {language[:40]!r} is not known: it must be ADQL, ADQL-2.0 or ADQL-2.1.")
    query = parameters.get("QUERY", "")
    if not query.strip():
        raise InvalidError("QUERY is missing: TAP needs a query in ADQL.")
    if len(query.encode("utf-8", "replace")) > settings.query:
        raise TooLargeError(f"QUERY has more than {settings.query:,} bytes. Upload long lists as a table (UPLOAD).")
    form = results.parse_format(parameters.get("RESPONSEFORMAT") or parameters.get("FORMAT"))
    return TapRequest(query, form, _rows(parameters.get("MAXREC"), settings), files)


def _rows(text: str | None, settings: VOSettings) -> int:
    if text is None or not text.strip():
        return settings.rows
    plain = text.strip()
    if not (plain.isascii() and plain.isdigit()):
        raise InvalidError(f"MAXREC {plain[:40]!r} must be a whole number of at least 0.")
    return min(int(plain[:18]), settings.most_rows)


def uploads_of(
    texts: Sequence[str], files: Mapping[str, bytes], settings: VOSettings, *, fetches: bool = False
) -> dict[str, bytes]:
    """Return the content of each table in UPLOAD: a part of the form, ``NAME,param:PART``, or a URL.

    Raises
    ------
    InvalidError, TooLargeError
    ForbiddenError
        When a URL must not be fetched for this client.
    """
    named = [_split_upload(part) for text in texts for part in text.split(";") if part.strip()]
    if len(named) > _MAX_UPLOADS:
        raise InvalidError(f"UPLOAD names {len(named)} tables; at most {_MAX_UPLOADS} are accepted.")
    contents: dict[str, bytes] = {}
    left, deadline = settings.upload, fetch_deadline()
    for name, address in named:
        if name.lower() in (upload.lower() for upload in contents):
            raise InvalidError(f"UPLOAD: two tables are called {name}.")
        scheme, _, part = address.partition(":")
        if scheme in ("http", "https"):
            if not fetches:
                raise ForbiddenError(
                    f"UPLOAD {name}: URLs are fetched only for clients with a token. Send it in the form."
                )
            contents[name] = fetch(address, left, deadline)
        elif scheme == "param" and part in files:
            contents[name] = files[part]
        else:
            raise InvalidError(
                f"UPLOAD {name}: {address[:60]!r} is neither a URL nor param:PART with a part of the form."
            )
        left -= len(contents[name])
        if left < 0:
            raise TooLargeError(f"The uploaded tables have more than {settings.upload:,} bytes.")
    return contents


def _split_upload(text: str) -> tuple[str, str]:
    named = _UPLOAD.fullmatch(text.strip())
    if named is None:
        raise InvalidError(f"UPLOAD {text[:60]!r} must be NAME,param:PART with a name of letters, digits and _.")
    return named[1], named[2]


def execute(
    catalogue: Catalogue,
    context: Context,
    request: TapRequest,
    settings: VOSettings,
    *,
    begun: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """Run a query and yield the pieces of its result.

    The query runs during the iteration; exhaust or close the iterator.

    Parameters
    ----------
    begun : callable
        Called with the pid of the database's backend.

    Raises
    ------
    InvalidError
        When the query, or an upload, is not valid, or the query takes too long.
    TooLargeError
        When the result, or an upload, is too large.
    """
    uploads: list[UploadedTable] = []
    for name, content in request.uploads.items():
        cells = sum(len(upload.rows) * len(upload.columns) for upload in uploads)
        uploads.append(read_votable(name, content, settings.upload_rows, MAX_CELLS - cells))
    translation = translate(request.query, uploads, request.rows + 1)
    tables = [temporary_table(number, item) for number, item in enumerate(uploads)]
    size = 0
    with vo_queries.open_query(catalogue, context, tables, translation.sql, translation.values, begun=begun) as opened:
        cursor: Any = opened.cursor
        columns = results.with_database_types(translation.columns, [entry[1] for entry in cursor.description])
        answer = QueryResult(columns, query=request.query)
        answer.limit(opened.partitions(_batch_of(columns)), request.rows)
        for piece in request.form.write(answer):
            check_cancelled()
            size += len(piece)
            if size > settings.result:
                raise TooLargeError(
                    f"The result has more than {settings.result:,} bytes. Select fewer rows or columns."
                )
            yield piece


def _batch_of(columns: Sequence[TapColumn]) -> int:
    """Return the number of rows per fetch, which must fit in memory with texts of the maximum length."""
    texts = sum(column.is_text for column in columns)
    return max(1, min(BATCH, _MAX_FETCHED // (MAX_TEXT * texts))) if texts else BATCH
