"""The kinds of values: good texts, bad texts, and nothing between a value and ValueError."""

import math
from datetime import datetime, timedelta
from typing import Any

import erfa
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from photseries.parameters import value_types
from photseries.parameters.value_types import (
    MAX_TEXT_LENGTH,
    MAX_VALUES,
    Statistic,
    ValueType,
    any_of,
    choice,
    choices,
    integer,
    join_values,
)

KINDS = {name: kind for name, kind in vars(value_types).items() if isinstance(kind, ValueType)} | {
    "choice": choice("asc", "desc"),
    "choices": choices("mag", "snr"),
    "any_of": any_of("ab", "vega"),
    "whole": integer(2, 50),
}

#: MJD of the days that begin after a step of UTC, as ERFA knows them.
STEPS = {
    (datetime(int(year), int(month), 1) - datetime(1858, 11, 17)).days for year, month, _ in erfa.leap_seconds.get()[1:]
}

GOOD: dict[str, dict[str, Any]] = {
    "TEXT": {text: text for text in ("a", " ", "é%_\\'\";--", "x" * MAX_TEXT_LENGTH, "\u2028", "\U0001f52d")},
    "TEXTS": {
        "a": ("a",),
        "a,b": ("a", "b"),
        " a b , c ": ("a b", "c"),
        '"a,b",c': ("a,b", "c"),
        '" a ", "b" ,"c"': (" a ", "b", "c"),
        '"say ""so"""': ('say "so"',),
        '5" dome,6"': ('5" dome', '6"'),
        "a\nb": ("a\nb",),
        ",".join("x" * MAX_VALUES): ("x",) * MAX_VALUES,
    },
    "INTEGERS": {"1": (1,), "+1, -2,003": (1, -2, 3), '"1","2"': (1, 2), "9" * 18: (10**18 - 1,)},
    "COUNT": {"0": 0, "-0": 0, "007": 7, "2147483647": 2**31 - 1},
    "POINTS": {"4": 4, "2147483647": 2**31 - 1},
    "choices": {"mag": ("mag",), "snr,mag": ("snr", "mag")},
    "any_of": {"ab": ("ab",), "vega, ab": ("vega", "ab"), '"ab","vega"': ("ab", "vega")},
    "FLUX_UNITS": {
        "uJy": ("uJy",),
        "electron / s, relative": ("electron/s", "relative"),
        '"erg/s/cm2/Hz"': ("erg/s/cm2/Hz",),
        "e-/s": ("electron/s",),
    },
    "POSITIVE": {"1": 1, "2147483647": 2**31 - 1},
    "NUMBER": {
        "1": 1.0,
        "-.5": -0.5,
        "+1.": 1.0,
        "1E3": 1000.0,
        "1e-9999": 0.0,
        "1" + "0" * 308: 1e308,
        "0" * 399 + "1": 1.0,
    },
    "NUMBERS": {"30": (30.0,), "0.1, 3e1": (0.1, 30.0)},
    "FLAG": {
        **dict.fromkeys(("true", "True", "TRUE", "t", "1", "yes", "YES"), True),
        **dict.fromkeys(("false", "False", "f", "F", "0", "no"), False),
    },
    "MOMENT": {
        "59310": 59310.0,
        "-0.5": -0.5,
        "2459310.5": 2459310.5,
        "2973484": 2973484.0,
        "1858-11-17": 0.0,
        "2021-04-06": 59310.0,
        "2021-04-06T12:00": 59310.5,
        "2021-04-06 12:00:00Z": 59310.5,
        "2021-04-06T12:00:00+06:00": 59310.25,
        "0001-01-01T00:00:00+18:00": -678575.75,
        "9999-12-31T18:00:00-18:00": 2973484.5,
    },
    "RIGHT_ASCENSION": {"0": 0.0, "360": 0.0, "359.99999999999994": 359.99999999999994, "1e1": 10.0},
    "DECLINATION": {"-90": -90.0, "90.0": 90.0, "-0.1": -0.1},
    "RADIUS": {"1e-300": 1e-300, "180": 180.0},
    "SEARCH_RADIUS": {"0": 0.0, "180": 180.0},
    "PERIOD": {"0.55": 0.55, "1e-9": 1e-9, "1e9": 1e9},
    "DURATION": {"0.02d": 0.02, ".5h": 0.5 / 24, "90min": 0.0625, "43200s": 0.5},
    "BIN": {"0.02d": 0.02, "night": "night"},
    "SIGMAS": {"3": 3.0, "1e-9": 1e-9, "1000": 1000.0},
    "STATISTIC": {
        "medians.bg<600": Statistic("medians", "bg", "<", 600.0),
        " stds.x >= -1e3 ": Statistic("stds", "x", ">=", -1000.0),
        "minima.a.b=0": Statistic("minima", "a.b", "=", 0.0),
        'maxima."a < ""b"""<=1': Statistic("maxima", 'a < "b"', "<=", 1.0),
        'medians."bg!"=1': Statistic("medians", "bg!", "=", 1.0),
        "medians.α';--%>1": Statistic("medians", "α';--%", ">", 1.0),
    },
    "whole": {"2": 2, "50": 50},
    "choice": {"asc": "asc", "desc": "desc"},
}

NOT_TEXTS = ["", "a\0", "x" * (MAX_TEXT_LENGTH + 1), "\ud800", "a\udfff"]
NOT_LISTS = [
    "",
    " ",
    ",",
    "1,",
    ",1",
    "1,,1",
    '"',
    '"1',
    '"1"1',
    '"1",',
    '"1" 1',
    ' "1',
    ",".join("1" * (MAX_VALUES + 1)),
]
NOT_NUMBERS = [
    "x", "1x", "nan", "NaN", "inf", "-Infinity", "1e400", "1e9999", "9" * 10**6, "0x1", "1_0", "１", "٣", "1\0", "--1",
    "1 1", "1e", "e1", ".", "-", "1e1.5", "1d0", "'1'", "1;", "1 OR 1=1", "None", "true",
]  # fmt: skip
NOT_ONE = ["", " ", "1 ", "\t1", "1\n", "1,2", '"1"']

BAD = {
    "TEXT": NOT_TEXTS,
    "TEXTS": [*NOT_LISTS, *NOT_TEXTS, '""', '"a","\0"', "x" * 10**6],
    "INTEGERS": [*NOT_LISTS, *NOT_NUMBERS, "1.0", "1e3", "9" * 19, "1,x"],
    "COUNT": [*NOT_NUMBERS, *NOT_ONE, "1.0", "1e3", "-1", "2147483648"],
    "POSITIVE": [*NOT_NUMBERS, *NOT_ONE, "1.0", "1e3", "0", "-1", "2147483648"],
    "NUMBER": [*NOT_NUMBERS, *NOT_ONE],
    "NUMBERS": [*NOT_LISTS, *NOT_NUMBERS, "1,nan"],
    "FLAG": ["", " ", "maybe", "on", "off", "y", "n", "2", "-1", "1.0", "true ", "null", "NaN", "tr\0ue", "ｔｒｕｅ"],
    "MOMENT": [
        *NOT_NUMBERS, *NOT_ONE, "2021-4-6", "2021-13-01", "2021-02-30", "2021-04-06T", "2021-04-06T25:00",
        "2021-04-06Z", "2021-04-06T12:00:00+25:00", "0000-01-01", "20210406T12", "2021-W01-1", "2021-04-06T12\0",
        "now", "yesterday", "20260101", "2973484.5", "1767225600",
    ],
    "RIGHT_ASCENSION": [*NOT_NUMBERS, *NOT_ONE, "-1e-9", "-1", "360.0000001", "1e308"],
    "DECLINATION": [*NOT_NUMBERS, *NOT_ONE, "90.0000001", "-91"],
    "RADIUS": [*NOT_NUMBERS, *NOT_ONE, "0", "-0.0", "1e-9999", "-1", "180.0000001"],
    "SEARCH_RADIUS": [*NOT_NUMBERS, *NOT_ONE, "-1e-9", "180.0000001"],
    "DURATION": ["", "0d", "10", "d", "1 d", "-1d", "1e3s", "1d\n", "night", "1week", "99999d", "1" * 10**5 + "d"],
    "BIN": ["", "0d", "10", "Night", "night\n", "99999d"],
    "SIGMAS": [*NOT_NUMBERS, *NOT_ONE, "0", "-1", "1001"],
    "PERIOD": [*NOT_NUMBERS, *NOT_ONE, "0", "-1", "9e-10", "1.1e9"],
    "STATISTIC": [
        *NOT_TEXTS, "medians", "medians.bg", "medians.bg<", "bg<1", "means.bg<1", "medians.<1", 'medians.""<1',
        "medians.bg<x", "medians.bg<nan", "medians.bg<1e400", "medians.bg!=1", "medians.bg==1", "medians.bg<>1",
        "medians.a b<1", 'medians."a<1', 'medians."a"b<1', "medians.bg<1 OR 1=1", "medians.bg<1;--", "x" * 10**6,
    ],
    "whole": [*NOT_NUMBERS, *NOT_ONE, "1.0", "1", "51", "-2"],
    "choice": ["", "ASC", "asc ", "ascending", "a\0sc"],
    "choices": ["", "MAG", "mag,", "mag, snr", "mag,mag", "mag,colour"],
    "any_of": ["", "AB", "ab,", "ab;vega", "ab,st"],
    "FLUX_UNITS": ["", "ujy", "mag", "Jy,", "Jy,furlong", "x" * 10**6],
    "POINTS": [*NOT_NUMBERS, *NOT_ONE, "3", "-4", "4.0"],
}  # fmt: skip


def assert_refused(kind, text):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is made from the kind's name
        kind.read(text)


def test_every_value_type_has_cases():
    assert set(GOOD) == set(BAD) == set(KINDS)


@pytest.mark.parametrize(("kind", "text", "value"), [(k, t, v) for k, texts in GOOD.items() for t, v in texts.items()])
def test_valid_texts_are_parsed(kind, text, value):
    read = KINDS[kind].read(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_invalid_texts_are_refused(kind, text):
    assert_refused(KINDS[kind], text)


NEAR_MISSES = st.one_of(
    st.text(),
    st.text('0123456789+-.eE,"_ ', max_size=30),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.+Z-]*)?", fullmatch=True),
    st.from_regex(r'(medians|stds)\."?[ab".]*"? ?[<=>]+ ?[-0-9.e]*', fullmatch=True),
    st.lists(st.text('a", ', max_size=4)).map(",".join),
)


@pytest.mark.parametrize("name", ["TEXT", "TEXTS", "INTEGERS", "COUNT", "POSITIVE", "POINTS"])
def test_the_schema_states_the_limits_of_the_parser(name):
    schema = KINDS[name].schema
    schema = schema.get("items", schema)
    if schema["type"] == "string":
        inside, beyond = [["x" * (schema[key] + more) for key, more in (("minLength", -by), ("maxLength", by))]
                          for by in (0, 1)]  # fmt: skip
    else:
        inside, beyond = [[str(schema["minimum"] - by), str(schema["maximum"] + by)] for by in (0, 1)]
    for text in inside:
        KINDS[name].read(text)
    for text in beyond:
        with pytest.raises(ValueError):  # noqa: PT011  (the caller words it)
            KINDS[name].read(text)


@given(text=NEAR_MISSES)
def test_any_text_is_a_value_or_a_value_error(text):
    for kind in KINDS.values():
        try:
            value = kind.read(text)
        except ValueError:
            continue
        for one in value if isinstance(value, tuple) else [value]:
            number = one.value if isinstance(one, Statistic) else one
            assert not isinstance(number, float) or math.isfinite(number)
            assert not isinstance(number, str) or 0 < len(number) <= MAX_TEXT_LENGTH


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_texts_can_be_listed(texts):
    assert value_types.TEXTS.read(join_values(texts)) == tuple(texts)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_float_can_be_given(numbers):
    assert value_types.NUMBERS.read(",".join(map(repr, numbers))) == tuple(numbers)


@given(st.floats(max_value=2973484, allow_infinity=False))
def test_every_mjd_can_be_given(mjd):
    assert value_types.MOMENT.read(repr(mjd)) == mjd


@given(
    st.datetimes(),
    st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
        lambda d: timedelta(minutes=d // timedelta(minutes=1))
    ),
)
def test_every_date_and_time_can_be_given(moment, east):
    sign = "-" if east < timedelta() else "+"
    hours, minutes = divmod(abs(east) // timedelta(minutes=1), 60)
    since = moment - datetime(1858, 11, 17) - east
    days = since / timedelta(days=1)
    if since // timedelta(days=1) + 1 in STEPS:
        days = Time(moment - east, scale="utc").mjd
    text = f"{moment.isoformat()}{sign}{hours:02}:{minutes:02}"
    assert value_types.MOMENT.read(text) == pytest.approx(days, abs=1e-9)


@pytest.mark.parametrize("clock", ["00:00:00", "12:00:00", "23:59:59.5"])
def test_utc_is_that_of_erfa_on_and_around_days_with_a_step(clock):
    for day in {step + offset for step in STEPS for offset in (-2, -1, 0)}:
        text = f"{datetime(1858, 11, 17) + timedelta(days=day):%Y-%m-%d}T{clock}"
        assert value_types.MOMENT.read(text) == pytest.approx(Time(text, scale="utc").mjd, rel=0, abs=2e-11)


def test_a_leap_second_is_a_moment():
    mjd = Time("2016-12-31T23:59:60.5", scale="utc").mjd
    assert value_types.MOMENT.read("2016-12-31T23:59:60.5Z") == mjd
    assert value_types.MOMENT.read("2017-01-01 01:59:60.5+02:00") == mjd
    assert value_types.MOMENT.read("2016-12-31T23:59:59Z") < mjd < value_types.MOMENT.read("2017-01-01")
    for text in ("2016-12-30T23:59:60", "2016-12-31T22:59:60", "2016-12-31T23:60:00", "1971-12-31T23:59:60.5"):
        assert_refused(value_types.MOMENT, text)


@pytest.mark.parametrize("blank", [" ", '"', '""', ",", "a ", '" ', "\u00a0"])
def test_long_lists_are_parsed_quickly(blank):
    """A pattern that tries again from every place would take minutes."""
    for text in (blank * 20_000, f"a{blank * 9_999}b", f'"{blank * 9_999}'):
        assert_refused(value_types.INTEGERS, text)
