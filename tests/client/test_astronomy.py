"""Files of missions and objects of astropy and lightkurve go up, and come back as such objects."""

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.table import Table
from astropy.time import Time, TimeDelta
from astropy.timeseries import TimeSeries

from photseries.client import ReadOptions
from photseries.errors import InvalidError
from tests.formats import mission_files
from tests.support import TESS, columns


@pytest.mark.parametrize("make", [mission_files.tess, mission_files.kepler])
def test_light_curves_of_missions_are_uploaded_with_their_headers(client, world, tmp_path, make):
    content, values = make()
    path = tmp_path / "lc.fits"
    path.write_bytes(content)
    with pytest.raises(InvalidError) as caught:
        client.upload(path, instrument_id=world.instrument)
    assert set(caught.value.fields) == {"obj_id"}  # the one thing that has to be made first
    obj_id = caught.value.message.split(": ")[1].rstrip(".")
    client.create("sources", id=obj_id, ra=1, dec=1)
    uploaded = client.upload(path, instrument_id=world.instrument, altdata={"mine": 1})
    assert "in electron/s: the series has no magnitudes" in uploaded.warnings[0]
    series = client.get(uploaded.id)
    np.testing.assert_array_equal(series.data["flux"], values["PDCSAP_FLUX"].astype("f4"))
    assert series.metadata["obj_id"] == obj_id
    assert series.metadata["flux_unit"] == "electron/s"
    assert series.metadata["mean_mag"] is None
    assert series.metadata["altdata"]["mine"] == 1
    made = series.to_timeseries()
    assert made["flux"].unit == units.electron / units.s
    assert (made.time.scale, len(made)) == ("tdb", 49)  # one row has no time


def test_astropy_time_series_survives_the_round_trip(client, fields):
    rows = 500
    given = TimeSeries(time=Time(59000 + np.arange(rows) / 7, format="mjd", scale="tai"))
    given["flux"] = np.linspace(1, 2, rows) * units.uJy
    given["fluxerr"] = np.full(rows, 0.1) * units.uJy
    given["bg"] = np.arange(rows, dtype="f4") * units.electron
    given["quality"] = np.arange(rows, dtype="i2")
    series = client.get(client.upload(given, **fields).id)
    assert series.metadata["time_scale"] == "tai"
    got = series.to_timeseries()
    assert got.colnames == given.colnames
    assert got.time.scale == "tai"
    np.testing.assert_array_equal(got.time.mjd, given.time.mjd)
    for name in ("flux", "fluxerr"):
        assert got[name].unit == units.uJy
    for name in given.colnames[1:]:
        np.testing.assert_array_equal(np.asarray(got[name]), np.asarray(given[name]))
        assert got[name].dtype == given[name].dtype
    assert got.meta["obj_id"] == "star"


def test_the_times_of_a_real_file_survive_astropy(client, world):
    uploaded = client.upload(TESS, if_exists="skip", obj_id=world.source, instrument_id=world.instrument)
    series = client.get(uploaded.id)
    again = client.get(client.upload(series.to_timeseries(), **world.fields(series_name="again")).id)
    expected = series.data.rename(columns={"time": "time_as_read"})
    pd.testing.assert_frame_equal(again.data[expected.columns], expected)


def test_an_unstated_time_scale_stays_unknown(client, fields, world):
    series = client.get(client.upload(columns(), **fields).id)
    given = series.to_timeseries()
    assert (series.metadata["time_scale"], given.time.scale) == (None, "local")
    again = client.get(client.upload(given, **world.fields(series_name="scale again")).id)
    assert again.metadata["time_scale"] is None
    np.testing.assert_array_equal(again.data["mjd"], series.data["mjd"])


def test_units_scales_and_masks_are_converted(client, fields):
    given = TimeSeries(time=Time([2459000.5, 2459001.5], format="jd", scale="tcb"))
    given["flux"] = [1.0, 2.0] * units.mJy
    given["deep"] = np.ones((2, 3))
    uploaded = client.upload(given, **fields)
    assert uploaded.warnings == (
        "Left out, because a row has more than one value: deep.",
        "There are no errors; the noise is estimated from the differences of successive values.",
    )
    series = client.get(uploaded.id)
    assert series.data["flux"].tolist() == [1000.0, 2000.0]
    assert series.metadata["flux_unit"] == "uJy"
    assert series.metadata["mean_flux"] == pytest.approx(1500)
    assert series.to_timeseries()["flux"].unit == units.uJy
    derived = client.get(series.id, derive="flux").to_timeseries()["flux"]
    assert (derived.unit, derived.value.tolist()) == (units.uJy, [1000.0, 2000.0])
    assert series.metadata["time_scale"] == "tdb"
    np.testing.assert_allclose(series.data["mjd"], given.time.tdb.mjd, rtol=0, atol=1e-9)


def test_astropy_magnitudes_are_uploaded(client, fields):
    table = Table({"MJD": [59000.0, 59001.0], "Mag": [18.0, 18.5], "e_mag": [0.1, 0.2]})
    table["Mag"].unit = units.mag
    series = client.get(client.upload(table, **fields).id)
    assert list(series.data) == ["mjd", "mag", "magerr"]
    assert series.to_timeseries()["mag"].unit == units.mag


def test_tables_without_time_or_brightness_are_refused(client, fields):
    folded = TimeSeries(time=TimeDelta([0.1, 0.2], format="jd"), data={"flux": [1.0, 2.0]})
    with pytest.raises(InvalidError, match="relative"):
        client.upload(folded, **fields)
    with pytest.raises(InvalidError, match="no column 'when'"):
        client.upload(Table(columns()), options=ReadOptions(time_col="when"), **fields)


def test_table_with_two_time_columns_needs_a_choice(client, fields):
    table = Table({**columns(2), "start": Time([59000.0, 59001.0], format="mjd", scale="tt")})
    frame = client.get(client.upload(table, **fields).id).data
    assert list(frame) == ["mjd_as_read", "flux", "fluxerr", "mjd"]


@pytest.fixture
def lightkurve():
    return pytest.importorskip("lightkurve", reason="lightkurve needs pandas < 3")


def test_lightkurve_light_curve_survives_the_round_trip(client, fields, lightkurve):
    given = lightkurve.LightCurve(
        time=Time(np.linspace(1325, 1350, 100), format="btjd", scale="tdb"),
        flux=np.linspace(1, 2, 100) * units.uJy,
        flux_err=np.full(100, 0.1) * units.uJy,
    )
    given["quality"] = np.arange(100)
    series = client.get(client.upload(given, **fields).id)
    got = series.to_lightkurve()
    assert got.meta["LABEL"] == got.meta["OBJECT"] == series.obj_id
    np.testing.assert_allclose(got.time.mjd, given.time.mjd, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(got.flux.value, given.flux.value)
    np.testing.assert_array_equal(got.flux_err.value, given.flux_err.value)
    assert got.flux.unit == units.uJy
    np.testing.assert_array_equal(got["quality"], given["quality"])
    assert got.bin(1).flux.unit == units.uJy


def test_relative_fluxes_are_flagged(client, fields, lightkurve):
    given = lightkurve.LightCurve(time=Time([59000.0, 59001.0], format="mjd"), flux=[1.0, 1.1]).normalize()
    uploaded = client.upload(given, **fields)
    assert "The fluxes are relative" in uploaded.warnings[0]
    assert client.get(uploaded.id).to_lightkurve().flux.value.tolist() == given.flux.value.tolist()


def test_light_curve_of_magnitudes_has_derived_flux(client, fields, lightkurve):
    table = {"mjd": [59000.0, 59001.0], "mag": [23.9, 21.4], "magerr": [0.1, 0.1]}
    got = client.get(client.upload(table, **fields).id).to_lightkurve()
    np.testing.assert_allclose(got.flux.to_value(units.uJy), [1, 10], rtol=1e-12)
    assert got["mag"].unit == units.mag


def test_vega_magnitudes_cannot_become_a_lightkurve_object(client, fields, lightkurve):
    table = {"mjd": [59000.0, 59001.0], "mag": [23.9, 21.4]}
    series = client.get(client.upload(table, magsys="vega", **fields).id)
    with pytest.raises(InvalidError, match="Vega magnitudes, which cannot be converted to flux"):
        series.to_lightkurve()


def test_lightkurve_objects_of_tess_are_uploaded(client, world, tmp_path, lightkurve):
    (tmp_path / "tess_lc.fits").write_bytes(mission_files.tess()[0])
    given = lightkurve.read(tmp_path / "tess_lc.fits", quality_bitmask="none")
    fields = {**world.fields(), "filter": None, "exp_time": None, "obj_id": "star"}
    uploaded = client.upload(given, **{name: value for name, value in fields.items() if value is not None})
    metadata = client.get(uploaded.id).metadata
    assert (metadata["series_name"], metadata["filter"]) == ("TESS/sector-01", "tess::red")
    assert metadata["exp_time"] == pytest.approx(118.8)
    assert metadata["flux_unit"] == "electron/s"


def test_a_time_finds_series_of_every_time_scale(client, fields):
    """UTC and TDB differ by 69 s: a search by an instant finds series in every time scale."""
    instant = Time("2019-06-15T12:00:00", scale="utc")
    for scale in ("utc", "tdb"):
        table = {**columns(3), "mjd": getattr(instant, scale).mjd + np.arange(3) / 24}
        client.upload(table, **{**fields, "channel": scale, "time_scale": scale})
    second = TimeDelta(1, format="sec")
    name = fields["series_name"]
    for time in (instant, instant.tdb, instant.tcb):
        for shift, found in ((-second, {"utc", "tdb"}), (second, set())):
            assert set(client.find(series_name=name, start_after=time + shift)["channel"]) == found
        assert client.count(series_name=name, start_after=time - second, start_before=time + second) == 2
    # A number is compared with the MJD as it is stored.
    early = float(instant.utc.mjd) + 1 / 86400
    assert set(client.find(series_name=name, start_after=early)["channel"]) == {"tdb"}
