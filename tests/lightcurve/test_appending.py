"""New rows: which of them are there already, and which fit the columns that they are for."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.lightcurve.appending import append_rows

VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.5, np.nan])
ROWS = st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["a", "b", None])), min_size=1, max_size=8)


def table(rows):
    frame = pd.DataFrame(rows, columns=["mjd", "flux", "note"])
    return frame.astype({"mjd": "f8", "flux": "f2", "note": object})


def append(frame, more, *, drop_repeats=True, from_json=False):
    return append_rows(frame, more, drop_repeats=drop_repeats, from_json=from_json)


def plain(row):
    return tuple(None if pd.isna(value) else value for value in row)


@given(stored=ROWS, new=ROWS)
def test_only_stored_rows_count_as_repeats(stored, new):
    frame, more = table(stored), table(new)
    there = set(map(plain, frame.itertuples(index=False)))
    missing = [row for row in map(plain, more.itertuples(index=False)) if row not in there]
    found = append(frame, more)
    assert list(map(plain, found.itertuples(index=False))) == [*map(plain, frame.itertuples(index=False)), *missing]
    if len(missing) < len(new):
        with pytest.raises(InvalidError, match=f"^{len(new) - len(missing)} of the {len(new)} new rows exist"):
            append(frame, more, drop_repeats=False)


def test_repeats_among_new_rows_are_kept():
    frame = pd.DataFrame({"mjd": [0.5], "flux": [1.0]})
    more = pd.DataFrame({"mjd": [1, 1, 2], "flux": [3, 3, 4]})
    assert append(frame, more, drop_repeats=False)["mjd"].tolist() == [0.5, 1, 1, 2]
    assert append(frame, pd.concat([more, frame]))["mjd"].tolist() == [0.5, 1, 1, 2]


# A column, what comes for it, and what becomes of it from JSON and from a file; None where it is refused.
FITTING = {
    "float of fewer digits": ([1.0], "f4", [0.1], [np.float32(0.1)], None),
    "float that is too large": ([1.0], "f4", [1e39], None, None),
    "float that is exact": ([1.0], "f4", [0.5], [0.5], [0.5]),
    "integers": ([1.0], "f4", [3], [3.0], [3.0]),
    "integer of more digits": ([1.0], "f8", [2**53 + 1], None, None),
    "integer of fewer bits": ([1], "i2", [300], [300], [300]),
    "integer of too many bits": ([1], "i2", [40_000], None, None),
    "half": ([1], "i2", [0.5], None, None),
    "nulls": ([1.0], "f4", [np.nan], [np.nan], [np.nan]),
    "datetime": (["2026-01-01"], "M8[ns]", ["2026-01-02T03:04"], ["2026-01-02T03:04"], None),
    "datetime that is null": (["2026-01-01"], "M8[ns]", [np.nan], [np.datetime64("NaT")], None),
    "datetime with a zone": (["2026-01-01"], "M8[ns]", ["2026-01-02T03:04Z"], None, None),
    "datetime in words": (["2026-01-01"], "M8[ns]", ["now"], None, None),
    "datetime as a number": (["2026-01-01"], "M8[ns]", [2026], None, None),
    "number as a datetime": ([2026], "i8", np.array(["2026"], "M8[ns]"), None, None),
    "datetime too early": (["2026-01-01"], "M8[ns]", ["1600-01-01"], None, None),
    "text for numbers": ([1.0], "f8", ["x"], None, None),
}


@pytest.mark.parametrize("from_json", [True, False])
@pytest.mark.parametrize(("values", "dtype", "new", "json", "file"), FITTING.values(), ids=FITTING)
def test_values_fitting_the_column_type_are_appended(values, dtype, new, json, file, from_json):
    frame = pd.DataFrame({"mjd": [1.0], "x": np.array(values, dtype)})
    kind = object if isinstance(new[0], str) else None
    more = pd.DataFrame({"mjd": [2.0], "x": np.array(new, kind)})
    expected = json if from_json else file
    if expected is None:
        with pytest.raises(InvalidError, match=f"The column 'x' is {re.escape(np.dtype(dtype).name)}, .* do not fit"):
            append(frame, more, from_json=from_json)
    else:
        found = append(frame, more, from_json=from_json)["x"]
        assert found.dtype == dtype
        assert found.iloc[1:].reset_index(drop=True).equals(pd.Series(np.array(expected, dtype)))
