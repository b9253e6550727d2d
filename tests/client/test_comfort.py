"""What makes the client pleasant: attributes, items, plots, notebooks, coordinates, names of files."""

import datetime
import re

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.time import Time
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import photseries
from photseries.client.queries import arguments
from photseries.errors import InvalidError, NotFoundError, StartError
from tests.support import columns

NASTY = "<script>alert('x')</script>&\""


@pytest.fixture(autouse=True)
def _closed_figures():
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.fixture
def uploaded(client, fields):
    return client.upload(columns(30), **fields)


def test_series_gives_access_to_fields_and_columns(client, fields, uploaded):
    series = client[uploaded.id]
    assert (series.id, series.obj_id, series.filter) == (uploaded.id, "star", "ztfg")
    assert (series.mean_flux, series.num_exp) == (series.metadata["mean_flux"], 30)
    assert len(series) == 30
    assert "blob" not in vars(series), "nothing was fetched for that"
    assert np.array_equal(series["flux"], columns(30)["flux"])
    assert list(series) == ["mjd", "flux", "fluxerr"]
    assert "flux" in series
    assert "mag" not in series
    assert {"obj_id", "plot"} <= set(dir(series))
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = series.nothing
    with pytest.raises(KeyError, match="'mag', only mjd, flux, fluxerr"):
        _ = series["mag"]
    pd.testing.assert_frame_equal(series[["mjd", "flux"]], series.data[["mjd", "flux"]])
    with pytest.raises(KeyError, match="'mag', only mjd, flux, fluxerr"):
        _ = series[["mjd", "mag"]]
    with pytest.raises(NotFoundError):
        _ = client[10**9]
    with pytest.raises(TypeError):
        iter(client)


def test_a_part_has_the_length_of_the_part(client, uploaded):
    assert len(client.get(uploaded.id, row_max=4)) == 5


def test_obj_id_matches_the_exact_source_name(client, fields, world):
    for name in ("part", "part of a name", "a part, with a comma"):
        world.make("sources", id=name, ra=10.0, dec=-20.0)
        client.upload(columns(), **{**fields, "obj_id": name})
    assert list(client.find(obj_id="part")["obj_id"]) == ["part"]
    assert list(client.find(obj_id="a part, with a comma")["obj_id"]) == ["a part, with a comma"]
    assert set(client.find(objID="part,part of a name")["obj_id"]) == {"part", "part of a name"}
    assert len(client.find(object_id="part")) == 3
    assert client.find(obj_id="Selection").empty
    assert client.count(obj_id="part") == 1


def test_positions_and_quantities_of_astropy(client, fields, world):
    # 10 arcsec north of the position, and 3600 arcsec.
    for name, dec in (("near", -45 + 10 / 3600), ("far", -44.0)):
        world.make("sources", id=name, ra=123.0, dec=dec)
        client.upload(columns(), **{**fields, "obj_id": name, "ra": 123.0, "dec": dec})
    centre = SkyCoord(123.0, -45.0, unit="deg")
    for position in (centre, centre.galactic, (123.0, -45.0), (123.0 * units.deg, -45 * 60 * units.arcmin)):
        assert list(client.find(position=position, radius=11 * units.arcsec)["obj_id"]) == ["near"]
    assert client.find(position=centre, radius=9 * units.arcsec).empty
    assert set(client.find(position=centre, radius=1.1)["obj_id"]) == {"near", "far"}
    several = client.positions(SkyCoord([123.0, 10.0], [-45.0, 10.0], unit="deg"), 0.2 * units.arcmin)
    assert several[["position", "obj_id"]].to_numpy().tolist() == [[0, "near"]]
    assert arguments({"min_exp_time": 2 * units.min, "max_rms": 30 * units.mmag}) == {
        "minExpTime": ["120.0"],
        "maxRMS": ["0.03"],
    }
    assert arguments({"mag_brighter_than": 18 * units.ABmag}) == {"magBrighterThan": ["18.0"]}


def test_fields_accept_the_types_of_criteria(client, fields, world):
    centre = SkyCoord(124.5, -45.0, unit="deg")
    assert client.create("sources", id="placed", position=centre.galactic) == "placed"
    (source,) = (one for one in client.entries("sources") if one["id"] == "placed")
    assert (source["ra"], source["dec"]) == pytest.approx((124.5, -45.0), abs=1e-9)
    rest = {name: value for name, value in fields.items() if name not in ("ra", "dec", "obj_id")}
    given = {**rest, "obj_id": "placed", "exp_time": 2 * units.min, "limiting_mag": 20 * units.ABmag}
    uploaded = client.upload(columns(), position=(8.3 * units.hourangle, centre.dec), group_ids={1}, **given)
    series = client[uploaded.id]
    assert (series.ra, series.dec) == pytest.approx((124.5, -45.0), abs=1e-9)
    assert (series.exp_time, series.limiting_mag) == (120, 20)
    assert 1 in series.group_ids
    client.update(uploaded.id, exp_time=0.5 * units.min)
    (outcome,) = client.upload_many([columns()], channel="many", position=centre, **given)
    assert (client[uploaded.id].exp_time, client[outcome.uploaded.id].exp_time) == (30, 120)
    client.put_period(uploaded.id, 36 * units.min, "by eye")
    assert client.periods(uploaded.id)[0]["period"] == pytest.approx(0.025)
    with pytest.raises(InvalidError, match="exp_time must be a Quantity in s, not in m"):
        client.update(uploaded.id, exp_time=2 * units.m)
    with pytest.raises(InvalidError, match="The field altdata cannot be serialised as JSON") as caught:
        client.update(uploaded.id, altdata={"exposure": 2 * units.s})
    assert list(caught.value.fields) == ["altdata"]


def test_durations_and_periods_of_astropy(client, uploaded):
    expected = client.get(uploaded.id, bin="30min").data
    for width in (0.5 * units.hour, datetime.timedelta(minutes=30), pd.Timedelta("30min")):
        pd.testing.assert_frame_equal(client.get(uploaded.id, bin=width).data, expected)
    searched = client.periodogram(uploaded.id, min_period=12 * units.hour, detrend=2 * units.day)
    assert searched["min_period"] == pytest.approx(0.5)
    for time in (Time(2460000.5, format="jd"), datetime.date(2026, 11, 21)):
        with pytest.raises(InvalidError, match="mjd_min must be an MJD in the time scale of the series"):
            client.get(uploaded.id, mjd_min=time)


def test_an_empty_result_has_the_columns_of_a_full_one(client, fields, uploaded):
    here = {"position": (fields["ra"], fields["dec"]), "radius": 0.1}
    nowhere = {"position": (0, -90), "radius": 1e-9}
    around = [[one["position"]] for one in (here, nowhere)]
    for full, empty in (
        (client.find(**here), client.find(**nowhere)),
        (client.find(features=True, limit=1), client.find(features=True, limit=0)),
        (client.positions(around[0], 0.1), client.positions(around[1], 1e-9)),
        (client.positions(around[0], 0.1), client.positions([], 0.1)),
        (client.get_many(ids=[uploaded.id]).metadata, client.get_many(ids=[]).metadata),
        (client.collection(ids=[uploaded.id]).statistics, client.collection(obj_id="nobody").statistics),
    ):
        assert (len(full) > 0, len(empty)) == (True, 0)
        assert set(full.columns) == set(empty.columns)
    assert {"obj_id", "filter", "series_id"} <= set(client.get_many(ids=[]).to_pandas())


def test_paths_begin_at_the_home_folder(client, uploaded, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    client.save(uploaded.id, "~/a.h5")
    client[uploaded.id].to_hdf5("~/b.h5")
    client.export("~/c.parquet", ids=[uploaded.id])
    client.collection(ids=[uploaded.id]).to_parquet("~/d.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.h5", "c.parquet", "d.parquet"]
    assert client.upload("~/a.h5", if_exists="skip").status == "skipped"


@pytest.mark.parametrize(
    ("criteria", "words"),
    [
        ({"mag_brighter_than": 18 * units.STmag}, "mag_brighter_than must be a Quantity in mag"),
        ({"position": SkyCoord([1, 2], [3, 4], unit="deg"), "radius": 1}, r"client\.positions"),
        ({"position": "Vega", "radius": 1}, "one SkyCoord"),
        ({"position": (1, 2), "ra": 1, "radius": 1}, "cannot be combined with ra or dec"),
        ({"position": (1, 2), "radius": 5 * units.s}, "radius must be a Quantity in deg, not in s"),
        ({"min_num_exposures": 5 * units.s}, "min_num_exposures must be a plain number"),
    ],
)
def test_invalid_positions_and_units_are_refused(criteria, words):
    with pytest.raises(InvalidError, match=words):
        arguments(criteria)


def test_a_series_is_drawn_with_matplotlib(client, uploaded):
    series = client[uploaded.id]
    axes = series.plot()
    assert isinstance(axes, Axes)
    assert (axes.get_ylabel(), axes.get_xlabel(), axes.get_title()) == (
        "flux [µJy]",
        "MJD (scale unknown) [d]",
        "star, ztfg",
    )
    (drawn,) = axes.containers
    assert np.array_equal(drawn[0].get_ydata(), series["flux"])
    inverted = series.plot(plt.subplots()[1], unit="mag", color="red")
    assert inverted.yaxis_inverted()
    assert inverted.containers[0][0].get_color() == "red"
    assert np.allclose(inverted.containers[0][0].get_ydata(), 23.9 - 2.5 * np.log10(series["flux"]))
    with pytest.raises(InvalidError, match=r"Invalid unit: 'magnitude'\. It must be flux or mag"):
        series.plot(unit="magnitude")


def test_a_plot_needs_matplotlib(client, uploaded, monkeypatch):
    monkeypatch.setattr("photseries.extras.is_installed", lambda name: name != "matplotlib")
    with pytest.raises(StartError, match=r"photseries\[plots\]"):
        client[uploaded.id].plot()


def test_notebooks_show_clients_searches_and_series_escaped(client, fields, world):
    world.make("sources", id=NASTY, ra=10.0, dec=-20.0)
    made = client.upload(columns(50), **{**fields, "obj_id": NASTY, "time_scale": "tdb", "time_refpos": "barycenter"})
    series = client[made.id]
    shown = {"client": client, "search": client.find(obj_id=NASTY), "series": series}
    pages = {name: one._repr_html_() for name, one in shown.items()}
    for name, page in pages.items():
        assert "<script" not in page, name
        assert "http://www.w3.org/2000/svg" in page or name != "series"
        assert not re.search(r'(src|href)="(?!http://127\.0\.0\.1)', page), name
    assert client.url in pages["client"]
    assert "&lt;script&gt;" in pages["series"]
    assert "&lt;script&gt;" in pages["search"]
    assert pages["series"].count("h0M") == 49, "50 points"
    assert "BJD (TDB) - 2400000.5 [d], 50 points" in pages["series"]
    assert "1 series" in pages["search"]
    assert "0 series" in client.find(obj_id="nothing")._repr_html_()


def test_a_search_result_is_a_plain_frame(client, uploaded):
    found = client.find(limit=1)
    assert isinstance(found, pd.DataFrame)
    assert type(found[["id"]]) is type(found.copy()) is pd.DataFrame
    assert str(found).endswith(f"1 series, {len(found.columns)} fields each")
    assert str(found).split()[:3] == ["id", "obj_id", "filter"]


def test_long_series_is_displayed_in_part(client, fields):
    made = client.upload(columns(20_001), **fields)
    series = client[made.id]
    page = series._repr_html_()
    assert "blob" not in vars(series)
    assert 500 < page.count("h0M") < 1000
    assert len(series.data) == 20_001
    assert client.get(made.id, columns=["mjd"])._repr_html_().count("<svg") == 0, "a part without a brightness"


def test_client_command_and_service_name_files_equally(client, admin, fields, tmp_path, monkeypatch):
    made = client.upload(columns(), **{**fields, "series_name": "field 1/night:3"})
    name = f"star_ztfg_field_1_night_3_{made.id}"
    monkeypatch.chdir(tmp_path)
    assert client.save(made.id).name == client[made.id].to_hdf5().name == f"{name}.h5"
    assert client.save(made.id, tmp_path, format="fits").name == f"{name}.fits"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.fits", f"{name}.h5"]
    answer = admin.get(f"/api/photometric_series/{made.id}/data")
    assert f'filename="{name}.h5"' in answer.headers["Content-Disposition"]
    with pytest.raises(InvalidError):
        client.save(made.id, tmp_path, format="dvd")


def test_client_repr_sends_no_request():
    with photseries.Client("http://127.0.0.1:1", "token") as client:
        assert "http://127.0.0.1:1" in client._repr_html_()
        assert "token" not in client._repr_html_().replace("photseries", "")
