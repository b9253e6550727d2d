"""What an export is: a valid HATS catalogue, which LSDB opens, searches and matches, with the right numbers."""

import lsdb
import numpy as np
import pandas as pd
import pytest
from hats.io.validation import is_valid_catalog

from photseries.errors import StartError
from photseries.server.hats import Layout
from tests.server.hats.conftest import FILTERS, ROWS, STARS, star


def test_rows_by_series_contain_each_series(services, principal, ids, exported, folder):
    done = exported(columns=("airmass", "seeing"))
    assert (done.rows, done.series, done.measurements) == (8, 8, 8 * ROWS)
    assert is_valid_catalog(folder, strict=True)
    catalogue = lsdb.open_catalog(folder)
    assert len(catalogue) == 8
    rows = catalogue.compute().set_index("id")
    for (name, band), series_id in ids.items():
        row, posted = rows.loc[series_id], star(name, band)
        fields = services.reader.get(principal, series_id).fields
        for field in ("obj_id", "filter", "ra", "mean_flux", "robust_rms", "mjd_last", "num_exp", "content_hash"):
            assert row[field] == fields[field], field
        assert row["altdata"] == '{"note":"made up"}'
        assert pd.isna(row["channel"])
        curve, order = row["lightcurve"], np.argsort(posted["data"]["mjd"])
        for column in ("mjd", "flux", "fluxerr", "airmass"):
            np.testing.assert_array_equal(curve[column], np.array(posted["data"][column])[order])
        np.testing.assert_allclose(curve["mag"], 23.9 - 2.5 * np.log10(curve["flux"]), rtol=1e-12)
        assert curve["seeing"].isna().all()


def test_rows_by_source_contain_each_source(ids, exported, folder):
    assert exported(by_source=True).rows == len(STARS)
    assert is_valid_catalog(folder, strict=True)
    rows = lsdb.open_catalog(folder).compute().set_index("obj_id")
    for name, (ra, dec, _) in STARS.items():
        row = rows.loc[name]
        assert (row["ra"], row["dec"], row["num_series"], row["num_exp"]) == (ra, dec, 2, 2 * ROWS)
        assert row["filters"] == "ztfg ztfr"
        curve = row["lightcurve"]
        assert (np.diff(curve["mjd"]) >= 0).all()
        for band in FILTERS:
            of_band = curve[curve["filter"] == band]
            assert set(of_band["series_id"]) == {ids[name, band]}
            assert sorted(of_band["flux"]) == sorted(star(name, band)["data"]["flux"])


@pytest.mark.parametrize("by_source", [False, True])
def test_units_and_systems_stand_with_each_light_curve(services, principal, ids, exported, folder, by_source):
    flux = star("north", "ztfg")["data"]
    mags = {"mjd": flux["mjd"], "mag": [15.0, 16.0] * (ROWS // 2)}
    others = {
        "mJy": {"data": flux, "flux_unit": "mJy"},
        "counts": {"data": flux, "flux_unit": "electron/s"},
        "vega": {"data": mags, "magsys": "vega"},
    }
    made = {
        name: services.archive.create(principal, {**star("north", "ztfg"), "channel": name, **fields}).id
        for name, fields in others.items()
    }
    exported(by_source=by_source)
    rows = lsdb.open_catalog(folder).compute()
    order = np.argsort(flux["mjd"])
    curves, units = {}, {}
    for name, series_id in {"uJy": ids["north", "ztfg"], **made}.items():
        if by_source:
            everything = rows.set_index("obj_id").loc["north", "lightcurve"]
            curves[name] = everything[everything["series_id"] == series_id]
            units[name] = {(unit, magsys) for unit, magsys in curves[name][["flux_unit", "magsys"]].to_numpy()}
        else:
            row = rows.set_index("id").loc[series_id]
            curves[name], units[name] = row["lightcurve"], {(row["flux_unit"], row["magsys"])}
    density = "uJy" if by_source else "mJy"  # of the measurements, and as the field of the series says
    assert units == {
        "uJy": {("uJy", "ab")}, "mJy": {(density, "ab")}, "counts": {("electron/s", "ab")}, "vega": {("uJy", "vega")},
    }  # fmt: skip
    sorted_flux = np.array(flux["flux"])[order]
    np.testing.assert_allclose(curves["mJy"]["flux"], 1000 * sorted_flux, rtol=1e-12)
    np.testing.assert_array_equal(curves["counts"]["flux"], sorted_flux)
    np.testing.assert_array_equal(curves["vega"]["mag"], np.array(mags["mag"])[order])
    assert curves["counts"][["mag", "magerr"]].isna().all(axis=None)
    assert curves["vega"][["flux", "fluxerr"]].isna().all(axis=None)


def test_each_measurement_of_a_source_says_what_its_time_is(services, principal, ids, exported, folder):
    """Two series of one source differ in scale, place and alignment; of a third star nothing is known."""
    services.archive.update(
        principal, ids["north", "ztfg"],
        {"time_scale": "tdb", "time_refpos": "barycenter", "time_stamp_alignment": "start"},
    )  # fmt: skip
    services.archive.update(principal, ids["north", "ztfr"], {"time_scale": "utc"})
    exported(by_source=True)
    rows = lsdb.open_catalog(folder).compute().set_index("obj_id")
    expected = {
        ("north", "ztfg"): ("tdb", "barycenter", "start"),
        ("north", "ztfr"): ("utc", None, "middle"),
        ("south", "ztfg"): (None, None, "middle"),
    }
    for (name, band), about in expected.items():
        curve = rows.loc[name, "lightcurve"]
        told = curve[curve["filter"] == band][["time_scale", "time_refpos", "time_stamp_alignment"]]
        assert len(told) == ROWS
        assert {tuple(None if pd.isna(one) else one for one in row) for row in told.to_numpy()} == {about}


def test_lsdb_cone_search_and_crossmatch_work(ids, exported, folder):
    exported(max_weight=ROWS)
    catalogue = lsdb.open_catalog(folder)
    assert set(catalogue.cone_search(10.0, 41.0, 5).compute()["obj_id"]) == {"north"}
    assert set(catalogue.cone_search(10.0, 41.0, 60).compute()["obj_id"]) == {"north", "near north"}
    other = pd.DataFrame({"name": ["N", "P", "nowhere"], "ra": [10.0001, 0.0, 90.0], "dec": [41.0, 89.9001, 0.0]})
    matched = catalogue.crossmatch(
        lsdb.from_dataframe(other, ra_column="ra", dec_column="dec"), radius_arcsec=1, require_right_margin=False
    ).compute()
    found = sorted(zip(matched["obj_id_export"], matched["name_from_lsdb_dataframe"], strict=True))
    assert found == [("north", "N")] * 2 + [("pole", "P")] * 2


def test_dense_regions_have_small_pixels(ids, exported, folder):
    assert exported().partitions == 2
    done = exported(max_weight=ROWS)
    assert (done.partitions, done.removed, done.rows) == (len(STARS), 1, len(ids))
    info = pd.read_csv(folder / "partition_info.csv")
    assert info["Norder"].max() > 3
    assert is_valid_catalog(folder, strict=True)
    assert len(lsdb.open_catalog(folder).compute()) == len(ids)


def test_empty_archive_is_exported(services, exported, folder):
    assert exported().rows == 0
    assert len(lsdb.open_catalog(folder).compute()) == 0


@pytest.mark.parametrize("columns", [("flux",), ("x", "x")])
def test_existing_column_name_is_refused(columns):
    with pytest.raises(StartError, match=f"--column {columns[0]}"):
        Layout(columns=columns)
