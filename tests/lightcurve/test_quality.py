"""Signs of mistakes in a table that is valid."""

import math

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from astropy.time import Time

from photseries.lightcurve.metadata import infer
from photseries.lightcurve.quality import distance_warnings, inspect

MJD = 59000 + np.arange(6.0)


GOOD = {"flux": np.full(6, 1000.0), "fluxerr": np.full(6, 5.0)}


def inspected(frame, **given):
    return inspect(frame, frame, infer(frame), given)


def said(**columns):
    return " ".join(inspected(pd.DataFrame({"mjd": MJD, **columns})).warnings)


def of_times(mjd):
    """The problem and the warnings of a good table with these times."""
    mjd = np.asarray(mjd)
    found = inspected(pd.DataFrame({"mjd": mjd, "flux": 1000.0, "fluxerr": 5.0}))
    return found.problems.get("mjd"), " ".join(found.warnings)


def test_clean_table_causes_no_warning():
    assert said(flux=np.full(6, 1000.0), fluxerr=np.full(6, 5.0), mag=np.full(6, 16.4)) == ""


def test_magnitudes_that_count_as_absent_are_counted():
    mag = [18.0, 99.999, -99.0, 100.0, np.nan, np.inf]
    found = said(mag=mag, magerr=np.full(6, 0.1), lim_mag=[20.0, 99.0, 20.0, 20.0, 20.0, 20.0])
    assert "3 of 6 values in the column 'mag' are 40 mag or more, or -40 or less" in found
    assert "1 of 6 values in the column 'lim_mag'" in found
    assert "2 of 6 rows have no brightness." in found
    assert "40" not in said(mag=[18.0, 39.9, -39.9, 20.0, 19.0, 18.0], magerr=np.full(6, 0.1))
    assert "40" not in said(flux=np.full(6, 99.0), fluxerr=np.full(6, 5.0), mag=["99"] * 6)


def test_errors_that_are_not_positive_are_counted():
    found = said(flux=np.full(6, 1000.0), fluxerr=[5.0, 0.0, -1.0, 5.0, np.nan, 5.0])
    assert found == "2 of 6 errors in the column 'fluxerr' are zero or negative and count as absent."


def test_table_without_errors_causes_a_warning():
    assert said(flux=np.full(6, 1000.0)).startswith("There are no errors; the noise is estimated")


ASTROPY = Time(["2019-08-15", "2020-08-15", "2024-01-01"], scale="utc")


@pytest.mark.parametrize(
    ("values", "likely"),
    [
        (ASTROPY.jd, "Julian dates: MJD = JD - 2400000.5"),
        (ASTROPY.jd - 2_457_000, "MJD = BTJD + 56999.5"),
        (ASTROPY.jd - 2_454_833, "MJD = BKJD + 54832.5"),
        (ASTROPY.jd - 2_455_000, "MJD = value + 49999.5"),
        (ASTROPY.unix, "MJD = seconds / 86400 + MJD of second 0 (40587 for Unix time)"),
        (ASTROPY.unix * 1000, "milliseconds"),
    ],
)
def test_times_in_another_format_are_refused_with_the_likely_one(values, likely):
    problem, warnings = of_times(values)
    assert problem.startswith("The times in the column 'mjd' are not MJD: their median is")
    assert likely in problem
    assert warnings == ""


def test_the_offsets_in_the_messages_are_those_of_astropy():
    for offset, epoch in {56999.5: 2_457_000, 54832.5: 2_454_833, 49999.5: 2_450_000}.items():
        np.testing.assert_allclose(ASTROPY.jd - epoch + offset, ASTROPY.mjd, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ASTROPY.unix / 86400 + 40587, ASTROPY.mjd, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("middle", "refused", "warned"),
    [
        (-1000.0, False, "check that they are MJD"),
        (2.0, False, "check that they are MJD"),
        (99.9, False, "check that they are MJD"),
        (100.0, True, ""),
        (7_700.0, True, ""),
        (7_700.1, False, "before 1900"),
        (Time("1899-12-31", scale="tt").mjd, False, "before 1900"),
        (Time("1900-01-01", scale="tt").mjd, False, ""),
        (Time("2150-01-01", scale="tt").mjd, False, ""),
        (106_399.9, False, ""),
        (106_400.0, False, "1 of 3 times are outside"),
        (106_400.1, True, ""),
    ],
)
def test_the_median_of_the_finite_times_decides(middle, refused, warned):
    problem, warnings = of_times([middle - 0.01, middle, middle + 0.01])
    assert (problem is not None) == refused
    assert (warned in warnings) if warned else (warnings == "")
    assert (of_times([math.nan, middle, math.inf])[0] is not None) == refused
    assert (of_times([1e300, middle, -1e300])[0] is not None) == refused


@pytest.mark.parametrize(
    ("mjd", "warning"),
    [
        (
            [59000.0, 59001.0, 2.4e6, 59002.0, 0.0],
            "2 of 5 times are outside MJD 7,700 to 106,400; the first is in row 3: 2,400",
        ),
        (
            [59000.0, 59001.0, math.nan, -5.5],
            "1 of 4 times are outside MJD 7,700 to 106,400; the first is in row 4: -5.5.",
        ),
        ([1.0, 2.0, 3.0, 59000.0], "1 of 4 times are after MJD 100; the first is in row 4: 59,000."),
    ],
)
def test_single_times_outside_are_counted(mjd, warning):
    problem, warnings = of_times(mjd)
    assert problem is None
    assert warning in warnings


def test_plates_in_a_long_series_are_no_outliers():
    assert of_times(
        [Time("1885-01-01", scale="tt").mjd, Time("1950-01-01", scale="tt").mjd, Time("1992-01-01", scale="tt").mjd]
    ) == (None, "")


@pytest.mark.parametrize(
    ("dtype", "start", "step", "warned"),
    [
        ("float32", 59000.0, 1.0, "has steps of 338 s at MJD 59,002"),
        ("float16", 59008.0, 32.0, "float16"),
        ("float32", 1.0, 1.0, ""),  # the resolution at 2 is 0.02 s
        ("float32", 1.0, 1e-6, "float32"),  # 9 times the resolution
        ("float32", 64.0, 1.0, ""),  # 0.66 s
        ("float32", 130.0, 1.0, None),  # refused: not MJD
        ("float64", 59000.0, 1e-9, ""),
        ("int64", 59000, 1, ""),
    ],
)
def test_coarse_times_cause_a_warning(dtype, start, step, warned):
    mjd = (start + step * np.arange(5)).astype(dtype)
    problem, warnings = of_times(mjd)
    assert (problem is not None) == (warned is None)
    if warned:
        assert warned in warnings
        assert "send float64" in warnings
    else:
        assert ("send float64" in warnings) == (warned is None)


def test_the_resolution_is_numpys():
    assert float(np.spacing(np.float32(59002))) * 86400 == pytest.approx(337.5)


def test_disorder_gaps_and_repeats_cause_warnings():
    _, warnings = of_times([59002.0, 59001.0, 59001.0, np.nan])
    assert "not in the order of time" in warnings
    assert "1 rows repeat the time" in warnings
    assert "1 of 4 rows have no time." in warnings


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (["ztfg", "ztfr", "ztfg", None], "'filter' has 'ztfg' (2 rows), 'ztfr' (1 rows)."),
        ([1, 2, 2, 2], "'filter' has '2' (3 rows), '1' (1 rows)."),
        ([f"f{n}" for n in range(8)], "'f4' (1 rows), and 3 more."),
        (["ztfg"] * 4, None),
        (["ztfg", None, "ztfg", None], None),
        ([None] * 4, None),
    ],
)
def test_a_column_with_several_filters_is_a_problem(values, named):
    frame = pd.DataFrame({"mjd": 59000.0 + np.arange(len(values)), "flux": 1000.0, "fluxerr": 5.0, "filter": values})
    for given in ({}, {"filter": "ztfg"}):
        problem = inspected(frame, **given).problems.get("filter", "")
        assert (named is not None) == ("must contain the same filter for all rows" in problem)
        assert (named or "") in problem


def test_filters_of_earlier_rows_are_compared():
    old = pd.DataFrame({"mjd": [1.0, 2.0], "flux": [1.0, 2.0], "filter": "ztfg"})
    new = pd.DataFrame({"mjd": MJD, **GOOD, "filter": "ztfr"})
    found = inspect(pd.concat([old, new]), new, infer(new), {"filter": "ztfg"})
    assert list(found.problems) == ["filter"]
    assert found.warnings == ["The column 'filter' is 'ztfr', but filter='ztfg' was given, which is used."]
    assert inspect(old, old.iloc[:0], {}, {}).warnings == []


@pytest.mark.parametrize(
    ("column", "values", "given", "warning"),
    [
        ("filter", ["ztfg"] * 6, {"filter": "ztfr"}, "is 'ztfg', but filter='ztfr' was given, which is used"),
        ("filter", ["ztfg"] * 6, {"filter": "ztfg"}, None),
        ("exptime", [100.0] * 6, {"exp_time": 98.9}, "has the median 100 s, but exp_time=98.9 was given"),
        ("exptime", [100.0] * 6, {"exp_time": 99.1}, None),
        ("exptime", [100.0] * 6, {"exp_time": 101.1}, "exp_time=101.1"),
        ("dec", [-20.0] * 6, {"dec": -20 + 1.1 / 3600}, "1.1 arcsec from dec=-19.999694"),
        ("dec", [-20.0] * 6, {"dec": -20 + 0.9 / 3600}, None),
        ("ra", [10.0] * 6, {"ra": 10 + 2.1 / 3600, "dec": 60.0}, "1.1 arcsec from ra=10.000583"),  # cos 60 = 1/2
        ("ra", [10.0] * 6, {"ra": 10 + 1.9 / 3600, "dec": 60.0}, None),
        ("ra", [359.9999] * 6, {"ra": 0.0001, "dec": 0.0}, None),
        ("ra", [359.999] * 6, {"ra": 0.001, "dec": 0.0}, "7.2 arcsec from ra=0.001"),
        ("ra", [359.999, 0.001] * 3, {"ra": 0.0029, "dec": 0.0}, None),  # spread 0.001 deg
        ("ra", [359.999, 0.001] * 3, {"ra": 0.0031, "dec": 0.0}, "11.2 arcsec"),
    ],
)
def test_column_that_contradicts_a_given_field_causes_a_warning(column, values, given, warning):
    found = inspected(pd.DataFrame({"mjd": MJD, **GOOD, column: values}), **given)
    assert found.problems == {}
    if warning is None:
        assert found.warnings == []
    else:
        (said,) = found.warnings
        assert said.startswith(f"The column {column!r}")
        assert warning in said


def test_the_distance_from_the_source_is_that_of_astropy():
    source, there = SkyCoord(10 * u.deg, -20 * u.deg), SkyCoord(10.5 * u.deg, -20.2 * u.deg)
    (warning,) = distance_warnings(10.5, -20.2, (10.0, -20.0))
    assert f"{source.separation(there).arcsec:,.0f} arcsec" in warning
    assert distance_warnings(10.0, -20.0 + 59 / 3600, (10.0, -20.0)) == []
    assert distance_warnings(10.5, -20.2, None) == []


@pytest.mark.parametrize("source", [(10.0, 0.0), (359.999, -60.0), (0.001, 89.0), (120.0, -89.999)])
@pytest.mark.parametrize("away", [0.001, 30, 59.9, 60.1, 90, 3600])
@pytest.mark.parametrize("angle", [0, 60, 90, 200])
def test_only_series_a_minute_away_from_their_source_are_far(source, away, angle):
    here = SkyCoord(*source, unit="deg").directional_offset_by(angle * u.deg, away * u.arcsec)
    assert bool(distance_warnings(here.ra.deg, here.dec.deg, source)) is (away > 60)


@pytest.mark.parametrize("values", [[1.7e308, 1.7e308], [-1.7e308, 1.7e308, 59000.0], [np.inf, -np.inf, 59000.0]])
def test_any_numbers_give_no_numpy_warning(values):
    of_times(values)
    frame = pd.DataFrame({"mjd": 59000.0, "flux": values, "fluxerr": values, "mag": values, "ra": values})
    assert inspected(frame, ra=10.0, dec=5.0).problems == {}


def test_the_brightness_that_the_fields_choose_is_judged():
    columns = {"mjd": MJD, "flux": np.full(6, 18.1), "fluxerr": np.full(6, 0.1), "mag": [99.0, *[18.0] * 4, np.nan]}
    frame = pd.DataFrame({**columns, "magerr": [0.0] * 6})
    flux = inspected(frame).warnings
    assert len(flux) == 3
    assert "1 of 6 values in the column 'mag' are 40 mag or more" in flux[0]
    assert flux[1] == "The column 'flux' is read as flux in uJy, but its values look like magnitudes."
    assert "differ by -2.756 mag" in flux[2]  # 18 - (23.9 - 2.5 log10(18.1))
    assert inspected(frame, flux_unit="adu/s").warnings == flux[:1]
    mag = " ".join(inspected(frame, brightness="mag").warnings)
    assert "1 of 6 rows have no brightness." in mag
    assert "6 of 6 errors in the column 'magerr' are zero or negative" in mag
    assert "There are no errors" in mag
    assert "look like magnitudes" not in mag
    instrumental = pd.DataFrame({"mjd": MJD, "mag": [18.0] * 6, "fluxerr": [1.0] * 6})
    assert inspected(instrumental).warnings == []
    (warning,) = inspected(instrumental, magsys="instrumental").warnings
    assert warning.startswith("There are no errors")


def test_magnitudes_brighter_than_any_star_are_instrumental():
    frame = pd.DataFrame({"mjd": MJD, "mag": [-99.0, -5.6, -5.5, -5.7, -5.6, np.nan], "magerr": [0.1] * 6})
    for magsys in ("ab", "vega"):
        assert "The median magnitude, -5.6, is brighter than any star" in " ".join(
            inspected(frame, magsys=magsys).warnings
        )
    assert "star" not in " ".join(inspected(frame, magsys="instrumental").warnings)
    sirius = frame.assign(mag=-1.46)
    assert inspected(sirius).warnings == []


@pytest.mark.parametrize(
    ("flux", "unit", "mag"),
    [(1e-12, "uJy", "53.9"), (1e-15, "mJy", "53.9"), (1e11, "uJy", "-3.6"), (1e-5, "uJy", "36.4")],
)
def test_fluxes_of_no_source_cause_a_warning(flux, unit, mag):
    """By hand: 23.9 + 2.5 * 12 = 53.9, 23.9 - 2.5 * 11 = -3.6, 23.9 + 2.5 * 5 = 36.4."""
    frame = pd.DataFrame({"mjd": MJD, "flux": np.full(6, flux), "fluxerr": np.full(6, flux / 10)})
    assert any(
        f"is an AB magnitude of {mag}, which no source has" in one for one in inspected(frame, flux_unit=unit).warnings
    )
    assert "no source" not in " ".join(inspected(frame, flux_unit="ct/s").warnings)
    assert "no source" not in " ".join(inspected(frame.assign(flux=0.05, fluxerr=0.01)).warnings)


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ({"filter": "besselli"}, True),
        ({"filter": "gaia::g"}, True),
        ({"filter": "ztfr"}, False),
        ({"filter": "besselli", "magsys": "ab"}, False),
        ({"filter": "besselli", "magsys": "vega"}, False),
        ({"filter": "tess::red"}, True),
        ({"filter": "csphs"}, True),
        ({"filter": "cspg"}, False),
    ],
)
def test_magnitudes_in_filters_of_vega_need_a_system(given, warned):
    """The zero of Vega in I is 0.44 mag from that of AB (Blanton & Roweis 2007, AJ 133, 734)."""
    frame = pd.DataFrame({"mjd": MJD, "mag": [18.0] * 6, "magerr": [0.1] * 6})
    in_column = {name: value for name, value in given.items() if name != "filter"}
    for found in (inspected(frame, **given), inspected(frame.assign(filter=given["filter"]), **in_column)):
        named = [f"The magnitudes in {given['filter']} are taken as AB" in warning for warning in found.warnings]
        assert named == [True] * warned
    assert inspected(pd.DataFrame({"mjd": MJD, **GOOD}), **given).warnings == []


@pytest.mark.parametrize(
    ("columns", "given", "words"),
    [
        ({**GOOD, "zp": 25.0}, {}, "that in the column 'zp' is 25 and was not applied"),
        ({**GOOD, "zp": 23.9}, {}, None),
        ({**GOOD, "zp": 25.0}, {"flux_unit": "uJy"}, None),
        ({**GOOD, "ZP": ["25"] * 6}, {}, None),
        ({"mag": 15.0, "magerr": 0.1, "zpsys": "Vega"}, {}, "a column states 'Vega'"),
        ({"mag": 15.0, "magerr": 0.1, "zpsys": "AB"}, {}, None),
        ({"mag": 15.0, "magerr": 0.1, "zpsys": "Vega"}, {"magsys": "vega"}, None),
        ({**GOOD, "mag": 16.4}, {}, None),  # 23.9 - 2.5 log10(1000)
        ({**GOOD, "mag": 8.9}, {}, "differ by -7.5 mag"),
        ({**GOOD, "mag": 16.25}, {}, None),  # another aperture
        ({**GOOD, "fluxerr": 500.0, "mag": 18.0}, {}, None),  # limiting magnitudes of rows with an S/N of 2
        ({**GOOD, "mag": 8.9}, {"flux_unit": "uJy", "magsys": "vega"}, None),
        ({**GOOD, "mag": 8.9}, {"flux_unit": "mJy"}, None),  # 16.4 - 2.5 log10(1000)
        ({**GOOD, "mag": 8.9}, {"magsys": "vega", "brightness": "mag"}, None),
    ],
)
def test_columns_that_contradict_the_unit_or_the_system(columns, given, words):
    frame = pd.DataFrame({"mjd": MJD, **columns})
    warnings = [warning for warning in inspected(frame, **given).warnings if "There are no errors" not in warning]
    assert len(warnings) == (words is not None)
    assert words is None or words in warnings[0]
