"""Tables that UPLOAD names by URL."""

import contextlib
import ipaddress
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from photseries.errors import InvalidError
from photseries.server.vo import fetching


class PublicAddress(ipaddress.IPv4Address):
    is_global = True


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\n\r\n"], ids=["head", "content"])
def test_a_server_that_never_ends_is_left_at_the_deadline(head, monkeypatch):
    monkeypatch.setattr(fetching, "ipaddress", SimpleNamespace(ip_address=PublicAddress))
    monkeypatch.setattr(fetching, "_DEADLINE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(head)
                while not left.wait(0.02):
                    connection.sendall(b"x")

        left = threading.Event()
        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(InvalidError, match="cannot be fetched"):
            fetching.fetch(f"http://127.0.0.1:{server.getsockname()[1]}/", 1000)
        left.set()
        thread.join()


def test_all_urls_of_a_request_have_one_deadline(monkeypatch):
    monkeypatch.setattr(fetching, "ipaddress", SimpleNamespace(ip_address=PublicAddress))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        start = time.monotonic()
        for _ in range(3):
            with pytest.raises(InvalidError, match="cannot be fetched"):
                fetching.fetch(url, 1000, start + 0.3)
        assert time.monotonic() - start < 0.8
