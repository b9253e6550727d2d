"""Requests that are odd in other ways than their files: heads, methods, origins, addresses, ranges, compression.

Each comes over a connection of its own, while files are uploaded.
"""

import gzip
import socket
import time
import zlib
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import zstandard

from tests.support import PATIENCE

PATH = "/api/photometric_series"
#: What no answer and no line of the log may hold: attacks write it where they hope that it is believed.
FORGED = b"forged-4f9d2ab1"
EVIL = b"Origin: https://evil.example"
MEBIBYTE = 2**20
#: An answer to an attack is no longer than this.
MAX_ANSWER = 2 * MEBIBYTE
CLOSED = 0

#: The settings of a service that is attacked: it believes our X-Forwarded-For, and drops who takes nothing soon.
UNSENT = 60 * MEBIBYTE
SETTINGS = {
    "server__trusted_proxies": '["127.0.0.1"]',
    "server__unsent": UNSENT,
    "server__body_timeout": 20.0,
}
READERS = 30

VERDICT = "answer"


@dataclass(frozen=True)
class Place:
    """Where attacks go: the service, a token that may upload, and the path of a series of its user."""

    address: tuple
    token: str
    series: str

    def connected(self):
        connection = socket.create_connection(self.address, timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def asked(self, method, path, *headers, body=b"", scheme=None):
        """Write a request with the token."""
        token = b"token " + self.token.encode() if scheme is None else scheme
        length = [b"Content-Length: %d" % len(body)] if body else []
        lines = [
            b"%b %b HTTP/1.1" % (method, path.encode() if isinstance(path, str) else path),
            b"Host: archive", b"Connection: close", b"Authorization: " + token, *length, *headers,
        ]  # fmt: skip
        return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass(frozen=True)
class Attack:
    """A request: ``make`` writes it, in pieces of ``step`` bytes; ``statuses`` are those that are right."""

    name: str
    statuses: tuple[int, ...]
    make: Callable[[Place], bytes]
    step: int = MEBIBYTE
    verdict: str = VERDICT

    def answer(self, place):
        """Send it for as long as the service takes it; give the status and all that comes."""
        sent, received = self.make(place), bytearray()
        with place.connected() as connection, suppress(ConnectionError):
            with suppress(ConnectionError):
                for start in range(0, len(sent), self.step):
                    connection.sendall(sent[start : start + self.step])
            while len(received) <= MAX_ANSWER and (piece := connection.recv(65536)):
                received += piece
        first = received.split(b"\r\n", 1)[0].split(b" ")
        return int(first[1]) if len(first) > 1 else CLOSED, bytes(received)

    def faults(self, status, received):
        """Say what is wrong with an answer."""
        head, _, body = received.partition(b"\r\n\r\n")
        if status not in self.statuses:
            yield f"answered {status}"
        if b"access-control-allow" in head.lower():
            yield "another site may read it"
        if FORGED in received:
            yield "what was forged is in the answer"
        if b"Traceback" in received:
            yield "a traceback is in the answer"
        if len(received) > MAX_ANSWER:
            yield "the answer has no end"
        if self.name.startswith("HEAD") and body and not body.startswith(b"HTTP/1.1"):
            yield "HEAD has a body"


def _heads():
    start = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
    ended = start + b"Connection: close\r\n"
    chunked = b"Transfer-Encoding: chunked\r\nConnection: close\r\n"
    post = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n"
    refused = (400, 401, CLOSED)
    for name, statuses, head in (
        ("201 headers", (431,), start + b"A: b\r\n" * 200 + b"\r\n"),
        ("200,000 headers", (431, CLOSED), start + b"A: b\r\n" * 200_000 + b"\r\n"),
        ("a head of 4 MB", (431, CLOSED), start + b"A: " + b"x" * 4 * MEBIBYTE + b"\r\n\r\n"),
        ("a target of 1 MB", (431, CLOSED), b"GET /" + b"x" * MEBIBYTE + b" HTTP/1.1\r\n\r\n"),
        ("5,000 arguments", (400,), b"GET " + PATH.encode() + b"?" + b"a=1&" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("a target of 60 kB", (404,), b"GET /" + b"%00" * 20_000 + b" HTTP/1.1\r\n" + ended[23:] + b"\r\n"),
        ("a host that is none", (400,), b"GET / HTTP/1.1\r\nHost: " + b"/" * 9_000 + b"\r\n\r\n"),
        ("a NUL in a header", (400, CLOSED), ended + b"A: \0\r\n\r\n"),
        ("a folded header", (400, CLOSED), ended + b"A: b\r\n c\r\n\r\n"),
        ("a line that is no header", (400, CLOSED), ended + b"nothing\r\n\r\n"),
        ("two lengths", refused, post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        ("a length and chunks", refused, post + chunked + b"Content-Length: 5\r\n\r\n0\r\n\r\n"),
        ("a length below zero", refused, post + b"Content-Length: -1\r\n\r\n"),
        ("a length of 4,000 digits", (*refused, 413), post + b"Content-Length: " + b"9" * 4_000 + b"\r\n\r\n"),
        ("a chunk that is none", refused, post + chunked + b"\r\n" + b"f" * 100_000),
        ("HTTP/9.9", (400, 505, CLOSED), b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n"),
        ("no HTTP", (400, 431, CLOSED), b"\x16\x03\x01" + b"\xff" * 70_000 + b"\r\n\r\n"),
    ):
        yield Attack(f"head: {name}", statuses, lambda place, content=head: content)
    dribble = start + b"A: " + b"x" * 70_000
    yield Attack("head: 70 kB by the byte", (431, CLOSED), lambda place: dribble, step=1)


def _methods():
    for method, status in ((b"TRACE", 405), (b"CONNECT", 405), (b"X" * 5_000, 405), (b"PUT", 405)):
        yield Attack(f"method {method[:8].decode()}", (status,), lambda place, m=method: place.asked(m, place.series))
    override = (b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: DELETE")
    yield Attack("a method in a header", (200,), lambda place: place.asked(b"GET", place.series, *override))
    for path in (PATH, f"{PATH}?dataFormat=json", "/healthz", "/nowhere", f"{PATH}/summary"):
        statuses = (404,) if path == "/nowhere" else (200,)
        yield Attack(f"HEAD {path}", statuses, lambda place, p=path: place.asked(b"HEAD", p))
    body = b"x" * MEBIBYTE
    yield Attack("HEAD with a body of 1 MB", (200, 400, 413, 415), lambda place: place.asked(b"HEAD", PATH, body=body))
    yield Attack(
        "OPTIONS with a body of 1 MB", (204, 400, 413, 415), lambda place: place.asked(b"OPTIONS", PATH, body=body)
    )
    yield Attack("OPTIONS *", (204, 404), lambda place: place.asked(b"OPTIONS", "*"))


def _origins():
    preflight = (EVIL, b"Access-Control-Request-Method: DELETE", b"Access-Control-Request-Headers: authorization")
    yield Attack("a preflight of another site", (204,), lambda place: place.asked(b"OPTIONS", place.series, *preflight))
    for origin in (EVIL, b"Origin: null", b"Origin: *", b"Origin: https://archive.evil.example"):
        yield Attack(f"GET, {origin.decode()}", (200,), lambda place, o=origin: place.asked(b"GET", place.series, o))
    body = b'{"origin":"%b"}' % FORGED
    for sign in (EVIL, b"Origin: null", b"Origin: http://archive:1", b"Sec-Fetch-Site: cross-site"):
        for method in (b"POST", b"PATCH", b"DELETE"):

            def make(place, m=method, s=sign):
                password = b"Basic " + b64encode(b"any:" + place.token.encode())
                kind = b"Content-Type: application/json"
                path = PATH if m == b"POST" else place.series
                return place.asked(m, path, s, kind, body=b"" if m == b"DELETE" else body, scheme=password)

            yield Attack(f"{method.decode()} by Basic, {sign.decode()}", (403,), make)


def _addresses():
    for number, value in enumerate(
        (
            FORGED, b"6.6.6.6 client=" + FORGED, b"fe80::1%" + FORGED, b"6.6.6.6\x0b" + FORGED, b"\xff" + FORGED,
            b"6.6.6.6," * 8_000 + FORGED, b"::ffff:6.6.6.6:" + FORGED,
        )
    ):  # fmt: skip
        headers = (b"X-Forwarded-For: " + value, b"X-Real-IP: " + FORGED, b"Forwarded: for=" + FORGED)
        yield Attack(
            f"forged address {number}", (200, 400), lambda place, h=headers: place.asked(b"GET", "/healthz", *h)
        )


def _ranges():
    for number, (asked, statuses) in enumerate(
        (
            (b"bytes=" + b"0-," * 15_000 + b"0-", (200,)),
            (b"bytes=0-0,0-0", (200, 206)),
            (b"bytes=-99999999999999", (200, 206)),
            (b"bytes=99999999999999-", (416,)),
            (b"bytes=" + b"9" * 30_000 + b"-", (200, 416)),
            (b"bytes=9-1", (200, 416)),
            (b"bytes=-0", (416,)),
            (b"bytes=-1-", (200,)),
            (b"lines=0-1", (200,)),
            (b"bytes=0-18446744073709551616", (200, 206)),
        )
    ):
        header = b"Range: " + asked
        for path in ("/data", ".csv", ".h5?rowMax=2"):
            yield Attack(
                f"range {number} of {path}",
                statuses,
                lambda place, h=header, p=path: place.asked(b"GET", place.series + p, h),
            )


def _compressed():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join([*(packer.compress(bytes(MEBIBYTE)) for _ in range(500)), packer.flush()])
    zstd = zstandard.ZstdCompressor(level=1).compress(bytes(500 * MEBIBYTE))
    plain = b'{"data":{"mjd":[1.5],"flux":[1.0]}}'
    for name, coding, body, statuses in (
        ("500 MB of zeros as gzip", b"gzip", bomb, (400, 413)),
        ("500 MB of zeros as zstd", b"zstd", zstd, (400, 413)),
        ("gzip that is none", b"gzip", plain, (400,)),
        ("half of a gzip", b"gzip", gzip.compress(plain)[:-9], (400,)),
        ("gzip in gzip", b"gzip, gzip", gzip.compress(gzip.compress(plain)), (400, 415)),
        ("1,000 codings", b"gzip, " * 1_000, plain, (400, 415)),
        ("a coding that is none", b"x" * 5_000, plain, (415,)),
    ):
        headers = (b"Content-Type: application/json", b"Content-Encoding: " + coding)
        yield Attack(name, statuses, lambda place, h=headers, b=body: place.asked(b"POST", PATH, *h, body=b))
    accepts = b"Accept-Encoding: " + b"gzip;q=0.1," * 5_000
    yield Attack("5,000 accepted encodings", (200,), lambda place: place.asked(b"GET", place.series, accepts))
    media = b"Accept: " + b"a/b;q=0.1," * 5_000
    yield Attack("5,000 accepted types", (200, 406), lambda place: place.asked(b"GET", place.series + "/data", media))


def _lists():
    """Exports of lists that are too long, too deep, of the wrong kind, or that ask for one series again and again."""
    kind = b"Content-Type: application/json"
    for name, body, statuses in (
        ("a million ids", b'{"ids":[' + b"1," * 999_999 + b"1]}", (400,)),
        ("3 million ids", b'{"ids":[' + b"12345," * 2_999_999 + b"1]}", (413, CLOSED)),
        ("names of 1 MB", b'{"obj_ids":["' + b"x" * MEBIBYTE + b'"]}', (400,)),
        ("names as one text", b'{"obj_ids":"' + b"x," * MEBIBYTE + b'"}', (400,)),
        ("lists in lists", b'{"ids":' + b"[" * 10_000 + b"]" * 10_000 + b"}", (400,)),
        ("numbers of 4,000 digits", b'{"ids":[' + b"9" * 4_000 + b"]}", (400,)),
        ("ids that are objects", b'{"ids":[{"id":1}]}', (400,)),
        ("100,000 unknown keys", b'{"ids":[1]' + b"".join(b',"k%d":1' % one for one in range(100_000)) + b"}", (400,)),
        ("positions that are none", b'{"positions":[[1e308,1e308]],"radius":1}', (400,)),
        ("a radius that is none", b'{"positions":[[1,1]],"radius":1e308}', (400,)),
        (
            "100,000 cones of the whole sky",
            b'{"positions":[' + b"[1,1]," * 99_999 + b'[1,1]],"radius":180}',
            (200, 400),
        ),
        ("a cursor of 1 MB", b'{"ids":[1],"cursor":"' + b"1" * MEBIBYTE + b'"}', (400,)),
        ("50,000 columns", b'{"ids":[1],"columns":[' + b'"a",' * 49_999 + b'"a"]}', (400,)),
        ("SQL in a name", b'{"format":"ndjson","obj_ids":["\'); DROP TABLE photometric_series; --"]}', (200,)),
        ("half of a body", b'{"ids":[1', (400,)),
    ):
        yield Attack(
            f"list: {name}", statuses, lambda place, b=body: place.asked(b"POST", f"{PATH}/export", kind, body=b)
        )


def cases():
    """Yield the attacks."""
    for group in (_heads, _methods, _origins, _addresses, _ranges, _compressed, _lists):
        yield from group()


def unread(place, path, whole, held):
    """Leave many long answers unread: say whether they take more memory than they may, or are never cut.

    Parameters
    ----------
    place : Place
    path : str
        Of a long answer.
    whole : int
        The length of that answer [bytes].
    held : callable
        Gives the number of requests that the service is working on, and the bytes that it holds for clients.
    """
    most, deadline = 0, time.monotonic() + PATIENCE
    with ExitStack() as stack:
        connections = [stack.enter_context(place.connected()) for _ in range(READERS)]
        for connection in connections:
            connection.sendall(place.asked(b"GET", path, b"Accept-Encoding: identity"))
        requests = 1
        while requests or not most:  # a request that waits for its turn holds no bytes
            requests, now = held()
            most = max(most, now)
            if time.monotonic() > deadline:
                yield "answers that nobody reads are never cut"
                return
            time.sleep(0.2)
        for connection in connections:
            received = 0
            with suppress(ConnectionError):
                while piece := connection.recv(MEBIBYTE):
                    received += len(piece)
            if received >= whole:
                yield "an answer that nobody read was kept to its end"
    if most > UNSENT:
        yield f"{most:,} bytes that nobody reads are held"
