"""The log: a line for each request, as text or as JSON, and slow statements without their values."""

import json

import pytest

from tests.forked import ForkedService
from tests.support import columns, until
from tests.world import World

PATH = "/api/photometric_series"


def requests(service):
    return [json.loads(line) for line in service.log.read_text().splitlines() if '"message":"request ' in line]


def logged(service, name):
    """The line of a request by its id; it comes after the answer."""
    until(lambda: any(line["id"] == name for line in requests(service)))
    return next(line for line in requests(service) if line["id"] == name)


@pytest.fixture(scope="module")
def service(tmp_path_factory, database_url):
    settings = {"log__format": "json", "database__slow_statement": 0.0}
    directory = tmp_path_factory.mktemp("logged") / "data"
    with ForkedService(directory, database__url=database_url, **settings) as running:
        yield running


def test_a_request_is_an_object_with_its_fields(service, admin, world):
    body = world.fields(series_name="logged", data=columns())
    created = admin.post(PATH, json=body)
    series = created.json()["data"]["id"]
    answer = admin.get(f"{PATH}/{series}?dataFormat=json&seecret=abc", headers={"X-Request-ID": "from-a-proxy.1"})
    assert answer.headers["X-Request-ID"] == "from-a-proxy.1"
    posted, line = (logged(service, name) for name in (created.headers["X-Request-ID"], "from-a-proxy.1"))
    assert posted["received"] == len(json.dumps(body, separators=(",", ":")).encode())
    assert line["level"] == "info"
    assert line["id"] == "from-a-proxy.1"
    assert (line["method"], line["path"], line["status"]) == ("GET", f"{PATH}/{series}", 400)
    assert (line["user"], line["client"]) == ("admin", "127.0.0.1")
    assert "dataFormat=json" in line["query"].replace("%3D", "=")
    assert "seecret" in line["query"]
    assert "abc" not in line["query"]
    assert line["sent"] == len(answer.content)
    assert line["token"] == service.token[:10]
    assert service.token[:11] not in "".join(map(str, requests(service)))
    assert line["seconds"] > 0


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "é"])
def test_an_id_that_is_not_well_formed_is_replaced(admin, given):
    answer = admin.get("/healthz", headers={"X-Request-ID": given.encode()})
    assert len(answer.headers["X-Request-ID"]) == 32


def test_a_token_that_is_not_valid_leaves_nothing(service):
    with service.client("not-a-token-of-anybody") as other:
        answer = other.get(PATH)
    assert answer.status_code == 401
    assert logged(service, answer.headers["X-Request-ID"])["token"] == "-"
    assert "not-a-toke" not in service.log.read_text()


def test_slow_statements_are_logged_without_values(service, admin):
    assert admin.get(PATH, params={"seriesName": "value-of-a-query"}).status_code == 200
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if "slow statement" in line]
    assert any("FROM photometric_series" in line["message"] for line in lines)
    assert all(line["level"] == "warning" for line in lines)
    assert not any("value-of-a-query" in line["message"] for line in lines)


def test_the_sql_of_a_slow_prepared_statement_is_logged_once(service, admin):
    for _ in range(2):
        assert admin.get(f"{PATH}/999999").status_code == 404
    messages = [json.loads(line)["message"] for line in service.log.read_text().splitlines()]
    executed = [number for number, line in enumerate(messages) if " s: EXECUTE series_by_id (" in line]
    assert len(executed) >= 2
    explained = "the statement of this name: SELECT photometric_series.id"
    (sql,) = (number for number, line in enumerate(messages) if line.startswith(explained))
    assert sql == executed[0] + 1
    assert "FROM photometric_series" in messages[sql]


def test_quick_statements_are_not_logged(tmp_path, archive_url):
    settings = {"database__url": archive_url, "database__slow_statement": 100.0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        World(admin)
    assert "request id=" in service.log.read_text()
    assert "slow statement" not in service.log.read_text()
