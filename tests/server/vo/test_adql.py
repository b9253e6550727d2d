"""Whatever a query says, nothing that is not on the list is printed."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from photseries.errors import InvalidError
from photseries.server.vo.adql import UploadedTable, translate
from photseries.server.vo.examples import EXAMPLES
from photseries.server.vo.tables import TABLES, TapColumn

UPLOAD = UploadedTable("mine", tuple(TapColumn(name=name, datatype="double") for name in ("ra", "dec")))
COLUMNS = {one.name for table in TABLES.values() for one in table.columns}

#: 180 characters that are 0.3 MB of SQL.
REPEATED = "DISTANCE(POINT(" * 5 + "ra" + ", 0), POINT(dec, 0))" * 5

#: Every word that a translation may have beside names of columns, of our own making, and placeholders.
WORDS = {
    "SELECT", "DISTINCT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "DESC", "LIMIT", "OFFSET", "HAVING", "AS", "AND",
    "OR", "NOT", "BETWEEN", "IN", "IS", "NULL", "LIKE", "ILIKE", "ESCAPE", "EXISTS", "CASE", "WHEN", "THEN", "ELSE",
    "END", "CAST", "TRUE", "FALSE", "UNION", "EXCEPT", "INTERSECT", "ALL", "WITH", "JOIN", "LEFT", "RIGHT", "FULL",
    "CROSS", "ON", "LATERAL", "unnest", "r", "low", "high", "v", "photseries_vo", "series", "obscore", "source",
    "instrument", "pg_temp", "jsonb_to_recordset", "jsonb", "healpix", "unit_x", "unit_y", "unit_z", "float8",
    "numeric", "text", "integer", "bigint", "smallint", "real", "timestamp", "left", "coalesce", "lower", "upper",
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cot", "degrees", "exp", "floor", "ln", "log", "mod",
    "pi", "power", "radians", "random", "round", "sin", "sqrt", "tan", "trunc", "count", "sum", "avg", "min", "max",
    "least", "s", "NULLS", "FIRST", "LAST",
    *(
        f"series_by_{column}{order}"
        for column in ("id", "obj_id", "mjd_last", "von_neumann", "chi2_dof", "amplitude", "period")
        for order in ("", "_desc")
    ),
}  # fmt: skip


def unknown_words(sql):
    """The words of a translation that are not on the list."""
    assert not re.search(r"--|/\*|;|'(?!')[^']|\$|\\|::", sql.replace("ESCAPE ''", "")), sql
    plain = re.sub(r"%\(p\d+\)s", "", sql)
    quoted = set(re.findall(r'"([^"]*)"', plain))
    words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"[^"]*"', "", plain)))
    ours = {word for word in words if re.fullmatch(r"[towc]\d+|low\d+|high\d+|vo_upload_\d+|e", word)}
    return (quoted - COLUMNS) | (words - ours - WORDS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one.name)
def test_examples_are_printed_with_words_of_the_list(example):
    assert unknown_words(translate(example.query, limit=10).sql) == set()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT pg_sleep(10)", "PG_SLEEP is not available"),
        ("SELECT PG_SLEEP (10) FROM photseries.series", "PG_SLEEP is not available"),
        ('SELECT "pg_sleep"(10)', "not"),
        ("SELECT pg_catalog.pg_sleep(10)", "DOT is not accepted"),
        ("SELECT set_config('photseries.everything', 'true', true)", "SET_CONFIG is not available"),
        ("SELECT current_setting('photseries.listeners')", "not available"),
        ("SELECT version()", "not available"),
        ("SELECT query_to_xml('SELECT 1', true, true, '')", "not available"),
        ("SELECT lo_import('/etc/passwd')", "not available"),
        ("SELECT * FROM pg_catalog.pg_class", "There is no table 'pg_catalog.pg_class'"),
        ("SELECT * FROM pg_class", "There is no table 'pg_class'"),
        ("SELECT * FROM public.tokens", "There is no table"),
        ("SELECT * FROM photseries_vo.series", "There is no table"),
        ("SELECT * FROM information_schema.tables", "There is no table"),
        ("SELECT * FROM a.b.c", "CATALOG is not accepted"),
        ("SELECT * FROM generate_series(1, 1000000000) AS g", "FROM accepts names of tables"),
        ("SELECT healpix FROM photseries.series", "no column 'healpix'"),
        ("SELECT s.unit_x FROM photseries.series AS s", "column 'unit_x'"),
        ("SELECT audience FROM photseries.series", "no column 'audience'"),
        ("SELECT s FROM photseries.series AS s", "no column 's'"),
        ("SELECT xmin FROM photseries.series", "no column 'xmin'"),
        ("SELECT CAST('pg_class' AS regclass)", "CAST accepts"),
        ("SELECT CAST(id AS oid) FROM photseries.series", "CAST accepts"),
        ("SELECT 'pg_class'::regclass", "CAST accepts"),
        ("SELECT CAST(obj_id AS VARCHAR(100000000)) FROM photseries.series", "length in CAST"),
        ("SELECT CAST(obj_id AS xml) FROM photseries.series", "CAST accepts"),
        ("SELECT CAST(id AS INTEGER ARRAY) FROM photseries.series", "CAST accepts"),
        ("SELECT 1; DROP TABLE sources", "2 statements"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("DROP TABLE sources", "must be"),
        ("INSERT INTO sources VALUES (1)", "must be"),
        ("UPDATE sources SET ra = 1", "must be"),
        ("DELETE FROM sources", "must be"),
        ("COPY sources TO '/tmp/x'", "must be"),
        ("SET ROLE photseries", "must be"),
        ("RESET ROLE", "must be"),
        ("SELECT 1 INTO x", "INTO is not accepted"),
        ("SELECT id FROM photseries.series FOR UPDATE", "not accepted"),
        ("SELECT MAX(id) OVER () FROM photseries.series", "WINDOW is not accepted"),
        ("SELECT id FROM photseries.series WHERE id = ANY (SELECT 1)", "ANY is not accepted"),
        ("SELECT ARRAY[1]", "ARRAY is not accepted"),
        ("SELECT ROW(1)", "not available"),
        ("SELECT id FROM photseries.series GROUP BY ROLLUP(id)", "ROLLUP is not accepted"),
        ("SELECT id FROM photseries.series TABLESAMPLE BERNOULLI (1)", "not accepted"),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n FROM x) SELECT * FROM x", "RECURSIVE is not accepted"),
        ("WITH x AS (DELETE FROM sources RETURNING *) SELECT * FROM x", "must be a SELECT statement"),
        ("SELECT id FROM LATERAL (SELECT 1) AS x", "FROM accepts"),
        ("SELECT DISTINCT ON (id) id FROM photseries.series", "not accepted"),
        ("SELECT COUNT(*) FILTER (WHERE id > 1) FROM photseries.series", "not accepted"),
        ("SELECT $1", "no column"),
        ("SELECT ?", "PLACEHOLDER is not accepted"),
        ("SELECT :x", "PLACEHOLDER is not accepted"),
        ("SELECT %(p0)s", "not"),
        ("SELECT @@version", "not accepted"),
        ("SELECT U&'\\0041'", "not"),
        ("SELECT 1e999", "too large"),
        ("SELECT 0x12345678901234567", "too large"),
        ("SELECT 10ra FROM photseries.series", "'10ra' is not a number"),
        ("SELECT DISTINCT .5ra FROM photseries.series", "is not a number"),
        ("SELECT photseries.s.id FROM photseries.series AS s", "its FROM does not name"),
        ("SELECT ivoa.series.id FROM photseries.series", "its FROM does not name"),
        ("SELECT '\0'", "NUL"),
        ("", "statement"),
        ("SELECT", "at least one column"),
        ("nonsense", "must be"),
        ("SELECT id FROM photseries.series WHERE", "not ADQL"),
        ("SELECT id FROM photseries.series ORDER BY 2", "the result has 1 columns"),
        ("SELECT TOP -1 id FROM photseries.series", "not ADQL"),
        ("SELECT TOP 1.5 id FROM photseries.series", "whole number"),
        ("SELECT id FROM photseries.series AS a, photseries.series AS b", "ambiguous"),
        ("SELECT id FROM photseries.series AS a, photseries.source AS a WHERE a.id = 1", "ambiguous"),
        ("SELECT LOWER(1, 2)", "takes 1 to 1 arguments"),
        ("SELECT POINT(1, 2)", "POINT is not available"),
        ("SELECT id FROM photseries.series WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(1, 2, -1))", "not be negative"),
        ("SELECT id FROM photseries.series WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(1, 91, 1))", "outside -90 to 90"),
        (
            "SELECT id FROM photseries.series WHERE 1 = CONTAINS(POINT('GALACTIC', ra, dec), CIRCLE(1, 1, 1))",
            "GALACTIC",
        ),
        ("SELECT id FROM photseries.series WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(1, 1))", "not a shape"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(ra,dec), POLYGON(0,0, 2,2, 2,0, 0,2))", "convex"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(1,2), BOX(ra, dec, 1, 1))", "no columns"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(1,2), BOX(1, 2, num_exp/60, 1))", "no columns"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(1,2), BOX(1, 2, 1-1, 1))", "positive"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(ra, dec), BOX(0, 0, 200, 10))", "below 180 deg"),
        ("SELECT id FROM photseries.series WHERE 1=CONTAINS(POINT(1,2), POLYGON(ra, 1, 1, 2, 3, 4))", "no columns"),
        ("SELECT id FROM photseries.series WHERE 1 = CONTAINS(POINT(ra, dec), ra)", "not a shape"),
        ("SELECT * FROM TAP_UPLOAD.other", "no uploaded table 'other'"),
        ("(" * 500 + "SELECT 1" + ")" * 500, "nested more than"),
        ("SELECT " + "(" * 500 + "1" + ")" * 500, "nested more than"),
        ("SELECT " + "NOT " * 5000 + "1", "nested too deeply"),
        ("SELECT " + "- " * 5000 + "1", "nested too deeply"),
        ("SELECT " + "1 + " * 5000 + "1", "nested too deeply"),
        ("SELECT " + "CASE WHEN 1 = 1 THEN " * 500 + "1" + " END" * 500, "nested more than"),
        ("SELECT " + "1, " * 30_000 + "1", "tokens"),
        ("SELECT *, * FROM (" * 30 + "SELECT 1 AS a" + ") AS t" * 30, "more than 1,600 columns"),
        ("SELECT s + s AS s FROM (" * 30 + "SELECT 1 AS s" + ") AS t" * 30, "too often"),
        (
            "SELECT " + "DISTANCE(POINT(" * 12 + "ra" + ", 0), POINT(dec, 0))" * 12 + " FROM photseries.series",
            "too long",
        ),
        (f"SELECT {', '.join([REPEATED] * 240)} FROM photseries.series", "too long"),
        (f"SELECT 1 FROM photseries.series WHERE {' AND '.join([f'{REPEATED} < 1'] * 240)}", "too long"),
        (f"SELECT 1 FROM photseries.series WHERE 1 IN ({', '.join([REPEATED] * 240)})", "too long"),
        ("SELECT 1 FROM " + ", ".join(["photseries.series"] * 51), "more than 50 tables"),
    ],
    ids=lambda text: text[:40].replace("\0", "NUL"),
)
def test_constructs_outside_the_allowlist_are_refused(query, message):
    with pytest.raises(InvalidError) as refused:
        translate(query, [UPLOAD])
    assert message in refused.value.message
    assert len(refused.value.message) < 300
    assert refused.value.message.isprintable()


def test_values_are_bound_and_comments_left_out():
    found = translate(
        "SELECT id -- a comment; DROP TABLE sources\nFROM photseries.series WHERE obj_id = 'it''s %(p0)s; --'"
    )
    assert found.sql == 'SELECT t0."id" AS o0 FROM photseries_vo.series AS t0 WHERE ((t0."obj_id" = %(p0)s))'
    assert found.values == {"p0": "it's %(p0)s; --"}


def test_names_of_users_never_reach_the_database():
    found = translate('SELECT id AS "x""; DROP TABLE sources; --" FROM photseries.series AS "s""; --" ORDER BY 1')
    assert found.sql == 'SELECT t0."id" AS o0 FROM photseries_vo.series AS t0 ORDER BY 1'
    assert [one.name for one in found.columns] == ['x"; DROP TABLE sources; --']


def test_a_cone_becomes_ranges_of_the_index():
    for condition in (
        "1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 10, -20, 0.1))",
        "CONTAINS(POINT(ra, dec), CIRCLE(POINT(10, -20), 1/10.)) = 1",
        "CONTAINS(POINT(10, -20), CIRCLE(ra, dec, 0.1)) = 1",
        "DISTANCE(POINT(ra, dec), POINT(10, -20)) < 0.1",
        "0.1 >= DISTANCE(ra, dec, 10, -20)",
        "1 = INTERSECTS(POINT(ra, dec), BOX(10, -20, 0.1, 0.1))",
        "id > 0 AND (1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(10, -20, 0.1)))",
    ):
        sql = translate(f"SELECT id FROM photseries.series AS s WHERE {condition}").sql
        assert 1 <= sql.count("t0.healpix BETWEEN") <= 8, condition
    assert "healpix" not in translate("SELECT id FROM photseries.source WHERE DISTANCE(ra, dec, 10, -20) < 1").sql


def test_an_order_with_nulls_elsewhere_reads_no_ordered_view():
    for order, end in (("NULLS FIRST", " NULLS FIRST"), ("DESC NULLS LAST", " DESC NULLS LAST")):
        sql = translate(f"SELECT id FROM series ORDER BY period {order}").sql
        assert sql == f'SELECT t0."id" AS o0 FROM photseries_vo.series AS t0 ORDER BY t0."period"{end}'


def test_a_join_with_an_upload_is_a_lookup():
    upload = UploadedTable("mine", UPLOAD.columns)
    for source in (
        "TAP_UPLOAD.mine AS u JOIN series AS s ON DISTANCE(POINT(s.ra, s.dec), POINT(u.ra, u.dec)) < 0.1",
        "series AS s, TAP_UPLOAD.mine AS u WHERE 1 = CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, 0.1))",
        "TAP_UPLOAD.mine AS u LEFT JOIN series AS s ON DISTANCE(s.ra, s.dec, u.ra, u.dec) <= 0.1",
    ):
        sql = translate(f"SELECT s.id FROM {source}", [upload]).sql
        assert re.search(r"FROM pg_temp.vo_upload_0 AS t\d (CROSS|LEFT) JOIN LATERAL", sql), sql
    assert [(one.ra, one.dec, one.radius) for one in upload.cones] == [(0, 1, 0.1)]


def test_names_of_many_columns_are_resolved_quickly():
    """The names of each relation are indexed; a comparison with all 4,200 columns took 50 s."""
    tables = ", ".join(f"series AS a{number}" for number in range(40))
    names = ", ".join(["found"] * 9000)
    begun = time.process_time()
    translate(f"SELECT 1 FROM {tables}, (SELECT 1 AS found) AS t WHERE 1 IN ({names})")
    assert time.process_time() - begun < 15


PARTS = some.sampled_from(
    [
        "SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "TOP", "10", "*", ",", "(", ")", "1", "2.5", "'x'",
        "id", "ra", "dec", "obj_id", "photseries.series", "AS", "a", "b", "JOIN", "ON", "=", "<\n", "", "", "",
        "CONTAINS", "POINT", "CIRCLE", "DISTANCE", "CAST", "INTEGER", "regclass", "AND", "OR", "NOT", "NULL", "IS",
        "IN", "BETWEEN", "LIKE", "CASE", "WHEN", "THEN", "END", "UNION\n", "", "", "", "EXCEPT", "WITH",
        "DISTINCT", "COUNT", "SUM", "pg_sleep", "TAP_UPLOAD.mine", "EXISTS", "LEFT", "USING", "NATURAL", "-", "+",
        "/", "||", ";", "--", "::", "->", "[", "]", "{", "}", "@", "#", "$1", "?\n", "", "", "", "\"quoted\"",
        "pg_catalog.pg_class", "set_config", "current_user", "healpix", "HAVING", "LIMIT", "OFFSET", "ALL", ".",
        ":", "%", "&", "|", "^", "~", "INTERVAL", "DATE", "LATERAL\n", "", "", "", "VALUES", "ROW", "ARRAY",
        "EXTRACT", "OVER", "PARTITION", "WINDOW", "FETCH", "FIRST", "ROWS", "ONLY", "FOR", "UPDATE", "INTO",
        "TABLE", "RECURSIVE", "NULLS", "LAST", "\\", "\n",
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM photseries.series AS ?",
        "SELECT * FROM (SELECT id FROM photseries.series) ?",
        "WITH ? AS (SELECT id FROM photseries.series) SELECT * FROM photseries.series",
        "SELECT a.id FROM photseries.series a JOIN photseries.series b USING (?)",
        "SELECT a.id FROM photseries.series a JOIN photseries.series b USING ('x')",
    ],
)
def test_expressions_in_place_of_names_are_refused(query):
    with pytest.raises(InvalidError, match="cannot be a name"):
        translate(query, [], 10)


@given(some.lists(PARTS, max_size=25))
def test_random_words_are_refused_or_harmless(parts):
    check(" ".join(["SELECT", *parts]))


@given(some.lists(PARTS, max_size=8), some.lists(PARTS, max_size=8), some.lists(PARTS, max_size=8))
def test_random_words_in_a_query_are_refused_or_harmless(columns, sources, conditions):
    query = ["SELECT id,", *columns, "FROM photseries.series", *sources, "WHERE ra > 1", *conditions]
    check(" ".join(query))


@given(
    some.sampled_from(EXAMPLES),
    some.lists(some.tuples(some.integers(0, 80), some.booleans(), PARTS), min_size=1, max_size=4),
)
def test_examples_with_words_put_in_and_taken_out_are_refused_or_harmless(example, changes):
    words = re.findall(r"\w+|\S", example.query)
    for place, takes_out, word in changes:
        words[place % len(words) : place % len(words) + takes_out] = [word]
    check(" ".join(words))


@given(some.text(max_size=200))
def test_random_text_is_refused_or_harmless(text):
    check(text)
    check(f"SELECT {text} FROM photseries.series")
    check(f"SELECT id FROM photseries.series WHERE {text}")


def check(query):
    try:
        said, sql = "", translate(query, [UPLOAD], 10).sql
    except InvalidError as error:
        said, sql = error.message, ""
    assert said.isprintable()
    assert len(said) < 300
    assert unknown_words(sql) == set(), query
