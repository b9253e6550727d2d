"""The last release's client works with this service, and this client with the last release's service."""

import io
import os
import subprocess
import sys
import tarfile
from typing import Any

import numpy as np
import pytest

import photseries
from photseries.errors import InvalidError
from tests.support import PATIENCE, TOP, OldService, columns

#: The commit of release 0.2.0.
RELEASE = "4e43054"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * PATIENCE)]

#: What a pipeline and an astronomer of the last release do.
PROGRAM = """
import sys, photseries
from photseries.errors import DuplicateError, InvalidError, NotFoundError

assert photseries.__file__.startswith(sys.argv[1]), photseries.__file__
with photseries.Client() as client:
    fields = dict(obj_id="star", instrument_id=7, series_obj_id="1", ra=10.0, dec=-20.0, exp_time=30.0, filter="ztfg")
    table = {"mjd": [60000.0, 60000.5], "flux": [100.0, 110.0], "fluxerr": [1.0, 1.0]}
    made = client.upload(table, series_name="old", **fields)
    assert made.status == "created"
    assert client.upload(table, series_name="old", if_exists="skip", **fields).status == "skipped"
    try:
        client.upload(table, series_name="old", **fields)
    except DuplicateError as error:
        assert error.details["id"] == made.id
    try:
        client.upload(table, series_name="bad", **{**fields, "filter": "nonsense"})
    except InvalidError as error:
        assert "is not allowed. Allowed filters are:" in str(error)
    assert list(client.find(series_name="old", min_median_snr=10)["id"]) == [made.id]
    series = client.get(made.id)
    assert series.data["flux"].tolist() == [100.0, 110.0]
    client.save(made.id, "old.h5")
    client.export("old.zip", series_name="old")
    client.update(made.id, origin="old client", if_match=series.metadata["revision"])
    assert client.get(made.id).metadata["origin"] == "old client"
    assert len(client.history(made.id)) == 2
    client.delete(made.id)
    try:
        client.get(made.id)
    except NotFoundError:
        print("done")
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The tree of the last release, from the history of the repository."""
    archive = subprocess.run(["git", "archive", RELEASE, "photseries", "migrations"], cwd=TOP, capture_output=True)
    if archive.returncode:
        pytest.skip("this checkout lacks the history of the last release")
    folder = tmp_path_factory.mktemp("release")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def make_references(client):
    client.create("sources", id="star", ra=10.0, dec=-20.0)
    client.create("instrument", id=7, name="TESS")


def test_the_last_client_works_with_this_service(release, service, admin, tmp_path):
    with photseries.Client(service.url, service.token) as client:
        make_references(client)
    environment = {
        **os.environ,
        "PYTHONPATH": str(release),
        "PHOTSERIES_URL": service.url,
        "PHOTSERIES_TOKEN": service.token,
    }
    command = [sys.executable, "-c", PROGRAM, str(release)]
    outcome = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (outcome.returncode, outcome.stdout) == (0, "done\n"), outcome.stderr
    assert (tmp_path / "old.h5").read_bytes()[:4] == b"\x89HDF"


def test_this_client_works_with_the_last_service(release, tmp_path):
    with OldService(release, tmp_path / "data") as service, photseries.Client(service.url, service.token) as client:
        make_references(client)
        fields: dict[str, Any] = {"obj_id": "star", "instrument_id": 7, "series_obj_id": "1", "ra": 10.0, "dec": -20.0}
        made = client.upload(columns(20), series_name="new", exp_time=30.0, filter="ztfg", **fields)
        series = client[made.id]
        assert np.array_equal(series["flux"], columns(20)["flux"])
        assert (series.obj_id, len(series)) == ("star", 20)
        assert list(client.find(position=(10.0, -20.0), radius=0.1, object_id="star")["id"]) == [made.id]
        assert client.save(made.id, tmp_path).exists()
        client.update(made.id, origin="new client")
        client.delete(made.id)
        with pytest.raises(InvalidError, match="objID"):  # a criterion that the last release does not have
            client.find(obj_id="star")
