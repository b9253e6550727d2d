"""Series in other units and systems, through HTTP: what is stored, returned, found, derived, drawn and exported."""

import base64
import io
import json
import math
import secrets

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from astropy import units as u
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse
from astropy.table import Table

from photseries.hdf5 import stored_file
from tests.support import columns, data, recipe_read

PATH = "/api/photometric_series"
FLUX = columns(30)
MAGNITUDES = {"mjd": FLUX["mjd"], "mag": (18 + np.sin(np.arange(30.0))).tolist(), "magerr": [0.05] * 30}
MAG_STATISTICS = ("mean_mag", "rms_mag", "robust_mag", "robust_rms", "mag_first", "mag_last", "mag_last_detected")
FLUX_STATISTICS = ("mean_flux", "rms_flux", "robust_flux", "robust_rms_flux")

#: What is stored, by name.
SERIES = {
    "uJy": {"data": FLUX},
    "mJy": {"data": FLUX, "flux_unit": "mJy"},
    "counts": {"data": FLUX, "flux_unit": "e-/s"},
    "relative": {"data": FLUX, "flux_unit": "relative"},
    "ab": {"data": MAGNITUDES},
    "vega": {"data": MAGNITUDES, "magsys": "vega", "limiting_mag": 20.0, "magref": 17.0, "e_magref": 0.1},
    "instrumental": {"data": MAGNITUDES, "magsys": "instrumental", "limiting_mag": 20.0, "magref": 17.0},
}


@pytest.fixture(scope="module")
def ids(admin, world):
    found = {}
    for name, body in SERIES.items():
        answer = admin.post(PATH, json=world.fields(series_name=f"calibration/{name}", **body))
        assert answer.status_code == 200, answer.text
        found[name] = answer.json()["data"]["id"]
    return found


@pytest.fixture
def fields(admin, ids):
    return {name: data(admin.get(f"{PATH}/{number}")) for name, number in ids.items()}


def test_fluxes_are_stored_as_given_and_statistics_say_their_unit(fields):
    flux = np.array(FLUX["flux"])
    for name in ("uJy", "mJy", "counts", "relative"):
        assert fields[name]["data"]["flux"] == FLUX["flux"]
        assert fields[name]["medians"]["flux"] == pytest.approx(np.median(flux))
    assert [fields[name]["flux_unit"] for name in ("uJy", "mJy", "counts", "relative")] == [
        "uJy", "mJy", "electron/s", "relative",
    ]  # fmt: skip
    assert fields["uJy"]["mean_flux"] == pytest.approx(flux.mean(), rel=1e-12)
    assert fields["mJy"]["mean_flux"] == pytest.approx(1000 * flux.mean(), rel=1e-12)
    assert fields["mJy"]["mean_mag"] == pytest.approx((flux * u.mJy).to_value(u.ABmag).mean(), abs=1e-9)
    for name in ("counts", "relative"):
        assert fields[name]["mean_flux"] == pytest.approx(flux.mean(), rel=1e-12)
        assert {fields[name][one] for one in MAG_STATISTICS} == {None}
    assert {fields[name]["median_snr"] for name in ("mJy", "counts", "relative")} == {fields["uJy"]["median_snr"]}


def test_magnitudes_that_are_not_ab_stay_as_given_without_fluxes(fields):
    mag = np.array(MAGNITUDES["mag"])
    for name in ("vega", "instrumental"):
        found = fields[name]
        assert found["magsys"] == name
        assert found["mean_mag"] == pytest.approx(mag.mean(), rel=1e-12)
        assert {found[one] for one in FLUX_STATISTICS} == {None}
        assert found["median_snr"] == pytest.approx(2.5 / math.log(10) / 0.05)
        assert (found["limiting_mag"], found["magref"], found["ref_flux"]) == (20.0, 17.0, None)
    assert fields["ab"]["mean_flux"] is not None


def names_of(admin, ids, **query):
    found = data(admin.get(PATH, params={"seriesName": ",".join(f"calibration/{one}" for one in ids), **query}))
    return {one["series_name"].split("/")[1] for one in found["series"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"fluxUnit": "mJy"}, {"mJy"}),
        ({"fluxUnit": "electron / s,relative"}, {"counts", "relative"}),
        ({"magsys": "ab"}, {"uJy", "mJy", "ab"}),
        ({"magsys": "vega,instrumental"}, {"vega", "instrumental"}),
        ({"magFainterThan": "-99"}, {"uJy", "mJy", "ab", "vega"}),
        ({"magBrighterThan": "99", "useRobustMagAndRMS": "true"}, {"uJy", "mJy", "ab", "vega"}),
        ({"limitingMagFainterThan": "19"}, {"vega"}),
        ({"magrefBrighterThan": "18"}, {"vega"}),
        ({"minRMS": "0.5"}, {"ab", "vega", "instrumental"}),
        ({"minMedianSNR": "20"}, {"uJy", "mJy", "counts", "relative", "ab", "vega", "instrumental"}),
    ],
)
def test_criteria_know_units_and_systems(admin, ids, query, expected):
    assert names_of(admin, ids, **query) == expected


def test_series_without_magnitudes_come_last_when_sorted(admin, ids):
    query = {"seriesName": ",".join(f"calibration/{one}" for one in ids), "sortBy": "mean_mag", "sortOrder": "desc"}
    found = [one["series_name"] for one in data(admin.get(PATH, params=query))["series"]]
    assert {name.split("/")[1] for name in found[-2:]} == {"counts", "relative"}


@pytest.mark.parametrize(("name", "query"), [("fluxUnit", "furlong"), ("magsys", "AB"), ("fluxUnit", "mag")])
def test_unknown_units_and_systems_are_bad_queries(admin, name, query):
    answer = admin.get(PATH, params={name: query})
    assert answer.status_code == 400
    assert set(answer.json()["data"]["fields"]) == {name}


@pytest.mark.parametrize(
    ("name", "derive"),
    [(name, one) for name in ("counts", "relative") for one in ("mag", "magerr", "magtot", "e_magtot")]
    + [(name, one) for name in ("vega", "instrumental") for one in ("flux", "fluxerr", "magtot", "e_magtot")],
)
def test_underivable_column_gives_400(admin, ids, name, derive):
    for url in (f"{PATH}/{ids[name]}", f"{PATH}/{ids[name]}.csv"):
        answer = admin.get(url, params={"derive": derive})
        assert answer.status_code == 400, url
        assert f"cannot be converted to {derive}" in answer.json()["message"]
        assert set(answer.json()["data"]["fields"]) == {"derive"}


def test_derived_fluxes_of_another_density_are_in_microjansky(admin, ids):
    url = f"{PATH}/{ids['mJy']}"
    found = data(admin.get(url, params={"derive": "flux,mag,snr"}))["data"]
    np.testing.assert_allclose(found["flux"], np.array(FLUX["flux"]) * 1000, rtol=1e-12)
    np.testing.assert_allclose(found["fluxerr"], 1000.0, rtol=1e-12)
    np.testing.assert_allclose(found["mag"], (FLUX["flux"] * u.mJy).to_value(u.ABmag), atol=1e-9)
    _, metadata = recipe_read(admin.get(f"{url}.h5", params={"derive": "flux"}).content)
    assert "flux_unit" not in metadata, "the fluxes of this file are in uJy"
    _, metadata = recipe_read(admin.get(f"{url}.h5").content)
    assert metadata["flux_unit"] == "mJy"


@pytest.mark.parametrize("part", ["periodogram", "folded?period=0.3", "plot.png"])
@pytest.mark.parametrize(("name", "brightness"), [("counts", "mag"), ("vega", "flux")])
def test_analysis_of_an_absent_brightness_gives_400(admin, ids, part, name, brightness):
    path, _, query = part.partition("?")
    given = dict(pair.split("=") for pair in query.split("&") if pair)
    answer = admin.get(f"{PATH}/{ids[name]}/{path}", params={**given, "brightness": brightness})
    assert answer.status_code == 400
    assert set(answer.json()["data"]["fields"]) == {"brightness"}
    assert admin.get(f"{PATH}/{ids[name]}/{path}", params=given).status_code == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uJy", ("flux", "uJy", None, "flux [µJy]")),
        ("mJy", ("flux", "uJy", None, "flux [µJy]")),
        ("counts", ("flux", "electron/s", None, "flux [electron/s]")),
        ("relative", ("flux", "relative", None, "relative flux")),
        ("ab", ("mag", "mag", "ab", "AB magnitude")),
        ("vega", ("mag", "mag", "vega", "Vega magnitude")),
        ("instrumental", ("mag", "mag", "instrumental", "instrumental magnitude")),
    ],
)
def test_analyses_say_what_their_values_are(admin, world, ids, name, expected):
    asked = {"periodogram": {}, "folded": {"period": 0.3}}
    for part, query in asked.items():
        found = data(admin.get(f"{PATH}/{ids[name]}/{part}", params=query))
        assert tuple(found[one] for one in ("brightness", "unit", "magsys", "label")) == expected
    preview = data(
        admin.post(
            PATH,
            json=world.fields(series_name="only looked at", **SERIES[name]),
            params={"dryRun": "true", "maxPoints": "100"},
        )
    )
    assert tuple(preview[one] for one in ("brightness", "unit", "magsys", "label")) == expected
    there = {one for one, values in preview["light_curve"].items() if set(values) != {None}}
    both = {"mjd", "mag", "magerr", "flux", "fluxerr"}
    assert there == {"mjd", *(both if name in ("uJy", "mJy", "ab") else {expected[0], f"{expected[0]}err"})}


BOTH = {**FLUX, "mag": MAGNITUDES["mag"]}


@pytest.mark.parametrize("fields", [{"flux_unit": "electron/s"}, {"magsys": "vega"}])
def test_two_brightnesses_that_do_not_convert_need_a_choice(admin, world, fields):
    body = world.fields(series_name=f"choice/{'-'.join(fields)}", data=BOTH, **fields)
    answer = admin.post(PATH, json=body)
    assert answer.status_code == 400
    assert "Set brightness to flux or mag" in answer.json()["message"]
    assert set(answer.json()["data"]["fields"]) == {"brightness"}
    chosen = admin.post(PATH, json={**body, "brightness": "mag"})
    found = data(admin.get(f"{PATH}/{data(chosen)['id']}"))
    assert found["mean_mag"] == pytest.approx(np.mean(BOTH["mag"]))
    assert found["mean_flux"] is None
    assert found["brightness"] == "mag"
    url = f"{PATH}/{found['id']}"
    assert data(admin.patch(url, json={"brightness": "flux"}))["id"] == found["id"]
    flux = data(admin.get(url))
    assert flux["mean_flux"] == pytest.approx(np.mean(FLUX["flux"]))
    assert flux["mean_mag"] is None
    assert (flux["revision"], flux["content_hash"]) == (2, found["content_hash"])
    assert admin.patch(url, json={"brightness": None}).status_code == 400
    more = {name: [values[0] + 100] for name, values in BOTH.items()}
    assert data(admin.post(f"{url}/append", json={"data": more}))
    assert data(admin.get(url))["mean_flux"] == pytest.approx(np.mean([*FLUX["flux"], *more["flux"]]))


def test_a_column_of_the_other_brightness_may_hold_anything(admin, world):
    table = {**MAGNITUDES, "flux": ["faint", None] * 15}
    body = world.fields(series_name="words", data=table, brightness="mag", magsys="vega")
    for query in ({"dryRun": "true", "maxPoints": "10"}, {}):
        found = data(admin.post(PATH, json=body, params=query))
    series = data(admin.get(f"{PATH}/{found['id']}"))
    assert series["data"]["flux"] == table["flux"]
    assert series["mean_mag"] == pytest.approx(np.mean(MAGNITUDES["mag"]))


def test_a_brightness_that_the_table_lacks_is_refused(admin, world):
    for data_, brightness in ((FLUX, "mag"), (MAGNITUDES, "flux")):
        answer = admin.post(PATH, json=world.fields(series_name="lack", data=data_, brightness=brightness))
        assert answer.status_code == 400
        assert 'must contain one of the columns "mag' in answer.json()["message"] or (
            'one of the columns "flux"' in answer.json()["message"]
        )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("flux_unit", "furlong", "'furlong' is not a known unit of flux"),
        ("flux_unit", "mag", "'mag' is not a known unit of flux"),
        ("magsys", "st", "Allowed values are: ab, vega, instrumental"),
        ("brightness", "counts", "Allowed values are: flux, mag"),
    ],
)
def test_invalid_calibration_fields_are_named(admin, world, field, value, message):
    answer = admin.post(PATH, json=world.fields(series_name="bad", data=FLUX, **{field: value}))
    assert answer.status_code == 400
    assert message in answer.json()["message"]
    assert list(answer.json()["data"]["fields"]) == [field]


def test_a_change_of_the_unit_computes_the_statistics_again(admin, world):
    url = f"{PATH}/{data(admin.post(PATH, json=world.fields(series_name='later', data=FLUX, magref=17)))['id']}"
    before = data(admin.get(url))
    assert before["ref_flux"] is not None
    data(admin.patch(url, json={"flux_unit": "adu/s"}))
    after = data(admin.get(url))
    assert (after["mean_mag"], after["ref_flux"], after["magref"]) == (None, None, 17)
    assert after["mean_flux"] == before["mean_flux"]
    data(admin.patch(url, json={"flux_unit": None}))
    again = data(admin.get(url))
    changing = ("revision", "modified", "filename", "hash")
    assert {name: again[name] for name in again if name not in changing} == {
        name: before[name] for name in before if name not in changing
    }


def test_calibration_in_altdata_becomes_the_field(admin, world):
    altdata = {"flux_calibrated": False, "flux_unit": "electron / s", "camera": 2}
    body = world.fields(series_name="older", data=FLUX, altdata=altdata)
    found = data(admin.get(f"{PATH}/{data(admin.post(PATH, json=body))['id']}"))
    assert (found["flux_unit"], found["altdata"], found["mean_mag"]) == ("electron/s", {"camera": 2}, None)
    content = admin.get(f"{PATH}/{found['id']}.h5").content
    frame, metadata = recipe_read(content)
    assert metadata["flux_unit"] == "electron/s"
    # The file of an older service has the unit in altdata.
    old = {name: value for name, value in metadata.items() if name not in ("flux_unit", "owner_id")}
    blob = stored_file.encode(frame, {**old, "altdata": altdata, "series_name": "older file"})
    posted = {"data": base64.b64encode(blob).decode()}
    again = data(admin.get(f"{PATH}/{data(admin.post(PATH, json=posted))['id']}"))
    assert (again["flux_unit"], again["altdata"], again["mean_mag"]) == ("electron/s", {"camera": 2}, None)


def read_back(admin, number, extension):
    answer = admin.get(f"{PATH}/{number}.{extension}")
    assert answer.status_code == 200, answer.text
    return answer.content


#: What formats say of a series: its column of brightness, the unit of that for astropy, the system of magnitudes, and
#: what stands in the metadata.
SAID = {
    "uJy": ("flux", "uJy", None, {}),
    "mJy": ("flux", "mJy", None, {"flux_unit": "mJy"}),
    "counts": ("flux", "electron / s", None, {"flux_unit": "electron/s"}),
    "relative": ("flux", "", None, {"flux_unit": "relative"}),
    "ab": ("mag", "mag", "AB", {}),
    "vega": ("mag", "mag", "Vega", {"magsys": "vega"}),
    "instrumental": ("mag", "mag", "instrumental", {"magsys": "instrumental"}),
}


def unit_of(text):
    return str(u.Unit(str(text or "")))


def of_interest(metadata):
    return {name: metadata[name] for name in ("flux_unit", "magsys", "brightness") if name in metadata}


@pytest.mark.parametrize("name", SAID)
def test_hdf5_and_fits_and_ecsv_say_unit_and_system(admin, ids, name):
    column, unit, system, kept = SAID[name]
    _, metadata = recipe_read(read_back(admin, ids[name], "h5"))
    assert of_interest(metadata) == kept
    with astropy_fits.open(io.BytesIO(read_back(admin, ids[name], "fits"))) as hdus:
        header = hdus[1].header
        assert unit_of(hdus[1].columns[column].unit) == unit
    assert header.get("MAGSYS") == system
    assert of_interest(json.loads(header["PHOTSER"])) == kept
    ecsv = Table.read(read_back(admin, ids[name], "ecsv").decode(), format="ascii.ecsv")
    assert unit_of(ecsv[column].unit) == unit
    assert of_interest(ecsv.meta) == kept


@pytest.mark.parametrize("name", SAID)
def test_a_votable_says_unit_and_system(admin, ids, name):
    column, unit, _, kept = SAID[name]
    table = parse(io.BytesIO(read_back(admin, ids[name], "vot")), verify="exception").get_first_table()
    assert unit_of({field.name: field for field in table.fields}[column].unit) == unit
    assert of_interest({param.name: param.value for param in table.params}) == kept
    calibrations = [
        {entry.utype: entry.value for entry in group.entries if hasattr(entry, "value")} for group in table.groups
    ]
    systems = [one["photDM:PhotCal.magnitudeSystem.type"] for one in calibrations]
    assert systems == {"uJy": ["AB"], "mJy": ["AB"], "ab": ["AB"], "vega": ["Vega"]}.get(name, [])
    has_zero_point = ["photDM:PhotCal.zeroPoint.flux.value" in one for one in calibrations]
    assert has_zero_point == [one == "AB" for one in systems]


@pytest.mark.parametrize("name", SAID)
def test_parquet_and_arrow_say_unit_and_system(admin, ids, name):
    column, unit, system, kept = SAID[name]
    parquet = pyarrow.parquet.read_table(io.BytesIO(read_back(admin, ids[name], "parquet")))
    arrow = pyarrow.ipc.open_stream(read_back(admin, ids[name], "arrows")).read_all()
    for table in (parquet, arrow):
        about = {key.decode(): value.decode() for key, value in table.schema.field(column).metadata.items()}
        assert unit_of(about.get("unit")) == unit
        assert ("AB" in about["description"]) == (name in ("uJy", "ab"))
        assert system is None or about["description"] == f"{system} magnitude"
        assert of_interest(json.loads(table.schema.metadata[b"photseries"])) == kept


@pytest.mark.parametrize("form", ["parquet", "hdf5"])
def test_a_long_table_says_unit_and_system_of_each_row(admin, ids, tmp_path, form):
    wanted = {"seriesName": ",".join(f"calibration/{one}" for one in SERIES), "derive": "magtot", "format": form}
    answer = admin.get(f"{PATH}/export", params=wanted)
    assert answer.status_code == 200, answer.text
    if form == "parquet":
        table = pyarrow.parquet.read_table(io.BytesIO(answer.content)).to_pandas()
    else:
        (tmp_path / "long.h5").write_bytes(answer.content)
        table = pd.read_hdf(tmp_path / "long.h5", "light_curves")
    rows = {name: table[table["series_id"] == number] for name, number in ids.items()}
    assert {name: set(part["flux_unit"]) for name, part in rows.items()} == {
        "uJy": {"uJy"}, "mJy": {"uJy"}, "counts": {"electron/s"}, "relative": {"relative"}, "ab": {"uJy"},
        "vega": {"uJy"}, "instrumental": {"uJy"},
    }  # fmt: skip
    assert {name: set(part["magsys"]) for name, part in rows.items() if len(part)} == {
        **{name: {"ab"} for name in SERIES}, "vega": {"vega"}, "instrumental": {"instrumental"},
    }  # fmt: skip
    np.testing.assert_allclose(rows["mJy"]["flux"], np.array(FLUX["flux"]) * 1000, rtol=1e-12)
    for name in ("counts", "relative"):
        assert rows[name]["flux"].tolist() == FLUX["flux"]
        assert rows[name][["mag", "magerr", "magtot"]].isna().all(axis=None)
    for name in ("vega", "instrumental"):
        assert rows[name]["mag"].tolist() == MAGNITUDES["mag"]
        assert rows[name][["flux", "fluxerr", "magtot"]].isna().all(axis=None)


def test_a_cone_search_says_unit_and_system(admin, ids):
    answer = admin.get("/vo/scs", params={"RA": 10, "DEC": -20, "SR": 0.1, "VERB": 3})
    found = parse(io.BytesIO(answer.content)).get_first_table().to_table()
    rows = {int(row["id"]): row for row in found}
    assert rows[ids["counts"]]["flux_unit"] == "electron/s"
    assert rows[ids["vega"]]["magsys"] == "vega"
    assert np.ma.is_masked(rows[ids["counts"]]["mean_mag"]) or np.isnan(rows[ids["counts"]]["mean_mag"])
    assert found["mean_mag"].unit == u.mag


def test_an_earlier_revision_says_its_unit(admin, ids):
    for name in ("uJy", "counts", "vega"):
        past = data(admin.get(f"{PATH}/{ids[name]}", params={"revision": 1, "dataFormat": "none"}))
        now = data(admin.get(f"{PATH}/{ids[name]}", params={"dataFormat": "none"}))
        assert (past["flux_unit"], past["magsys"]) == (now["flux_unit"], now["magsys"])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": {**FLUX, "zp": [25.0] * 30}}, "that in the column 'zp' is 25 and was not applied"),
        ({"data": {**FLUX, "zp": [25.0] * 30}, "flux_unit": "uJy"}, None),
        ({"data": MAGNITUDES, "filter": "besselli"}, "The magnitudes in besselli are taken as AB"),
        ({"data": MAGNITUDES, "filter": "besselli", "magsys": "ab"}, None),
        ({"data": MAGNITUDES, "filter": "besselli", "magsys": "vega"}, None),
    ],
)
def test_answers_warn_of_a_unit_that_nobody_stated(admin, world, changed, words):
    body = world.fields(series_name="calibration/doubts", **changed)
    warnings = data(admin.post(PATH, params={"dryRun": "true"}, json=body))["warnings"]
    own = [warning for warning in warnings if "already stored" not in warning]
    assert len(own) == (words is not None)
    assert words is None or words in own[0]


@pytest.fixture
def in_millijansky(admin, world):
    fields = world.fields(series_name=f"calibration/{secrets.token_hex(4)}", flux_unit="mJy", data=FLUX)
    return data(admin.post(PATH, json=fields))["id"]


def file_in_microjansky(world, **metadata):
    """A file as the service writes it: it omits flux_unit and magsys, which have their defaults."""
    table = pd.DataFrame({**FLUX, "mjd": np.array(FLUX["mjd"]) + 100, "flux": 1000 * np.array(FLUX["flux"])})
    own = {name: value for name, value in world.fields().items() if name not in ("group_ids", "stream_ids", "data")}
    return stored_file.encode(table, {**own, "owner_id": 1, **metadata})


def test_a_file_of_the_service_in_the_default_unit_replaces_one_in_another(admin, world, in_millijansky):
    query = {"series_name": f"calibration/replaced {in_millijansky}"}
    content = file_in_microjansky(world)
    answer = admin.patch(
        f"{PATH}/{in_millijansky}", content=content, params=query, headers={"Content-Type": "application/x-hdf5"}
    )
    data(answer)
    found = data(admin.get(f"{PATH}/{in_millijansky}"))
    assert found["flux_unit"] == "uJy"
    assert found["mean_flux"] == pytest.approx(1000 * np.mean(FLUX["flux"]), rel=1e-12)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({}, "flux_unit"),
        ({"flux_unit": "mJy", "time_scale": "tdb"}, "time_scale"),
        ({"flux_unit": "mJy", "filter": "atlaso"}, "filter"),
        ({"flux_unit": "mJy"}, None),
        ({"flux_unit": " mJy"}, None),  # another spelling
    ],
)
def test_rows_of_another_unit_or_scale_are_not_appended(admin, world, in_millijansky, metadata, field):
    answer = admin.post(
        f"{PATH}/{in_millijansky}/append",
        content=file_in_microjansky(world, **metadata),
        headers={"Content-Type": "application/x-hdf5"},
    )
    assert answer.status_code == (200 if field is None else 400), answer.text
    if field is not None:
        assert answer.json()["data"]["fields"].keys() == {field}
        remedy = "set that of the series first" if field == "time_scale" else "convert the rows"
        assert remedy in answer.json()["message"]
