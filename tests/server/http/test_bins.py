"""Bins, trends and clipped points through HTTP, in every format."""

import io
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from astropy.io import votable
from click.testing import CliRunner

from photseries.cli import main
from photseries.client import Client
from photseries.formats.registry import WRITERS
from photseries.lightcurve.select import select
from photseries.lightcurve.selection import Selection
from photseries.text import file_name
from tests.support import columns, recipe_read

PATH = "/api/photometric_series"
TABLE = columns(48)


@pytest.fixture(scope="module")
def path(admin, world):
    answer = admin.post(PATH, json=world.fields(series_name="bins", data=TABLE))
    return f"{PATH}/{answer.json()['data']['id']}"


@pytest.mark.parametrize(("text", "width"), [("0.25d", 0.25), ("6h", 0.25), ("360min", 0.25), ("night", "night")])
def test_bins_come_as_json(admin, path, text, width):
    found = admin.get(path, params={"bin": text}).json()["data"]
    right = select(pd.DataFrame(TABLE), Selection(bin=width), {})
    pd.testing.assert_frame_equal(pd.DataFrame(found["data"]), right, check_exact=True)
    assert found["data_rows"] == len(right) < 48


@pytest.mark.parametrize("name", WRITERS)
def test_bins_come_in_every_format(admin, path, name):
    answer = admin.get(f"{path}/data", params={"bin": "0.25d", "format": name})
    assert answer.status_code == 200
    if name == "hdf5":
        frame, _ = recipe_read(answer.content)
        assert list(frame) == ["mjd", "flux", "fluxerr", "fluxerr_scatter", "count"]
        assert len(frame) == 8
    if name == "votable":
        table = votable.parse_single_table(io.BytesIO(answer.content))
        assert {field.name: str(field.unit) for field in table.fields}["fluxerr_scatter"] == "uJy"


def test_a_picture_and_the_client_have_bins(admin, service, path):
    drawn = [admin.get(f"{path}/plot.png", params=asked).content for asked in ({}, {"bin": "night"})]
    assert drawn[0][:4] == drawn[1][:4] == b"\x89PNG"
    assert drawn[0] != drawn[1]
    with Client(service.url, service.token) as client:
        series = client.get(int(path.rsplit("/", 1)[1]), bin="6h", detrend="2d", clip=5)
        assert list(series.data)[-3:] == ["flux_trend", "flux_detrended", "clipped"]
        assert np.isfinite(series.data["flux_detrended"]).all()


@pytest.mark.parametrize("params", [{"bin": "0d"}, {"bin": "10"}, {"bin": "week"}, {"detrend": "night"}, {"clip": "0"}])
def test_invalid_bin_width_is_refused(admin, path, params):
    answer = admin.get(path, params=params)
    assert answer.status_code == 400
    assert set(answer.json()["data"]["fields"]) == set(params)


@pytest.fixture(scope="module")
def several(admin, world):
    """Series by id: of fluxes, of magnitudes at another longitude, of another unit, and one without any brightness."""
    east = world.make("instrument", name="far east", longitude=170.0)
    mags = {"mjd": TABLE["mjd"], "mag": np.linspace(15, 16, 48).tolist(), "magerr": [0.1] * 48}
    gaps = {"mjd": [59000.0, 59001.0], "mag": [None, None], "flux": [None, None]}
    bodies = [
        world.fields(series_name="several/flux", data=TABLE),
        world.fields(series_name="several/mag", data=mags, instrument_id=east, magsys="vega"),
        world.fields(series_name="several/mJy", data=TABLE, flux_unit="mJy"),
        world.fields(series_name="several/gaps", data=gaps),
    ]
    answers = [admin.post(PATH, json=body) for body in bodies]
    return [answer.json()["data"]["id"] for answer in answers if answer.status_code == 200]


ASKED = {"seriesName": "several/flux,several/mag,several/mJy,several/gaps", "bin": "night"}


@pytest.mark.parametrize("form", ["hdf5", "parquet"])
def test_long_tables_have_bins(admin, several, form):
    content = admin.get(f"{PATH}/export", params={**ASKED, "format": form}).content
    if form == "hdf5":
        with h5py.File(io.BytesIO(content)) as file:
            whole = pd.DataFrame(file["light_curves"][:])
    else:
        whole = pyarrow.parquet.read_table(io.BytesIO(content)).to_pandas()
    assert list(whole)[8:] == ["mjd", "flux", "fluxerr", "mag", "magerr", "fluxerr_scatter", "magerr_scatter", "count"]
    for number in several[:3]:
        rows = whole[whole["series_id"] == number]
        asked = {"bin": "night", "derive": "flux,fluxerr,mag,magerr" if number != several[1] else "mag,magerr"}
        right = pd.DataFrame(admin.get(f"{PATH}/{number}", params=asked).json()["data"]["data"])
        for name in right:
            np.testing.assert_allclose(rows[name].to_numpy(float), right[name].to_numpy(float), rtol=1e-12)
    assert set(whole["series_id"]) == set(several[:3])


def test_a_zip_has_files_of_bins(admin, service, several, tmp_path):
    content = admin.get(f"{PATH}/export", params={**ASKED, "format": "zip"}).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        frame, _ = recipe_read(archive.read(file_name(admin.get(f"{PATH}/{several[0]}").json()["data"], ".h5")))
    right = pd.DataFrame(admin.get(f"{PATH}/{several[0]}", params={"bin": "night"}).json()["data"]["data"])
    pd.testing.assert_frame_equal(frame, right)
    with Client(service.url, service.token) as client:
        table = pd.read_parquet(client.export(tmp_path / "bins.parquet", bin="night", series_name="several/flux"))
    assert list(table["count"]) == list(right["count"])
    words = ["download", str(tmp_path / "cli.parquet"), "--bin", "night", "--series-name", "several/flux"]
    outcome = CliRunner().invoke(main, words, env={"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token})
    assert outcome.exit_code == 0, outcome.output
    assert len(pd.read_parquet(tmp_path / "cli.parquet")) == len(right)


def test_bins_have_no_other_columns(admin, several):
    asked = {**ASKED, "format": "parquet", "columns": "mjd,count,fluxerr_scatter"}
    assert admin.get(f"{PATH}/export", params=asked).status_code == 200
    answer = admin.get(f"{PATH}/export", params={**asked, "columns": "sky"})
    assert (answer.status_code, list(answer.json()["data"]["fields"])) == (400, ["columns"])
    assert several
