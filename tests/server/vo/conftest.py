"""A service that lets the public read, with series near (10, -20): most for everybody, some for the crew alone."""

import gc
import warnings

import numpy as np
import pytest
import requests

from photseries.server.vo.results import FORMATS
from tests.forked import ForkedService
from tests.support import columns

PATH = "/api/photometric_series"
NUMBER = 40


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    settings = {"vo__upload_rows": 20_000, "vo__timeout": 6}
    with ForkedService(directory, database__url=database_url, access__anonymous_reads_public="true", **settings) as one:
        yield one


@pytest.fixture(scope="module")
def series(admin, world):
    """The series, as the admin sees them; every fifth one is the crew's."""
    places = np.random.default_rng(23).normal(0, 0.05, (NUMBER, 2))
    scales = ("utc", "tai", "tt", "tdb", None)
    found = []
    for number, (east, north) in enumerate(places.tolist()):
        body = world.fields(
            series_name=f"night {number}",
            series_obj_id=number,
            ra=10 + east,
            dec=-20 + north,
            filter=("ztfg", "ztfr", "tess", "sdssg")[number % 4],
            obj_id=("star", "other star")[number % 2],
            group_ids=world.crew if number % 5 == 0 else "all",
            data=columns(10 + number, seed=number),
        )
        body |= {} if scales[number % 5] is None else {"time_scale": scales[number % 5]}
        if number == 7:
            body |= {"flux_unit": "electron/s"}
        answer = admin.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
        found.append(admin.get(f"{PATH}/{answer.json()['data']['id']}", params={"dataFormat": "none"}).json()["data"])
    return found


@pytest.fixture(scope="module")
def public(series):
    """What everybody sees."""
    return [one for number, one in enumerate(series) if number % 5]


@pytest.fixture(scope="module")
def ask(service, series):
    """Ask TAP and get the answer."""

    def asked(query, token=None, files=None, **more):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        given = {"LANG": "ADQL", "QUERY": query, **{name.upper(): value for name, value in more.items()}}
        return requests.post(f"{service.url}/vo/tap/sync", data=given, files=files, headers=headers, timeout=120)

    return asked


@pytest.fixture(scope="module")
def rows(ask):
    """Ask TAP and get the rows."""

    def asked(query, token=None, **more):
        answer = ask(query, token, responseformat="json", **more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"] == FORMATS["json"].media_type
        return answer.json()["data"]

    return asked


@pytest.fixture
def pyvo_connections():
    """Close the answers that pyvo leaves open."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()
