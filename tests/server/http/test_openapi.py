"""The document of the interface: complete, valid, true; and what a machine that reads it can break (nothing)."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from openapi_spec_validator import OpenAPIV31SpecValidator

from photseries.errors import PhotseriesError
from photseries.server.http.openapi.bodies import noun
from photseries.server.http.openapi.document import path_of
from photseries.server.http.server import API, ROUTES
from photseries.server.principal import ADMIN

BINARIES = Path(sys.executable).parent
VERBS = ("POST", "PUT", "GET", "PATCH", "DELETE")

# A fuzzer that removes its own user, or its token, learns nothing from then on.
SPARED = ("delete_users_id", "delete_tokens_id", "patch_users_id", "post_photometric_series_bulk")


@pytest.fixture(scope="module")
def document(admin):
    return admin.get("/api/openapi.json").json()


def resolved(document, value):
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def closed(schema):
    """The same schema, which allows no member that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {name: closed(one) for name, one in schema.items()}
    return {"additionalProperties": False, **inside} if isinstance(schema.get("properties"), dict) else inside


def problem(document, schema, value):
    """What a schema of the document finds wrong with a value, if anything."""
    checked = Draft202012Validator({**schema, "components": document["components"]})
    error = best_match(checked.iter_errors(value))
    return None if error is None else [error.json_path, error.message, *(inner.message for inner in error.context)]


def operations(document):
    return {(verb.upper(), path): one for path, verbs in document["paths"].items() for verb, one in verbs.items()}


def test_document_is_valid(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_document_lists_routes_with_parameters_and_answers(document):
    routes = set()
    for path, handler, _ in cast("list[Any]", API):
        for verb in handler.needs:
            assert hasattr(getattr(handler, verb.lower()), "contract"), f"{verb} {path}"
            routes.add((verb, path_of(path).template))
    assert set(operations(document)) == routes
    assert not {path for path, *_ in ROUTES if path.startswith("/api/")} - {path for path, *_ in API}


def test_every_operation_is_described(document):
    known = operations(document)
    assert len({one["operationId"] for one in known.values()}) == len(known)
    for one in known.values():
        assert one["summary"].endswith(".")
        assert one["responses"].keys() >= {"200", "400", "500"}
        for parameter in (resolved(document, parameter) for parameter in one["parameters"]):
            assert parameter["description"] if parameter["in"] != "path" else "example" in parameter
        for media, body in one.get("requestBody", {}).get("content", {}).items():
            assert media != "application/json" or "example" in resolved(document, body["schema"])


def test_document_contains_every_error(document):
    kinds = [PhotseriesError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    sent = {kind.code for kind in kinds if kind.__module__.startswith("photseries.")}
    examples = {code for one in document["components"]["responses"].values() for code in _examples(one)}
    # Never sent, and what Tornado refuses before there is an operation.
    assert examples == sent - {"altered", "start", "unreachable", "http"}


def _examples(response):
    return response["content"]["application/json"]["examples"]


def test_every_example_is_valid(document):
    components = document["components"]
    for name, schema in components["schemas"].items():
        if "example" in schema:
            assert problem(document, schema, schema["example"]) is None, name
    for name, response in components["responses"].items():
        for example in _examples(response).values():
            schema = response["content"]["application/json"]["schema"]
            assert problem(document, schema, example["value"]) is None, name
    for (verb, path), one in operations(document).items():
        for parameter in (resolved(document, parameter) for parameter in one["parameters"]):
            if "example" in parameter:
                assert problem(document, parameter["schema"], parameter["example"]) is None, (verb, path, parameter)


def test_the_pattern_of_names_suits_all_readers_of_json_schema(document):
    name = document["components"]["schemas"]["NewGroup"]["properties"]["name"]
    for text, is_valid in (("V838 Mon", True), ("\u05d0\u05d1", True), ("two\nlines", False), ("end\n", False)):
        assert (problem(document, name, text) is None) is is_valid
    assert "\\Z" not in name["pattern"], "an anchor in Python, the letter in JavaScript"


class Caller:
    """Sends the examples of the document, and holds every answer against it."""

    def __init__(self, document, client):
        self.document, self.client = document, client
        components = document["components"]
        schemas = {name: one if name == "Error" else closed(one) for name, one in components["schemas"].items()}
        self.strict = {"components": {**components, "schemas": schemas}}
        self.ids = {}
        self.fields = components["schemas"]["NewSeries"]["example"]

    def send(self, verb, path, body=None, params=(), **more):
        one = self.document["paths"][path][verb.lower()]
        known = [resolved(self.document, parameter) for parameter in one["parameters"]]
        query = {known["name"]: written(known) for known in known if known["in"] == "query" and "example" in known}
        media = one.get("requestBody", {}).get("content", {})
        if body is None and "application/json" in media:
            body = resolved(self.document, media["application/json"]["schema"])["example"]
        elif media and "application/json" not in media:
            kind, about = next(iter(media.items()))
            more = {"content": about.get("example", "").encode(), "headers": {"Content-Type": kind}, **more}
            if "example" in about:
                query |= {name: str(value) for name, value in self.fields.items() if not isinstance(value, dict)}
        values = {parameter["name"]: parameter["example"] for parameter in known if parameter["in"] == "path"}
        if kind_of(path) in self.ids:
            values["id"] = self.ids[kind_of(path)]
        url = re.sub(r"{(\w+)}", lambda name: quote(str(values[name[1]])), path)
        answer = self.client.request(
            verb, url, params={**query, **dict(params)}, **({"json": body} if body is not None else {}), **more
        )
        self.check(one, answer)
        return answer

    def check(self, one, answer):
        assert str(answer.status_code) in one["responses"], answer.text
        response = resolved(self.document, one["responses"][str(answer.status_code)])
        for name, header in response.get("headers", {}).items():
            assert name in answer.headers or not header.get("required"), name
        if answer.status_code == 304:
            return
        media = answer.headers["Content-Type"].split(";")[0]
        assert media in response["content"], answer.text
        if schema := response["content"][media].get("schema"):
            enveloped = answer.status_code < 300 and "status" in schema.get("properties", {})
            value = answer.json() if media == "application/json" else answer.text
            assert problem(self.strict, closed(schema) if enveloped else schema, value) is None


def written(parameter):
    """The example of a query parameter as a client writes it."""
    example = parameter["example"]
    return ",".join(map(str, example)) if parameter.get("explode") is False else example


def kind_of(path):
    return path.split("/")[2] if path.startswith("/api/") else path


def in_order(operation):
    """What others refer to is created before them and deleted after them; what is to be found is not changed before."""
    verb, path = operation
    rank = {"users": 0, "sources": 0, "photometric_series": 2}.get(kind_of(path), 1)
    place = VERBS.index("PATCH" if path.endswith("/append") else verb)
    if verb == "DELETE":  # what belongs to a series before the series
        return place, -rank, -path.count("/"), path
    return place, rank, 0, path


@pytest.fixture(scope="module")
def caller(document, admin):
    return Caller(document, admin)


def test_every_example_works_and_is_answered_as_documented(document, caller):
    for verb, path in sorted(operations(document), key=in_order):
        if path.endswith("/bulk"):  # whose bodies are not JSON: see test_bulk.py
            continue
        answer = caller.send(verb, path, params={"dryRun": "true"} if path.endswith("/file") else ())
        assert answer.status_code == 200, (verb, path, answer.text)
        is_json = answer.headers["Content-Type"].startswith("application/json")
        if verb == "POST" and is_json and "id" in answer.json()["data"]:
            caller.ids.setdefault(kind_of(path), answer.json()["data"]["id"])
        if verb == "GET" and path.endswith("/photometric_series"):
            (found,) = answer.json()["data"]["series"]
            example = document["components"]["schemas"]["Series"]["example"]
            same = ("obj_id", "group_ids", "mean_mag", "robust_rms_flux", "frame_rate", "stds", "content_hash", "hash")
            assert {name: found[name] for name in same} == {name: example[name] for name in same}


def test_other_answers_are_as_documented(document, admin, caller):
    """Where the examples lead to one answer and there are others."""
    caller.ids.clear()
    for kind in ("sources", "instrument", "streams", "followup_request", "assignment"):
        example = document["components"]["schemas"][f"New{noun(kind)}"]["example"]
        assert caller.send("POST", f"/api/{kind}", {"id": 1, **example}).status_code == 200
    new = "/api/photometric_series"
    assert caller.send("POST", new, params={"dryRun": "true"}).json()["data"]["exists"] is None
    one, file = f"{new}/{{id}}", f"{new}/{{id}}/data"
    number = caller.ids["photometric_series"] = caller.send("POST", new).json()["data"]["id"]
    assert caller.send("POST", new).status_code == 409
    repeated = {**document["components"]["schemas"]["NewSeries"]["example"], "channel": "2"}
    assert caller.send("POST", new, repeated).json()["data"]["warnings"]
    assert caller.send("POST", new, {}).status_code == 400
    assert caller.send("POST", "/api/sources", {"id": "other", "ra": 1, "dec": 1, "group_ids": []}).status_code == 200
    whole = {"columns": "mjd,flux", "mjdMin": "0", "derive": "mag"}
    for data_format in ("json", "hdf5", "none"):
        for path in (new, one):
            assert caller.send("GET", path, params={"dataFormat": data_format}).status_code == 200
    tag = caller.send("GET", one, params=whole).headers["ETag"]
    assert caller.send("GET", one, headers={"If-None-Match": tag}).status_code == 304
    assert caller.send("GET", file, headers={"Range": "bytes=0-9"}).status_code == 206
    assert caller.send("GET", file, headers={"Range": "bytes=99999999-"}).status_code == 416
    assert caller.send("PATCH", one, headers={"If-Match": f'"{number}.9.none"'}).status_code == 412
    assert caller.send("PATCH", one).status_code == 200
    assert caller.send("GET", one, params={"revision": "1"}).json()["data"]["revision"] == 1
    assert caller.send("GET", one, params={"revision": "9"}).status_code == 404
    assert caller.send("POST", one + "/append", {"data": "AAAA"}).status_code == 400
    assert caller.send("POST", one + "/append", headers={"Content-Type": "image/png"}).status_code == 415
    assert caller.send("DELETE", "/api/sources/{id}").status_code == 409
    etag = admin.get("/api/openapi.json").headers["ETag"]
    assert caller.send("GET", "/api/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def test_without_a_token_and_without_permission(document, service, admin):
    user = admin.post("/api/users", json={"username": "reader"}).json()["data"]["id"]
    token = admin.post("/api/tokens", json={"user_id": user}).json()["data"]["token"]
    with httpx.Client(base_url=service.url) as nobody, service.client(token) as reader:
        for client in (nobody, reader):  # as through a proxy: a client on the same machine may read the metrics
            client.headers["X-Forwarded-For"] = "192.0.2.1"
        for (verb, path), one in operations(document).items():
            if one["security"]:
                assert Caller(document, nobody).send(verb, path).status_code == 401
            if "permission" in one["description"]:
                assert Caller(document, reader).send(verb, path).status_code == 403


def test_document_is_generated_on_first_request():
    heavy = ("apispec", "photseries.server.http.openapi.document", "photseries.server.http.openapi.page")
    program = (
        f"import sys, photseries.server.http.server; sys.exit([name for name in {heavy} if name in sys.modules] or 0)"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


def test_the_page_shows_every_operation_and_loads_nothing(document, admin):
    answer = admin.get("/docs/http")
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    anchors = re.findall(r'\bid="([^"]+)"', answer.text)
    assert len(set(anchors)) == len(anchors)
    assert {one["operationId"] for one in operations(document).values()} <= set(anchors)
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= set(anchors)
    assert set(re.findall(r'href="([^#"][^"]*)"', answer.text)) == {"/api/openapi.json"}
    assert not re.search(r"\b(src|@import|url\()", answer.text)
    levels = [int(level) for level in re.findall(r"<h([1-6])", answer.text)]
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_odd_requests_have_the_one_error_body(service, admin):
    many = "&".join(f"a{number}=1" for number in range(2000))
    for path, status, words in (
        (f"/api/photometric_series?{many}", 400, "fields"),
        ("/api/sources/%FF", 404, "source"),
        ("/api/sources/%00", 404, "source"),
        ("/api/photometric_series?filter=%00", 400, "filter"),
        ("/api/photometric_series?%C3%A4=1", 400, '"\u00e4"'),
    ):
        answer = admin.get(path)
        assert (answer.status_code, answer.json()["status"]) == (status, "error")
        assert words in answer.json()["message"]
    for verb in ("PUT", "TRACE"):
        answer = admin.request(verb, "/api/photometric_series")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, HEAD, OPTIONS")
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["data"]["code"] == "invalid"


#: Examples and a few random requests of every operation; every boundary of what changes the registries.
#: `make interface` tries every boundary of every operation.
PHASES = {
    "random": "--phases examples,fuzzing --max-examples 4",
    "boundaries": "--phases coverage --include-method POST --include-method PATCH "
    "--exclude-path-regex photometric_series",
    "everything": "--phases examples,coverage,fuzzing --max-examples 50",
}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
)


ALL = os.environ.get("INTERFACE") == "all"


@pytest.mark.slow
@pytest.mark.timeout(3600 if ALL else 300)
@pytest.mark.parametrize("phases", ["everything"] if ALL else ["random", "boundaries"])
def test_machine_test_of_the_document_finds_no_fault(admin, service, tmp_path, phases):
    """No 5xx, no undocumented status, media type or header, no answer against its schema."""
    # An id that no machine thinks of, so that it does not remove its own user.
    number = 1_234_567 * (1 + list(PHASES).index(phases))
    assert admin.post("/api/users", json={"username": phases, "id": number}).status_code == 200
    token = admin.post("/api/tokens", json={"user_id": number, "permissions": [ADMIN]}).json()["data"]["token"]
    command = [
        str(BINARIES / "schemathesis"),
        "run",
        f"{service.url}/api/openapi.json",
        "--no-color",
        *PHASES[phases].split(),
    ]
    command += ["--header", f"Authorization: token {token}", "--checks", ",".join(CHECKS)]
    command += ["--generation-deterministic", "--continue-on-failure", "--no-shrink"]
    command += [word for name in SPARED for word in ("--exclude-operation-id", name)]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout[-10_000:]
    assert "Authentication failed" not in outcome.stdout
    assert int(re.search(r"(\d+) generated, \1 passed", outcome.stdout)[1]) > 150
