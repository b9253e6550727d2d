"""Whatever stands in a query: 400 that names the parameter or an answer, never 500, and one line in the log."""

import contextlib
import http.client
import json
import re
import time
from urllib.parse import quote, urlsplit

import pytest

from photseries.parameters import CONTROLS, CRITERIA
from photseries.parameters.value_types import TEXT, TEXTS
from tests.support import PATIENCE, columns

GARBAGE = {
    "letters": "garbage",
    "empty": "",
    "nan": "NaN",
    "infinite": "inf",
    "too large": f"1{'0' * 400}",
    "as a power": "1e400",
    "as long as may be": "x" * 60_000,
    "as many digits as may be": "9" * 60_000,
    "nul": "a\0b",
    "sql": "x' OR '1'='1'; DROP TABLE photometric_series; --",
    "quotes": "''\"\\\"\\'",
    "wildcards": "%s%(a)s{}%%",
    "not ascii": "ⅣА\u202e\u2028🔭",
    "escapes": "\x1b[2J\r\n\tlevel=ERROR forged",
}
TEXTS_TAKE = {
    "letters",
    "nan",
    "infinite",
    "too large",
    "as a power",
    "sql",
    "quotes",
    "wildcards",
    "not ascii",
    "escapes",
}


@pytest.fixture(scope="module")
def ask(service, world, admin):
    """Send a request as it is, to a service with one series."""
    answer = admin.post("/api/photometric_series", json=world.fields(data=columns(), series_name="one"))
    assert answer.status_code == 200
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)

    def send(query, path="/api/photometric_series", verb="GET", body=None):
        connection.request(verb, f"{path}?{query}", body, headers={"Authorization": f"token {service.token}"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    with contextlib.closing(connection):
        yield send


def logged(service, is_there):
    """Wait until the log is as it is to be, or for long enough; give it."""
    end = time.monotonic() + PATIENCE
    while not is_there(log := service.log.read_text()) and time.monotonic() < end:
        time.sleep(0.01)
    return log


@pytest.fixture
def one_line_each(service, admin):
    """Hold the log to one line for every request of a test, which the test counts."""
    # A line is written after its answer is sent: with that of this request all earlier ones are there.
    last = admin.get("/healthz").headers["X-Request-Id"]
    start, sent = len(logged(service, lambda log: last in log)), []
    yield sent
    lines = logged(service, lambda log: log.count("\n", start) >= len(sent))[start:].splitlines()
    assert len(lines) == len(sent)
    assert all(
        re.search(r"request id=\w{32} method=\w+ path=/api/\S+ query=\S+ status=(200|400) ", line) for line in lines
    )


@pytest.mark.parametrize("known", [*CRITERIA, *CONTROLS], ids=lambda known: known.name)
def test_random_arguments_give_400(ask, one_line_each, known):
    takes_texts = known.kind in (TEXT, TEXTS) and known.name != "cursor"
    for name, text in GARBAGE.items():
        status, answer = ask(f"{known.name}={quote(text)}")
        one_line_each.append(name)
        if takes_texts and name in TEXTS_TAKE:
            assert status == 200, (name, answer)
            assert answer["data"]["totalMatches"] == (known.name == "rejectedObjectIDs"), name
        else:
            assert (status, answer["data"]["code"]) == (400, "invalid"), name
            assert set(answer["data"]["fields"]) == {known.name}
            assert known.name in answer["message"]
            assert len(answer["message"]) < 1500


@pytest.mark.parametrize(
    "query",
    ["%", "%zz=%zz", "filter=%", "filter=%f", "filter=%FF%FE", "filter=%ED%A0%80", "objectID=%C0%80", "objectID=%00",
     "%00=1", "%FF=1", "=", "=1", "&", "&&;&", "filter", "filter=a=b", "filter[]=a", "filter=a&filter=b", "?", "#",
     "ra=%2", "filter=%ff,%00", "x" * 60_000,
     "&".join(f"a{number}=1" for number in range(900))],
    ids=lambda query: query[:20],
)  # fmt: skip
def test_broken_queries(ask, one_line_each, query):
    status, answer = ask(query)
    one_line_each.append(query)
    assert status in (200, 400)
    assert answer["status"] == {200: "success", 400: "error"}[status]
    status, answer = ask(query, path="/api/photometric_series/summary")
    one_line_each.append(query)
    assert status in (200, 400)


BODIES = [
    "", "[]", "1", "null", "{", '{"ra": NaN}', '{"ra": 1e400, "dec": 0, "radius": 1}', '{"filter": "\\ud800"}',
    *map(json.dumps, (
        {"filter": None}, {"filter": {}}, {"filter": []}, {"filter": [[]]}, {"filter": "\0"}, {"filter": "x" * 10**6},
        {"\0": 1}, {"unknown": 1}, {"numPerPage": 0.5}, {"cursor": {}}, {"stat": ["stds.a<1"] * 10**5},
        {"positions": 1, "radius": 1}, {"positions": [[0, 0]]}, {"positions": [[0, 0]], "radius": -1},
        {"positions": [[10**400, 0]], "radius": 1}, {"positions": [["NaN", 0]], "radius": 1},
        {"positions": [[0, 0]] * 10_001, "radius": 1}, {"positions": [[0, 0]], "radius": 1, "cursor": "WzFd"},
    )),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:40])
def test_broken_bodies(ask, one_line_each, body):
    status, answer = ask("", path="/api/photometric_series/query", verb="POST", body=body)
    one_line_each.append(body)
    assert (status, answer["data"]["code"]) == (400, "invalid")


def test_bad_queries_leave_the_catalogue_intact(ask):
    status, answer = ask("")
    assert (status, answer["data"]["totalMatches"]) == (200, 1)


def test_many_common_names_of_filters_are_refused_soon(ask):
    """Each name stands for several filters; looking up 30,000 names took seconds."""
    begun = time.monotonic()
    status, answer = ask(f"filter={'r,' * 30_000}r", "/find/summary")
    assert (status, list(answer["data"]["fields"])) == (400, ["filter"])
    assert time.monotonic() - begun < 3
