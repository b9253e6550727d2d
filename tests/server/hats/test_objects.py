"""An archive in object storage, exported into object storage by workers who have nothing else of it."""

import lsdb
import numpy as np
import pytest
from distributed import LocalCluster
from s3fs import S3FileSystem
from upath import UPath

from photseries.errors import StartError, UnavailableError
from photseries.server.accounts import OPERATOR
from photseries.server.hats import Layout, Target, export
from tests.objects import ACCESS_KEY, SECRET_KEY
from tests.server.hats.conftest import ROWS, star

BUCKET = "stars"


@pytest.fixture(scope="module")
def bucket(object_server):
    assert object_server.make_bucket(BUCKET)


@pytest.fixture
def store_settings(object_server, bucket, tmp_path):
    """A separate archive for each test: a place in object storage belongs to one database."""
    return object_server.settings(f"{BUCKET}/{tmp_path.name}")


@pytest.fixture(autouse=True)
def usual_places(object_server, monkeypatch):
    """Credentials where every client of S3 looks for them, and no others."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_server.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def test_workers_read_and_write_object_storage(services, principal, ids):
    target, layout = Target(f"s3://{BUCKET}/export"), Layout()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        done = export(services, OPERATOR, target, layout, max_weight=ROWS, scheduler=cluster.scheduler_address)
        assert (done.rows, done.series) == (8, 8)
        services.archive.delete(principal, ids["pole", "ztfg"])
        again = export(services, OPERATOR, target, layout, max_weight=ROWS, scheduler=cluster.scheduler_address)
    assert (again.rows, again.written, again.removed) == (7, 1, 0)
    catalog = lsdb.open_catalog(UPath(target.url, anon=False))  # a plain name is one of a public bucket to it
    rows = catalog.compute().set_index("id")
    assert set(rows.index) == set(ids.values()) - {ids["pole", "ztfg"]}
    light_curve = rows.loc[ids["south", "ztfr"], "lightcurve"]
    sent = star("south", "ztfr")["data"]
    order = np.argsort(sent["mjd"])
    for name in ("mjd", "flux"):
        assert np.array_equal(light_curve[name], np.array(sent[name])[order])
    assert catalog.cone_search(ra=10, dec=41, radius_arcsec=60).compute().shape[0] == 4


def test_a_bucket_that_is_missing_and_credentials_that_are_wrong_are_named(services, ids, monkeypatch):
    with pytest.raises(UnavailableError, match="cannot use s3://nowhere/export"):
        export(services, OPERATOR, Target("s3://nowhere/export"), Layout())
    export(services, OPERATOR, Target(f"s3://{BUCKET}/theirs"), Layout())
    with pytest.raises(StartError, match="not empty and not an export"):
        export(services, OPERATOR, Target(f"s3://{BUCKET}"), Layout())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    S3FileSystem.clear_instance_cache()  # a client keeps the credentials that it found first
    with pytest.raises(UnavailableError, match="cannot use"):
        export(services, OPERATOR, Target(f"s3://{BUCKET}/refused"), Layout())
