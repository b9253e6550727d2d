"""Every query parameter, every order and every page against real PostgreSQL."""

import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson
import pytest
from astropy.coordinates import angular_separation
from astropy.time import Time
from sqlalchemy import JSON, Boolean, DateTime, Float, Text, delete, update

from photseries import parameters
from photseries.errors import InvalidError
from photseries.fields import ANSWERED
from photseries.parameters import CRITERIA, Cursor
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import series_queries
from photseries.server.catalogue.models import Series
from photseries.server.principal import Principal
from tests.server.catalogue import rows
from tests.server.catalogue.cases import CASES, ONE, OTHER

BY_NAME = {known.name: known for known in CRITERIA}
COLUMNS = Series.__table__.c


def parsed(arguments):
    return parameters.parse(
        {name: value if isinstance(value, list) else [str(value)] for name, value in arguments.items()}
    )


class Table:
    """The table of series: filled by a test, asked by an operator."""

    def __init__(self, services):
        self.services = services

    def insert(self, *several):
        with self.services.catalogue.transaction() as connection:
            return [rows.insert(connection, **fields) for fields in several]

    def delete(self, series_id):
        with self.services.catalogue.transaction() as connection:
            connection.execute(delete(Series).where(COLUMNS.id == series_id))

    def move(self, series_id, column, value):
        """Change a column behind everybody's back."""
        with self.services.catalogue.transaction() as connection:
            connection.execute(update(Series).where(COLUMNS.id == series_id).values({column: value}))

    def find(self, **arguments):
        """Give the fields of a page of series, how many match, and the cursor."""
        page, total = self.services.reader.find(OPERATOR, parsed(arguments))
        return [one.fields for one in page.records], total, page.cursor

    def ids(self, **arguments):
        return [one["id"] for one in self.find(**arguments)[0]]

    def pages(self, **arguments):
        """Give the ids of page after page, by cursor."""
        cursor = {}
        while cursor is not None:
            found, total, text = self.find(includeTotal="no", **arguments, **cursor)
            assert total is None
            yield [one["id"] for one in found]
            cursor = {"cursor": text} if text else None


@pytest.fixture(scope="module")
def services(database_url, tmp_path_factory):
    with rows.emptied(database_url, tmp_path_factory.mktemp("queries")) as services:
        create = services.accounts.create
        for number in (2, 3):
            create(OPERATOR, "users", {"id": number, "username": f"user {number}"})
        for number in (ONE, OTHER):
            for kind in ("groups", "streams"):
                create(OPERATOR, kind, {"id": number, "name": f"{kind} {number}"})
            for kind in ("followup_request", "assignment"):
                create(OPERATOR, kind, {"id": number})
        yield services


@pytest.fixture
def table(services):
    yield Table(services)
    with services.catalogue.transaction() as connection:
        rows.clear(connection)


# Criteria


def test_every_criterion_has_cases():
    assert {name for name, _ in CASES} == set(BY_NAME)
    for name, known in BY_NAME.items():
        cases = [case for about, case in CASES if about == name]
        assert any(case.yes for case in cases), name
        assert any(case.no for case in cases), name
        if known.robust:
            assert any(known.robust in fields for case in cases for fields in case.yes), name


@pytest.mark.parametrize(
    ("spelling", "name", "case"),
    [
        pytest.param(spelling, name, case, id=f"{spelling}={case.arguments[name]}")
        for name, case in CASES
        for spelling in BY_NAME[name].spellings
    ],
)
def test_criterion_equals_a_filter_in_python(table, spelling, name, case):
    wanted = table.insert(*case.yes)
    table.insert(*case.no)
    arguments = {spelling if key == name else key: value for key, value in case.arguments.items()}
    found, total, cursor = table.find(sortBy="id", **arguments)
    assert [one["id"] for one in found] == wanted
    assert (total, cursor) == (len(wanted), None)


def test_criteria_are_combined_with_and(table):
    table.insert({"filter": "ztfr"}, {"num_exp": 5})
    both = table.insert({"filter": "ztfr", "num_exp": 5})
    assert table.ids(filter="ztfr", maxNumExposures=5, minNumExposures=5) == both


@pytest.mark.parametrize(
    ("switch", "compared"), [({}, 0), ({"useRobustMagAndRMS": "false"}, 0), ({"useRobustMagAndRMS": "true"}, 1)]
)
def test_the_robust_switch(table, switch, compared):
    ids = table.insert({"mean_mag": 18.0, "robust_mag": 20.0}, {"mean_mag": 20.0, "robust_mag": 18.0})
    assert table.ids(magBrighterThan=19, **switch) == [ids[compared]]


@pytest.mark.parametrize("part", ["%", "_", "\\", "/", "a_b", "100%", "a%", "%%", "k\\s", "STAR", ", ", '"', " ", "'"])
@pytest.mark.parametrize("order", ["obj_id", "mjd_last"])
@pytest.mark.parametrize("scan", ["on", "off"], ids="sequential scan {}".format)
def test_wildcards_are_plain_characters(table, part, scan, order):
    """Without sequential scans PostgreSQL takes the index of trigrams, which reads patterns by itself."""
    filenames = {name: f"{number}/{name}" for number, name in enumerate(rows.SOURCES)}
    table.insert(*({"obj_id": name, "filename": filename} for name, filename in filenames.items()))
    for parameter, field, texts in (
        ("objectID", "obj_id", filenames.keys()),
        ("filename", "filename", filenames.values()),
    ):
        with table.services.catalogue.transaction() as connection:
            connection.exec_driver_sql(f"SET LOCAL enable_seqscan = {scan}")
            page = series_queries.find(connection, OPERATOR, parsed({parameter: part, "sortBy": order}))
        assert {one.fields[field] for one in page.records} == {text for text in texts if part in text}


#: MJD of one instant by scale, from astropy; None is the unknown scale, which is compared as it is.
INSTANT = Time("2019-06-15T12:00:00", scale="utc")
BY_SCALE = {scale: float(getattr(INSTANT, scale).mjd) for scale in ("utc", "tai", "tt", "tdb")}
SECOND = 1 / 86400


@pytest.mark.parametrize("scale", BY_SCALE)
@pytest.mark.parametrize(
    ("name", "field", "sign"),
    [("startAfter", "mjd_first", 1), ("startBefore", "mjd_first", -1), ("midAfter", "mjd_mid", 1),
     ("midTimeBefore", "mjd_mid", -1), ("endAfter", "mjd_last", 1), ("endBefore", "mjd_last", -1)],
)  # fmt: skip
def test_a_time_with_a_scale_is_converted_for_each_row(table, scale, name, field, sign):
    stored = [*BY_SCALE.items(), (None, BY_SCALE[scale])]
    # The whole scales differ by 32 to 69 s, so that 5 ms decide only where the time was converted.
    inside, outside = (
        table.insert(*({field: mjd + way * sign * 0.005 * SECOND, "time_scale": known} for known, mjd in stored))
        for way in (1, -1)
    )
    value = repr(BY_SCALE[scale])
    assert table.ids(**{name: value}, timeScale=scale, sortBy="id") == inside
    as_stored = [
        number
        for numbers, way in ((inside, 1), (outside, -1))
        for number, (_, mjd) in zip(numbers, stored, strict=True)
        if (mjd + way * sign * 0.005 * SECOND - BY_SCALE[scale]) * sign >= 0
    ]
    assert table.ids(**{name: value}, sortBy="id") == sorted(as_stored)


# Order and pages

MOMENT = datetime(2026, 11, 21, 4, 30, 0, 123456, tzinfo=UTC)
VALUES = {
    "obj_id": ["axb", "other star", "star"],
    "instrument_id": rows.INSTRUMENTS,
    "owner_id": [1, 2, 3],
    "followup_request_id": [ONE, OTHER],
    "assignment_id": [ONE, OTHER],
    "ra": [0.0, 10.123456789012345, 359.99999999999994],
    "dec": [-90.0, -0.1, 0.1, 90.0],
    "statistics_version": [1, 3],
}

#: Columns of which no two rows have the same value.
UNIQUE = ("id", "filename")

#: Fields that live in tables of their own, and the words for them in :func:`rows.insert`.
SHARED = {"group_ids": "group_ids", "groups": "group_ids", "stream_ids": "stream_ids", "streams": "stream_ids"}


def values_of(column):
    """Give values that a column can have, null among them where it may be; there are few, so that there are ties."""
    if column in SHARED:
        return [[], [ONE], [OTHER], [ONE, OTHER]]
    kind = COLUMNS[column].type
    if column in VALUES:
        values = VALUES[column]
    elif isinstance(kind, JSON):
        values = [{"a": 1.5}, {"a": 2.5, "b": "é"}, {}]
    elif isinstance(kind, Boolean):
        values = [False, True]
    elif column in UNIQUE:
        return [None]
    elif isinstance(kind, DateTime):
        values = [MOMENT, MOMENT + timedelta(microseconds=1), MOMENT - timedelta(days=10**4)]
    elif isinstance(kind, Text):
        values = ["ant", "bee", "cat"]
    elif isinstance(kind, Float):
        values = [-1.7e308, 0.1, 59000.00000000001, 59000.0, 5e-324]
    else:
        values = [0, 3, 2**31 - 1]
    return [*values, None] if COLUMNS[column].nullable else values


def repeatable(seed):
    return random.Random(seed)  # noqa: S311


def random_row(column, chance):
    if column in UNIQUE:
        return {} if column == "id" else {column: f"{chance.random()}"}
    return {SHARED.get(column, column): chance.choice(values_of(column))}


def ordered(value):
    """Give what an order compares: of an object or a list a text."""
    if isinstance(value, list):
        return ",".join(str(number) for number in sorted(value))
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


@pytest.mark.parametrize("column", ANSWERED)
def test_ordered_pages_equal_a_sorted_list(table, column):
    chance = repeatable(column)
    new = [random_row(column, chance) for _ in range(11)]
    name = SHARED.get(column, column)
    keys = {number: ordered(row.get(name, number)) for number, row in zip(table.insert(*new), new, strict=True)}
    for order, sign in (("asc", 1), ("desc", -1)):
        known = sorted(number for number, key in keys.items() if key is not None)[::sign]
        null = sorted(number for number, key in keys.items() if key is None)[::sign]
        wanted = sorted(known, key=keys.get, reverse=order == "desc")
        wanted = [number for key in dict.fromkeys(keys[n] for n in wanted) for number in known if keys[number] == key]
        arguments = {"sortBy": column, "sortOrder": order}
        assert table.ids(**arguments) == [*wanted, *null]
        for size in (1, 7):
            pages = list(table.pages(numPerPage=size, **arguments))
            assert [number for page in pages for number in page] == [*wanted, *null]
            assert {len(page) for page in pages[:-1]} == {size}
        numbered = [table.ids(numPerPage=4, pageNumber=page, **arguments) for page in (1, 2, 3, 4)]
        assert [number for page in numbered for number in page] == [*wanted, *null]


@pytest.mark.parametrize("column", SHARED)
def test_an_order_by_groups_compares_only_those_that_the_principal_sees(table, column):
    word = SHARED[column]
    first, second = table.insert({word: [OTHER], "channel": "a"}, {word: [ONE, OTHER], "channel": "b"})
    joined = {"group_ids": frozenset[int](), "stream_ids": frozenset[int](), word: frozenset({OTHER})}
    member = Principal(2, "user 2", 0, group_ids=joined["group_ids"], stream_ids=joined["stream_ids"])
    found = {}
    for name, principal in (("operator", OPERATOR), ("member", member)):
        page, _ = table.services.reader.find(principal, parsed({"sortBy": column}))
        found[name] = [one.fields["id"] for one in page.records]
    assert found == {"operator": [second, first], "member": [first, second]}  # equal for the member: by id


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_of_odd_texts(table, order):
    table.insert(*({"obj_id": name, "channel": name} for name in rows.SOURCES), {}, {})
    for column in ("obj_id", "channel"):
        arguments = {"sortBy": column, "sortOrder": order}
        whole = table.ids(**arguments)
        assert len(whole) == len(rows.SOURCES) + 2
        assert [number for page in table.pages(numPerPage=2, **arguments) for number in page] == whole


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("column", ["obj_id", "id", "modified", "mjd_last", "magref", "instrument_id"])
def test_pages_survive_concurrent_changes(table, column, order):
    """What did not change is seen once; what came, went or moved may be seen or not."""
    chance = repeatable(f"{column} {order}")
    steady = table.insert(*(random_row(column, chance) for _ in range(15)))
    restless = table.insert(*(random_row(column, chance) for _ in range(15)))
    seen = Counter()
    for page in table.pages(sortBy=column, sortOrder=order, numPerPage=4):
        seen.update(page)
        for _ in range(2):
            if restless:
                table.delete(restless.pop(chance.randrange(len(restless))))
        if restless and column != "id":
            table.move(chance.choice(restless), column, chance.choice(values_of(column)))
        restless += table.insert(random_row(column, chance))
    assert [seen[number] for number in steady] == [1] * len(steady)


def test_cursor_survives_deletion_of_its_row(table):
    ids = table.insert({}, {}, {})
    pages = table.pages(numPerPage=1, sortBy="id")
    assert next(pages) == ids[:1]
    table.delete(ids[0])
    assert list(pages) == [ids[1:2], ids[2:]]


FORGED = [None, True, "", "a", "59000", "é", 1, -1.5, 2**62, 1e308, [], [1], {}, "x" * 600, "%s", "'; --", "2026-11-21",
          "2026-11-21T04:30:00.123456Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
          "2026-01-01T00:00+00:00:30", "2026-01-01T00:00:00+00:00:00.5", "2026-01-01T00:00-23:59:59.999999",
          "infinity", "now"]  # fmt: skip


IDS = (1, 0, -(2**63), 2**63 - 1)
#: A value with each id for every type of column, and the other values with the ids in turn.
PLACES = [*itertools.product([None, "a", 1, "2026-11-21"], IDS), *zip(FORGED, itertools.cycle(IDS), strict=False)]


@pytest.mark.parametrize("column", [*ANSWERED, "separation"])
def test_forged_cursors_are_refused(table, column):
    """A value of another type is refused; one of the right type is a place like any other."""
    table.insert({}, {})
    cone = {"ra": 10, "dec": -20, "radius": 1} if column == "separation" else {}
    for place in PLACES:
        cursor = Cursor(column, False, *place).text()
        try:
            ids = table.ids(sortBy=column, cursor=cursor, **cone)
        except InvalidError as error:
            assert set(error.fields) == {"cursor"}  # noqa: PT017
        else:
            assert len(ids) <= 2


# Separation

CENTRES = [(0.0, 0.0), (359.99999, 45.0), (123.4, 90.0), (0.0, -90.0), (180.0, -1e-5)]


@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_separation_orders_a_cone(table, ra, dec):
    chance = np.random.default_rng(1)
    distance = 10 ** chance.uniform(-8, 2.2, 60)
    angle = chance.uniform(0, 2 * np.pi, 60)
    east, north = np.radians(distance * np.sin(angle)), np.radians(distance * np.cos(angle))
    there = np.clip(dec + np.degrees(north), -90, 90)
    along = (ra + np.degrees(east) / np.maximum(np.cos(np.radians(there)), 1e-3)) % 360 % 360
    places = [*zip(along.tolist(), there.tolist(), strict=True), (ra, dec), ((ra + 180) % 360, -dec)]
    table.insert(*({"ra": ra_, "dec": dec_} for ra_, dec_ in places))
    cone = {"ra": ra, "dec": dec, "radius": 180, "sortBy": "separation"}
    found, total, _ = table.find(numPerPage=500, **cone)
    assert total == len(places)
    given = np.array([one["separation"] for one in found])
    truth = 3600 * np.degrees(
        angular_separation(*np.radians([ra, dec]), *np.radians([[one["ra"], one["dec"]] for one in found]).T)
    )
    near = truth < 3600 * 90
    np.testing.assert_allclose(given[near], truth[near], rtol=1e-14, atol=1e-9)
    np.testing.assert_allclose(given, truth, rtol=0, atol=0.02)
    assert (np.diff(given) >= 0).all()
    ids = [one["id"] for one in found]
    for size in (1, 2, 7):
        assert [number for page in table.pages(numPerPage=size, **cone) for number in page] == ids
    assert table.ids(numPerPage=500, sortOrder="desc", **cone) == _reversed_with_ties(found)


def _reversed_with_ties(found):
    return [one["id"] for one in sorted(found, key=lambda one: (one["separation"], one["id"]), reverse=True)]


def test_only_a_cone_gives_separations(table):
    table.insert({})
    assert "separation" not in table.find()[0][0]
    assert table.find(ra=10, dec=-20, radius=1)[0][0]["separation"] < 1e-9
