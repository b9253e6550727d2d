"""The steps from a table to its series: units, limits, values that stand for none, times and filters."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, Table

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, collect, one_of, read_bytes

NAN = float("nan")


def made(columns, index=None, **options):
    return one_of(collect(pd.DataFrame(columns, index=index), ReadOptions(**options)))


def read(text, **options):
    return one_of(read_bytes(text.encode(), "curve.csv", ReadOptions(**options)))


def curve(**columns):
    rows = len(next(iter(columns.values())))
    return {"mjd": 59000.0 + np.arange(rows), **columns}


@pytest.mark.parametrize(
    ("columns", "options", "flux", "words"),
    [
        ({"flux(mJy)": [1.5, 2]}, {}, [1500, 2000], ""),
        ({"Flux [nJy]": [1500.0, 2000]}, {}, [1.5, 2], ""),
        ({"flux_Jy": [1e-6, 2e-6]}, {}, [1, 2], ""),
        ({"flux_nJy": [1500.0, 2000], "flux": [7.0, 8.0]}, {}, [1.5, 2], ""),
        ({"uJy": [150.0, 200]}, {}, [150, 200], "flux was taken from the column uJy"),
        ({"flux": [1.5, 2]}, {"flux_unit": "mJy"}, [1500, 2000], ""),
        ({"flux": [1.5, 2]}, {"flux_unit": "uJy"}, [1.5, 2], ""),
        ({"flux": [10.0, 20]}, {"zero_point": 26.4}, [1, 2], ""),
        ({"flux": [10.0, 10], "zp": [26.4, 23.9]}, {}, [1, 10], "AB zero points of the column zp"),
        ({"flux": [10.0, 10], "z": [26.4, 23.9]}, {"zero_point": "z"}, [1, 10], ""),
        ({"flux": [10.0, 10], "magzp": [26.4, 23.9]}, {}, [1, 10], "AB zero points of the column magzp"),
        ({"flux": [1.0, 10], "mag": [23.9, 21.4], "zp": [26.4, 26.4]}, {}, [1, 10], ""),
        ({"flux": [1.0, 10], "mag": [16.4, 13.9], "zp": [26.4, 26.4]}, {}, [1000, 10_000], "assumed to be in mJy"),
        ({"flux": [10.0, 20], "mag": [23.9, 23.15], "zp": [26.4, 26.4]}, {}, [1, 2], "zero points of the column zp"),
        ({"flux": [1.0, 10], "mag": [16.4, 13.9]}, {}, [1000, 10_000], "assumed to be in mJy, because .* is 16.40"),
        ({"flux": [1.0, 10], "mag": [31.34, 28.84]}, {}, [1e-3, 1e-2], "assumed to be in nJy"),
        ({"flux": [1.0, 10], "mag": [8.95, 6.45]}, {}, [1e6, 1e7], "assumed to be in Jy"),
        ({"flux": [1.0, 10], "mag": [23.95, 21.45]}, {}, [1, 10], ""),
    ],
)
def test_fluxes_are_converted_to_microjansky(columns, options, flux, words):
    """By hand: 10^(0.4 (23.9 - 26.4)) = 0.1; mag + 2.5 log10(flux) of one unit is 16.4, 31.4, 8.9 and 23.9."""
    got = made(curve(**columns), **options)
    np.testing.assert_allclose(got.frame["flux"], flux, rtol=1e-12)
    assert "flux_unit" not in got.fields
    assert len(got.warnings) == bool(words)
    assert re.search(words, " ".join(got.warnings))


@pytest.mark.parametrize(
    ("columns", "options", "unit"),
    [
        ({"flux": [0.99, 1.01]}, {}, "relative"),
        ({"flux": [1.0, 1.0, 0.5, 1.0]}, {}, "relative"),
        ({"flux": [99.0, 101.0]}, {}, None),
        ({"flux": [0.1, 1.9]}, {}, None),
        ({"flux": [1.0]}, {}, None),
        ({"flux (counts)": [99.0, 101.0]}, {}, "count"),
        ({"flux": [99.0, 101.0]}, {"flux_unit": "electron/s"}, "electron/s"),
    ],
)
def test_fluxes_that_are_not_densities_are_kept(columns, options, unit):
    got = made(curve(**columns), **options)
    assert got.fields.get("flux_unit") == unit
    assert bool(got.warnings) == (unit is not None)


def test_fluxes_and_magnitudes_that_disagree_are_refused():
    columns = curve(flux=[100.0, 1000], mag=[20.68, 18.18])
    with pytest.raises(InvalidError, match=r"mag \+ 2.5 log10\(flux\) is 25.68, not 23.90"):
        made(columns)
    assert list(made(columns, mag_col="mag").frame) == ["mjd", "flux_as_read", "mag"]
    counted = made(columns, flux_unit="ct")
    assert (counted.fields["flux_unit"], counted.fields["brightness"]) == ("ct", "flux")


def test_vega_zero_point_does_not_convert_fluxes():
    with pytest.raises(InvalidError, match="The zero points of the column 'zp' are in the system Vega"):
        made(curve(flux=[10.0], zp=[25.0], zpsys=["Vega"]))


def test_fluxes_without_a_zero_point_become_null():
    with pytest.raises(InvalidError, match="has no zero point: state one"):
        made(curve(flux=[10.0, 10.0], zp=[NAN, 99.0]))
    got = made(curve(flux=[10.0, 20.0, 30.0], zp=[23.9, NAN, 99.0]))
    np.testing.assert_allclose(got.frame["flux"], [10.0, NAN, NAN])
    assert "2 zero points in zp are missing or sentinels (99); the fluxes of these rows are null." in got.warnings


@pytest.mark.parametrize(
    ("mags", "expected"),
    [
        ([15, 15.2, 99.999, -99, 100, 40], [15, 15.2, NAN, NAN, NAN, NAN]),
        ([15, 29.999, 15.1], [15, NAN, 15.1]),
        ([29.5, 29.999, 29.8], [29.5, 29.999, 29.8]),
        ([15, -20.5, 15.1], [15, NAN, 15.1]),
        ([-9.5, -10.1], [-9.5, -10.1]),
    ],
)
def test_sentinel_magnitudes_become_null(mags, expected):
    got = made(curve(mag=np.array(mags, float), magerr=np.full(len(mags), 0.1)))
    np.testing.assert_array_equal(got.frame["mag"], expected)
    np.testing.assert_array_equal(got.frame["magerr"], np.where(np.isnan(expected), NAN, 0.1))
    absent = int(np.isnan(expected).sum())
    assert [one[:2] for one in got.warnings] == ([f"{absent} "] if absent else [])


@pytest.mark.parametrize(
    ("errors", "dtype", "expected"),
    [
        ([0.1, 9.99, 9.999, 9.9999], "f4", [np.float32(0.1), NAN, NAN, NAN]),
        ([0.1, 9.99, 9.999, 9.9999], "f8", [0.1, NAN, NAN, NAN]),
        ([1, 9, 99, 999], "i8", [1, 9, NAN, NAN]),
    ],
)
def test_sentinel_errors_become_null_in_columns_of_any_type(errors, dtype, expected):
    got = made(curve(mag=np.array([15.0, 15.1, 15.2, 15.3]), magerr=np.array(errors, dtype)))
    np.testing.assert_array_equal(got.frame["magerr"], expected)
    assert [one.partition(" of ")[0] for one in got.warnings] == [str(np.isnan(expected).sum())]


@pytest.mark.parametrize(
    ("flux", "expected"),
    [
        ([100, 110, -999], [100, 110, NAN]),
        ([100, 110, -99, -9999], [100, 110, NAN, NAN]),
        ([-60, -99, 50], [-60, -99, 50]),
        ([-999, -999], [-999, -999]),
        ([100, 110, 99999, 999], [100, 110, NAN, NAN]),
        ([900, 999, 1100], [900, 999, 1100]),
        ([999, 1000, 1000.5], [999, 1000, 1000.5]),
        ([-99, -98, -98], [-99, -98, -98]),
        ([10, 12, 99], [10, 12, 99]),
    ],
)
def test_sentinel_fluxes_become_null(flux, expected):
    np.testing.assert_array_equal(made(curve(flux=np.array(flux, float))).frame["flux"], expected)
    got = made(curve(flux=np.ones(len(flux)), fluxerr=np.array(flux, float)), flux_unit="uJy")
    np.testing.assert_array_equal(got.frame["fluxerr"], expected)


def test_a_negative_value_that_is_its_own_error_is_none():
    got = made(curve(flux_uJy=[12.0, -1.0, -1.0, 11.0], fluxerr=[1.0, -1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(got.frame["flux"], [12, NAN, -1, 11])
    np.testing.assert_array_equal(got.frame["fluxerr"], [1, NAN, 1, 1])
    assert got.warnings == ("1 of the values of flux_uJy mean 'not measured', and became null: -1.",)


def test_magnitudes_of_negative_fluxes_become_null():
    """ATLAS writes the magnitude of a negative flux as -23.9 + 2.5 log10(-uJy), also where most fluxes are negative."""
    flux = np.array([210.0, -50, -40, -20, -60])
    mag = np.sign(flux) * (23.9 - 2.5 * np.log10(np.abs(flux)))
    got = made(curve(flux=flux, mag=mag, mag_err=np.full(5, 0.1)))
    np.testing.assert_array_equal(got.frame["mag"], [mag[0], NAN, NAN, NAN, NAN])
    np.testing.assert_array_equal(got.frame["magerr"], [0.1, NAN, NAN, NAN, NAN])
    np.testing.assert_array_equal(got.frame["flux"], flux)


@pytest.mark.parametrize(
    ("text", "mag", "limits"),
    [
        ("mjd,mag\n1,15\n2,>14.8\n3,<13.2\n4,> 14\n", [15, NAN, NAN, NAN], [NAN, 14.8, 13.2, 14]),
        ("mjd,mag,magerr\n1,15,0.1\n2,18,-1\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,magerr\n1,15,0.1\n2,99.9,-1\n", [15, NAN], None),
        ("mjd,mag,magerr,upperlimit\n1,15,0.1,F\n2,18,0,T\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,magerr,is_limit\n1,15,0.1,False\n2,18,0,True\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,magerr,is_lim\n1,15,0.1,n\n2,18,0.1,y\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,l_mag\n1,15,\n2,18,>\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,isUL\n1,15,0\n2,18,1\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,UL?\n1,15,N\n2,18,Y\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,UL\n1,15,\n2,18,X\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,Upper Limit\n1,15,no\n2,18,yes\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,Non-detection\n1,15,0\n2,18,1\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,Detected?\n1,15,Y\n2,18,N\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,upper_limit,is_UL\n1,15,19.5,0\n2,18,18,1\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,uplim\n1,15,2\n2,18,1\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,UL?\n1,15,2.0\n2,18,1.0\n", [15, NAN], [NAN, 18]),
        ("mjd,mag,Lmag\n1,15,0\n2,18,1\n", [15, 18], None),
        ("mjd,mag,magerr\n1,15,0\n2,18,0\n", [15, 18], None),
    ],
)
def test_upper_limits_are_kept_in_a_column(text, mag, limits):
    got = read(text)
    np.testing.assert_array_equal(got.frame["mag"], mag)
    assert ("limiting_mag" in got.frame) == (limits is not None)
    if limits is not None:
        np.testing.assert_array_equal(got.frame["limiting_mag"], limits)
        assert f"{np.isfinite(limits).sum()} of the values of mag are upper limits" in got.warnings[0]
        dropped = read(text, limit="drop")
        assert dropped.frame["mag"].tolist() == [15]
        assert "limiting_mag" not in dropped.frame


def test_a_limiting_magnitude_without_an_error_is_no_measurement():
    """ASAS-SN Sky Patrol V2 repeats the limit as the magnitude, with an error of 99.99."""
    rows = "1,14.78,0.05,16.5\n2,16.53,99.99,16.53\n3,16.4,99.99,16.6\n4,16.5,0.2,16.5\n5,16.7,0,16.7\n6,16.4,0,16.7\n"
    got = read(f"mjd,mag,mag_err,limit\n{rows}")
    np.testing.assert_array_equal(got.frame["mag"], [14.78, NAN, 16.4, 16.5, NAN, 16.4])
    np.testing.assert_array_equal(got.frame["magerr"], [0.05, NAN, NAN, 0.2, NAN, 0])
    np.testing.assert_array_equal(got.frame["limiting_mag"], [NAN, 16.53, NAN, NAN, 16.7, NAN])


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("limmag", [20.5, 99.999, 20.7], [20.5, NAN, 20.7]),
        ("diffmaglim", [20.5, 0, -999], [20.5, NAN, NAN]),
        ("ra", [10.0, -999, 10.1], [10.0, NAN, 10.1]),
        ("Dec", [-90, 99, -90], [-90, NAN, -90]),
        ("exptime", [0, 30, -1], [0, 30, NAN]),
        ("exptime", [30, 30, 30], [30, 30, 30]),
    ],
)
def test_sentinels_of_further_columns_become_null(name, cells, expected):
    got = made(curve(mag=[15.0, 16.0, 17.0], **{name: cells}))
    np.testing.assert_array_equal(got.frame[name], expected)
    absent = np.isnan(expected).sum()
    assert [w.partition(":")[0] for w in got.warnings] == [
        f"{absent} of the values of {name} mean 'not measured', and became null"
    ] * bool(absent)


def test_limiting_magnitudes_of_rows_give_the_field():
    got = read("mjd,mag,diffmaglim\n1,15,20.5\n2,16,20.7\n3,>14,99\n")
    assert got.fields["limiting_mag"] == pytest.approx(20.6)
    assert got.frame["limiting_mag"].tolist()[2] == 14


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"flux": [90.0, 95], "err": [1, 2]}, "err"),
        ({"flux": [90.0, 95], "dflux": [1, 2], "err": [0, 0]}, "dflux"),
        ({"flux": [90.0, 95], "e_flux": [1, 2], "mag": [19.0, 18.94], "magerr": [0.1, 0.1]}, "e_flux"),
        ({"psfFlux": [90.0, 95], "psfFluxErr": [1, 2]}, "psfFluxErr"),
        ({"fluxpsf": [90.0, 95], "sigmafluxpsf": [1, 2]}, "sigmafluxpsf"),
        ({"rel_flux_T1": [90.0, 95], "rel_flux_err_T1": [1, 2]}, "rel_flux_err_T1"),
        ({"flux": [90.0, 95], "fluxunc": [1, 2]}, "fluxunc"),
        ({"psfFlux": [90.0, 95], "fluxerr": [1, 2], "psfFlux_err": [3, 4]}, "psfFlux_err"),
    ],
)
def test_an_error_belongs_to_its_value_by_name(columns, error):
    value = next(iter(columns))
    got = made(curve(**columns), flux_col=value, flux_unit="uJy")
    assert got.roles["fluxerr"].column == error
    assert got.frame["fluxerr"].tolist() == columns[error]


def test_an_error_without_a_name_is_of_neither_brightness():
    got = made(curve(mag=[18.0, 18.1], flux_uJy=[229.1, 208.9], err=[0.1, 0.1]))
    assert not {"fluxerr", "magerr"} & got.roles.keys()
    assert got.frame["err"].tolist() == [0.1, 0.1]
    alone = made(curve(mag=[18.0, 18.1], err=[0.1, 0.1]))
    assert alone.roles["magerr"].column == "err"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("I_mag", "I_err"),
        ("mag_V", "err_V"),
        ("V_mag", "err_V"),
        ("Vmag", "Verr"),
        ("Vmag", "e_V"),
        ("gmag", "sig_g"),
        ("mag_r", "rErr"),
    ],
)
def test_an_error_may_have_only_the_name_of_the_band(value, error):
    got = made(curve(**{value: [18.0, 18.1], "K_err": [9.0, 9.0], error: [0.1, 0.2]}), mag_col=value)
    assert got.frame["magerr"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize("other", ["V_flux", "flux_V", "V_flux(mJy)", "V", "Vflux"])
def test_an_error_with_the_name_of_two_brightnesses_is_of_neither(other):
    frame = curve(V_mag=[18.0, 18.1], **{other: [229.1, 208.9]}, V_err=[0.1, 0.2])
    assert not {"fluxerr", "magerr"} & made(frame, mag_col="V_mag").roles.keys()


@pytest.mark.parametrize(
    ("name", "value", "options", "mjd", "fields"),
    [
        ("t", 9000.5, {"time_format": "jd-2450000"}, 59000.0, {}),
        ("t", 9000.5, {"time_format": "hjd-2450000"}, 59000.0, {"time_refpos": "heliocenter", "time_scale": "utc"}),
        ("t", 59000.25, {"time_format": "hjd-2400000.5"}, 59000.25, {"time_refpos": "heliocenter"}),
        ("RJD", 59000.5, {}, 59000.0, {}),
        ("BJD - 2457000", 2000.5, {}, 59000.0, {"time_scale": "tdb", "time_refpos": "barycenter"}),
        ("HJD(2400000+)", 59000.5, {}, 59000.0, {"time_refpos": "heliocenter"}),
        ("J.D.-2400000", 59000.5, {}, 59000.0, {}),
        ("BJD_UTC", 2459000.5, {}, 59000.0, {"time_scale": "utc", "time_refpos": "barycenter"}),
        ("expMidptMJD", 59000.5, {}, 59000.5, {}),
        ("MJD_TAI", 59000.5, {}, 59000.5, {"time_scale": "tai"}),
    ],
)
def test_times_with_any_origin(name, value, options, mjd, fields):
    got = made({name: [value], "mag": [15.0]}, time_col=name, **options)
    assert got.frame["mjd"][0] == pytest.approx(mjd, abs=1e-9)
    assert {field: got.fields.get(field) for field in fields} == fields
    with pytest.raises(InvalidError, match="Unknown time format 'jd-x'"):
        made({name: [value], "mag": [15.0]}, time_col=name, time_format="jd-x")


def test_dates_and_times_of_day():
    """2024-01-02 is MJD 60311; 03:00 is an eighth of a day."""
    expected = [60311.125, 60311.25]
    both = read("Date,Time,mag\n2024-01-02,03:00:00,15\n2024-01-02,6:00:00,15\n")
    one = read("DATE-OBS,mag\n2024/01/02 03:00:00,15\n2024/01/02 06:00:00,15\n")
    assert both.frame["mjd"].tolist() == one.frame["mjd"].tolist() == expected
    assert both.fields["time_scale"] == "utc"
    assert read("Date,Time,JD,mag\n2024-01-02,03:22,2460311.64,15\n").frame["mjd"][0] == pytest.approx(60311.14)


def test_times_of_single_precision_cause_a_warning():
    got = made({"mjd": np.array([59000.1, 59000.2], "f4"), "mag": [15.0, 15.1]})
    assert got.frame["mjd"].dtype == np.float64
    assert got.warnings == ("The times are float32: their precision is only 0.0039 of their unit.",)


def test_an_index_of_times():
    stamps = pd.date_range("2020-01-01", periods=2)  # MJD 58849
    for index in (stamps, stamps.tz_localize("UTC"), pd.Index([2458849.5, 2458850.5], name="JD")):
        assert made({"mag": [15.0, 15.1]}, index=index).frame["mjd"].tolist() == [58849, 58850]
    kept = made(curve(mag=[15.0, 15.1]), index=stamps).frame
    assert kept.index.equals(stamps)


#: In a process of its own, because the service keeps pandas from seeing pyarrow.
ARROW = """
import numpy as np, pandas as pd, pyarrow as pa
from photseries.formats import ReadOptions, collect, one_of

arrow = pd.DataFrame(
    {
        "mjd": pd.array([59000.0, 59001.0], pd.ArrowDtype(pa.float64())),
        "mag": pd.array([15.0, None], pd.ArrowDtype(pa.float32())),
        "n": pd.array([2**60 + 1, 3], pd.ArrowDtype(pa.int64())),
        "band": pd.array(["V", "V"], pd.ArrowDtype(pa.string())),
        "chip": pd.Categorical([3, 4]),
    }
)
got = one_of(collect(arrow, ReadOptions()))
assert got.frame["mjd"].dtype == np.float64
assert np.isnan(got.frame["mag"][1])
assert got.frame["n"].tolist() == [2**60 + 1, 3]
assert got.filter == "V"
assert got.frame["chip"].tolist() == [3, 4]
assert got.warnings == ()
"""


def test_columns_of_pyarrow_and_categories():
    outcome = subprocess.run([sys.executable, "-c", ARROW], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr


BANDS = "mjd,mag,band\n1,15,g\n2,16,r\n3,17,r\n"


def test_missing_values_keep_the_type_of_their_column():
    categories = pd.DataFrame({"mjd": [59000.0, 59001.0], "mag": [15.0, 16.0], "night": pd.Categorical([7, None])})
    np.testing.assert_array_equal(made(categories).frame["night"], [7.0, NAN])
    masked = MaskedColumn(np.array(["2024-01-31", "2024-02-01"], "M8[D]"), mask=[False, True])
    table = Table({"mjd": [59000.0, 59001.0], "mag": [15.0, 16.0], "night": masked})
    night = one_of(collect(table, ReadOptions())).frame["night"]
    assert (night.iloc[0], night.isna().tolist()) == (pd.Timestamp("2024-01-31"), [False, True])


def test_files_of_several_filters_are_refused_selected_or_split():
    with pytest.raises(InvalidError, match=r"several filters: r \(2 rows\), g \(1 rows\).*where=band=r.*split_by=band"):
        read(BANDS)
    one = read(BANDS, where="band=g", filter_map={"g": "sdssg"})
    assert (one.frame["mag"].tolist(), one.fields["filter"]) == ([15], "sdssg")
    readings = read_bytes(BANDS.encode(), "x.csv", ReadOptions(split_by="band", filter_map="g=sdssg,r=sdssr"))
    assert {one.fields["filter"]: one.frame["mag"].tolist() for one in readings} == {"sdssr": [16, 17], "sdssg": [15]}
    with pytest.raises(InvalidError, match=r"split_by makes 2 series: upload_many\(\) stores them"):
        one_of(readings)
    with pytest.raises(InvalidError, match="filter_map has no entry for 'g'"):
        read(BANDS, where="band=g", filter_map="r=sdssr")
    with pytest.raises(InvalidError, match=r"No row has band=i \(where\). The values are r \(2 rows\), g \(1 rows\)"):
        read(BANDS, where="band=i")


@pytest.mark.parametrize("sign", ["=", ":", " : "])
def test_keywords_in_comments_are_read(sign):
    text = f"# flux_unit{sign}mJy\n# TIMESYS{sign}TDB\n# TIME{sign}BJD - 2457000\nTIME,flux\n1500.5,5\n1501.5,6\n"
    got = read(text)
    np.testing.assert_allclose(got.frame["flux"], [5000, 6000], rtol=1e-12)
    np.testing.assert_array_equal(got.frame["mjd"], [58500, 58501])
    assert (got.fields["time_scale"], got.fields["time_refpos"]) == ("tdb", "barycenter")
    assert read(f"# HJD{sign}heliocentric JD\nHJD,mag\n2459000.5,15\n").fields["time_refpos"] == "heliocenter"


def test_foreign_fluxes_without_a_unit_cause_a_warning():
    got = read("JD,flux\n2459000.5,150\n2459001.5,170\n")
    assert got.warnings == ("The column flux has no unit, and was assumed to be uJy: state another with flux_unit.",)
    assert made(curve(flux=[150.0, 170])).warnings == ()


@pytest.mark.parametrize(
    "name",
    ["Filter", "phot_filter", "FILTER_NAME", "Passband", "band", "bandname", "insfilter", "PB", "FILTNAM1", "fltr"],
)
def test_a_column_of_filters_is_known_by_its_name(name):
    with pytest.raises(InvalidError, match=rf"The column '{name}' has several filters: r \(2 rows\), g \(1 rows\)"):
        read(BANDS.replace("band", name))


@pytest.mark.parametrize("filters", [("g", "r"), ("B", "V"), ("W1", "W2"), ("ztfg", "sdssg")])
def test_a_column_of_several_filters_has_any_name(filters):
    rows = curve(mag=[15.0, 16.0, 15.1, 16.1], color=[*filters, *filters])
    with pytest.raises(InvalidError, match=rf"The column 'color' has several filters: {filters[0]} \(2 rows\)"):
        made(rows)
    got = made(rows, where=f"color={filters[1]}")
    assert (got.filter, got.frame["mag"].tolist()) == (filters[1], [16.0, 16.1])


@pytest.mark.parametrize("cells", ["GBGB", "gggg", ["B", None, "U", None], ["r", "g", "z", "g"], "AUAB"])
def test_letters_that_may_be_no_filters_are_kept(cells):
    got = made(curve(mag=[15.0, 16.0, 15.1, 16.1], flag=[*cells]))
    assert (got.filters, got.frame["mag"].tolist()) == ({}, [15.0, 16.0, 15.1, 16.1])


def test_a_column_about_filtering_has_no_filters():
    text = "mjd,mag,filtered,bandwidth,filtration\n1,15,yes,wide,a\n2,16,no,narrow,b\n"
    assert read(text).filter is None


@pytest.mark.parametrize("name", ["SourceID", "star_id", "TIC ID", "kepid", "Gaia_ID"])
def test_a_column_of_objects_is_known_by_its_name(name):
    with pytest.raises(InvalidError, match=rf"The column '{name}' has several objects: 1 \(2 rows\), 2 \(1 rows\)"):
        read(f"mjd,mag,{name}\n1,15,1\n2,16,2\n3,17,1\n")


@pytest.mark.parametrize("name", ["id", "oid", "SNID", "designation"])
def test_a_column_that_may_number_rows_has_objects_where_these_are_repeated(name):
    text = f"mjd,mag,{name}\n1,15,a\n2,16,b\n3,15.1,a\n4,16.1,b\n"
    with pytest.raises(InvalidError, match=rf"The column '{name}' has several objects: a \(2 rows\), b \(2 rows\)"):
        read(text)
    assert read(text, where=f"{name}=b").frame["mag"].tolist() == [16, 16.1]
    assert read(f"mjd,mag,{name}\n1,15,a\n2,16,b\n3,15.1,c\n").frame["mag"].tolist() == [15, 16, 15.1]


def test_the_numbers_of_a_star_in_several_fields_of_ztf_are_no_objects():
    assert read("mjd,mag,oid\n1,15,7\n2,16,8\n3,15.1,7\n4,16.1,8\n").frame["mag"].tolist() == [15, 16, 15.1, 16.1]


@pytest.mark.parametrize("name", ["freq", "Frequency (GHz)", "freq_GHz", "wave", "Wavelength [um]", "lambda_eff"])
def test_files_of_several_frequencies_are_refused_or_split(name):
    text = f"mjd,{name},flux_mJy\n58000,5,0.12\n58001,8.5,0.13\n58002,5,0.14\n"
    with pytest.raises(InvalidError, match=r"has several filters: 5.0 \(2 rows\), 8.5 \(1 rows\)"):
        read(text)
    got = read(text, where=f"{name}=5.0", filter_map="5=radio-6GHz")
    np.testing.assert_allclose(got.frame["flux"], [120, 140], rtol=1e-12)
    assert got.fields["filter"] == "radio-6GHz"


def test_magnitudes_in_a_column_flux_are_refused_or_named():
    """The Transient Name Server has a column ``flux`` and its unit in ``flux_unit``: often ABMag or VegaMag."""
    text = "jd,flux,fluxerr,flux_unit\n2459000.5,18.1,0.1,VegaMag\n2459001.5,18.2,0.1,{}\n"
    with pytest.raises(InvalidError, match=r"The fluxes are in VegaMag, so they are magnitudes: .* \(mag_col\)"):
        read(text.format("VegaMag"))
    got = read(text.format("VegaMag"), mag_col="flux", magerr_col="fluxerr")
    assert (got.frame["mag"].tolist(), got.fields["magsys"]) == ([18.1, 18.2], "vega")
    for other in ("ABMag", "mJy", "counts"):
        with pytest.raises(InvalidError, match="has several units of flux"):
            read(text.format(other))


def test_st_magnitudes_are_refused():
    with pytest.raises(
        InvalidError, match=r"The magnitude system 'st' of the column 'STMAG' is not one of .*\(magsys\)"
    ):
        read("mjd,STMAG\n59000,15\n")
    assert read("mjd,STMAG\n59000,15\n", magsys="instrumental").fields["magsys"] == "instrumental"
    for other in ("STMag", "ABMag"):
        with pytest.raises(InvalidError, match="The magnitude system 'stmag' of the column 'unit' is not one of"):
            read(f"mjd,mag,unit\n59000,15,STMag\n59001,15,{other}\n")


@pytest.mark.parametrize(
    ("text", "system"), [("AB system", "ab"), ("Vega (Johnson)", "vega"), ("instrumental magnitudes", "instrumental")]
)
def test_the_system_in_a_comment_may_have_more_words(text, system):
    got = read(f"# magsys: {text}\nmjd,mag\n59000,15\n")
    assert got.calibration["magsys"] == system


@pytest.mark.parametrize("text", ["AB or Vega", "see paper", "ST"])
def test_unknown_systems_in_a_comment_are_refused(text):
    with pytest.raises(
        InvalidError, match=f"The magnitude system '{text.lower()}' of the keyword MAGSYS is not one of"
    ):
        read(f"# magsys: {text}\nmjd,mag\n59000,15\n")


def test_rows_without_a_filter_cause_a_warning():
    readings = read_bytes(f"{BANDS}4,18,\n5,19, \n".encode(), "x.csv", ReadOptions(split_by="band"))
    assert [one.warnings for one in readings] == [("2 rows have no value in band, and were left out.",)] * 2


def test_names_of_columns():
    with pytest.raises(InvalidError, match="The column name 'mag' occurs more than once"):
        collect(pd.DataFrame([[59000.0, 15, 15]], columns=["mjd", "mag", "mag"]), ReadOptions())
    assert list(made({"mjd": [59000.0], "mag": [15.0], 7: [1]}).frame) == ["mjd", "mag", 7]


def test_several_conditions_on_text_and_numbers():
    text = "mjd,mag,fid,good\n1,15,1,True\n2,16,1,False\n3,17,2,True\n"
    assert read(text, where=["fid=1", "good=True"]).frame["mag"].tolist() == [15]


@pytest.mark.parametrize(
    "name", ["Mag_Sys", "MagSystem", "Magnitude System", "zp_sys", "photsys", "Photometric System"]
)
def test_a_column_of_systems_is_known_by_its_name(name):
    assert read(f"mjd,mag,{name}\n1,15,Vega\n2,16,Vega\n").fields["magsys"] == "vega"
    johnson = f"mjd,mag,{name}\n1,15,Johnson\n2,16,Johnson\n"
    if name.lower().startswith("phot"):  # a system of filters
        assert "magsys" not in read(johnson).fields
    else:
        with pytest.raises(InvalidError, match="The magnitude system 'johnson' of the column"):
            read(johnson)


def test_several_systems_of_magnitudes_are_refused():
    text = "mjd,mag,magsys\n1,15,AB\n2,16,Vega\n"
    with pytest.raises(InvalidError, match=r"several systems of magnitudes: ab \(1 rows\), vega \(1 rows\)"):
        read(text)
    assert read(text, where="magsys=Vega").fields["magsys"] == "vega"
    assert read(text, magsys="instrumental").fields["magsys"] == "instrumental"
    for method in ("DIF", "DIFF"):  # of AAVSO and of VStar
        assert read(f"mjd,mag,mtype\n1,0.2,{method}\n2,0.3,{method}\n").fields["magsys"] == "instrumental"


STARS = {"mjd": [59000.0, 59001.0, 59002.0], "mag": [15.0, 15.1, 15.2], "magerr": [0.1, 0.1, 0.1]}


@pytest.mark.parametrize(
    ("more", "limits"),
    [
        ({"observer": ["UL", "AB", "UL"]}, []),
        ({"status": ["UL", "det", None]}, [0]),
        ({"comment": ["ok", "upper limit", ""], "observer": ["UL", "x", ""]}, [1]),
    ],
)
def test_words_for_limits_count_only_where_they_are_no_names(more, limits):
    mag = made({**STARS, **more}).frame["mag"]
    assert np.flatnonzero(mag.isna()).tolist() == limits


@pytest.mark.parametrize("cells", [["19.1", "", ">19.2"], [True, False, True], [0, 1, 0]])
def test_limits_of_one_column_are_numbers(cells):
    reading = made({**STARS, "mag_lim": cells})
    assert "limiting_mag" not in reading.fields
    assert reading.frame["mag"].tolist()[::2] == [15.0, 15.2]


@pytest.mark.parametrize("units", [["N", "W", "N"], ["m", "s", "g"], ["T1", "T1", "T1"]])
def test_a_column_of_other_units_is_kept(units):
    assert made({**curve(flux=[100.0, 120, 110]), "unit": units}).frame["unit"].tolist() == units


def test_a_column_that_an_option_overrides_is_kept():
    reading = made({**STARS, "magsys": ["vega"] * 3}, magsys="ab")
    assert reading.frame["magsys"].tolist() == ["vega"] * 3
    assert reading.fields["magsys"] == "ab"


def test_zero_points_that_were_used_get_a_free_name():
    columns = {**curve(flux=[100.0, 120, 110]), "zp": [23.9] * 3, "zp_as_read": [1.0] * 3}
    assert made(columns).frame.columns.tolist() == ["mjd", "flux", "zp_as_read_2", "zp_as_read"]


def test_a_guessed_unit_is_no_statement_of_the_data():
    reading = made(curve(flux=[1.0, 1.01, 0.99], fluxerr=[0.01] * 3))
    assert reading.fields["flux_unit"] == "relative"
    assert "flux_unit" not in reading.calibration
    assert made(curve(flux=[1.0, 1.01, 0.99]), flux_unit="uJy").calibration["flux_unit"] == "uJy"
