"""How many statements a request costs, and what the database does when it is away."""

import contextlib
import functools

import orjson
import psycopg2
import psycopg2.errors
import pytest
from sqlalchemy import Integer, bindparam, event, literal, select
from sqlalchemy.exc import DBAPIError

from photseries.errors import UnavailableError
from photseries.fields import ANSWERED, KEY, METADATA, STATISTICS
from photseries.parameters import Query
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue.models import Base, Series
from photseries.server.catalogue.statements import CompiledStatement, TimedCursor
from photseries.server.services import max_connections
from tests.server.statements import sent_statements
from tests.support import columns


@contextlib.contextmanager
def counted(services):
    """Collect the statements, COMMIT included, that the services send."""
    engine = services.catalogue.engine
    with sent_statements() as sent:

        def commit(_):
            sent.append("COMMIT")

        event.listen(engine, "commit", commit)
        yield sent
        event.remove(engine, "commit", commit)


def body(number):
    return {
        "obj_id": "star", "instrument_id": 7, "series_name": "counted", "series_obj_id": number, "ra": 1.0, "dec": 2.0,
        "exp_time": 3.0, "filter": "ztfg", "data": columns(), "group_ids": "all",
    }  # fmt: skip


def test_statements_per_request(services):
    token = services.token_file.read_text().strip()
    services.archive.create(services.accounts.authenticate(token), body(0))
    with counted(services) as post:
        series = services.archive.create(services.accounts.authenticate(token), body(1)).id
    assert len(post) <= 6, post
    assert len(post) == 5, "say it in ARCHITECTURE.md when this changes"
    with counted(services) as one:
        reader, who = services.reader, services.accounts.authenticate(token)
        reader.document(who, reader.get(who, series), "json")
    assert len(one) == 2, one
    lengths = []
    for wanted in (1, 2):
        with counted(services) as many:
            page, total = services.reader.find(services.accounts.authenticate(token), Query(per_page=wanted))
        assert (len(page.records), total) == (wanted, 2)
        lengths.append(len(many))
    assert lengths == [3, 2], "the total of a list of one page needs no statement"


def prepared_names(connection):
    return [name for (name,) in connection.exec_driver_sql("SELECT name FROM pg_prepared_statements")]


def test_a_statement_is_prepared_once_per_connection(services):
    statement = CompiledStatement("share", select(literal("100 %"), literal(100) / bindparam("number", type_=Integer)))
    catalogue = services.catalogue
    with catalogue.transaction() as connection, pytest.raises(DBAPIError) as raised:
        statement.execute(connection, number=0, ignored="x")
    assert isinstance(raised.value.orig, psycopg2.errors.DivisionByZero), "after the statement was prepared"
    with catalogue.reading() as connection:
        assert prepared_names(connection).count("share") == 1
        assert statement.execute(connection, number=4) == [("100 %", 25)]
        connection.invalidate()
    with catalogue.reading() as connection:
        assert "share" not in prepared_names(connection)
        assert statement.execute(connection, number=5) == [("100 %", 20)]


def test_a_slow_statement_that_fails_is_logged(services, caplog):
    with services.catalogue.reading() as connection:
        cursor = connection.connection.cursor(cursor_factory=functools.partial(TimedCursor, slow=0.0))
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cursor.execute("SELECT 1 / %s", (0,))
    assert [record.message.partition("s: ")[2] for record in caplog.records] == ["SELECT 1 / %s"]


def test_a_metadata_list_touches_no_file(services, principal, monkeypatch):
    services.archive.create(principal, body(0))
    monkeypatch.setattr(services.store, "read", lambda key: pytest.fail(f"read {key}"))
    page, _ = services.reader.find(principal, Query())
    document = orjson.loads(b"".join(services.reader.document(principal, page.records[0])[1].pieces()))
    assert (document["num_exp"], document["data"]) == (10, None)


def test_the_columns_are_the_fields(services):
    columns = {column.key for column in Series.__table__.columns}
    shared = {"group_ids", "stream_ids", "groups", "streams"}
    internal = {"inferred", "healpix", "unit_x", "unit_y", "unit_z", "audience", "blob_size", "blob_crc", "blob_format"}
    internal |= {"analysis_version"}
    assert columns - internal == set(ANSWERED) - shared
    assert set(METADATA) | set(STATISTICS) | set(KEY) <= columns
    assert len(ANSWERED) == len(set(ANSWERED))


def test_dropped_connections_are_replaced(services, principal):
    services.archive.create(principal, body(0))
    with services.catalogue.engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
    token = services.token_file.read_text().strip()
    for _ in range(20):
        services.accounts.authenticate(token)
    assert services.reader.find(principal, Query())[1] == 1


def test_exhausted_pool_gives_503(services, monkeypatch):
    monkeypatch.setattr(services.catalogue.engine.pool, "_timeout", 0.05)
    with contextlib.ExitStack() as stack:
        for _ in range(max_connections(services.config)):
            stack.enter_context(services.catalogue.reading())
        with pytest.raises(UnavailableError, match="busy"):
            services.catalogue.ping()


def test_every_reference_restricts(services):
    """Memberships, sharing, periods and sessions go with what they belong to; everything else protects it."""
    cascading = {
        (key.parent.table.name, key.column.table.name)
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.ondelete == "CASCADE"
    }
    assert cascading == {
        ("group_users", "groups"),
        ("stream_users", "streams"),
        ("series_groups", "photometric_series"),
        ("series_streams", "photometric_series"),
        ("series_periods", "photometric_series"),
        ("sessions", "tokens"),
        ("vo_pieces", "vo_jobs"),
    }


@pytest.mark.parametrize("first", [1, 2, 50])
def test_an_explicit_id_on_an_unused_sequence_is_not_given_again(services, first):
    ids = [services.accounts.create(OPERATOR, "streams", {"name": "explicit", "id": first})["id"]]
    ids += [services.accounts.create(OPERATOR, "streams", {"name": f"automatic {n}"})["id"] for n in range(3)]
    assert ids == list(range(first, first + 4))
