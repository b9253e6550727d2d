"""A service that stops finishes what it was asked: no client loses an answer, and no computation keeps it alive."""

import contextlib
import http.client
import socket
import threading
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.forked import ForkedService
from tests.support import PATIENCE, columns, until
from tests.world import World

pytestmark = pytest.mark.slow

PATH = "/api/photometric_series"
CLIENTS = 8


def lock_waits(connection):
    """Tell whether a statement in the database waits for a lock."""
    cursor = connection.cursor()
    cursor.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return cursor.fetchone()[0] > 0


class Hammer(threading.Thread):
    """A client that keeps its connection alive and asks for a stored series again and again, until it is refused."""

    def __init__(self, service, path, whole):
        super().__init__()
        self.address = urlsplit(service.url).netloc
        self.path, self.whole = path, whole
        self.headers = {"Authorization": f"token {service.token}"}
        self.answers = 0
        self.closed = 0
        self.cut = []

    def run(self):
        while True:
            with contextlib.closing(http.client.HTTPConnection(self.address, timeout=PATIENCE)) as connection:
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    return
                if not self.ask(connection):
                    return

    def ask(self, connection):
        """Use a connection until the service says that it closes it; tell whether every answer was whole."""
        try:
            while True:
                connection.request("GET", self.path, headers=self.headers)
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (200, self.whole)
                self.answers += 1
                if answer.will_close:
                    self.closed += 1
                    return True
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.cut.append(repr(error))
            return False


@pytest.mark.parametrize("processes", [1, 2])
def test_no_answer_is_cut_under_clients_that_keep_connections_alive(processes, tmp_path, archive_url):
    settings = {"database__url": archive_url, "server__processes": processes}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        body = World(admin).fields(series_name="drained", data=columns(5_000))
        series = admin.post(PATH, json=body).json()["data"]["id"]
        paths = [f"{PATH}/{series}/data", f"{PATH}/{series}?dataFormat=none"]
        whole = [admin.get(path, headers={"Accept-Encoding": "identity"}).content for path in paths]
        clients = [Hammer(service, paths[number % 2], whole[number % 2]) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        until(lambda: min(client.answers for client in clients) >= 20)
        assert service.stop() == 0
        for client in clients:
            client.join(PATIENCE)
        assert [client.cut for client in clients] == [[]] * CLIENTS
        assert all(client.closed for client in clients), "each is told that its connection closes"
    assert "Traceback" not in service.log.read_text()


def test_an_idle_connection_is_closed_and_a_request_on_its_way_is_answered(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url, server__stop_timeout=PATIENCE) as service:
        address = urlsplit(service.url)
        idle, late = (socket.create_connection((address.hostname, address.port), timeout=PATIENCE) for _ in range(2))
        with idle, late:
            for connection in (idle, late):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"200 OK" in connection.recv(65536)
            service.process.terminate()
            until(lambda: "stopping" in service.log.read_text())
            late.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = late.recv(65536)
            assert b"200 OK" in answer
            assert b"\r\nConnection: close\r\n" in answer
            assert late.recv(1) == b""
            assert idle.recv(1) == b""
        assert service.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_computation_that_overruns_is_abandoned(processes, tmp_path, archive_url):
    settings = {"server__stop_timeout": 0.5, "database__statement_timeout": 2 * PATIENCE}
    with (
        ForkedService(tmp_path / "data", database__url=archive_url, server__processes=processes, **settings) as service,
        contextlib.closing(psycopg2.connect(archive_url.replace("+psycopg2", ""))) as other,
    ):
        other.cursor().execute("LOCK TABLE photometric_series")
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", PATH, headers={"Authorization": f"token {service.token}"})
            with contextlib.closing(psycopg2.connect(archive_url.replace("+psycopg2", ""))) as watching:
                watching.autocommit = True
                until(lambda: lock_waits(watching))
            assert service.stop() == 0
            with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                connection.getresponse()
    assert "a computation is abandoned" in service.log.read_text()
    assert "is killed" not in service.log.read_text()
