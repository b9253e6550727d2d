"""Bodies are refused from their headers, before they are read; too long ones are cut off with an answer."""

import contextlib
import gzip
import http.client
import json
import socket
import time
import zlib
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import zstandard

from photseries.errors import InvalidError
from photseries.hdf5.limits import Limits
from photseries.server.http import uploads
from photseries.server.http.uploads import require_short_fields
from tests.conftest import database
from tests.forked import ForkedService
from tests.support import PATIENCE, columns

LIMIT = 100_000


@pytest.fixture(scope="module")
def small(tmp_path_factory, server, template):
    """A service with a small limit."""
    directory = tmp_path_factory.mktemp("small") / "data"
    with (
        database(server, template) as url,
        ForkedService(directory, database__url=url, server__max_body=LIMIT) as running,
    ):
        yield running


def exchange(service, head, *, body=b"", wait=0.0):
    """Send bytes, and read until the answer is complete."""
    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(head)
        time.sleep(wait)
        if body:
            connection.sendall(body)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


def head(token, length, *more):
    lines = [
        "POST /api/photometric_series HTTP/1.1",
        "Host: x",
        f"Authorization: token {token}",
        *([] if length is None else [f"Content-Length: {length}"]),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(("length", "who", "status"), [(10**15, "admin", 413), (1000, "nobody", 401)])
def test_refusal_precedes_the_body(small, length, who, status):
    token = small.token if who == "admin" else "x"
    got, body = exchange(small, head(token, length))
    assert got == status
    assert body["status"] == "error"
    assert body["data"]["code"] in ("too_large", "unauthorized")


@pytest.mark.parametrize("path", ["/api/photometric_series", "/sign-in", "/vo/tap/sync"])
def test_options_are_answered_before_the_body(service, path):
    """Anybody could fill the room for uploads with the bodies of OPTIONS."""
    address = urlsplit(service.url)
    with contextlib.closing(http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE)) as connection:
        connection.putrequest("OPTIONS", path)
        connection.putheader("Content-Length", "100000000")
        connection.endheaders(b"a" * 1_000_000)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (204, b"")
        assert "POST" in answer.headers["Allow"]
        metrics = httpx.get(f"{service.url}/metrics").text
    assert "photseries_spool_memory_bytes 0.0" in metrics
    assert "photseries_spool_disk_bytes 0.0" in metrics


@pytest.mark.parametrize("length", ["abc", "0x5", "", "5, 6", "-1", "1" * 30])
def test_invalid_content_length_is_refused(small, length):
    got, body = exchange(small, head(small.token, length))
    assert (got, body["data"]["code"]) == (400, "invalid"), body


def test_repeated_content_length_is_refused(small):
    got, body = exchange(small, head(small.token, "2, 2"), body=b"{}")
    assert (got, "Must supply data" in body["message"]) == (400, True)


def test_a_client_that_sends_all_before_it_reads_gets_the_answer(small):
    got, body = exchange(small, head("x", 30_000_000), body=b"x" * 30_000_000)
    assert (got, body["data"]["code"]) == (401, "unauthorized")
    got, body = exchange(small, head(small.token, LIMIT * 100), body=b"x" * LIMIT * 100)
    assert (got, body["data"]["code"]) == (413, "too_large")


def test_overlong_chunked_body_is_refused(small):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    got, body = exchange(small, head(small.token, None, "Transfer-Encoding: chunked"), body=chunk * 50 + b"0\r\n\r\n")
    assert (got, body["data"]["code"]) == (413, "too_large")


def test_a_body_without_a_table_need_not_be_long(service):
    for path in (b"/api/photometric_series/query", b"/api/sources"):
        start = head(service.token, 5_000_000).replace(b"/api/photometric_series", path)
        assert exchange(service, start)[0] == 413


def test_expect_continue_is_refused_at_once(small):
    got, _ = exchange(small, head("x", 1000, "Expect: 100-continue"))
    assert got == 401


def test_a_chunked_body_within_the_limit(small):
    got, body = exchange(
        small, head(small.token, None, "Transfer-Encoding: chunked"), body=b"2\r\n{}\r\n0\r\n\r\n", wait=0.05
    )
    assert got == 400
    assert "Must supply data" in body["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "token", "status"),
    [
        ("POST", "/api/photometric_series", b"x" * 1000, "x", 401),
        ("POST", "/api/photometric_series", b"x" * LIMIT * 2, "", 413),
        ("POST", "/api/photometric_series", [b"x" * LIMIT] * 3, "", 413),  # chunked
        ("POST", "/nowhere", b"x" * 1000, "", 404),
        ("GET", "/nowhere", None, "", 404),
        ("GET", "/api/whoami", None, "x", 401),
        ("PUT", "/api/whoami", b"x" * 1000, "", 405),
        ("OTHER", "/api/whoami", b"x" * 1000, "", 405),
    ],
)
def test_a_connection_is_used_again_after_a_refusal(small, method, path, body, token, status):
    headers = {"Authorization": f"token {token or small.token}"}
    with contextlib.closing(http.client.HTTPConnection(urlsplit(small.url).netloc, timeout=30)) as connection:
        connection.connect()
        first = connection.sock
        for _ in range(2):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())["status"]) == (status, "error")
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        assert connection.sock is first


def test_a_body_that_does_not_end_costs_the_connection(small):
    def send_without_end():
        for _ in range(2000):
            connection.sendall(b"x" * 2**20)

    address = urlsplit(small.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head("x", 10**12))
        with pytest.raises(ConnectionError):
            send_without_end()


def test_requests_in_flight_are_finished_when_the_service_stops(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url) as service:
        with service.client() as admin:
            admin.post("/api/sources", json={"id": "star", "ra": 1, "dec": 1})
            admin.post("/api/instrument", json={"id": 7, "name": "TESS"})
        fields = {
            "obj_id": "star",
            "instrument_id": 7,
            "series_name": "a",
            "series_obj_id": 1,
            "ra": 1,
            "dec": 1,
            "exp_time": 1,
            "filter": "ztfg",
            "data": columns(),
        }
        content = json.dumps(fields).encode()
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head(service.token, len(content)) + content[:50])
            time.sleep(0.3)
            service.process.terminate()
            time.sleep(0.3)
            connection.sendall(content[50:])
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.loads(answer.read())["data"]) == (200, {"id": 1, "warnings": []})
        assert service.process.wait(30) == 0


def test_a_client_that_goes_away_does_not_delay_the_stop(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url, server__stop_timeout=20) as service:
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head(service.token, 1000) + b"x")
            time.sleep(0.2)
        time.sleep(0.2)
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < 15


@pytest.mark.parametrize("piece", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("content", [b"", b"a", bytes(3000), b"abc" * 1000, bytes(range(256)) * 12], ids=len)
def test_compressed_bodies_are_inflated_in_pieces_of_any_size(monkeypatch, piece, content):
    monkeypatch.setattr(uploads, "_PIECE", piece)
    packed = gzip.compress(content)
    pieces: list[bytes] = []
    uploads._gunzip(packed, pieces.append)
    assert b"".join(pieces) == content
    for length in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(EOFError):
            uploads._gunzip(packed[:length], pieces.append)
    for more in (b"x", packed):
        with pytest.raises(InvalidError, match="Bytes follow the end of the gzip stream"):
            uploads._gunzip(packed + more, pieces.append)
    with pytest.raises(zlib.error):
        uploads._gunzip(b"not compressed", pieces.append)


@pytest.mark.parametrize("states_size", [True, False])
@pytest.mark.parametrize(
    "content", [b"", b"a", bytes(3000), np.random.default_rng(1).bytes(3000), b"abc" * 2**17], ids=len
)
def test_zstd_frames_are_inflated_only_if_the_last_one_is_complete(states_size, content):
    """Random bytes make a block that is not compressed: a cut one takes any further bytes as its content."""
    pieces: list[bytes] = []
    frame = zstandard.ZstdCompressor(write_content_size=states_size).compress(content)
    uploads._unzstd(frame + frame, pieces.append)
    assert b"".join(pieces) == content + content
    assert max(map(len, pieces), default=0) <= 2**17
    for length in {*range(1, min(30, len(frame))), *range(max(1, len(frame) - 30), len(frame)), len(frame) // 2}:
        for cut in (frame[:length], frame + frame[:length]):
            with pytest.raises((EOFError, zstandard.ZstdError)):
                uploads._unzstd(cut, pieces.append)


@pytest.mark.parametrize("length", [1, 5, 20, 1000, -1])
def test_a_truncated_zstd_body_is_refused(admin, world, length):
    """The rows before its end were stored as the whole table."""
    rows = "".join(f"{60000 + number / 7},{number % 97 + 1.5}\n" for number in range(20_000))
    fields = {"obj_id": world.source, "instrument_id": world.instrument, "series_name": "cut", "series_obj_id": "1"}
    fields |= {"ra": 10, "dec": -20, "exp_time": 30, "filter": "ztfr", "format": "csv"}
    headers = {"Content-Type": "text/csv", "Content-Encoding": "zstd"}
    packed = zstandard.compress(f"mjd,flux\n{rows}".encode())
    answer = admin.post("/api/photometric_series/file", params=fields, content=packed[:length], headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (400, "The body is not zstd, as Content-Encoding states.")


def test_fields_longer_than_any_metadata_are_refused_before_they_are_checked(admin):
    most = 2 * Limits().metadata
    body = {"altdata": {"a": ""}, "data": columns(100)}
    body["altdata"]["a"] = "x" * (most - len(json.dumps({"altdata": body["altdata"]}, separators=(",", ":"))))
    require_short_fields(body, most)
    body["altdata"]["a"] += "x"
    refusal = f"The fields besides data take {most + 1:,} bytes as JSON; at most {most:,} are accepted."
    with pytest.raises(InvalidError, match=refusal):
        require_short_fields(body, most)
    for sent in ({"json": body}, {"data": {"altdata": json.dumps(body["altdata"])}, "files": {"data": b"x"}}):
        answer = admin.post("/api/photometric_series", **sent)
        assert (answer.status_code, answer.json()["message"]) == (400, refusal)


def test_long_fields_of_a_form_are_not_parsed(admin):
    fields = {"altdata": "[" + "1," * 2_500_000 + "1]"}
    answer = admin.post("/api/photometric_series", data=fields, files={"data": b"x"})
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "The fields of the form are longer than 4,194,304 bytes.",
    )
