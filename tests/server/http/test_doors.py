"""Doors: throttled tokens, trusted proxies, the spool's budgets, timeouts, the log, the metrics."""

import codecs
import concurrent.futures
import contextlib
import gzip
import http.client
import http.cookies
import ipaddress
import json
import logging
import os
import socket
import threading
import time
import tracemalloc
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import zstandard

from photseries.errors import TooManyRequestsError, UnavailableError
from photseries.server.cli import options
from photseries.server.http import media, throttle
from photseries.server.http.credentials import session_of
from photseries.server.http.media import preferred_type
from photseries.server.http.spool import LONG, Body, SpoolBudget
from photseries.server.http.throttle import Throttle, came_by_https, client_address, network_of
from photseries.server.http.uploads import UploadHandler
from photseries.server.settings import ServerSettings
from tests.conftest import database
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, columns, until

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def strict(tmp_path_factory, server, template):
    """A service with narrow throttle."""
    directory = tmp_path_factory.mktemp("strict") / "data"
    settings = {
        "token_failures": 5, "max_body": 2 * MIB, "spool_memory": 4 * MIB, "spool_disk": 8 * MIB, "idle_timeout": 2.0,
        "body_timeout": 2.0,
    }  # fmt: skip
    settings = {f"server__{name}": value for name, value in settings.items()}
    with database(server, template) as url, ForkedService(directory, database__url=url, **settings) as running:
        yield running


def proxies(*networks):
    return ServerSettings(trusted_proxies=networks)


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("1.1.1.1", "", (), "1.1.1.1"),
        ("1.1.1.1", "6.6.6.6", (), "1.1.1.1"),
        ("10.0.0.1", "6.6.6.6", ("10.0.0.0/8",), "6.6.6.6"),
        ("10.0.0.1", "6.6.6.6, 7.7.7.7", ("10.0.0.0/8",), "7.7.7.7"),
        ("10.0.0.1", "6.6.6.6, 7.7.7.7, 10.0.0.2", ("10.0.0.0/8",), "7.7.7.7"),
        ("1.1.1.1", "6.6.6.6", ("10.0.0.0/8",), "1.1.1.1"),
        ("10.0.0.1", "", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "unknown", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, unknown", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6 id=forged", ("10.0.0.1",), "10.0.0.1"),
        ("10.0.0.1", "fe80::1%x id=forged\x1b[2J", ("10.0.0.1",), "fe80::1"),
        ("10.0.0.1", "2001:DB8:0:0::1", ("10.0.0.1",), "2001:db8::1"),
        ("::1", "6.6.6.6", ("::1",), "6.6.6.6"),
    ],
)
def test_client_address_trusts_only_configured_proxies(peer, forwarded, trusted, address):
    assert client_address(peer, forwarded, proxies(*trusted)) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "is_https"),
    [
        ("10.0.0.1", "https", True),
        ("10.0.0.1", " HTTPS ", True),
        ("10.0.0.1", "http", False),
        ("10.0.0.1", "", False),
        ("1.1.1.1", "https", False),
        ("unknown", "https", False),
    ],
)
def test_only_a_trusted_proxy_says_that_a_client_uses_https(peer, forwarded, is_https):
    assert came_by_https(peer, forwarded, proxies("10.0.0.0/8")) is is_https


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_client(address, network):
    assert network_of(address) == network


def test_throttle_counts_by_address_and_forgives_over_a_minute():
    now = [1000.0]
    throttle = Throttle(ServerSettings(token_failures=3), clock=lambda: now[0])
    for _ in range(3):
        throttle.check("a", "x")
        throttle.record_failure("a")
    with pytest.raises(TooManyRequestsError):
        throttle.check("a", "x")
    throttle.check("b", "x")
    now[0] += 21
    throttle.check("a", "x")
    throttle.record_failure("a")
    throttle.record_failure("a")
    with pytest.raises(TooManyRequestsError):
        throttle.check("a", "x")
    assert throttle.user_of("valid") == 0
    throttle.record_success("valid", 7)
    throttle.record_success("valid")
    assert throttle.user_of("valid") == 7
    throttle.check("a", "valid")
    now[0] += 61
    for _ in range(3):
        throttle.check("a", "x")
        throttle.record_failure("a")


def test_throttle_forgets_the_oldest(monkeypatch):
    monkeypatch.setattr(throttle, "MAX_REMEMBERED", 2)
    limit = Throttle(ServerSettings(token_failures=1), clock=lambda: 0.0)
    for name in ("a", "b", "a", "c"):
        limit.record_failure(name)
        limit.record_success(name, ord(name))
    assert [limit.user_of(name) for name in "abc"] == [ord("a"), 0, ord("c")]
    limit.check("b", "x")
    for name in "ac":
        with pytest.raises(TooManyRequestsError):
            limit.check(name, "x")


def test_many_wrong_tokens_are_429(strict):
    with strict.client() as admin:
        assert admin.get("/api/enum_types").status_code == 200
    with strict.client("wrong") as stranger:
        answers = [stranger.get("/api/enum_types") for _ in range(7)]
        assert [answer.status_code for answer in answers[:5]] == [401] * 5
        check_error(answers[6], 429, "too_many_requests")
        assert answers[6].headers["Retry-After"] == "60"
        assert stranger.get("/healthz").status_code == 200
        spoofed = stranger.get("/api/enum_types", headers={"X-Forwarded-For": "9.9.9.9"})
        assert spoofed.status_code == 429, "nobody trusts this peer as a proxy"
    with strict.client() as admin:
        assert admin.get("/api/enum_types").status_code == 200, "a token that was valid is not locked out"


def held(spool):
    return spool.held("memory") / MIB, spool.held("disk") / MIB


def test_a_descriptor_stays_that_of_its_body(tmp_path):
    """The body of a client that has left is closed, and the next body gets the number of its file."""
    spool = SpoolBudget(ServerSettings(), tmp_path)
    first, second = Body(spool), Body(spool)
    first.write(b"first")
    with first.descriptor() as descriptor:
        first.close()
        second.write(b"second")
        with second.descriptor():
            assert os.pread(descriptor, 10, 0) == b"first"
    second.close()


def test_a_body_closed_while_a_part_is_written_returns_its_room(tmp_path, monkeypatch):
    """A client leaves while a thread writes its upload; the bytes counted for ever after."""
    spool = SpoolBudget(ServerSettings(), tmp_path)
    body = Body(spool, lambda: "client")
    taken, closed = threading.Event(), threading.Event()

    def take_and_wait(medium, *more):
        SpoolBudget.take(spool, medium, *more)
        if medium == "disk":
            taken.set()
            assert closed.wait(PATIENCE)

    monkeypatch.setattr(spool, "take", take_and_wait)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        written = threads.submit(body.write, b"a" * (LONG + 1))
        assert taken.wait(PATIENCE)
        body.close()
        closed.set()
        written.result(PATIENCE)
    assert held(spool) == (0, 0)
    body.write(b"later")
    assert held(spool) == (0, 0)
    with body.content() as content:
        assert content == b""


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_is_inflated_within_the_room(tmp_path, encoding):
    """It was inflated as a whole, up to server.max_body in each thread, and then counted."""
    content = bytes(60 * MIB)
    raw = gzip.compress(content) if encoding == "gzip" else zstandard.compress(content)
    settings = ServerSettings(max_body=64 * MIB, spool_memory=64 * MIB)
    spool = SpoolBudget(settings, tmp_path)
    request = SimpleNamespace(headers={"Content-Encoding": encoding})
    services = SimpleNamespace(config=SimpleNamespace(server=settings))
    handler: Any = SimpleNamespace(_body=Body(spool), request=request, services=services)
    handler._body.write(raw)
    tracemalloc.start()
    with UploadHandler.content(handler) as inflated:
        assert inflated == content
        assert held(spool)[0] == 60
        assert tracemalloc.get_traced_memory()[0] < 70 * MIB, "nothing is kept besides what counts"
    spool.take("memory", 50 * MIB)
    del inflated
    tracemalloc.reset_peak()
    with pytest.raises(UnavailableError), UploadHandler.content(handler):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * MIB
    assert spool.held("memory") == 50 * MIB + len(raw)


def test_a_body_in_memory_is_read_without_more_room(tmp_path):
    spool = SpoolBudget(ServerSettings(max_body=100, spool_memory=100, spool_disk=100), tmp_path)
    first, second, empty = (Body(spool, lambda: "client") for _ in range(3))
    other = Body(spool, lambda: "other")
    for body, size in ((first, 20), (second, 20), (other, 45)):
        body.write(b"x" * size)  # 15 remain: one client may hold 30
    for body, size in ((first, 20), (empty, 0), (other, 45)):
        with body.content() as content:
            assert content == b"x" * size
    with pytest.raises(UnavailableError):
        empty.write(b"x")
    with empty.descriptor():
        pass
    for body in (first, second, empty, other):
        body.close()
    assert held(spool) == (0, 0)
    assert spool._held_by == {"memory": {}, "disk": {}}, "clients without bodies are forgotten"


def test_spool_budgets(tmp_path):
    spool = SpoolBudget(ServerSettings(max_body=4 * MIB, spool_memory=8 * MIB, spool_disk=6 * MIB), tmp_path)
    first, second, third = Body(spool), Body(spool), Body(spool)
    first.write(b"a" * 2 * MIB)
    assert held(spool) == (2, 0)
    first.write(b"b" * MIB)
    assert held(spool) == (3, 0), "there was room"
    second.write(b"c" * MIB)
    assert held(spool) == (4, 0), "a short body stays in memory"
    second.write(b"c" * MIB)
    assert held(spool) == (3, 2), "a longer one makes room where others hold much"
    second.write(b"c" * 2 * MIB)
    assert held(spool) == (3, 4)
    with second.content() as content:
        assert content == b"c" * 4 * MIB
        assert held(spool) == (7, 4)
    third.write(b"d" * 2 * MIB)
    with pytest.raises(UnavailableError):
        third.write(b"d" * MIB)
    with contextlib.ExitStack() as stack:
        stack.enter_context(third.borrowed(2 * MIB))
        with pytest.raises(UnavailableError), second.content():
            pass
    third.close()
    third.close()
    with first.content() as content:
        assert content == b"a" * 2 * MIB + b"b" * MIB
    for body in (first, second):
        body.close()
    assert held(spool) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_one_client_leaves_room_for_others(tmp_path):
    """With bodies of 1 MiB in 9 MiB: one client gets 2/3 of the room, a second one 2/3 of the rest."""
    spool = SpoolBudget(ServerSettings(max_body=9 * MIB, spool_memory=9 * MIB), tmp_path)

    def fill(client):
        bodies = [Body(spool, lambda: client) for _ in range(9)]
        with contextlib.suppress(UnavailableError):
            for body in bodies:
                body.write(b"x" * MIB)
        return [body for body in bodies if body.size]

    first, second = fill("first"), fill("second")
    assert (len(first), len(second)) == (6, 2)
    third = Body(spool, lambda: "third")
    third.write(b"x" * MIB)
    for body in (*first, *second, third):
        body.close()
    alone = Body(spool, lambda: "first")
    alone.write(b"x" * 9 * MIB)  # one body may take everything
    assert held(spool) == (9, 0)
    alone.close()
    assert held(spool) == (0, 0)


def test_a_visitor_cannot_stop_uploads(server, template, tmp_path):
    settings = {"max_body": 2 * MIB, "spool_memory": 4 * MIB, "spool_disk": 8 * MIB}
    settings = {f"server__{name}": value for name, value in settings.items()} | {"access__anonymous_reads_public": True}
    head = "POST /vo/tap/sync HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with (
        database(server, template) as url,
        ForkedService(tmp_path, database__url=url, **settings) as service,
        service.client() as admin,
        contextlib.ExitStack() as stack,
    ):
        address = urlsplit(service.url)
        for _ in range(9):
            connection = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=30))
            connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n".encode() + b"x" * 460_000)
        until(lambda: "spool_memory_bytes 0.0" not in admin.get("/metrics").text)
        time.sleep(0.5)  # all of them were read
        assert admin.post("/api/groups", json={"name": "others"}).status_code == 200


@pytest.mark.parametrize("stated", [0, 5 * MIB + 7, 6 * MIB, 4 * MIB, LONG, 2**60])
@pytest.mark.parametrize("leaves_memory", [False, True])
def test_a_body_is_what_was_written_whatever_size_was_stated(tmp_path, stated, leaves_memory):
    spool = SpoolBudget(ServerSettings(), tmp_path)
    body = Body(spool)
    body.expect(stated)
    parts = [bytes([number]) * (MIB - 100) for number in range(5)] + [b"last" * 126 + b"end"]
    for part in parts:
        body.write(part)
    assert body.size == 5 * MIB + 7
    if leaves_memory:
        with body.descriptor() as descriptor:
            assert os.pread(descriptor, LONG, 0) == b"".join(parts)
    with body.content() as content:
        assert content == b"".join(parts)
    body.close()


def test_a_body_takes_no_memory_before_it_comes(tmp_path):
    body = Body(SpoolBudget(ServerSettings(), tmp_path))
    body.expect(LONG)
    tracemalloc.start()
    body.write(b"a")
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < MIB
    body.close()


def test_a_very_long_body_goes_to_a_file_however_much_room_there_is(tmp_path):
    spool = SpoolBudget(ServerSettings(), tmp_path)
    body = Body(spool)
    for _ in range(LONG // MIB + 1):
        body.write(b"x" * MIB)
    assert held(spool) == (0, LONG / MIB + 1)
    body.close()


def test_many_long_uploads_at_once_are_refused_or_served(strict):
    def post(number):
        body = {"data": columns(), "altdata": "x" * (MIB + number)}
        headers = {"Authorization": f"token {strict.token}"}
        return httpx.post(f"{strict.url}/api/photometric_series", json=body, headers=headers, timeout=60)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(post, range(32)))
    assert {answer.status_code for answer in answers} <= {400, 503}
    assert any(answer.status_code == 400 for answer in answers)
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["Retry-After"]
    metrics = httpx.get(f"{strict.url}/metrics").text
    assert "photseries_spool_memory_bytes 0.0" in metrics
    assert "photseries_spool_disk_bytes 0.0" in metrics


@pytest.mark.parametrize(
    "sent", ["", "GET / HT", "POST /api/photometric_series HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"]
)
def test_slow_clients_are_disconnected(strict, sent):
    address = urlsplit(strict.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(sent.encode())
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    assert not received or received.startswith(b"HTTP/1.1 4")


def test_metrics_count_requests(strict):
    assert httpx.get(f"{strict.url}/api/enum_types").status_code == 401
    text = httpx.get(f"{strict.url}/metrics").text
    for name in (
        'photseries_requests_total{route="EnumTypes",status="401",verb="GET"}',
        "photseries_request_seconds_bucket",
        'photseries_refusals_total{code="unauthorized"}',
        "photseries_received_bytes_total",
        "photseries_series ",
        "photseries_stored_bytes ",
        "photseries_in_flight",
        "photseries_database_connections_in_use",
        "photseries_threads_waiting",
        'photseries_hdf5_files_total{outcome="crashed"} 0.0',
    ):
        assert name in text, name


def test_unknown_method_appears_in_no_label_or_log(strict):
    connection = http.client.HTTPConnection(urlsplit(strict.url).netloc, timeout=30)
    connection.request("X" * 10_000, "/")
    assert connection.getresponse().status == 405
    connection.close()
    text = httpx.get(f"{strict.url}/metrics").text
    assert 'verb="other"' in text
    assert "XXX" not in text + strict.log.read_text()


def test_the_log_has_a_line_per_request_and_no_secret(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url) as service:
        secret = "this-is-a-secret-token"
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)
        connection.request(
            "GET", "/api/enum_types%0Aforged%20line?secret=1", headers={"Authorization": f"token {secret}"}
        )
        answer = connection.getresponse()
        request_id = answer.getheader("X-Request-Id")
        assert json.loads(answer.read())["status"] == "error"
        connection.close()
        with service.client() as admin:
            assert admin.get("/api/enum_types").status_code == 200
        token = service.token
    lines = service.log.read_text().splitlines()
    assert [line for line in lines if f"id={request_id}" in line and "status=404" in line]
    assert secret not in service.log.read_text()
    assert token not in service.log.read_text()
    assert not [line for line in lines if line.startswith("forged")]


def test_forwarded_headers_cannot_forge_log_lines(tmp_path, archive_url):
    forged = "6.6.6.6 id=1 method=GET path=/ status=200 user=admin client=7.7.7.7"
    settings = {"database__url": archive_url, "server__trusted_proxies": '["127.0.0.1"]'}
    with ForkedService(tmp_path / "data", **settings) as service:
        for address in (forged, f"fe80::1%{forged}", "8.8.8.8"):
            assert httpx.get(f"{service.url}/healthz", headers={"X-Forwarded-For": address}).status_code == 200
    clients = [line.rpartition("client=")[2] for line in service.log.read_text().splitlines() if "request id=" in line]
    assert clients == ["127.0.0.1", "fe80::1", "8.8.8.8"]
    assert "id=1 " not in service.log.read_text()


def test_no_text_of_a_client_looks_like_a_line_of_the_log():
    record = logging.LogRecord(
        "a.b", logging.INFO, "", 0, "asked: %s", ("x\r\n2026 INFO a.b y\x1b[2J\u2028\ud800é",), None
    )
    lines = options._Lines("%(levelname)s %(message)s")
    assert lines.format(record) == "INFO asked: x\\r\\n2026 INFO a.b y\\x1b[2J\\u2028\\ud800é"
    with pytest.raises(LookupError) as raised:
        codecs.lookup("x\n2026 INFO a.b y\x1b")
    record.exc_info = (raised.type, raised.value, raised.tb)
    first, *traceback = lines.format(record).splitlines()
    assert first.startswith("INFO asked: ")
    assert traceback[-2:] == ["  LookupError: unknown encoding: x", "  2026 INFO a.b y\\x1b"]
    assert all(line.startswith("  ") for line in traceback)


def test_long_forwarded_header_is_read_in_part(monkeypatch):
    seen = []
    address_of = ipaddress.ip_address
    monkeypatch.setattr(ipaddress, "ip_address", lambda text: (seen.append(text), address_of(text))[1])
    assert client_address("10.0.0.1", "6.6.6.6, " + "10.0.0.2, " * 5_000, proxies("10.0.0.0/8")) == "10.0.0.2"
    assert len(seen) <= throttle.MAX_HOPS + 1
    seen.clear()
    range_of = media._range
    monkeypatch.setattr(media, "_range", lambda text: (seen.append(text), range_of(text))[1])
    assert preferred_type({"Accept": "a/b, " * 10_000}, ["a/b"]) == "a/b"
    assert len(seen) == media.MAX_RANGES


def test_foreign_cookies_are_ignored(monkeypatch):
    monkeypatch.setattr(http.cookies.Morsel, "__init__", None)
    cookies = "; ".join([*(f"c{number}=1" for number in range(5_000)), 'photseries="a b"', "photseries=secret"])
    request: Any = SimpleNamespace(headers={"Cookie": cookies}, remote_ip="6.6.6.6")
    assert session_of(request, ServerSettings()) == "secret"
    request.headers["Cookie"] = "c=1"
    assert session_of(request, ServerSettings()) == ""


@pytest.mark.slow
def test_a_body_of_single_bytes_takes_what_it_counts(tmp_path):
    body = Body(SpoolBudget(ServerSettings(), tmp_path))
    tracemalloc.start()
    for number in range(200_000):
        body.write(bytes([number % 256]))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 2 * 200_000
    with body.content() as content:
        assert content == bytes(number % 256 for number in range(200_000))
    body.close()
