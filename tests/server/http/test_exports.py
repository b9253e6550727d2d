"""Many series in one file: read back by readers that are not ours, equal to what each series is by itself."""

import http.client
import io
import json
import re
import socket
import time
import zipfile
from urllib.parse import urlsplit

import h5py
import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from photseries.formats import EXPORTS
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, TESS, columns, macho, recipe_write

PATH = "/api/photometric_series"
URL = f"{PATH}/export"
NAMES = ["series_id", "obj_id", "instrument_id", "filter", "time_scale", "time_refpos", "flux_unit", "magsys"]
LIGHT_CURVE = ["mjd", "flux", "fluxerr", "mag", "magerr"]


def from_hdf5(content):
    """What h5py has of it, as a frame."""
    with h5py.File(io.BytesIO(content)) as file:
        frame = pd.DataFrame(file["light_curves"][:])
        units = json.loads(file["light_curves"].attrs["units"])
    texts = [str(name) for name in frame if isinstance(frame[name].dtype, np.dtype) and frame[name].dtype.kind == "O"]
    return frame.assign(**{name: frame[name].map(bytes.decode).replace("", None) for name in texts}), units


def from_parquet(content):
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    units = {field.name: (field.metadata or {}).get(b"unit", b"").decode() or None for field in table.schema}
    return pd.DataFrame({name: table[name].to_pylist() for name in table.column_names}), units


READERS = {"hdf5": from_hdf5, "parquet": from_parquet}

#: The series of the fixture ``stored``, and those of ``many``.
STORED, MANY = {"maxNumExposures": 59_999}, {"minNumExposures": 60_000}


@pytest.fixture(scope="module")
def stored(admin, world):
    """Series by id, with their owner's name: a long one, short ones, in flux and in magnitudes, of two people."""
    mags = macho("R")
    bodies = {
        "anna": world.fields(
            series_name="flux", data={**columns(20), "sky": list(range(20)), "odd": [1] * 20}, time_scale="tdb"
        ),
        "ben": world.fields(series_name="mags", data={**mags, "sky": [0.5] * len(mags["mjd"])}, filter="bessellr"),
        "anna too": world.fields(
            obj_id=world.other_source, series_name="counts", data={**columns(5), "sky": [1.0] * 5},
            flux_unit="electron/s",
        ),
    }  # fmt: skip
    found = {}
    for name, body in bodies.items():
        headers = {"Authorization": f"token {world.tokens[name.split()[0]]}"}
        answer = admin.post(PATH, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        found[name] = answer.json()["data"]["id"]
    found["tess"] = uploaded(admin, world, "a file")
    assert admin.patch(f"{PATH}/{found['tess']}", json={"group_ids": [world.crew]}).status_code == 200
    return found


def one_by_one(admin, ids, more=()):
    """The long table as it follows from the answers about each series."""
    parts = []
    for number in ids:
        derive = [*LIGHT_CURVE[1:], *more]
        fields = admin.get(f"{PATH}/{number}").json()["data"]
        absent = {} if fields["mean_mag"] is not None else {"mag": [np.nan], "magerr": [np.nan]}
        asked = {"derive": ",".join(name for name in derive if name not in absent)}
        fields = {"series_id": number, **admin.get(f"{PATH}/{number}", params=asked).json()["data"]}
        fields["data"] |= {name: values * fields["num_exp"] for name, values in absent.items()}
        data = {name: np.array(values, float) for name, values in fields["data"].items() if name != "filter"}
        parts.append(pd.DataFrame(data).assign(**{name: fields[name] for name in NAMES}))
    return pd.concat(parts, ignore_index=True)


def assert_equal(found, expected, names):
    assert list(found) == names
    for name in names:
        if name in ("series_id", "instrument_id"):
            assert found[name].dtype == np.int64
        if name in NAMES:
            theirs, ours = ([None if pd.isna(one) else one for one in frame[name]] for frame in (found, expected))
            assert theirs == ours, name
        else:
            assert found[name].dtype == np.float64
            assert np.array_equal(found[name], expected[name], equal_nan=True), name


@pytest.mark.parametrize("form", READERS)
def test_a_long_table_is_what_each_series_is(admin, stored, form):
    answer = admin.get(URL, params={"format": form, **STORED})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == EXPORTS[form].media_type
    name = f"photometric_series.{EXPORTS[form].extension}"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    found, units = READERS[form](answer.content)
    ids = found["series_id"].drop_duplicates().tolist()
    assert sorted(ids) == sorted(stored.values())
    assert_equal(found, one_by_one(admin, ids), [*NAMES, *LIGHT_CURVE])
    assert {name: units[name] for name in LIGHT_CURVE} == {
        "mjd": "d", "flux": None, "fluxerr": None, "mag": "mag", "magerr": "mag",
    }  # fmt: skip
    assert set(found["flux_unit"]) == {"uJy", "electron/s"}
    assert set(found["time_scale"].dropna()) == {"tdb"}


def test_pandas_opens_the_long_table(admin, stored, tmp_path):
    path = tmp_path / "long.h5"
    path.write_bytes(admin.get(URL).content)
    found = pd.DataFrame(pd.read_hdf(path, "light_curves"))
    assert found["obj_id"].unique().tolist() == ["star", "other star"]
    assert found.equals(pd.DataFrame(pd.read_hdf(path, "light_curves", start=0, stop=len(found))))
    assert len(pd.read_hdf(path, "light_curves", start=len(found) - 7)) == 7


def test_additional_columns_are_exported(admin, stored):
    short = ",".join(["flux", "mags", "counts"])
    found, _ = from_hdf5(admin.get(URL, params={"columns": "sky,mjd", "derive": "snr", "seriesName": short}).content)
    expected = one_by_one(admin, found["series_id"].drop_duplicates(), ["snr"])
    assert_equal(found, expected, [*NAMES, "sky", "mjd", "snr"])
    found, _ = from_hdf5(admin.get(URL, params={"columns": "*", "seriesName": short}).content)
    assert list(found) == [*NAMES, *LIGHT_CURVE, "sky"]
    found, _ = from_hdf5(admin.get(URL, params={"columns": "*,obj_id", "seriesName": "flux"}).content)
    assert list(found) == [*NAMES, *LIGHT_CURVE, "sky", "odd"]
    found, _ = from_hdf5(admin.get(URL, params={"columns": "odd", "seriesName": short}).content)
    assert found.groupby("series_id")["odd"].count()[stored["ben"]] == 0
    refused = check_error(admin.get(URL, params={"columns": "colour"}), 400)
    assert "'colour'" in refused["message"]
    assert list(refused["data"]["fields"]) == ["columns"]


def test_a_zip_holds_the_files_as_they_are(admin, stored):
    answer = admin.get(URL, params={"format": "zip", **STORED})
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        *files, last = archive.namelist()
        assert len(files) == len(stored)
        for number in stored.values():
            single = admin.get(f"{PATH}/{number}/data")
            name = re.search(r'filename="(.*?)"', single.headers["Content-Disposition"])[1]
            assert archive.read(name) == single.content
        (tess,) = (name for name in files if name.endswith(f"_{stored['tess']}.h5"))
        with h5py.File(archive.open(tess)) as file:
            assert len(file["phot_series/table"]) == 18_699
        listed = [json.loads(line) for line in archive.read(last).splitlines()]
    assert last == "series.jsonl"
    found = admin.get(PATH, params={"sortBy": "id", "features": "true", **STORED}).json()["data"]["series"]
    assert [{**one, "data": None} for one in listed] == found
    refused = check_error(admin.get(URL, params={"format": "zip", "columns": "mjd"}), 400)
    assert list(refused["data"]["fields"]) == ["format"]


def seen(client, **params):
    found, _ = from_hdf5(client.get(URL, params={"columns": "mjd", **params}).content)
    return set(found["series_id"])


def test_export_contains_only_visible_series(service, world, stored):
    expected = {"anna": {"anna", "anna too", "tess"}, "ben": {"ben", "tess"}, "olga": set()}
    for name, theirs in expected.items():
        with service.client(world.tokens[name]) as client:
            assert seen(client) == {stored[one] for one in theirs}
            listed = zipfile.ZipFile(io.BytesIO(client.get(URL, params={"format": "zip"}).content)).namelist()
            assert len(listed) == len(theirs) + 1
            # A column of what is not visible is no column.
            theirs = client.get(URL, params={"columns": "odd"}).status_code
            assert theirs == (400 if name == "ben" else 200)
    with httpx.Client(base_url=service.url) as nobody:
        check_error(nobody.get(URL), 401)


def test_criteria_restrict(admin, world, stored):
    assert seen(admin, filter="bessellr") == {stored["ben"]}
    assert seen(admin, ra=10, dec=-20, radius=0.001, maxNumExposures=30) == {stored["anna"], stored["anna too"]}
    for params, name in (
        ({"minRMS": "x"}, "minRMS"),
        ({"filtre": "x"}, "filtre"),
        ({"numPerPage": 10}, "numPerPage"),
        ({"format": "csv"}, "format"),
        ({"derive": "colour"}, "derive"),
        ({"ra": 1}, "dec"),
    ):
        assert name in check_error(admin.get(URL, params=params), 400)["data"]["fields"]
    for verb in ("PATCH", "PUT", "DELETE"):
        assert admin.request(verb, URL).status_code == 405
        assert admin.request(verb, URL).headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_export_without_matches_has_no_rows(admin, stored, tmp_path):
    none = {"objectID": "nowhere"}
    for form, reader in READERS.items():
        content = admin.get(URL, params={**none, "format": form, "columns": "colour"}).content
        found, _ = reader(content)
        assert list(found) == [*NAMES, "colour"]
        assert len(found) == 0
    with zipfile.ZipFile(io.BytesIO(admin.get(URL, params={**none, "format": "zip"}).content)) as archive:
        assert archive.namelist() == ["series.jsonl"]
        assert archive.read("series.jsonl") == b""
    path = tmp_path / "none.h5"
    path.write_bytes(admin.get(URL, params=none).content)
    assert pd.read_hdf(path, "light_curves").empty


class SlowClient:
    """A client that requests an export and reads only its beginning until told to continue."""

    def __init__(self, service, token=None, **params):
        address = urlsplit(service.url)
        self.connection = http.client.HTTPConnection(address.hostname, address.port)
        self.connection.sock = socket.socket()
        self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.connection.sock.settimeout(PATIENCE)
        self.connection.sock.connect((address.hostname, address.port))
        headers = {"Authorization": f"token {token or service.token}"}
        self.connection.request("GET", f"{URL}?{httpx.QueryParams(params)}", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        self.begin = self.answer.read(100)

    def rest(self):
        """Read on to the end; IncompleteRead when that comes too early."""
        try:
            return self.begin + self.answer.read()
        finally:
            self.close()

    def close(self):
        self.answer.close()
        self.connection.close()


def uploaded(admin, world, name, content=None):
    params = {"obj_id": world.source, "instrument_id": world.instrument, "origin": name}
    content = TESS.read_bytes() if content is None else content
    answer = admin.post(PATH, params=params, content=content, headers={"Content-Type": "application/x-hdf5"})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def noise(seed):
    """A file of 1.4 MB that no format makes much shorter."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"mjd": 59000 + np.arange(60_000) / 1024, "flux": rng.normal(100, 3, 60_000)})
    fields = {"series_name": "noise", "series_obj_id": 1, "ra": 10.0, "dec": -20.0, "exp_time": 1.0, "filter": "ztfg"}
    return recipe_write(frame.assign(fluxerr=rng.uniform(2, 4, 60_000)), fields)


@pytest.fixture(scope="module")
def many(admin, world):
    """Several times what the buffers of a connection hold."""
    return [uploaded(admin, world, f"many {number}", noise(number)) for number in range(6)]


@pytest.fixture
def last(admin, world, directory, many):
    """The two that an export gives last, and the file of the very last."""
    ids = [uploaded(admin, world, f"last {number}", noise(9 + number)) for number in range(2)]
    yield ids, directory / "store" / admin.get(f"{PATH}/{ids[-1]}?dataFormat=none").json()["data"]["filename"]
    for number in ids:
        admin.delete(f"{PATH}/{number}")


#: As many formats as one user has places for heavy requests.
AT_ONCE = [name for name in EXPORTS if name != "ndjson"]


def test_missing_file_breaks_the_connection(service, admin, last):
    ids, file = last
    clients = {form: SlowClient(service, format=form, **MANY) for form in AT_ONCE}
    file.rename(file.with_suffix(".away"))
    for client in clients.values():
        with pytest.raises(http.client.IncompleteRead):
            client.rest()
    file.with_suffix(".away").rename(file)
    assert service.log.read_text().count(f"series {ids[-1]} is missing from the store") == len(AT_ONCE)
    assert "photseries_in_flight 1.0" in admin.get("/metrics").text


@pytest.mark.slow
def test_export_contains_series_as_at_its_start(service, admin, last):
    ids, _ = last
    before = {form: admin.get(URL, params={"format": form, **MANY}).content for form in AT_ONCE}
    clients = {form: SlowClient(service, format=form, **MANY) for form in AT_ONCE}
    assert admin.patch(f"{PATH}/{ids[-2]}", json={"data": columns(3)}).status_code == 200
    assert admin.delete(f"{PATH}/{ids[-1]}").status_code == 200
    for form, client in clients.items():
        assert client.rest() == before[form], form


@pytest.mark.slow
def test_series_removed_during_export_are_omitted(service, admin, last):
    ids, file = last
    clients = {form: SlowClient(service, format=form, **MANY) for form in AT_ONCE}
    metrics = admin.get("/metrics").text
    assert "photseries_in_flight 5.0" in metrics
    for idle in ("database_connections_in_use", "threads_waiting"):
        assert f"photseries_{idle} 0.0" in metrics, "a slow client holds neither"
    assert admin.delete(f"{PATH}/{ids[-1]}").status_code == 200
    file.unlink()
    with zipfile.ZipFile(io.BytesIO(clients["zip"].rest())) as archive:
        assert archive.testzip() is None
        assert not [name for name in archive.namelist() if name.endswith(f"_{ids[-1]}.h5")]
        assert len(archive.read("series.jsonl").splitlines()) == len(archive.namelist()) - 1
    found, _ = from_parquet(clients["parquet"].rest())
    assert found["series_id"].drop_duplicates().tolist()[-1] == ids[0]
    streamed = pyarrow.ipc.open_stream(clients["arrow"].rest()).read_all()
    assert streamed["series_id"].to_pylist() == found["series_id"].tolist()
    with pytest.raises(http.client.IncompleteRead):
        clients["hdf5"].rest()


def new_user(admin, world, name, permissions):
    """Make a user in a group of its own, and a token."""
    user = world.make("users", username=name)
    group = world.make("groups", name=f"group of {name}", user_ids=[user])
    made = admin.post("/api/tokens", json={"user_id": user, "permissions": permissions}).json()["data"]
    return user, group, made


@pytest.mark.parametrize("lost", ["token", "user", "membership"])
def test_lost_rights_end_an_export(service, admin, world, many, lost):
    """A slow reader would otherwise get what is stored or shared hours later."""
    permissions = [] if lost == "membership" else ["System admin"]
    user, group, token = new_user(admin, world, f"loses {lost}", permissions)
    if lost == "membership":
        for number in many:
            assert admin.patch(f"{PATH}/{number}", json={"group_ids": [group]}).status_code == 200
    clients = [SlowClient(service, token["token"], format=form, **MANY) for form in ("zip", "parquet")]
    time.sleep(1.5)
    match lost:
        case "token":
            answer = admin.delete(f"/api/tokens/{token['id']}")
        case "user":
            answer = admin.delete(f"/api/users/{user}")
        case "membership":
            answer = admin.patch(f"/api/groups/{group}", json={"remove_user_ids": [user]})
    assert answer.status_code == 200
    for client in clients:
        with pytest.raises(http.client.IncompleteRead):
            client.rest()


def test_gained_rights_do_not_end_an_export(service, admin, world, many):
    user, _, token = new_user(admin, world, "gains", ["System admin"])
    client = SlowClient(service, token["token"], format="zip", **MANY)
    assert admin.patch(f"/api/groups/{world.crew}", json={"add_user_ids": [user]}).status_code == 200
    time.sleep(1.5)
    with zipfile.ZipFile(io.BytesIO(client.rest())) as archive:
        assert archive.testzip() is None
    assert admin.patch(f"/api/groups/{world.crew}", json={"remove_user_ids": [user]}).status_code == 200


@pytest.fixture(scope="module")
def strict(directory, database_url, many):
    """A second service on the same archive: one export at a time, impatient, open to everybody."""
    settings = {"server__exports": 1, "server__body_timeout": 3.0, "access__anonymous_reads_public": "true"}
    with ForkedService(directory, database__url=database_url, **settings) as running:
        yield running


@pytest.mark.slow
def test_exports_are_limited_and_stalled_ones_end(strict):
    """The slot of a client that has gone, and of one that takes nothing, is free again."""
    with strict.client() as admin:
        for leaves in (True, False):
            client = SlowClient(strict, format="zip", **MANY)
            refused = check_error(admin.get(URL), 503, "unavailable")
            assert "Try again later" in refused["message"]
            check_error(admin.get(URL, params={"columns": "colour"}), 400)
            if leaves:
                client.close()
            deadline = time.monotonic() + PATIENCE
            while admin.get(URL, params={"objectID": "nowhere"}).status_code == 503:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        with pytest.raises(http.client.IncompleteRead):
            client.rest()


def test_slow_exports_of_one_user_leave_places_for_others(directory, database_url, many, world):
    """One user gets 3 of 6 places."""
    settings = {"server__exports": 6, "server__heavy_requests": 6}
    with (
        ForkedService(directory, database__url=database_url, **settings) as service,
        service.client() as admin,
        service.client(world.tokens["anna"]) as anna,
        service.client(world.tokens["ben"]) as ben,
    ):
        assert {client.get("/api/whoami").status_code for client in (admin, anna, ben)} == {200}
        slow = [SlowClient(service, format="zip", **MANY) for _ in range(3)]
        assert [admin.get(URL, params={"objectID": "nowhere"}).status_code for _ in range(2)] == [503, 503]
        assert [client.get(URL, params={"objectID": "nowhere"}).status_code for client in (anna, ben)] == [200, 200]
        for client in slow:
            client.close()


def test_visitors_export_public_series(strict, admin, world, stored):
    (everyone,) = [one["id"] for one in admin.get("/api/groups").json()["data"]["groups"] if "Sitewide" in one["name"]]
    path = f"{PATH}/{stored['anna']}"
    assert admin.patch(path, json={"group_ids": [everyone]}).status_code == 200
    with httpx.Client(base_url=strict.url) as nobody:
        assert seen(nobody) == {stored["anna"]}
    assert admin.patch(path, json={"group_ids": []}).status_code == 200
