"""Heads of requests within 64 KiB and 200 headers; connections no more than there are descriptors for."""

import contextlib
import http.client
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from photseries.server.http import connections
from tests.server.http.test_errors import check_error
from tests.support import RunningService

START = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


def connected(service):
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def answer_to(service, head, size=None):
    """Send a head, in pieces of a size, for as long as the service takes it; give the status and the body."""
    with connected(service) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = size or len(head)
        for start in range(0, len(head), step):
            connection.sendall(head[start : start + step])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = json.loads(answer.read())
        if answer.status == 431:
            assert answer.getheader("Connection") == "close"
            assert connection.recv(1) == b""
        return answer.status, body


def padded(length):
    """Give a head of a length."""
    return START + b"A: " + b"x" * (length - len(START) - 7) + b"\r\n\r\n"


def test_header_limit_is_exact(service):
    assert answer_to(service, padded(connections.MAX_HEAD_SIZE))[0] == 200
    for head in (padded(connections.MAX_HEAD_SIZE + 1), padded(4_000_000), b"GET /" + b"x" * 1_000_000):
        status, body = answer_to(service, head)
        assert (status, body["data"]["code"]) == (431, "head_too_large")
        assert "65,536 bytes" in body["message"]


def test_a_head_that_comes_by_the_byte_keeps_nobody_waiting(service):
    with httpx.Client(base_url=service.url, timeout=30) as other, connected(service) as slow:
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        slow.sendall(START + b"A: ")
        for _ in range(10):
            for _ in range(7_000):
                slow.send(b"x")
            assert other.get("/healthz").status_code == 200
        assert slow.recv(12) == b"HTTP/1.1 431"


def test_header_count_limit_is_exact(service):
    for name in (b"A: b\r\n", b"A%d:\r\n"):
        lines = [name % number if b"%" in name else name for number in range(200)]
        assert answer_to(service, START + b"".join(lines[:199]) + b"\r\n")[0] == 200
        status, body = answer_to(service, START + b"".join(lines) + b"\r\n")
        assert (status, body["data"]["code"]) == (431, "head_too_large")
        assert "201 headers; at most 200" in body["message"]


def test_a_malformed_head_is_not_repeated_at_length(service):
    status, body = answer_to(service, b"GET / HTTP/1.1\r\nHost: " + b"/" * 50_000 + b"\r\n\r\n")
    assert status == 400
    assert len(body["message"]) < 300


def test_invalid_chunk_is_not_reported_as_a_long_header(service):
    head = f"POST /api/photometric_series HTTP/1.1\r\nHost: x\r\nAuthorization: token {service.token}\r\n"
    with connected(service) as connection:
        connection.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 1_000)
        assert b"431" not in connection.recv(65536)


class LimitedService(RunningService):
    """A service that may have few descriptors."""

    soft, hard = 200, 240

    def start(self, words, environment, log):
        return subprocess.Popen(
            [sys.executable, "-m", "photseries", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=self.directory.parent,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (self.soft, self.hard)),
        )


@pytest.fixture(scope="module")
def limited(service, database_url, tmp_path_factory):
    """A service with few descriptors on the database of another, which has the token of the admin."""
    directory = tmp_path_factory.mktemp("limited") / "data"
    directory.mkdir()
    with LimitedService(directory, database__url=database_url) as running:
        yield running


def open_files(service):
    return len(os.listdir(f"/proc/{service.process.pid}/fd"))


def test_the_soft_limit_is_raised(limited):
    limits = Path(f"/proc/{limited.process.pid}/limits").read_text()
    assert re.search(r"Max open files +240 +240", limits)


@pytest.mark.slow
def test_service_survives_exhausted_descriptors(limited):
    highest = LimitedService.hard - LimitedService.hard // 4
    with httpx.Client(base_url=limited.url, timeout=30) as early:
        assert early.get("/readyz").status_code == 200
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(connected(limited)) for _ in range(220)]
            time.sleep(3 * connections.PAUSE)
            assert open_files(limited) <= highest + 5
            assert early.get("/readyz").status_code == 200, "the database and the store have descriptors"
            assert limited.log.read_text().count(": Too many open files") == 1
            assert waiting[0].recv(1) == b"", "the one that has been idle longest was closed"
            waiting[-1].sendall(START + b"\r\n")
            assert waiting[-1].recv(12) == b"HTTP/1.1 200", "others took its place"
        assert httpx.get(f"{limited.url}/healthz", timeout=30).status_code == 200
    log = limited.log.read_text()
    assert "Traceback" not in log
    assert log.count(": Too many open files") == 1


@pytest.mark.slow
def test_idle_connections_keep_nobody_out_and_busy_ones_stay(limited, service):
    with contextlib.ExitStack() as stack:
        busy = stack.enter_context(connected(limited))
        busy.sendall(b"POST /api/photometric_series HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        busy.sendall(f"Authorization: token {service.token}\r\nContent-Length: 2\r\n\r\n{{".encode())
        for _ in range(2):
            for _ in range(220):
                stack.enter_context(connected(limited))
            time.sleep(2 * connections.PAUSE)
            assert httpx.get(f"{limited.url}/healthz", timeout=30).status_code == 200
        busy.sendall(b"}")
        assert busy.recv(12) == b"HTTP/1.1 400"


def test_too_many_headers_give_431(service):
    error = check_error(httpx.get(f"{service.url}/healthz", headers=[(f"A{number}", "") for number in range(200)]), 431)
    assert error["data"]["code"] == "head_too_large"
