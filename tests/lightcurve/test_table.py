from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.table import validate
from photseries.server.settings import LimitSettings

LIMITS = LimitSettings()


def table(**columns):
    return pd.DataFrame({"mjd": [1.0, 2.0], "flux": [3.0, 4.0], **columns})


def refusal(frame, limits=LIMITS) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        validate(frame, limits)
    for messages in caught.value.fields.values():
        assert all(message in caught.value.message for message in messages)
    return caught.value


@pytest.mark.parametrize("time", ["mjd", "mjds"])
@pytest.mark.parametrize("brightness", ["flux", "fluxes", "mag", "mags", "magnitudes"])
def test_accepted_spellings(time, brightness):
    frame = pd.DataFrame({time: [1.0], brightness: [20.0]})
    validate(frame, LIMITS)
    curve = light_curve(frame)
    assert curve.mjd[0] == 1.0
    assert (curve.flux if brightness.startswith("flux") else curve.mag)[0] == 20.0


@pytest.mark.parametrize(
    "column",
    [
        [True, False],
        np.array([1, 2], dtype=np.uint8),
        np.array([1.5, np.nan], dtype=np.float16),
        np.array([1.5, np.inf], dtype=">f4"),
        ["a", None],
        pd.Series(["a", None], dtype=object),
        pd.Series([None, None], dtype=object),
        pd.Series(["a", None], dtype="string"),
        pd.to_datetime(["2020-01-01", None]),
        pd.to_timedelta([1, None], unit="s"),
    ],
    ids=lambda column: str(getattr(column, "dtype", type(column[0]).__name__)),
)
def test_further_columns_of_every_plain_kind(column):
    validate(table(more=column), LIMITS)


@pytest.mark.parametrize("frame", [pd.DataFrame(), table().iloc[:0], pd.DataFrame(index=[0, 1])])
def test_empty_table_is_refused(frame):
    assert "Must supply a non-empty DataFrame" in refusal(frame).message


@pytest.mark.parametrize("absent", ["mjd", "flux"])
def test_missing_columns_are_named_with_their_spellings(absent):
    error = refusal(table().drop(columns=absent))
    assert "Input to photometric series must contain" in error.message
    assert ('"mjds"' if absent == "mjd" else '"magnitudes"') in error.message
    assert list(error.fields) == ["data"]


def test_all_problems_are_reported_together():
    frame = pd.DataFrame({"a": [1 + 2j], "b": ["x\0"], "": [1], "fluxerr": ["1"]})
    error = refusal(frame)
    assert set(error.fields) == {"data", "data.a", "data.b", "data.", "data.fluxerr"}
    assert len(error.fields["data"]) == 2


@pytest.mark.parametrize(
    "frame",
    [
        table(mjd=["1", "2"]),
        table(mjd=[True, False]),
        table(mjd=pd.to_datetime(["2020-01-01", "2020-01-02"])),
        table(flux=["3", "4"]),
        table(flux=[True, False]),
        table(fluxerr=["3", "4"]),
        table(magerr=[True, False]),
    ],
)
def test_the_columns_that_count_must_be_numbers(frame):
    assert "must contain numbers" in refusal(frame).message


def test_columns_that_are_not_used_may_be_text():
    validate(table(mags=["faint", "bright"], magerr=["x", "y"], fluxerr=[1, 1]), LIMITS)


@pytest.mark.parametrize("values", [[np.nan, np.nan], [np.inf, -np.inf]])
@pytest.mark.parametrize("column", ["mjd", "flux"])
def test_a_time_and_a_brightness_must_be_finite_somewhere(column, values):
    assert refusal(table(**{column: values})).fields == {
        f"data.{column}": [f'The column "{column}" has no finite value.']
    }


def test_errors_may_all_be_absent():
    validate(table(fluxerr=[np.nan, np.nan]), LIMITS)


@pytest.mark.parametrize(
    ("column", "phrase"),
    [
        (["a", "b\0"], "NUL"),
        (["a", "\ud800"], "not valid Unicode"),
        (pd.Series([1, "a"], dtype=object), "contains int where"),
        (pd.Series([[1], {}], dtype=object), "contains dict, list where"),
        (pd.Series([b"a", b"b"], dtype=object), "contains bytes where"),
        (pd.Series(["a", "b"], dtype="category"), "category"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True), "time zone"),
        (np.array([1, 2], dtype=np.longdouble), "longdouble" if np.dtype(np.longdouble).itemsize == 8 else "float128"),
        (pd.Series([1, None], dtype="Int64"), "Int64"),
        (np.array(["0001-01-01", "2020-01-01"], "M8[s]"), "outside 1677-2262"),
    ],
)
def test_columns_that_cannot_be_stored(column, phrase):
    error = refusal(table(odd=column))
    assert set(error.fields) == {"data.odd"}
    assert phrase in error.message


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("", "is empty"),
        ("a\0", "NUL"),
        ("\ud800", "not valid Unicode"),
        (7, "is not text"),
        (("a", "b"), "is not text"),
    ],
)
def test_names_that_cannot_be_stored(name, phrase):
    frame = table(odd=[1, 2])
    frame.columns = pd.Index([*frame.columns[:2], name], dtype=object, tupleize_cols=False)
    error = refusal(frame)
    assert phrase in error.message
    error.message.encode()


def test_repeated_column_name_is_refused():
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["mjd", "flux", "flux"])
    assert refusal(frame).fields == {"data.flux": ['The column name "flux" occurs more than once.']}


def test_column_levels():
    frame = pd.DataFrame([[1.0, 2.0]], columns=pd.MultiIndex.from_tuples([("mjd", "a"), ("flux", "b")]))
    assert "is not text" in refusal(frame).message


@pytest.mark.parametrize(
    "index",
    [
        [5, 3],
        [0.5, np.nan],
        ["a", "é"],
        pd.Index(["a", "b"], dtype=object),
        pd.to_datetime(["2020-01-01", None]),
    ],
)
def test_storable_index_is_accepted(index):
    validate(table().set_index(pd.Index(index)), LIMITS)


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_tuples([(0, 1), (0, 2)]),
        pd.Index([True, False]),
        pd.Index(["a", None]),
        pd.Index(["a", 1], dtype=object),
        pd.Index(["a", "\0"]),
        pd.Index(["a", "nan"]),
        pd.Index(["a", "\ud800"], dtype=object),
        pd.Index([1, 2], name=7),
        pd.CategoricalIndex(["a", "b"]),
        pd.to_datetime(["2020-01-01", "2020-01-02"], utc=True),
        pd.to_timedelta([1, 2], unit="s"),
        pd.period_range("2020-01", periods=2, freq="M"),
    ],
)
def test_unstorable_index_is_refused(index):
    error = refusal(table().set_index(index))
    assert set(error.fields) == {"data"}
    assert "reset_index" in error.message


@pytest.mark.parametrize(
    ("name", "at", "frame"),
    [
        ("rows", 2, table()),
        ("columns", 3, table(a=[1, 2])),
        ("column_name", 4, table(éé=[1, 2])),
        ("table", 2 * (8 + 8 + 8 + 4), table(text=["éé", None])),
        ("table", 2 * (8 + 8 + 8 + 1), table(text=["", None])),
        ("table", 2 * (8 + 8 + 3), table().set_index(pd.Index(["abc", "a"]))),
    ],
)
def test_tables_beyond_a_limit_are_refused(name, at, frame):
    validate(frame, replace(LIMITS, **{name: at}))
    error = refusal(frame, replace(LIMITS, **{name: at - 1}))
    assert f"limits.{name}" in error.message
    assert f"limit is {at - 1}" in error.message


def test_too_many_columns_are_not_looked_at_one_by_one():
    error = refusal(pd.DataFrame({str(i): [1j] for i in range(5)}), replace(LIMITS, columns=4))
    assert set(error.fields) == {"data"}


def test_messages_stay_short():
    assert len(refusal(table(**{"x" * 10_000: [1, 2]})).message) < 300


def test_validation_leaves_the_table_unchanged():
    frame = table(text=["a", None], more=[np.nan, np.inf])
    before = frame.copy(deep=True)
    validate(frame, LIMITS)
    pd.testing.assert_frame_equal(frame, before)


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=())), min_size=1, max_size=5))
def test_text_is_accepted_exactly_when_it_can_be_stored(cells):
    frame = pd.DataFrame({"mjd": 1.0, "flux": 1.0, "text": pd.Series(cells, dtype=object)})
    joined = "".join(cell for cell in cells if cell is not None)
    if "\0" in joined or any("\ud800" <= character <= "\udfff" for character in joined):
        assert set(refusal(frame).fields) == {"data.text"}
    else:
        validate(frame, LIMITS)
