"""Every error has one body, its status and its words; nothing is stored, nothing leaks."""

import base64
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
import pytest

from tests.support import columns, recipe_base64

NAN = float("nan")

# What is changed in a good body (None: taken out), the status, and what the message must hold.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no data": ({"data": None}, "Must supply data"),
    "empty columns": ({"data": {"mjd": [], "flux": []}}, "Must supply a non-empty DataFrame."),
    "no columns": ({"data": {}}, "Must supply a non-empty DataFrame."),
    "no time": ({"data": {"flux": [1.0]}}, "Input to photometric series must contain"),
    "no brightness": ({"data": {"mjd": [1.0]}}, "Input to photometric series must contain"),
    "ragged": ({"data": {"mjd": [1.0, 2.0], "flux": [1.0]}}, "flux"),
    "mixed": ({"data": {"mjd": [1.0, "x"], "flux": [1.0, 2.0]}}, "'mjd' contains numbers and text; row 2 is the first"),
    "numbers as text": (
        {"data": {"mjd": ["1.5", "2.5"], "flux": [1.0, 2.0]}},
        "must contain numbers. Row 1 has '1.5'.",
    ),
    "nested": ({"data": {"mjd": [1.0], "flux": [1.0], "x": [[1]]}}, "x"),
    "scalar column": ({"data": {"mjd": 1.0, "flux": [1.0]}}, "mjd"),
    "integer beyond 64 bits": ({"data": {"mjd": [1.0], "flux": [1.0], "big": [2**70]}}, "64 bits"),
    "no finite time": ({"data": {"mjd": [None, None], "flux": [1.0, 2.0]}}, "mjd"),
    "no finite brightness": ({"data": {"mjd": [1.0, 2.0], "flux": [None, None]}}, "flux"),
    "data of another type": ({"data": 5}, "data must be"),
    "data as rows": ({"data": [[1, 2]]}, "data must be"),
    "not base64": ({"data": "&&&"}, "base64"),
    "not HDF5": ({"data": base64.b64encode(b"hello").decode()}, "HDF5"),
    "no obj_id": ({"obj_id": None}, "Must supply an obj_id"),
    "no instrument_id": ({"instrument_id": None}, "Must supply an instrument_id"),
    "unknown obj_id": ({"obj_id": "nobody"}, "Invalid obj_id: nobody"),
    "unknown instrument": ({"instrument_id": 99}, "Invalid instrument_id: 99"),
    "instrument beyond 32 bits": ({"instrument_id": 2**40}, "Invalid instrument_id"),
    "peer 27 instrument in words": ({"instrument_id": "abc"}, "Could not cast instrument_id to the correct type"),
    "instrument true": ({"instrument_id": True}, "Could not cast instrument_id to the correct type"),
    "unknown followup": ({"followup_request_id": 99}, "Invalid followup_request_id: 99"),
    "unknown assignment": ({"assignment_id": 99}, "Invalid assignment_id: 99"),
    "all missing": (
        dict.fromkeys(("series_name", "series_obj_id", "ra", "dec", "exp_time", "filter")),
        "The following keys are missing: ['series_name', 'series_obj_id', 'ra', 'dec', 'exp_time', 'filter']",
    ),
    "peer 21 ra": ({"ra": 1000}, "ra"),
    "ra 360": ({"ra": 360}, "ra"),
    "peer 21 dec": ({"dec": 500}, "dec"),
    "peer 21 exp_time": ({"exp_time": -5}, "exp_time"),
    "peer 21 exp_time nan": ({"exp_time": "nan"}, "exp_time"),
    "exp_time zero": ({"exp_time": 0}, "exp_time"),
    "ra in words": ({"ra": "north"}, "Could not cast ra to the correct type"),
    "filter": (
        {"filter": "sdss_r"},
        "is not allowed. Allowed filters are: sdssr, sdssz, sdssu, sdssi, sdssg, ... (GET /api/enum_types)",
    ),
    "alignment": ({"time_stamp_alignment": "noon"}, "Allowed values are: start, middle, end"),
    "time scale": ({"time_scale": "ut1"}, "Allowed values are: utc, tai, tt, tdb"),
    "unknown key": ({"colour": "red"}, "Unknown keys in metadata: ['colour']"),
    "owner in the body": ({"owner_id": 1}, "Unknown keys in metadata: ['owner_id']"),
    "stream_ids": ({"stream_ids": "all"}, "Invalid stream_ids parameter value"),
    "group_ids": ({"group_ids": {"a": 1}}, "Invalid group_ids parameter value"),
    "unknown group": ({"group_ids": [9999]}, "Invalid group ID: 9999"),
    "group beyond 64 bits": ({"group_ids": [2**63]}, "group"),
    "unknown stream": ({"stream_ids": [9999]}, "No stream with ID 9999"),
    "peer 27 e_magref alone": ({"e_magref": 0.1}, "magref"),
    "ref_fluxerr alone": ({"ref_fluxerr": 0.1}, "ref_flux"),
    "peer 6 leading slash": ({"series_name": "/etc/passwd"}, "series_name"),
    "peer 6 dots": ({"series_name": "a/../../b"}, "series_name"),
    "peer 6 channel": ({"channel": "../x"}, "channel"),
    "peer 6 origin": ({"origin": "../x"}, "origin"),
    "empty segment": ({"series_name": "a//b"}, "series_name"),
    "trailing newline": ({"series_name": "a\n"}, "series_name"),
    "NUL": ({"series_name": "a\0b"}, "series_name"),
    "NUL in obj_id": ({"obj_id": "a\0b"}, "obj_id"),
    "NUL in altdata": ({"altdata": {"a": "\0"}}, "altdata"),
    "NUL in a column": ({"data": {"mjd": [1.0], "flux": [1.0], "note": ["a\0"]}}, "note"),
    "altdata is a list": ({"altdata": [1]}, "Could not cast altdata to the correct type"),
    "altdata is too long": ({"altdata": {"a": "x" * 70_000}}, "altdata"),
    "long name": ({"series_name": "x" * 201}, "series_name"),
    "slash in series_obj_id": ({"series_obj_id": "a/b"}, "series_obj_id"),
}


def snapshot(admin, directory):
    total = admin.get("/api/photometric_series").json()["data"]["totalMatches"]
    return total, sorted(path for path in (directory / "store").rglob("[!.]*") if path.is_file())


def check_error(answer, status, code=None):
    """The one error body."""
    assert answer.status_code == status, answer.text
    body = json.loads(answer.content, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert set(body) == {"status", "message", "data", "version"}
    assert body["status"] == "error"
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body["data"]["code"], str)
    assert isinstance(body["data"]["fields"], dict)
    assert code in (None, body["data"]["code"])
    for trace in ("Traceback", "sqlalchemy", "psycopg2", "INSERT INTO", "/tmp", "site-packages", 'File "'):
        assert trace not in answer.text
    return body


@pytest.mark.parametrize("case", REFUSED)
def test_invalid_body_is_refused(admin, world, directory, case):
    change, words = REFUSED[case]
    good = world.fields(data=columns(), series_name="refused")
    body = {name: value for name, value in {**good, **change}.items() if value is not None}
    before = snapshot(admin, directory)
    answer = admin.post("/api/photometric_series", json=body)
    assert words in check_error(answer, 400)["message"]
    assert snapshot(admin, directory) == before


def test_answer_lists_all_problems(admin, world):
    body = world.fields(
        data={"flux": [1.0]}, obj_id="nobody", ra=1000, filter="mauve", group_ids=[9999], colour="red", exp_time=None
    )
    error = check_error(admin.post("/api/photometric_series", json=body), 400, "invalid")
    assert set(error["data"]["fields"]) >= {
        "data",
        "obj_id",
        "ra",
        "filter",
        "group_ids",
        "colour",
        "exp_time",
        "series_name",
    }
    for words in (
        "Invalid obj_id: nobody",
        "Allowed filters are:",
        "Invalid group ID: 9999",
        "Unknown keys in metadata",
    ):
        assert words in error["message"]


@pytest.mark.parametrize("data", [{"mjd": [1, 2], "flux": [1]}, 5, None])
def test_problems_of_the_data_and_of_the_rest_in_one_answer(admin, world, data):
    body = {"data": data, "obj_id": "nobody", "ra": 1000, "filter": "mauve", "group_ids": [9999], "colour": "red"}
    error = check_error(admin.post("/api/photometric_series", json=body), 400, "invalid")
    assert set(error["data"]["fields"]) == {"data", "obj_id", "ra", "filter", "group_ids", "colour"}
    assert "missing" not in error["message"], "what the data would have given is not known"


@pytest.mark.parametrize(
    "content", [b"", b"5", b"[]", b"null", b'"x"', b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5000]
)
@pytest.mark.parametrize(("verb", "path"), [("POST", ""), ("PATCH", "/1")])
def test_peer_26_a_body_that_is_no_json_object(admin, world, content, verb, path):
    if verb == "PATCH":
        body = world.fields(
            data=columns(), series_name=f"no object {content[:9]!r}".replace("'", "").replace("\\", ".")
        )
        body["series_name"] = f"n{abs(hash(content))}"
        path = f"/{admin.post('/api/photometric_series', json=body).json()['data']['id']}"
    check_error(admin.request(verb, f"/api/photometric_series{path}", content=content), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/photometric_series/123456", 404),
        ("GET", "/api/photometric_series/abc", 404),
        ("GET", "/api/photometric_series/-1", 404),
        ("GET", f"/api/photometric_series/{10**30}", 404),
        ("PATCH", "/api/photometric_series/123456", 404),
        ("DELETE", "/api/photometric_series/123456", 404),
        ("PUT", "/api/photometric_series", 405),
        ("DELETE", "/api/photometric_series", 405),
        ("GET", "/api/nothing", 404),
        ("POST", "/api/nothing", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api/sources/nobody", 404),
        ("GET", "/api/groups/99999999999999", 404),
        ("PATCH", "/api/sources/star", 405),
    ],
)
def test_peer_26_paths(admin, world, method, path, status):
    check_error(admin.request(method, path, json={} if method in ("POST", "PATCH", "PUT") else None), status)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"numPerPage": "abc"}, "numPerPage"),
        ({"numPerPage": "-1"}, "numPerPage"),
        ({"numPerPage": "0"}, "numPerPage"),
        ({"pageNumber": "1.5"}, "pageNumber"),
        ({"pageNumber": str(10**400)}, "pageNumber"),
        ({"sortBy": "to_dict"}, "sortBy"),
        ({"sortOrder": "up"}, "sortOrder"),
        ({"dataFormat": "X"}, 'Invalid dataFormat: "X"'),
        ({"instrumentID": "x"}, "instrumentID"),
        ({"instrumentID": ""}, "instrumentID"),
        ({"objectID": ""}, "objectID"),
        ({"objectID": "a\0"}, "objectID"),
        ({"objectID": "x" * 60_000}, "objectID"),
        ({"serieName": "x"}, "Did you mean seriesName?"),
        ({"garbage": "1"}, "Unknown parameter"),
    ],
)
def test_peer_26_query_arguments(admin, params, words):
    error = check_error(admin.get("/api/photometric_series", params=params), 400, "invalid")
    assert words in error["message"]
    assert set(error["data"]["fields"]) == set(params)


def test_answer_lists_the_first_of_many_problems(admin):
    body = {f"unknown{number}": 1 for number in range(20_000)}
    error = check_error(admin.post("/api/photometric_series/query", json=body), 400, "invalid")
    assert len(error["data"]["fields"]) == 21
    assert error["message"].endswith("Further parameters were not checked.")


def test_a_query_of_a_million_characters(service):
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    path = "/api/photometric_series?objectID=" + "x" * 1_000_000
    connection.request("GET", path, headers={"Authorization": f"token {service.token}"})
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["data"]["code"]) == (431, "head_too_large")
    connection.close()


def test_data_format_of_a_single_series_is_checked(admin):
    error = check_error(admin.get("/api/photometric_series/1", params={"dataFormat": "X"}), 400)
    assert 'Invalid dataFormat: "X"' in error["message"]


@pytest.mark.parametrize("header", [None, "token", "Basic abc", "token \u00e9", "token " + "x" * 5000])
def test_invalid_token_gives_401(service, header):
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = httpx.get(f"{service.url}/api/photometric_series", headers=headers)
    check_error(answer, 401, "unauthorized")
    assert [part.split()[0] for part in answer.headers["WWW-Authenticate"].split(", ") if " realm=" in part] == [
        "Basic",
        "Bearer",
    ]


def test_other_media_types_give_415(admin):
    for path, name, value in (
        ("/api/photometric_series", "Content-Type", "image/png"),
        ("/api/photometric_series", "Content-Encoding", "br"),
        ("/api/photometric_series/query", "Content-Type", "application/x-hdf5"),
        ("/api/sources", "Content-Type", "multipart/form-data; boundary=x"),
        ("/api/sources", "Content-Encoding", "gzip"),
    ):
        answer = admin.post(path, content=b"{}", headers={name: value})
        check_error(answer, 415, "unsupported_media_type")


def test_files_of_other_formats_are_sent_to_their_address(admin):
    answer = admin.post("/api/photometric_series", content=b"mjd,flux\n", headers={"Content-Type": "text/csv"})
    error = check_error(answer, 415, "unsupported_media_type")
    assert error["message"].endswith("POST files of other formats to /api/photometric_series/file.")


def test_json_without_a_media_type_is_json(admin, world):
    content = json.dumps(world.fields(data=columns(), series_name="no media type")).encode()
    assert admin.post("/api/photometric_series", content=content).status_code == 200


def test_peer_9_null_means_not_given(admin, world):
    body = world.fields(data=columns(), series_name="nulls", channel=None, magref=None, altdata=None, group_ids=None)
    answer = admin.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text


def test_peer_7_a_pickle_in_an_attribute_runs_nothing(admin, world, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "marker"), "w"))

    frame = pd.DataFrame(columns())
    data = recipe_base64(frame, {"ra": Bomb()})
    (tmp_path / "marker").unlink(missing_ok=True)
    body = world.fields(data=data, series_name="bomb")
    check_error(admin.post("/api/photometric_series", json=body), 400, "unreadable_file")
    assert not (tmp_path / "marker").exists()


def test_no_answer_names_a_server_path(admin, world, directory):
    body = world.fields(data=columns(), series_name="paths")
    series = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    answer = admin.get(f"/api/photometric_series/{series}")
    assert str(directory) not in answer.text
    assert not answer.json()["data"]["filename"].startswith("/")
    stored = directory / "store" / answer.json()["data"]["filename"]
    content = stored.read_bytes()
    stored.unlink()
    error = check_error(admin.get(f"/api/photometric_series/{series}"), 500, "damaged")
    assert str(directory) not in error["message"]
    assert f"series {series} is missing" in error["message"]
    assert admin.get(f"/api/photometric_series/{series}", params={"dataFormat": "none"}).status_code == 200
    stored.write_bytes(content[:-1] + b"x")
    error = check_error(admin.get(f"/api/photometric_series/{series}"), 500, "damaged")
    assert f"series {series} in the store is damaged" in error["message"]


def test_peer_22_one_damaged_file_does_not_fail_a_list(admin, world, directory):
    for number in range(3):
        body = world.fields(data=columns(seed=number), series_name="damaged list", channel=str(number))
        assert admin.post("/api/photometric_series", json=body).status_code == 200
    params = {"seriesName": "damaged list", "sortBy": "id"}
    second = admin.get("/api/photometric_series", params=params).json()["data"]["series"][1]
    (directory / "store" / second["filename"]).unlink()
    for data_format in ("json", "hdf5"):
        data = admin.get("/api/photometric_series", params={**params, "dataFormat": data_format}).json()["data"]
        assert [one["data"] is None for one in data["series"]] == [False, True, False]
        assert "missing" in data["series"][1]["data_error"]
        assert data["totalMatches"] == 3
