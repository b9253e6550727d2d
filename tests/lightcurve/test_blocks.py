"""Blocks of tables: what is computed for many at once equals what the functions for one table compute."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.lightcurve.blocks import Block
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.digest import content_hash, content_hash_of
from photseries.lightcurve.features import features
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.quality import inspect
from photseries.lightcurve.statistics import summarize
from photseries.lightcurve.table import validate
from photseries.server.settings import LimitSettings


def block(series, rows, seed, spread=3.0):
    draw = np.random.default_rng(seed)
    return {
        "mjd": 59000 + np.cumsum(draw.uniform(0.001, 1.0, (series, rows)), axis=-1),
        "flux": np.abs(draw.normal(1000, spread, (series, rows))) + 1,
        "fluxerr": draw.uniform(0.5, 400, (series, rows)),
        "sky": draw.normal(0, 1, (series, rows)).astype("f4"),
        "flag": draw.integers(0, 9, (series, rows)),
    }


def frame(columns, place):
    return pd.DataFrame({name: values[place] for name, values in columns.items()})


def close(found, expected):
    """Equal to 1e-12, of numbers and of dicts of numbers."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[name], expected[name]) for name in expected)
    if isinstance(expected, float):
        return isinstance(found, float) and found == pytest.approx(expected, rel=1e-12, abs=1e-13)
    return found == expected and type(found) is type(expected)


@given(
    st.integers(1, 9),
    st.one_of(st.integers(1, 9), st.integers(10, 300)),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 1e-7, 3.0, 300.0]),
)
def test_plain_tables_have_the_statistics_of_single_ones(series, rows, seed, spread):
    columns = block(series, rows, seed, spread)
    found = Block(columns)
    assert list(found.plain) == list(range(series))
    for place in range(series):
        one = frame(columns, place)
        summary, expected = found.summary(place, 3.0), summarize(one, detection_threshold=3.0)
        for name in expected.__slots__:
            assert close(getattr(summary, name), getattr(expected, name)), name
        for longitude in (0.0, 149.0):
            of_one = features(light_curve(one), longitude)
            for name, value in found.features(place, longitude).items():
                assert close(value, of_one[name]) or value == pytest.approx(of_one[name], rel=1e-9), name
        assert content_hash_of({name: values[place] for name, values in columns.items()}) == content_hash(one)


ODD = {
    "a missing flux": ("flux", 3, np.nan),
    "a negative flux": ("flux", 3, -1.0),
    "a missing error": ("fluxerr", 0, np.nan),
    "an error of zero": ("fluxerr", 0, 0.0),
    "a repeated time": ("mjd", 1, 59000.0),
    "a time of another epoch": ("mjd", -1, 2459000.0),
    "a missing number of another column": ("sky", 2, np.inf),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_table_is_not_plain(odd):
    name, row, value = ODD[odd]
    columns = block(4, 20, 0)
    columns["mjd"][2, 0] = 59000.0
    columns[name][2, row] = value
    assert list(Block(columns).plain) == [0, 1, 3]


@pytest.mark.parametrize("more", ["mag", "ra", "filter", "lim_mag", "fluxes", "mjds", "zp", "ZP"])
def test_tables_with_special_columns_are_not_plain(more):
    columns = block(4, 20, 0)
    assert not Block({**columns, more: columns["flux"]}).plain
    assert not Block({name: values for name, values in columns.items() if name != "fluxerr"}).plain


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 2**32))
def test_plain_tables_cause_no_warning(series, rows, seed):
    columns = block(series, rows, seed)
    draw = np.random.default_rng(seed)
    for _ in range(2):  # some of them are odd
        name = draw.choice(list(columns)[:3])
        columns[name][draw.integers(series), draw.integers(rows)] = draw.choice([np.nan, -5.0, 0.0, 1e9, 3e4])
    for place in Block(columns).plain:
        one = frame(columns, place)
        validate(one, LimitSettings())
        assert infer(one) == {}
        assert inspect(one, one, {}, {}) == type(inspect(one, one, {}, {}))({}, [])


@pytest.mark.parametrize("flux", [1e15, 1e-9])
def test_fluxes_of_impossible_sources_are_not_plain_because_they_cause_a_warning(flux):
    columns = block(2, 9, 1)
    columns["flux"][0] *= flux / 1000
    columns["fluxerr"][0] *= flux / 1000
    assert list(Block(columns).plain) == [1]
    one = frame(columns, 0)
    assert ["check flux_unit" in warning for warning in inspect(one, one, {}, {}).warnings] == [True]
