"""TAP against a running service: what it finds, who sees what, every format, and what is refused."""

import base64
import contextlib
import io
import json
import re
import resource
import struct
import time
import warnings

import numpy as np
import psycopg2
import pyarrow.parquet as pq
import pytest
import pyvo
import requests
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse, validate
from astropy.table import Table
from astropy.time import Time

from photseries.errors import InvalidError
from photseries.fields import ANSWERED
from photseries.lightcurve.wavelengths import WAVELENGTHS
from photseries.server.vo import tap
from photseries.server.vo.adql import translate
from photseries.server.vo.examples import EXAMPLES
from photseries.server.vo.results import FORMATS, QueryResult
from photseries.server.vo.tables import MAX_TEXT, TABLES, TapColumn
from tests.forked import ForkedService
from tests.server.http.test_restore import execute
from tests.server.vo.conftest import NUMBER
from tests.support import until

HERE = SkyCoord(10.0, -20.0, unit="deg")
CONE = "1 = CONTAINS(POINT(ra, dec), CIRCLE(10, -20, 0.06))"


def positions(series):
    return SkyCoord([one["ra"] for one in series], [one["dec"] for one in series], unit="deg")


def refused(answer, status, message):
    """Check that an answer is an error document of DALI, and nothing else."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/x-votable+xml"
    (info,) = parse(io.BytesIO(answer.content)).resources[0].infos
    assert (info.name, info.value) == ("QUERY_STATUS", "ERROR")
    assert message in info.content
    assert len(info.content) < 300
    assert not {"psycopg2", "Traceback", "photseries_vo", "%("} & set(info.content.split())


# What is found


def test_a_cone_finds_what_astropy_computes(rows, public):
    query = f"SELECT id, DISTANCE(POINT(ra, dec), POINT(10, -20)) FROM photseries.series WHERE {CONE} ORDER BY 2"
    distances = positions(public).separation(HERE).deg
    near = sorted(np.flatnonzero(distances <= 0.06), key=lambda place: distances[place])
    found = rows(query)
    assert [one for one, _ in found] == [public[place]["id"] for place in near]
    assert 5 < len(near) < len(public)
    assert [distance for _, distance in found] == pytest.approx([distances[place] for place in near], rel=1e-9)


@pytest.mark.parametrize(
    ("condition", "inside"),
    [
        ("0 = CONTAINS(POINT(ra, dec), CIRCLE(10, -20, 0.06))", lambda ra, dec, sep: sep > 0.06),
        ("DISTANCE(ra, dec, 10, -20) < 0.06", lambda ra, dec, sep: sep < 0.06),
        (
            "1 = CONTAINS(POINT(ra, dec), BOX(10, -20, 0.1, 0.06))",
            lambda ra, dec, sep: (abs(ra - 10) < 0.05) & (abs(dec + 20) < 0.03),
        ),
        ("1 = INTERSECTS(CIRCLE(ra, dec, 0.01), CIRCLE(10, -20, 0.05))", lambda ra, dec, sep: sep <= 0.06),
        ("1 = CONTAINS(CIRCLE(ra, dec, 0.01), CIRCLE(10, -20, 0.07))", lambda ra, dec, sep: sep <= 0.06),
        (
            "1 = CONTAINS(POINT(ra, dec), BOX(POINT(2*5, -(40/2)), 6.0/60, (0.1 - 0.04)))",
            lambda ra, dec, sep: (abs(ra - 10) < 0.05) & (abs(dec + 20) < 0.03),
        ),
        (
            "1 = CONTAINS(POINT(ra, dec), POLYGON(9.9, -20.1, 10 + 0.1, -20.1, 20.0/2, -19.9))",
            lambda ra, dec, sep: (dec > -20.1) & (dec < -19.9 - 2 * abs(ra - 10)),
        ),
        ("COORD1(POINT(ra, dec)) > 10 AND COORD2(POINT(ra, dec)) > -20", lambda ra, dec, sep: (ra > 10) & (dec > -20)),
        ("CONTAINS(POINT(ra, dec), CIRCLE(10, -20, 0.06)) + 1 = 2", lambda ra, dec, sep: sep <= 0.06),
    ],
)  # fmt: skip
def test_geometry_is_that_of_numpy(rows, public, condition, inside):
    here = positions(public)
    expected = inside(here.ra.deg, here.dec.deg, here.separation(HERE).deg)
    assert 0 < expected.sum() < len(public)
    found = {one for (one,) in rows(f"SELECT id FROM photseries.series WHERE {condition}")}
    assert found == {one["id"] for one, is_inside in zip(public, expected, strict=True) if is_inside}


def test_a_series_has_every_field_of_the_api(rows, ask, public, service):
    answer = ask("SELECT * FROM photseries.series", service.token, responseformat="json").json()
    names = [one["name"] for one in answer["metadata"]]
    assert names == [*ANSWERED, "access_url"]
    found = {row[0]: dict(zip(names, row, strict=True)) for row in answer["data"]}
    for one in public:
        row = found[one["id"]]
        for name in set(ANSWERED) & set(one):
            value = row[name]
            if name in ("groups", "streams"):
                assert json.loads(value) == [{"id": entry["id"], "name": entry["name"]} for entry in one[name]]
            elif isinstance(one[name], list | dict):
                assert json.loads(value) == pytest.approx(one[name])
            elif name in ("created_at", "modified"):
                assert one[name].startswith(value[:22])
            else:
                assert value == one[name], name
        assert row["access_url"] == f"{service.url}/vo/datalink?ID={one['id']}"


def test_obscore_is_in_utc_and_says_what_is_calibrated(rows, public, service):
    names = (
        "series_id, t_min, t_max, calib_level, obs_id, obs_collection, target_name, em_min, em_max, t_xel, t_exptime"
    )
    found = {row[0]: row for row in rows(f"SELECT {names}, obs_publisher_did, instrument_name FROM ivoa.obscore")}
    assert len(found) == len(public)
    for one in public:
        row = found[one["id"]]
        for mjd, utc in ((one["mjd_first"], row[1]), (one["mjd_last"], row[2])):
            scale = one["time_scale"] or "utc"
            assert utc == pytest.approx(Time(mjd, format="mjd", scale=scale).utc.mjd, abs=1e-7)  # TDB: 2 ms
        assert row[3] == (1 if one["flux_unit"] == "electron/s" else 2)
        assert row[4] == f"{one['series_name']}/{one['series_obj_id']}"
        assert (row[5], row[6]) == (one["series_name"], one["obj_id"])
        nanometres = WAVELENGTHS.get(one["filter"])
        assert row[7:9] == (
            [None, None] if nanometres is None else pytest.approx([limit * 1e-9 for limit in nanometres])
        )
        assert row[9:11] == [one["num_exp"], one["exp_time"] * one["num_exp"]]
        assert row[11] == f"ivo://photseries.example/photseries?{one['id']}"
        assert row[12] == "TESS"
    assert {scale for one in public for scale in [one["time_scale"]]} == {"tai", "tt", "tdb", None}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_examples_run(ask, example):
    answer = ask(example.query)
    assert answer.status_code == 200, answer.text
    assert example.name in ("colour", "variable") or len(parse(io.BytesIO(answer.content)).get_first_table().array) > 0


ONE_TWO_NULL = "SELECT 1 AS a UNION SELECT NULL UNION SELECT 2"
GAIA = 5853498713190525697
DIGITS = [[0.12345678912, 59000.12345678912]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT COUNT(*) AS n, COUNT(DISTINCT obj_id), MIN(num_exp) FROM photseries.series", [[32, 2, 11]]),
        ("SELECT 1 AS a UNION ALL SELECT 1 UNION ALL SELECT TOP 1 2 ORDER BY a DESC", [[2], [1], [1]]),
        ("SELECT 1 AS a UNION SELECT 1", [[1]]),
        ("(SELECT 1 AS a) EXCEPT (SELECT 1)", []),
        ("SELECT CAST('12' AS INTEGER), CAST(1.7 AS VARCHAR(2)), ROUND(2.345, 2), MOD(7, 3)", [[12, "1.", 2.35, 1.0]]),
        ("SELECT UPPER('a') || LOWER('B'), COALESCE(NULL, 3), CASE WHEN 1 > 2 THEN 'x' ELSE 'y' END", [["Ab", 3, "y"]]),
        ("SELECT 7 / 2, -3, ABS(-2), CEILING(1.2), TRUNCATE(1.9), LOG10(100)", [[3, -3, 2, 2.0, 1.0, 2.0]]),
        ("SELECT 'a%' LIKE 'a\\%', 'ABC' ILIKE 'a_c', 'abc' NOT LIKE 'b%'", [[False, True, True]]),
        (
            "SELECT TOP 1 i.name FROM photseries.series AS s NATURAL JOIN "
            "(SELECT id AS instrument_id, name FROM photseries.instrument) AS i",
            [["TESS"]],
        ),
        ("SELECT COUNT(*) FROM photseries.series JOIN ivoa.obscore ON id = series_id WHERE ra = s_ra", [[32]]),
        ("SELECT COUNT(*) FROM photseries.series AS a JOIN photseries.series AS b USING (id)", [[32]]),
        ("SELECT COUNT(*) FROM source WHERE EXISTS (SELECT 1 FROM series AS s WHERE s.obj_id = source.id)", [[2]]),
        ("SELECT COUNT(*) FROM series WHERE id IN (SELECT series_id FROM ivoa.obscore WHERE t_xel > 20)", None),
        ("SELECT table_name FROM tap_schema.tables WHERE schema_name = 'ivoa'", [["ivoa.obscore"]]),
        ("SELECT \"size\" FROM TAP_SCHEMA.columns WHERE column_name = 's_ra'", [[None]]),
        ("SELECT is_detected FROM photseries.series WHERE is_detected AND num_exp BETWEEN 11 AND 11", [[True]]),
        ("SELECT TOP 2 num_exp FROM photseries.series ORDER BY num_exp OFFSET 1", [[12], [13]]),
        ("SELECT filter, COUNT(*) FROM photseries.series GROUP BY filter HAVING COUNT(*) > 100", []),
        ("SELECT 0x1F, -0Xff", [[31, -255]]),
        ("SELECT DISTINCT .5", [[0.5]]),
        ("SELECT ALL .25e1, 1 + .5", [[2.5, 1.5]]),
        ("SELECT 'it''s' 'one' -- comment\n ' text', 'a' AS b", [["it'sone text", "a"]]),
        ("SELECT COUNT(photseries.series.id) FROM photseries.series WHERE PHOTSERIES.series.num_exp > 0", [[32]]),
        ("SELECT t.size FROM (SELECT TAP_SCHEMA.columns.* FROM TAP_SCHEMA.columns) AS t WHERE t.std < 0", []),
        ("SELECT CONTAINS(POINT(NULL, 0), CIRCLE(0, 0, 1)), CONTAINS(POINT(0, 0), CIRCLE(1, 0, 1))", [[None, 1]]),
        ("SELECT 1 FROM (SELECT NULL AS a) AS t WHERE DISTANCE(POINT(a, 0), POINT(0, 0)) <= 180", []),
        ("SELECT 1 FROM (SELECT 0.0 AS a) AS t WHERE DISTANCE(POINT(a, 0), POINT(180, 0)) < 180", []),
        ("SELECT 1 FROM (SELECT 0.0 AS a) AS t WHERE DISTANCE(POINT(a, 0), POINT(180, 0)) <= 180", [[1]]),
        ("SELECT 1 FROM (SELECT 0.0 AS a) AS t WHERE DISTANCE(POINT(a, 0), POINT(a, 0)) < -1", []),
        (f"SELECT a FROM ({ONE_TWO_NULL}) AS t ORDER BY a DESC NULLS LAST", [[2], [1], [None]]),
        (f"SELECT a FROM ({ONE_TWO_NULL}) AS t ORDER BY a NULLS FIRST", [[None], [1], [2]]),
        (f"{ONE_TWO_NULL} ORDER BY 1 DESC NULLS FIRST", [[None], [2], [1]]),
        ("SELECT 5853498713190525697, CAST('5853498713190525697' AS BIGINT) = 5853498713190525697", [[GAIA, True]]),
        ("SELECT CAST('5853498713190525697' AS BIGINT) IN (5853498713190525696, 0)", [[False]]),
        ("SELECT MOD(a, 1), ROUND(a, 11) FROM (SELECT CAST(59000.12345678912 AS DOUBLE PRECISION) AS a) AS t", DIGITS),
        ("SELECT ROUND(1e300), TRUNCATE(-1e-300), ROUND(NULL, 2), RAND(5) < 1", [[1e300, 0.0, None, True]]),
        ("SELECT COUNT(*) FROM series WHERE created_at BETWEEN '2000-01-01' AND TIMESTAMP '2100-01-01T00:00'", [[32]]),
    ],
)  # fmt: skip
def test_adql_language_features_work(rows, public, query, expected):
    found = rows(query)
    assert found == ([[sum(one["num_exp"] > 20 for one in public)]] if expected is None else expected)


def test_order_by_an_indexed_column_reads_its_index(rows, public, database_url):
    with contextlib.closing(psycopg2.connect(database_url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        # Else the planner would sort so few rows.
        cursor.execute("SET enable_sort = off; SET enable_seqscan = off; SET enable_bitmapscan = off")
        for column in ("id", "obj_id", "mjd_last", "von_neumann", "chi2_dof", "amplitude", "period"):
            values = sorted((one[column] for one in public), key=lambda value: (value is None, value))
            for order, expected in (("", values[:5]), (" DESC", values[:-6:-1])):
                query = f"SELECT TOP 5 {column} FROM photseries.series AS s ORDER BY s.{column}{order}, s.id{order}"
                assert [value for (value,) in rows(query)] == expected
                found = translate(query)
                cursor.execute(f"EXPLAIN {found.sql}", found.values)
                plan = "\n".join(line for (line,) in cursor)
                assert "Sort" not in plan, plan


def test_maxrec_and_overflow(ask):
    for query, most, number, more in (
        ("SELECT id FROM photseries.series", 5, 5, True),
        ("SELECT id FROM photseries.series", 32, 32, False),
        ("SELECT TOP 5 id FROM photseries.series", 5, 5, False),
        ("SELECT TOP 7 id FROM photseries.series", 5, 5, True),
        ("SELECT id FROM photseries.series", 0, 0, True),
    ):
        for form in ("votable", "votable/b2"):
            answer = ask(query, maxrec=most, responseformat=form)
            results = parse(io.BytesIO(answer.content)).resources[0]
            assert len(results.tables[0].array) == number
            statuses = [info.value for info in results.infos if info.name == "QUERY_STATUS"]
            assert statuses == (["OK", "OVERFLOW"] if more else ["OK"])


COLUMNS = "id, obj_id, ra, is_detected, created_at, mean_mag, channel, mjd_last_detected, num_exp"


def test_every_format_holds_the_same(ask, rows):
    expected = rows(f"SELECT {COLUMNS} FROM photseries.series ORDER BY id")
    names = COLUMNS.split(", ")
    readers = {
        "votable": lambda content: Table.read(io.BytesIO(content), format="votable"),
        "votable/b2": lambda content: Table.read(io.BytesIO(content), format="votable"),
        "csv": lambda content: Table.read(content.decode(), format="ascii.csv"),
        "tsv": lambda content: Table.read(content.decode(), format="ascii.tab"),
        "fits": lambda content: Table.read(io.BytesIO(content), format="fits"),
        "parquet": lambda content: Table(rows=pq.read_table(io.BytesIO(content)).to_pylist()),
    }
    assert set(readers) | {"json"} == set(FORMATS)
    for form, read in readers.items():
        for called in (form, FORMATS[form].media_type):
            answer = ask(f"SELECT {COLUMNS} FROM photseries.series ORDER BY id", responseformat=called)
            assert answer.headers["Content-Type"] == FORMATS[form].media_type
            table = read(answer.content)
            assert table.colnames == names
            assert len(table) == len(expected)
            for row, one in zip(table, expected, strict=True):
                assert [int(row["id"]), str(row["obj_id"]), float(row["ra"]), int(row["num_exp"])] == [
                    one[0],
                    one[1],
                    one[2],
                    one[8],
                ]
                assert str(row["is_detected"]).lower() == str(one[3]).lower()
                assert str(row["created_at"]) == one[4]
                assert (
                    np.ma.is_masked(row["mean_mag"]) or row["mean_mag"] != row["mean_mag"] or row["mean_mag"] is None
                ) == (one[5] is None)
                assert one[5] is None or float(row["mean_mag"]) == one[5]
        if form in ("votable", "votable/b2", "fits"):
            assert str(table["ra"].unit) == "deg"


def test_a_text_is_not_doubled_without_end(rows):
    doubled = "SELECT s || s AS s FROM (" * 8 + f"SELECT '{'é' * 1000}' AS s" + ") AS t" * 8
    assert rows(doubled) == [["é" * MAX_TEXT]]


def test_a_column_of_both_kinds_of_text_keeps_all_letters(ask):
    query = "SELECT TOP 1 access_format AS t FROM ivoa.obscore UNION SELECT 'é' ORDER BY t DESC"
    content = ask(query, responseformat="votable/b2").content
    assert parse(io.BytesIO(content)).get_first_table().array["t"][0] == "é"


@pytest.mark.parametrize("form", ["votable", "fits", "parquet"])
def test_many_columns_without_a_name_take_no_time(form):
    number = 999 if form == "fits" else 1600
    answer = QueryResult([TapColumn(name="value", datatype="int")] * number, [[(1,) * number]])
    begun = time.process_time()
    content = b"".join(FORMATS[form].write(answer))
    assert time.process_time() - begun < 5
    if form == "votable":
        identities = [field.ID for field in parse(io.BytesIO(content)).get_first_table().fields]
        assert identities == ["value" + number * "_" for number in range(1600)]
    elif form == "parquet":
        numbered = [f"value_{number}" for number in range(2, 1601)]
        assert pq.read_table(io.BytesIO(content)).column_names == ["value", *numbered]
    else:
        with pytest.raises(InvalidError, match="at most 999 columns"):
            list(FORMATS[form].write(QueryResult([TapColumn(name="value", datatype="int")] * 1000)))


def test_texts_of_the_maximum_length_fit_in_memory():
    text, number = TapColumn(name="x", datatype="unicodeChar"), TapColumn(name="x", datatype="double")
    assert [tap._batch_of(columns) for columns in ([number] * 1600, [text], [text] * 16, [text] * 1600)] == [
        1000, 1000, 64, 1,
    ]  # fmt: skip
    batches = [[("x" * MAX_TEXT,)], [("",)] * 5000]
    with pytest.raises(InvalidError, match="take too much space in FITS"):
        list(FORMATS["fits"].write(QueryResult([text], batches)))


def test_votables_are_valid(ask):
    for table in TABLES.values():
        for form in ("votable", "votable/b2"):
            answer = ask(f"SELECT * FROM {table.full_name}", responseformat=form)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert len(parse(io.BytesIO(answer.content), verify="exception").get_first_table().fields) == len(
                    table.columns
                )
            assert validate(io.BytesIO(answer.content), output=io.StringIO())


# Who sees what


def test_token_limits_visible_rows(rows, world, service, series, public):
    count = "SELECT COUNT(*) FROM photseries.series"
    for token, number in (
        (None, len(public)),
        (world.tokens["olga"], len(public)),
        (world.tokens["ben"], NUMBER),
        (service.token, NUMBER),
    ):
        assert rows(count, token) == [[number]]
        assert rows("SELECT COUNT(*) FROM ivoa.obscore", token) == [[number]]
        assert rows("SELECT SUM(n) FROM (SELECT filter, COUNT(*) AS n FROM series GROUP BY filter) AS x", token) == [
            [number]
        ]
    groups = {
        json.loads(row[0])[0]["name"] for row in rows("SELECT groups FROM photseries.series", world.tokens["olga"])
    }
    assert groups == {"Sitewide Group"}


def test_nothing_of_hidden_series_shows_in_errors_or_plans(ask, series, public):
    hidden = next(one for one in series if one not in public)
    seen = public[0]
    for one, fails in ((hidden, False), (seen, True)):
        for condition in (
            f"1 / (id - {one['id']}) > -2",
            f"CAST(CASE WHEN id = {one['id']} THEN 'x' ELSE '1' END AS INTEGER) = 1",
            f"SQRT(CASE WHEN series_name = '{one['series_name']}' THEN -1 ELSE 1 END) = 1",
        ):
            answer = ask(f"SELECT COUNT(*) FROM photseries.series WHERE {condition}")
            assert answer.status_code == (400 if fails else 200), (condition, answer.text)


def test_sources_and_instruments_of_hidden_series_are_hidden(rows, admin, world, service):
    world.make("sources", id="secret", ra=1.0, dec=2.0)
    for token, names in ((None, ["other star", "star"]), (world.tokens["olga"], ["other star", "secret", "star"])):
        assert [name for (name,) in rows("SELECT id FROM photseries.source ORDER BY id", token)] == names


def test_a_user_with_any_name_of_earlier_versions_is_answered(service, admin, database_url):
    """A line end in the name, which headers cannot contain, was answered with 500."""
    user = admin.post("/api/users", json={"username": "née"}).json()["data"]["id"]
    execute(database_url, "UPDATE users SET username = %s WHERE id = %s", "né\nY\x7f", user)
    token = admin.post("/api/tokens", json={"user_id": user}).json()["data"]["token"]
    with service.client(token) as client:
        answer = client.get("/vo/login")
    assert (answer.status_code, answer.headers["X-VO-Authenticated"]) == (200, "n??Y?")


def test_basic_wants_the_token_as_password(service, series):
    url, query = f"{service.url}/vo/tap/sync", {"QUERY": "SELECT COUNT(*) AS n FROM series", "RESPONSEFORMAT": "csv"}
    answer = requests.get(url, params=query, auth=("anybody", service.token), timeout=60)
    assert answer.text == f"n\n{NUMBER}\n"
    assert answer.headers["X-VO-Authenticated"] == "admin"
    answer = requests.get(url, params=query, auth=("admin", "wrong"), timeout=60)
    refused(answer, 401, "not valid")
    assert 'ivoa_bearer standard_id="ivo://ivoa.net/sso#BasicAA"' in answer.headers["WWW-Authenticate"]
    login = requests.get(f"{service.url}/vo/login", auth=("x", service.token), timeout=60)
    bearer = {"Authorization": f"Bearer {login.headers['X-VO-Bearer-Token']}"}
    assert requests.get(url, params=query, headers=bearer, timeout=60).text == f"n\n{NUMBER}\n"
    assert requests.get(f"{service.url}/vo/login", timeout=60).status_code == 401


# Uploads


def votable(rows, form="tabledata", **columns):
    content = io.BytesIO()
    Table(rows=rows, names=list(columns) or ["name", "ra", "dec"]).write(
        content, format="votable", tabledata_format=form
    )
    return content.getvalue()


PLACES = [("a", 10.0, -20.0), ("b é", 10.02, -20.01), ("far", 200.0, 80.0)]


@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_an_upload_is_joined_as_numpy_would(ask, public, form):
    query = """SELECT u.name, s.id FROM TAP_UPLOAD.mine AS u
        LEFT JOIN photseries.series AS s ON DISTANCE(POINT(s.ra, s.dec), POINT(u.ra, u.dec)) < 0.03"""
    inner = """SELECT u.name, s.id FROM photseries.series AS s, tap_upload.Mine AS u
        WHERE CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, 0.03)) = 1"""
    pairs = {
        (name, one["id"])
        for name, ra, dec in PLACES
        for one, distance in zip(public, positions(public).separation(SkyCoord(ra, dec, unit="deg")).deg, strict=True)
        if distance < 0.03
    }
    assert len(pairs) > 4
    files = {"part": ("mine.vot", votable(PLACES, form), "application/x-votable+xml")}
    for text, expected in ((query, pairs | {("far", None)}), (inner, pairs)):
        answer = ask(text, files=files, upload="mine,param:part", responseformat="json")
        assert answer.status_code == 200, answer.text
        assert {tuple(row) for row in answer.json()["data"]} == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["a", "\\.", "", "b"], [["a"], ["\\."], [None], ["b"]]), ([1.5, float("nan"), 2.5], [[1.5], [None], [2.5]])],
)
def test_an_upload_of_one_column_keeps_every_row(ask, values, expected):
    files = {"part": ("one.vot", votable([(value,) for value in values], value=None), "application/x-votable+xml")}
    text = "SELECT value FROM TAP_UPLOAD.one"
    answer = ask(text, files=files, upload="one,param:part", responseformat="json")
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"] == expected


@pytest.mark.usefixtures("pyvo_connections")
def test_pyvo_uploads_and_runs_jobs(service, series, public):
    tap = pyvo.dal.TAPService(f"{service.url}/vo/tap")
    table = Table(rows=PLACES, names=["name", "ra", "dec"])
    found = tap.run_sync("SELECT COUNT(*) AS n, MIN(name) AS name FROM TAP_UPLOAD.t", uploads={"t": table})
    assert (found["n"][0], found["name"][0]) == (3, "a")
    job = tap.submit_job("SELECT name, ra FROM TAP_UPLOAD.t ORDER BY ra", uploads={"t": table})
    assert job.phase == "PENDING"
    job.run()
    job.wait(phases=["COMPLETED", "ERROR"], timeout=60)
    assert job.phase == "COMPLETED"
    assert list(job.fetch_result()["name"]) == ["a", "b é", "far"]
    job.delete()
    assert len(tap.search("SELECT id FROM photseries.series", maxrec=100)) == len(public)
    assert {table.name for table in tap.tables} == {table.full_name for table in TABLES.values()}
    assert [one["QUERY"] for one in tap.examples] == [one.query for one in EXAMPLES]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<VOTABLE><RESOURCE><TABLE><FIELD name="x" datatype="char" arraysize="*"/><DATA><TABLEDATA>
<TR><TD>&b;</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def table_of(fields, rows):
    data = f"<DATA><TABLEDATA>{rows}</TABLEDATA></DATA>"
    return f"<VOTABLE><RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE></VOTABLE>".encode()


def hollow(size, content):
    """A table of 200 texts of a size, whose rows may take no byte."""
    fields = "".join(f'<FIELD name="x{number}" datatype="char" arraysize="{size}"/>' for number in range(200))
    return table_of(fields, "").replace(
        b"<TABLEDATA></TABLEDATA>",
        b'<BINARY><STREAM encoding="base64">%b</STREAM></BINARY>' % base64.b64encode(content),
    )


_EMPTY_ROW = b"<TR>" + 200 * b"<TD/>" + b"</TR>"

INT = '<FIELD name="x" datatype="int"/>'
TEXT = '<FIELD name="x" datatype="char" arraysize="*"/>'


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (BOMB, 400, "document type or entities"),
        (b"not xml", 400, "not XML"),
        (b"<VOTABLE/>", 400, "no table"),
        (table_of(INT, "<TR><TD>x</TD></TR>"), 400, "'x' is not a valid int"),
        (table_of(INT, "<TR><TD>1</TD><TD>2</TD></TR>"), 400, "more cells"),
        (table_of(INT, "<TR></TR>"), 400, "0 cells for 1 fields"),
        (table_of(INT, f"<TR><TD>{2**70}</TD></TR>"), 400, "is not a valid int"),
        (table_of(INT, "<TR><TD>99999999999</TD></TR>"), 400, "refuses"),
        (table_of(INT + INT, ""), 400, "two columns"),
        (table_of('<FIELD name="x" datatype="double" arraysize="2"/>', ""), 400, "array"),
        (table_of('<FIELD name="x" datatype="doubleComplex"/>', ""), 400, "not accepted"),
        (
            table_of("".join(f'<FIELD name="x{number}" datatype="int"/>' for number in range(201)), ""),
            400,
            "200 columns",
        ),
        (table_of(TEXT, f"<TR><TD>{'x' * (MAX_TEXT + 1)}</TD></TR>"), 400, "more than 65,536 characters"),
        (table_of(INT, "<TR><TD>1</TD></TR>" * 20_001), 413, "more than 20,000 rows"),
        (hollow("0", b"x"), 413, "more than 3,000,000 cells"),
        (hollow("²", b"x"), 400, "damaged"),
        (b"<VOTABLE>" + b" " * (33 * 1024 * 1024) + b"</VOTABLE>", 413, "larger than the limit"),
        (votable(PLACES, "binary2").replace(b"</STREAM>", b"AAAA</STREAM>"), 400, "damaged"),
        (b'<?xml version="1.0" encoding="utf-7"?><VOTABLE/>', 400, "not XML"),
        (b'<?xml version="1.0" encoding="nowhere"?><VOTABLE/>', 400, "not XML"),
        (b"<GROUP>" * 4_000_000, 400, "more than 100 nested elements"),
        (b"<VOTABLE>" + b"".join(b"<a%d/>" % number for number in range(999)), 400, "not XML"),
        (b"<VOTABLE>" + b"".join(b"<a%d/>" % number for number in range(1000)), 400, "1,000 names"),
        (b"<VOTABLE><FIELD " + b"".join(b'a%d="" ' % number for number in range(300_000)), 400, "1,048,576 bytes"),
        (b"<VOTABLE><!--" + b"-x" * 16_000_000, 400, "a comment of more than 1,048,576 bytes"),
    ],
    ids=lambda one: str(one)[:30] if not isinstance(one, bytes) else "",
)
def test_invalid_uploads_are_refused(ask, content, status, message):
    answer = ask("SELECT COUNT(*) FROM TAP_UPLOAD.t", files={"t": content}, upload="t,param:t")
    refused(answer, status, message)


@pytest.mark.parametrize("form", ["tabledata", "binary"])
def test_uploaded_nulls_are_those_of_the_field(ask, form):
    """Not those of a second VALUES or of a PARAM; a number is null if its value is, however it is written."""
    fields = """<FIELD name="i" datatype="int"><VALUES type="legal" null="-1"/><VALUES type="actual"/></FIELD>
        <FIELD name="f" datatype="float"><VALUES null="-99.9"/></FIELD>
        <FIELD name="t" datatype="char" arraysize="*"/>
        <PARAM name="p" datatype="int" value="3"><VALUES null="2"/></PARAM>"""
    table = table_of(fields, "<TR><TD>2</TD><TD>-99.90</TD><TD>é</TD></TR><TR><TD>-1</TD><TD>2</TD><TD/></TR>")
    if form == "binary":
        text = "é".encode()
        rows = struct.pack(">ifI", 2, -99.9, len(text)) + text + struct.pack(">ifI", -1, 2, 0)
        stream = f'<BINARY><STREAM encoding="base64">{base64.b64encode(rows).decode()}</STREAM></BINARY>'
        table = re.sub(b"<TABLEDATA>.*</TABLEDATA>", stream.encode(), table)
    files = {"t": table}
    found = ask("SELECT i, f, t FROM TAP_UPLOAD.t", files=files, upload="t,param:t", responseformat="json").json()
    assert found["data"] == [[2, None, "é"], [None, 2.0, None]]
    binary = ask("SELECT t FROM TAP_UPLOAD.t", files=files, upload="t,param:t", responseformat="votable/b2").content
    assert list(parse(io.BytesIO(binary)).get_first_table().array["t"]) == ["é", ""]


def test_the_smallest_long_may_mean_null(rows):
    cells = base64.b64encode(struct.pack(">qq", -(2**63), 5))
    table = table_of('<FIELD name="x" datatype="long"><VALUES null="-9223372036854775808"/></FIELD>', "").replace(
        b"<TABLEDATA></TABLEDATA>", b'<BINARY><STREAM encoding="base64">%s</STREAM></BINARY>' % cells
    )
    assert rows("SELECT x FROM TAP_UPLOAD.t", files={"t": table}, upload="t,param:t") == [[None], [5]]


def test_flags_mark_the_nulls_of_binary2(rows):
    """A value is kept that VALUES calls null."""
    cells = base64.b64encode(struct.pack(">BiBi", 0, -1, 0b1000_0000, 5))
    table = table_of('<FIELD name="x" datatype="int"><VALUES null="-1"/></FIELD>', "").replace(
        b"<TABLEDATA></TABLEDATA>", b'<BINARY2><STREAM encoding="base64">%s</STREAM></BINARY2>' % cells
    )
    assert rows("SELECT x FROM TAP_UPLOAD.t", files={"t": table}, upload="t,param:t") == [[-1], [None]]


def test_an_upload_of_one_column_may_have_nulls(rows):
    for field, cells, expected in ((INT, "<TD>1</TD>", [[1], [None]]), (TEXT, "<TD>\\.</TD>", [["\\."], [None]])):
        table = table_of(field, f"<TR>{cells}</TR><TR><TD/></TR>")
        assert rows("SELECT x FROM TAP_UPLOAD.t", files={"t": table}, upload="t,param:t") == expected


def test_temporary_files_of_queries_are_limited(service, series, directory, database_url):
    """200 texts to the power of three take gigabytes of disk; the answers come long before the time limit."""
    tables = ", ".join(f"TAP_SCHEMA.columns AS t{number}" for number in range(3))
    names = ", ".join(f"t{number}.description" for number in range(3))
    texts = ", ".join(f"t{number}.description AS d{number}" for number in range(3))
    small = "SELECT DISTINCT column_name FROM TAP_SCHEMA.columns"
    with ForkedService(directory, database__url=database_url, vo__temporary=20_000_000) as limited:

        def ask(rows):
            data = {"QUERY": f"SELECT COUNT(*) AS n FROM ({rows}) AS found", "RESPONSEFORMAT": "csv"}
            headers = {"Authorization": f"Bearer {service.token}"}
            return requests.post(f"{limited.url}/vo/tap/sync", data=data, headers=headers, timeout=60)

        for rows in (
            f"SELECT DISTINCT {texts} FROM {tables}",
            f"SELECT {texts}, MAX(t0.utype) AS m FROM {tables} GROUP BY {names}",
            f"SELECT {texts} FROM {tables} UNION SELECT {texts} FROM {tables}",
        ):
            refused(ask(rows), 400, "its temporary files exceed 20,000,000 bytes")
        known = {column.name for table in TABLES.values() for column in table.columns}
        assert ask(small).text == f"n\n{len(known)}\n"


def test_a_full_disk_is_reported(service, series, directory, database_url):
    """RLIMIT_FSIZE, as a quota or a full disk; results of more than 8 MB are written to a file."""
    columns = ", ".join(f"t{number}.description AS d{number}" for number in range(3))
    tables = ", ".join(f"TAP_SCHEMA.columns AS t{number}" for number in range(3))
    data = {"LANG": "ADQL", "QUERY": f"SELECT {columns} FROM {tables}", "MAXREC": "200000"}
    client = requests.Session()
    client.headers["Authorization"] = f"Bearer {service.token}"
    with ForkedService(directory, database__url=database_url) as other, client:
        pid, url = other.process.pid, f"{other.url}/vo/tap"
        limit = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
        refused(client.post(f"{url}/sync", data=data, timeout=60), 503, "no space for the result")
        job = client.post(f"{url}/async", data={**data, "PHASE": "RUN"}, timeout=60).url
        until(lambda: client.get(f"{job}/phase", timeout=60).text == "ERROR")
        assert "no space for the result" in client.get(f"{job}/error", timeout=60).text
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
        answer = client.post(f"{url}/sync", data={**data, "RESPONSEFORMAT": "csv"}, timeout=60)
        assert (answer.status_code, answer.text.count("\n")) == (200, 200_001)
        client.delete(job, timeout=60)
        assert "Traceback" not in other.log.read_text()


def test_a_long_comment_is_accepted(ask):
    table = table_of(INT, f"<!--{'-x' * 400_000}-->" + "<TR><TD>1</TD></TR>" * 7)
    answer = ask("SELECT COUNT(*) AS n FROM TAP_UPLOAD.t", files={"t": table}, upload="t,param:t", responseformat="csv")
    assert answer.text == "n\n7\n"


@pytest.mark.slow
def test_the_cells_of_all_uploads_count_together(ask):
    table = table_of(INT + "".join(f'<FIELD name="x{number}" datatype="int"/>' for number in range(199)), "")
    table = table.replace(b"<TABLEDATA></TABLEDATA>", b"<TABLEDATA>" + 8_000 * _EMPTY_ROW + b"</TABLEDATA>")
    answer = ask("SELECT COUNT(*) FROM TAP_UPLOAD.a", files={"a": table, "b": table}, upload="a,param:a;b,param:b")
    refused(answer, 413, "UPLOAD b: the tables have more than 3,000,000 cells")


def test_uploads_that_name_something_else(ask, service):
    for upload, token, status, message in (
        ("t", None, 400, "must be NAME,param:PART"),
        ("t,param:other", None, 400, "a part of the form"),
        ("t,file:///etc/passwd", None, 400, "neither a URL"),
        ("t-1,param:t", None, 400, "must be NAME"),
        ("t,param:t;T,param:t", None, 400, "two tables"),
        ("t,http://example.org/x", None, 403, "clients with a token"),
        ("t,http://127.0.0.1:5000/x", service.token, 400, "not a public address"),
        ("t,http://localhost/x", service.token, 400, "not a public address"),
        ("t,http://169.254.169.254/latest", service.token, 400, "not a public address"),
        ("t,http://[::ffff:127.0.0.1]/", service.token, 400, "not a public address"),
    ):
        answer = ask("SELECT 1 FROM TAP_UPLOAD.t", token, files={"t": votable(PLACES)}, upload=upload)
        refused(answer, status, message)


# What is refused


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        ({"QUERY": ""}, 400, "QUERY is missing"),
        ({"QUERY": "SELECT pg_sleep(60)"}, 400, "PG_SLEEP is not available"),
        ({"QUERY": "SELECT * FROM pg_catalog.pg_authid"}, 400, "There is no table"),
        ({"QUERY": "SELECT 1; DROP TABLE sources"}, 400, "2 statements"),
        ({"QUERY": "SELECT 1 / 0"}, 400, "division by zero"),
        ({"QUERY": "SELECT obj_id + 1 FROM series"}, 400, "database refuses the query"),
        ({"QUERY": "SELECT CAST('x' AS INTEGER)"}, 400, "invalid input syntax"),
        ({"QUERY": "SELECT id, COUNT(*) FROM series"}, 400, "GROUP BY"),
        ({"QUERY": "SELECT EXP(1000)"}, 400, "out of range"),
        ({"QUERY": "SELECT (SELECT id FROM series)"}, 400, "more than one row"),
        ({"QUERY": "SELECT 1" + " " * 70_000}, 413, "more than 65,536 bytes"),
        ({"QUERY": "SELECT 1", "LANG": "PQL"}, 400, "LANG 'PQL'"),
        ({"QUERY": "SELECT 1", "REQUEST": "getData"}, 400, "REQUEST"),
        ({"QUERY": "SELECT 1", "MAXREC": "-1"}, 400, "MAXREC"),
        ({"QUERY": "SELECT 1", "MAXREC": "many"}, 400, "MAXREC"),
        ({"QUERY": "SELECT 1", "RESPONSEFORMAT": "xls"}, 400, "RESPONSEFORMAT 'xls'"),
    ],
    ids=lambda one: str(one)[:50] if isinstance(one, dict) else "",
)
def test_invalid_queries_are_refused(service, series, given, status, message):
    url = f"{service.url}/vo/tap/sync"
    refused(requests.post(url, data={"LANG": "ADQL", **given}, timeout=60), status, message)


def test_ten_megabytes_are_refused_at_once(service, series):
    answer = requests.post(f"{service.url}/vo/tap/sync", data={"QUERY": "SELECT 1, " * 1_000_000}, timeout=60)
    refused(answer, 413, "more than 65,536 bytes")


@pytest.mark.slow
def test_a_join_that_explodes_ends_in_time(service, ask):
    tables = ", ".join(f"TAP_SCHEMA.columns AS t{number}" for number in range(8))
    answer = ask(f"SELECT COUNT(*) FROM {tables}")
    refused(answer, 400, "took longer than 6 s")
    answer = ask(f"SELECT t0.column_name FROM {tables}", responseformat="csv", maxrec=10)
    assert answer.text.count("\n") == 11


def test_missing_role_is_reported(series, rows, public, database_url, tmp_path_factory):
    directory = tmp_path_factory.mktemp("other") / "data"
    directory.mkdir()
    (directory / "admin-token").write_text("")
    with ForkedService(directory, database__url=database_url, vo__database_role="nobody_here",
                       access__anonymous_reads_public="true") as other:  # fmt: skip
        answer = requests.get(f"{other.url}/vo/tap/sync", params={"QUERY": "SELECT 1"}, timeout=60)
        refused(answer, 503, "TAP is off")
        answer = requests.get(f"{other.url}/vo/tap/availability", timeout=60)
        assert "<vosi:available>false" in answer.text
        assert "no role nobody_here" in answer.text
        assert requests.get(f"{other.url}/vo/scs", params={"RA": 1, "DEC": 1, "SR": 0}, timeout=60).status_code == 200
    assert rows("SELECT COUNT(*) FROM photseries.series") == [[len(public)]]  # others are as before


def test_what_a_client_without_a_token_may_read(service, series):
    auth = base64.b64encode(b"x:wrong").decode()
    for path in ("capabilities", "availability", "tables", "tables/ivoa.obscore", "examples"):
        answer = requests.get(f"{service.url}/vo/tap/{path}", headers={"Authorization": f"Basic {auth}"}, timeout=60)
        assert answer.status_code == 200
    refused(requests.get(f"{service.url}/vo/tap/tables/pg_class", timeout=60), 404, "There is no table")
