"""Which column means what, and in which format times are written."""

import re
import time

import numpy as np
import pandas as pd
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.formats import TIME_FORMATS, ReadOptions, one_of, roles
from photseries.formats.reading import Table
from photseries.formats.series import series_of


def mapped(columns, unit=None, **options):
    units = {} if unit is None else dict.fromkeys(("flux", "fluxerr"), unit)
    return one_of(series_of(Table(frame=pd.DataFrame(columns), units=units), ReadOptions(**options)))


MJD = Time([58000.25, 59000.123456], format="mjd", scale="utc")
TIMES = {
    "mjd": MJD.mjd,
    "jd": MJD.jd,
    "bjd": MJD.jd,
    "hjd": MJD.jd,
    "btjd": MJD.mjd - 56999.5,
    "bkjd": MJD.mjd - 54832.5,
    "unix": MJD.unix,
    "rjd": MJD.jd - 2400000,
    "bmjd": MJD.mjd,
    "hmjd": MJD.mjd,
    "gaia": MJD.tdb.tcb.jd - 2455197.5,
    "galex": MJD.unix - 315_964_800,
    "iso": MJD.isot,
}


@pytest.mark.parametrize("name", TIME_FORMATS)
def test_every_time_format_is_converted(name):
    got = mapped({"when": TIMES[name], "flux": [1.0, 2.0]}, time_col="when", time_format=name)
    assert list(got.frame) == ["mjd", "flux"]
    expected = MJD.tdb.mjd if name == "gaia" else MJD.mjd
    np.testing.assert_allclose(got.frame["mjd"], expected, rtol=0, atol=2e-8)
    if name in ("gaia", "galex"):  # no column is called so
        return
    named = mapped({name.upper() if name != "iso" else "date": TIMES[name], "flux": [1.0, 2.0]})
    np.testing.assert_array_equal(named.frame["mjd"], got.frame["mjd"])
    assert named.fields == got.fields


def test_time_scales_of_time_formats():
    assert mapped({"btjd": [1325.0], "flux": [1.0]}).fields == {"time_scale": "tdb", "time_refpos": "barycenter"}
    assert mapped({"mjd": [59000.0], "flux": [1.0]}).fields == {}
    assert mapped({"hjd": [2459000.0], "flux": [1.0]}).fields == {"time_scale": "utc", "time_refpos": "heliocenter"}
    assert mapped({"bjd_utc": [2459000.0], "flux": [1.0]}, time_col="bjd_utc").fields["time_scale"] == "utc"


def test_datetimes_need_no_format():
    times = pd.to_datetime(["2018-09-04T06:00:00", None, "2020-05-31T12:00:00.000001"], format="ISO8601")
    frame = mapped({"time": times, "flux": [1.0, 2.0, 3.0]}).frame
    assert frame["mjd"][0] == 58365.25
    assert np.isnan(frame["mjd"][1])
    assert frame["mjd"][2] == pytest.approx(59000.5 + 1e-6 / 86400, abs=1e-11)


LEAP = ["2016-12-31T12:00:00", "2016-12-31T23:59:60.25", "2016-12-31T23:59:59.999999999", "2017-01-01T00:00:00"]


def test_utc_on_a_day_with_a_leap_second_is_that_of_erfa():
    expected = Time(LEAP, scale="utc").mjd
    got = mapped({"date": [*LEAP, None], "flux": 1.0}).frame["mjd"]
    np.testing.assert_allclose(got[:4], expected, rtol=0, atol=1e-11)
    assert np.isnan(got[4])
    got = mapped({"date": ["2017-01-01T00:59:60.25+01:00"], "flux": 1.0}).frame["mjd"]
    assert got[0] == expected[1]
    zoned = pd.to_datetime(["2016-12-31T12:00:00Z"])
    assert mapped({"time": zoned, "flux": 1.0}).frame["mjd"][0] == expected[0]
    assert mapped({"time": zoned.tz_localize(None), "flux": 1.0}).frame["mjd"][0] == 57753.5, "of unknown scale"


@pytest.mark.parametrize("text", ["2016-12-30T23:59:60", "2016-12-31T22:59:60", "2016-12-31T23:60:59"])
def test_a_leap_second_that_never_was_is_refused(text):
    with pytest.raises(InvalidError, match="not an ISO date or time"):
        mapped({"date": ["2016-12-31T12:00:00", text], "flux": 1.0})


@given(st.floats(-15000, 99) | st.floats(7701, 106_399))
def test_formats_are_linear_to_the_last_digits(mjd):
    got = mapped({"jd": [mjd + 2400000.5], "flux": [1.0]}).frame["mjd"][0]
    assert got == pytest.approx(mjd, abs=1e-9)


@pytest.mark.parametrize(
    ("times", "options", "message"),
    [
        ([2459000.5], {}, "look like jd"),
        ([1.6e9], {}, "look like unix"),
        ([-1e6], {}, "cannot be right"),
        ([59000.5], {"time_format": "jd"}, "cannot be right"),
        ([2459000.5], {"time_format": "btjd"}, "look like jd"),
        ([np.nan], {}, "No time is finite"),
        ([59000.5], {"time_format": "stardate"}, "Unknown time format 'stardate'"),
        ([59000.5], {"time_format": "iso"}, "does not contain text"),
        (["noon"], {"time_format": "iso"}, "contains 'noon', which is not an ISO date"),
        ([59000.5], {"time_col": "t"}, r"There is no column 't' \(time_col\). The columns are mjd, flux"),
    ],
)
def test_impossible_times_are_refused(times, options, message):
    with pytest.raises(InvalidError, match=message):
        mapped({"mjd": times, "flux": [1.0]}, **options)


def test_times_of_no_known_format():
    with pytest.raises(InvalidError, match=r"The format of the times in 'time' is unknown.*time_format"):
        mapped({"time": [1325.0], "flux": [1.0]})


@pytest.mark.parametrize("options", [{}, {"time_format": "mjd"}])
def test_times_that_the_service_refuses_are_refused_before_they_are_sent(options):
    with pytest.raises(InvalidError, match="They look like BTJD of TESS"):
        mapped({"mjd": [1325.0, 1326.0], "flux": [1.0, 2.0]}, **options)
    assert mapped({"mjd": [1.0, 2.0], "flux": [1.0, 2.0]}, **options).warnings == ()


@pytest.mark.parametrize(
    "names", [("mjds", "mags", "magerr"), ("mjd", "fluxes", "fluxerr"), ("mjd", "magnitudes", "x")]
)
def test_column_names_of_the_service_are_kept(names):
    frame = pd.DataFrame({name: [59000.0 if name.startswith("mjd") else 18.5] for name in names})
    reading = one_of(series_of(Table(frame=frame, blob=b"file"), ReadOptions()))
    assert reading.frame is frame
    assert reading.blob == b"file"


def test_common_column_names_get_their_roles():
    got = mapped({"MJD": [59000.0], "Magnitude": [18.0], "sigma": [0.1], "Flags": [1]})
    assert list(got.frame) == ["mjd", "mag", "magerr", "Flags"]
    assert list(mapped({"MJD": [59000.0], "Flux": [18.0], "flux_err": [0.1]}).frame) == ["mjd", "flux", "fluxerr"]


def test_selected_columns_replace_columns_of_the_same_role():
    columns = {"mjd": [59000.0], "flux": [1.0], "fluxerr": [2.0], "better": [3.0], "mag": [22.7]}
    got = mapped(columns, flux_col="better").frame
    assert got.to_dict("list") == {
        "mjd": [59000.0],
        "flux_as_read": [1.0],
        "fluxerr": [2.0],
        "flux": [3.0],
        "mag": [22.7],
    }
    got = mapped(columns, mag_col="mag").frame
    assert list(got) == ["mjd", "flux_as_read", "fluxerr", "better", "mag"]


def test_zero_points_and_units_calibrate_fluxes():
    columns = {"mjd": [59000.0], "flux": [10.0], "fluxerr": [1.0]}
    got = mapped(columns, "ct", zero_point=23.9 + 2.5)
    assert got.frame["flux"][0] == pytest.approx(1.0)
    assert got.frame["fluxerr"][0] == pytest.approx(0.1)
    counts = mapped(columns, "ct / s")
    assert counts.fields == {"flux_unit": "ct/s"}
    assert [text[:24] for text in counts.warnings] == ["The fluxes are in ct/s: "]
    density = mapped(columns, "mJy")
    assert (density.fields, density.warnings, density.frame["flux"][0]) == ({}, (), 10_000)
    assert mapped(columns, "uJy").fields == {}
    unknown = mapped(columns, "furlong")
    assert unknown.fields == {"flux_unit": "relative"}
    assert "'furlong', is not known" in unknown.warnings[0]
    with pytest.raises(InvalidError, match="there is no flux"):
        mapped({"mjd": [59000.0], "mag": [1.0]}, zero_point=25)
    with pytest.raises(InvalidError, match="finite"):
        mapped(columns, zero_point=np.inf)


def test_lossless_pandas_types_are_accepted():
    frame = pd.DataFrame(
        {
            "mjd": pd.array([59000.0, 59001.0], "Float64"),
            "flux": pd.array([1.5, None], "Float32"),
            "n": pd.array([1, 2**60 + 1], "Int64"),
            "flags": pd.array([3, None], "UInt8"),
            "good": pd.array([True, False], "boolean"),
            "band": pd.Series(["g", None], dtype="category"),
        }
    )
    got = mapped(frame)
    assert got.warnings == ("1 of the values of band are missing: these rows are assumed to have the same filter.",)
    assert [column.dtype.kind for _, column in got.frame.items()] == list("ffifbO")
    assert got.frame["flux"].dtype == np.float32
    assert got.frame["n"].tolist() == [1, 2**60 + 1]
    assert got.frame["flags"].tolist()[0] == 3
    assert got.frame.isna().sum().tolist() == [0, 1, 0, 1, 0, 1]
    assert frame.dtypes["n"] == "Int64"


def test_datetimes_with_a_time_zone_are_converted_to_utc():
    times = pd.to_datetime(["2018-09-04T08:00:00+02:00", None]).tz_convert("Europe/Berlin")
    got = mapped({"time": times, "flux": [1.0, 2.0]})
    assert got.frame["mjd"][0] == 58365.25
    assert np.isnan(got.frame["mjd"][1])
    assert got.fields == {"time_scale": "utc"}
    assert mapped({"when": times, "flux": [1.0, 2.0]}, time_col="when", time_format="iso").fields == got.fields
    other = mapped({"mjd": [58365.0, 58366.0], "flux": [1.0, 2.0], "read_out": times}).frame["read_out"]
    np.testing.assert_array_equal(other, np.array(["2018-09-04T06:00", "NaT"], "M8[s]"))


@given(st.text(alphabet="aJ _[](){}", max_size=9))
def test_units_in_brackets_are_those_of_a_pattern(name):
    """The pattern itself takes time in proportion to the square of the length."""
    match = re.fullmatch(r"(.*?)\s*[\[(]([^\])]+)[\])]", name)
    assert roles._bracketed_unit(name) == ((name, None) if match is None else match.groups())


@pytest.mark.parametrize("part", ["(", " ", " (", "[ ", "(x)"])
def test_a_long_name_of_a_column_is_split_quickly(part):
    begun = time.process_time()
    roles.written_unit(part * 100_000)
    assert time.process_time() - begun < 2
