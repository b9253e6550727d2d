"""What other people's tests use: a real service, fixtures, sample light curves."""

import os
import subprocess
import sys

import httpx
import numpy as np
import pytest

import photseries.testing
from photseries.errors import StartError, UnreachableError
from photseries.testing import SAMPLES, running
from tests.support import PATIENCE

pytestmark = pytest.mark.timeout(3 * PATIENCE)


@pytest.mark.slow
def test_the_fixtures_are_a_service_and_a_client(photseries_service, photseries_client):
    url, token = photseries_service
    assert (url, token) == (photseries_service.url, photseries_service.token)
    assert token not in repr(photseries_service)
    assert httpx.get(f"{url}/api/whoami", headers={"Authorization": f"token {token}"}).status_code == 200
    assert photseries_client.url == url
    assert "System admin" in photseries_client.whoami()["permissions"]


def test_samples_come_back_with_their_periods(photseries_client):
    uploaded = photseries.testing.upload_samples(photseries_client)
    found = photseries_client.find(series_name="samples", sort_by="id")
    assert list(found["id"]) == [one.id for one in uploaded]
    assert list(zip(found["obj_id"], found["filter"], found["num_exp"], strict=True)) == [
        (one.obj_id, one.filter, one.rows) for one in SAMPLES
    ]
    constant = photseries_client.get(uploaded[0].id)
    assert constant.data.equals(SAMPLES[0].data)
    assert np.std(SAMPLES[0].data["flux"]) / SAMPLES[0].flux == pytest.approx(0.01, rel=0.2)
    pulsating = SAMPLES[1]
    phase = 2 * np.pi * (pulsating.data["mjd"] - 60000) / pulsating.period
    amplitude = 2 * np.mean(pulsating.data["flux"] * np.sin(phase)) / pulsating.flux
    assert amplitude == pytest.approx(0.3, abs=0.05)
    transit = SAMPLES[3].data["flux"] / SAMPLES[3].flux
    assert np.mean(transit < 0.95) == pytest.approx(0.06, abs=0.02)


@pytest.mark.slow
def test_a_service_is_gone_with_its_folder_at_exit(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("PHOTSERIES_QUOTAS__SERIES", "7")  # settings from outside do not count
    with photseries.testing.service(quotas__series=3) as client:
        assert client.usage()["limits"]["series"] == 3
        (folder,) = tmp_path.iterdir()
        assert (folder / "data/admin-token").exists()
        url, token = client.url, (folder / "data/admin-token").read_text().strip()
    assert list(tmp_path.iterdir()) == []
    with photseries.Client(url, token, retries=0) as client, pytest.raises(UnreachableError):
        client.check()


def test_a_service_that_cannot_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        pytest.raises(StartError, match=r"did not start.*quotas\.series"),
        photseries.testing.service(quotas__series="many"),
    ):
        pass
    monkeypatch.setattr(running, "is_installed", lambda name: name != "tornado")
    with pytest.raises(StartError, match=r"photseries\[server\]"), photseries.testing.service():
        pass
    assert list(tmp_path.iterdir()) == []


def test_other_test_suites_do_not_pay_for_the_plugin():
    program = "import sys, photseries.pytest_plugin; sys.exit([n for n in ('numpy', 'httpx') if n in sys.modules] or 0)"
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ)
    assert outcome.returncode == 0, outcome.stderr
