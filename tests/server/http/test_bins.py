"""Bins, trends and clipped points through HTTP, in every format."""

import io

import numpy as np
import pandas as pd
import pytest
from astropy.io import votable

from photseries.client import Client
from photseries.formats.registry import WRITERS
from photseries.lightcurve.cutting import cut
from photseries.lightcurve.part import Part
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
    right = cut(pd.DataFrame(TABLE), Part(bin=width), {})
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
def test_what_is_no_width_is_refused(admin, path, params):
    answer = admin.get(path, params=params)
    assert answer.status_code == 400
    assert set(answer.json()["data"]["fields"]) == set(params)
