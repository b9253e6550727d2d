"""TESS, Kepler and K2: times, fluxes, flags and what the headers suggest."""

import numpy as np
import pytest
from astropy.time import Time

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, read
from photseries.lightcurve.bandpasses import BANDPASSES
from tests.formats import mission_files


@pytest.fixture
def tess(tmp_path):
    content, values = mission_files.tess()
    path = tmp_path / "tess2018206045859-s0001-0000000261136679-0120-s_lc.fits"
    path.write_bytes(content)
    return path, values


def test_tess_file_is_recognised(tess):
    path, values = tess
    reading = read(path)
    frame = reading.frame
    assert list(frame) == [
        *("mjd", "TIMECORR", "CADENCENO", "SAP_FLUX", "SAP_FLUX_ERR", "flux", "fluxerr", "quality", "MOM_CENTR1")
    ]
    expected = Time(2457000, values["TIME"][0], format="jd", scale="tdb").mjd
    assert frame["mjd"][0] == pytest.approx(expected, abs=1e-10)
    assert np.isnan(frame["mjd"][7])
    np.testing.assert_array_equal(frame["flux"], values["PDCSAP_FLUX"].astype("f4"))
    assert frame["quality"].tolist() == values["QUALITY"].tolist()
    assert {dtype.byteorder for dtype in frame.dtypes} <= {"=", "|"}
    assert [str(frame[name].dtype) for name in ("mjd", "flux", "quality")] == ["float64", "float32", "int32"]
    assert reading.fields == {
        "obj_id": "TIC 261136679",
        "series_name": "TESS/sector-01",
        "series_obj_id": "261136679",
        "ra": 84.291198,
        "dec": -80.469143,
        "exp_time": pytest.approx(118.8),
        "filter": "tess::red",
        "time_stamp_alignment": "middle",
        "time_scale": "tdb",
        "time_refpos": "barycenter",
        "column_units": {
            "TIMECORR": "d",
            "SAP_FLUX": "electron/s",
            "SAP_FLUX_ERR": "electron/s",
            "MOM_CENTR1": "pixel",
        },
        "altdata": {
            "camera": 4,
            "ccd": 2,
            "tessmag": 5.105,
            "procver": "spoc-3.3.57-20190130",
            "data_rel": 1,
            "flux_column": "PDCSAP_FLUX",
        },
        "flux_unit": "electron/s",
    }
    (warning,) = reading.warnings
    assert "in electron/s: the series has no magnitudes" in warning


def test_a_zero_point_calibrates(tess):
    path, values = tess
    reading = read(path, ReadOptions(zero_point=20.0))
    # 10**(0.4 * (23.9 - 20)) uJy an electron per second: AB magnitude 20 is 36.3 uJy.
    np.testing.assert_allclose(
        reading.frame["flux"], values["PDCSAP_FLUX"].astype("f4").astype("f8") * 36.30780547701, rtol=1e-12
    )
    np.testing.assert_allclose(reading.frame["fluxerr"], 3.5 * 36.30780547701, rtol=1e-12)
    assert reading.fields["altdata"]["flux_zero_point"] == 20.0
    assert "flux_unit" not in reading.fields
    assert reading.warnings == ()


def test_the_published_zero_point_of_tess(tess, tmp_path):
    path, values = tess
    reading = read(path, ReadOptions(zero_point="tess"))
    # 2416 Jy at Tmag 0, and Tmag 20.44 is one electron per second.
    microjansky = 2416e6 * 10 ** (-0.4 * 20.44)
    np.testing.assert_allclose(
        reading.frame["flux"], values["PDCSAP_FLUX"].astype("f4").astype("f8") * microjansky, rtol=1e-12
    )
    # The handbook gives the same zero point as 15,000 e-/s at Tmag 10, to 5 %.
    assert 15_000 * microjansky == pytest.approx(2416e6 * 1e-4, rel=0.05)
    altdata = reading.fields["altdata"]
    assert altdata["flux_zero_point"] == pytest.approx(20.8823, abs=1e-4)
    assert altdata["flux_zero_point_error"] == 0.05
    assert "TESS Instrument Handbook" in altdata["flux_zero_point_source"]
    assert reading.warnings == ()
    (tmp_path / "kepler.fits").write_bytes(mission_files.kepler()[0])
    with pytest.raises(InvalidError, match="zero point tess is for electron/s in the filter tess::red, not for kepler"):
        read(tmp_path / "kepler.fits", ReadOptions(zero_point="tess"))
    with pytest.raises(InvalidError, match="no zero point 'kepler'; give a number, or one of tess"):
        read(path, ReadOptions(zero_point="kepler"))


def test_the_flux_may_be_chosen(tess):
    path, values = tess
    frame = read(path, ReadOptions(flux_col="SAP_FLUX")).frame
    np.testing.assert_array_equal(frame["flux"], values["SAP_FLUX"].astype("f4"))
    assert frame["fluxerr"].iloc[0] == 3
    assert "PDCSAP_FLUX" in frame
    with pytest.raises(
        InvalidError, match=r"s_lc.fits: There is no column 'KSP_FLUX' \(flux_col\). The columns are TIME"
    ):
        read(path, ReadOptions(flux_col="KSP_FLUX"))


def test_uncorrected_flux_replaces_an_absent_corrected_flux(tmp_path):
    content, values = mission_files.tess(PDCSAP_FLUX=("E", "e-/s", np.full(50, np.nan)))
    (tmp_path / "lc.fits").write_bytes(content)
    reading = read(tmp_path / "lc.fits")
    np.testing.assert_array_equal(reading.frame["flux"], values["SAP_FLUX"].astype("f4"))
    assert reading.fields["altdata"]["flux_column"] == "SAP_FLUX"


@pytest.mark.parametrize(
    ("make", "name", "obj_id"),
    [
        (mission_files.kepler, "Kepler/quarter-05", "KIC 11904151"),
        (mission_files.k2, "K2/campaign-01", "EPIC 201912552"),
    ],
)
def test_kepler_file_is_recognised(tmp_path, make, name, obj_id):
    content, values = make()
    (tmp_path / "lc.fits").write_bytes(content)
    reading = read(tmp_path / "lc.fits")
    expected = Time(2454833, values["TIME"][0], format="jd", scale="tdb").mjd
    assert reading.frame["mjd"][0] == pytest.approx(expected, abs=1e-10)
    assert reading.frame["quality"].tolist() == values["SAP_QUALITY"].tolist()
    assert (reading.fields["series_name"], reading.fields["obj_id"]) == (name, obj_id)
    assert reading.fields["exp_time"] == pytest.approx(1625.3468)
    assert reading.fields["filter"] == "kepler"
    assert "kepler" in BANDPASSES
    assert reading.fields["altdata"]["channel"] == 8


def test_images_of_a_row_are_left_out(tmp_path):
    content, _ = mission_files.tess(PIXELS=("4E", None, np.ones((50, 4))))
    (tmp_path / "lc.fits").write_bytes(content)
    assert "PIXELS" not in read(tmp_path / "lc.fits").frame
