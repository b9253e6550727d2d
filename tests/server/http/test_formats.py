"""A series as a file: by parameter, by extension, by what the request accepts; documents that run as written."""

import io
import re
import sys

import numpy as np
import orjson
import pandas as pd
import pytest
from astropy.io.votable import parse
from astropy.time import Time

from photseries.formats import WRITERS
from tests.server.http.test_errors import check_error
from tests.support import TESS, columns
from tests.test_docs import TOP, blocks, run

PATH = "/api/photometric_series"


@pytest.fixture(scope="module")
def series(admin, world):
    """The TESS file, as series 1."""
    params = {
        "obj_id": world.source, "instrument_id": world.instrument, "time_scale": "tdb", "time_refpos": "barycenter",
    }  # fmt: skip
    answer = admin.post(PATH, params=params, content=TESS.read_bytes(), headers={"Content-Type": "application/x-hdf5"})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


@pytest.mark.parametrize("form", WRITERS.values(), ids=lambda form: form.name)
def test_format_is_selected_by_suffix_parameter_or_accept(admin, series, form):
    answer = admin.get(f"{PATH}/{series}/data", params={"format": form.name})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == form.media_type
    assert answer.headers["Content-Disposition"].endswith(f"_{series}.{form.extension}")
    assert re.fullmatch(rf'"{series}\.1\.{form.extension}\.[0-9a-f]{{8}}(\+zstd)?"', answer.headers["ETag"])
    by_extension = admin.get(f"{PATH}/{series}.{form.extension}")
    assert by_extension.content == answer.content
    assert by_extension.headers["Vary"].removesuffix(", Accept-Encoding") == "Authorization, Cookie"
    by_type = admin.get(f"{PATH}/{series}/data", headers={"Accept": f"text/html, {form.media_type}, */*;q=0.1"})
    assert by_type.content == answer.content
    assert answer.headers["Vary"] == by_type.headers["Vary"]
    assert answer.headers["Vary"].removesuffix(", Accept-Encoding") == "Authorization, Cookie, Accept"
    again = admin.get(f"{PATH}/{series}.{form.extension}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    ranged = admin.get(f"{PATH}/{series}.{form.extension}", headers={"Range": "bytes=2-5"})
    assert (ranged.status_code, ranged.content) == (206, answer.content[2:6])


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/x-hdf5"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/x-hdf5"),
        ("text/*", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0.2, application/json;q=0.9, */*;q=0", "application/json"),
        ("application/*;q=0.5, application/x-hdf5;q=0.1, text/x-ecsv;q=0.4", "application/json"),
        ("", "application/x-hdf5"),
    ],
)
def test_accept_header_selects_the_format(admin, series, accept, kind):
    assert admin.get(f"{PATH}/{series}/data", headers={"Accept": accept}).headers["Content-Type"] == kind


def test_unacceptable_types_give_406(admin, series):
    for accept in ("image/png", "*/*;q=0", "text/csv;q=much"):
        refused = check_error(admin.get(f"{PATH}/{series}/data", headers={"Accept": accept}), 406, "not_acceptable")
        assert "text/csv" in refused["message"]


def test_etag_depends_on_the_format(admin, series):
    tag = admin.get(f"{PATH}/{series}.h5").headers["ETag"]
    headers = {"If-None-Match": tag, "Accept": "text/csv"}
    assert admin.get(f"{PATH}/{series}/data", headers=headers).status_code == 200


def test_a_part_in_any_format(admin, series):
    part = {"columns": "mjd,flux", "maxPoints": 100, "derive": "mag"}
    found = pd.read_csv(io.BytesIO(admin.get(f"{PATH}/{series}.csv", params=part).content))
    assert list(found.columns) == ["mjd", "flux", "mag"]
    assert len(found) <= 100
    as_json = admin.get(f"{PATH}/{series}", params=part).json()["data"]["data"]
    assert np.allclose(found["mag"], np.array(as_json["mag"], float), equal_nan=True)


def test_unknown_format_is_refused(admin, series):
    assert "one of hdf5, json" in check_error(admin.get(f"{PATH}/{series}/data?format=xlsx"), 400)["message"]
    check_error(admin.get(f"{PATH}/{series}.xlsx"), 404)
    check_error(admin.get(f"{PATH}/999999.csv"), 404)
    check_error(admin.get(f"{PATH}/x.csv"), 404)
    check_error(admin.get(f"{PATH}/{series}.csv?format=csv"), 400)
    check_error(admin.get(f"{PATH}/{series}.csv", headers={"Authorization": ""}), 401)


def test_a_download_of_json_can_be_posted(admin, series, world):
    body = orjson.loads(admin.get(f"{PATH}/{series}.json").content)
    assert body.pop("owner_id") == 1
    answer = admin.post(PATH, json={**body, "origin": "posted again"})
    assert answer.status_code == 200, answer.text
    again = admin.get(f"{PATH}/{answer.json()['data']['id']}?dataFormat=json").json()["data"]
    assert again["data"] == body["data"]


def test_astropy_opens_the_light_curve_with_its_times(admin, series):
    table = parse(io.BytesIO(admin.get(f"{PATH}/{series}.vot").content)).get_first_table()
    (system,) = parse(io.BytesIO(admin.get(f"{PATH}/{series}.vot").content)).resources[0].time_systems
    times = Time(table.to_table()["mjd"], format="mjd", scale=system.timescale.lower())
    assert (times.scale, system.refposition) == ("tdb", "BARYCENTER")


@pytest.mark.parametrize(("alignment", "shift"), [("start", 0.5), ("middle", 0.0), ("end", -0.5)])
def test_the_middle_of_an_exposure(admin, world, alignment, shift):
    data = {**columns(4), "exptime": [60.0, 120.0, 120.0, None]}
    body = world.fields(series_name=f"at the {alignment}", data=data, exp_time=300.0, time_stamp_alignment=alignment)
    series = admin.post(PATH, json=body).json()["data"]["id"]
    found = admin.get(f"{PATH}/{series}", params={"derive": "mjd_mid"}).json()["data"]["data"]
    exposures = np.array([60.0, 120.0, 120.0, 300.0])
    assert np.allclose(found["mjd_mid"], np.array(data["mjd"]) + shift * exposures / 86400, rtol=0, atol=1e-9)


def test_the_page_runs_as_written(service, series):
    environment = {"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}
    program = "".join(blocks("docs/formats.md", "python"))
    printed = run([sys.executable, "-W", "error", "-c", program], (TOP, environment)).splitlines()
    assert printed[0] == "tdb uJy"
    assert printed[1].startswith("tess::red ")
