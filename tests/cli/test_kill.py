"""The service dies in the middle of an upload of many files; the same command again completes it."""

import json
import subprocess
import sys

import pandas as pd
import pytest

from tests.forked import ForkedService
from tests.support import PATIENCE, columns

pytestmark = pytest.mark.slow

FILES = 150
BEFORE_THE_KILL = 20


def command(folder, service):
    words = ["upload", "night", "--from-name", "{series_obj_id}.csv", "--obj-id", "star", "--instrument-id", "1"]
    words += ["--series-name", "night", "--ra", "1", "--dec", "1", "--exp-time", "1", "--filter", "ztfg", "--jobs", "4"]
    environment = {"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token, "HOME": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "photseries", *words, "--retries", "1", "--json"],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_killed_upload_stores_each_series_once(tmp_path, archive_url):
    (tmp_path / "night").mkdir()
    for number in range(FILES):
        pd.DataFrame(columns(seed=number)).to_csv(tmp_path / "night" / f"{number}.csv", index=False)
    with ForkedService(tmp_path / "data", database__url=archive_url) as service:
        with service.client() as admin:
            admin.post("/api/sources", json={"id": "star", "ra": 1, "dec": 1}).raise_for_status()
            admin.post("/api/instrument", json={"id": 1, "name": "camera"}).raise_for_status()
        upload = command(tmp_path, service)
        first = [json.loads(upload.stdout.readline()) for _ in range(BEFORE_THE_KILL)]
        service.kill()
        rest, report = upload.communicate(timeout=PATIENCE)
        first += [json.loads(line) for line in rest.splitlines()]
        assert upload.returncode == 2, report
        assert f"of {FILES} files are done. Repeat the command to continue." in report.splitlines()[-1]
        assert {line["status"] for line in first} == {"created"}
        assert BEFORE_THE_KILL <= len(first) < FILES
    with ForkedService(tmp_path / "data", database__url=archive_url) as service:
        upload = command(tmp_path, service)
        lines, report = upload.communicate(timeout=PATIENCE)
        assert upload.returncode == 0, report
        second = [json.loads(line) for line in lines.splitlines()]
        with service.client() as admin:
            found = admin.get("/api/photometric_series", params={"numPerPage": 500}).json()["data"]["series"]
    assert {line["status"] for line in second} == {"created", "skipped"}
    assert len(second) == len(found) == FILES
    assert {line["id"] for line in second} == {series["id"] for series in found}
    assert {series["series_obj_id"] for series in found} == {str(number) for number in range(FILES)}
    skipped = {line["id"] for line in second if line["status"] == "skipped"}
    assert {line["id"] for line in first} <= skipped
