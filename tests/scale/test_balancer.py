"""Two services behind nginx, one database, one object store, while the services are killed and started again."""

import concurrent.futures
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pytest

from tests.crash.kills import PATH
from tests.crash.place import ObjectPlace
from tests.scale.conftest import ALL
from tests.support import PATIENCE, RunningService, columns
from tests.world import World

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parent.parent.parent / "deploy" / "nginx.conf"
KILLS = 12
CLIENTS = 4
#: How often each service is stopped and started in the rolling restart.
ROUNDS = 3 if ALL else 1
#: What a client may see beside success: away or full, and in doubt (a service died under its request).
RETRIABLE = {429, 502, 503, 504}


class Balancer:
    """nginx with the example's configuration, in front of some services."""

    def __init__(self, nginx, folder, services):
        folder.mkdir()
        example = EXAMPLE.read_text()
        for host, service in zip(("one:5000", "two:5000"), services, strict=True):
            assert host in example
            example = example.replace(host, urlsplit(service.url).netloc)
        socket = folder / "socket"
        assert "listen 8080;" in example
        example = example.replace("listen 8080;", f"listen unix:{socket};")
        paths = "".join(
            f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (folder / "nginx.conf").write_text(
            f"daemon off;\npid {folder}/pid;\nerror_log {folder}/log info;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{paths}{example}}}\n"
        )
        command = [nginx, "-c", folder / "nginx.conf", "-e", folder / "log", "-p", folder]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert tried.returncode == 0, tried.stderr
        self.socket = str(socket)
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _listens(self):
        """Whether nginx accepts connections, which is a moment after it has made the file of the socket."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def client(self, token):
        transport = httpx.HTTPTransport(uds=self.socket)
        return httpx.Client(
            transport=transport,
            base_url="http://archive",
            headers={"Authorization": f"token {token}"},
            timeout=PATIENCE,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE)


class Clients:
    """Pipelines that post series until each is there, and astronomers who read them, each answer compared."""

    def __init__(self, balancer, token, world):
        self.balancer, self.token, self.world = balancer, token, world
        self.seen = Counter()
        self.accepted = {}
        self.wrong = []
        self.over = threading.Event()

    def body(self, label):
        return self.world.fields(series_name="balanced", series_obj_id=label, data=columns(50, seed=hash(label) % 1000))

    def work(self, number):
        """Post one series, however often it takes, and read one; again and again."""
        with self.balancer.client(self.token) as client:
            for step in range(100_000):
                if self.over.is_set():
                    return
                self.post(client, f"{number}.{step}")
                known = list(self.accepted.copy().items())  # other threads add to it
                label, series = known[step * 7919 % len(known)]
                self.read(client, label, series)

    def note(self, verb, answer):
        self.seen[verb, answer.status_code] += 1
        if answer.status_code not in RETRIABLE | {200, 409}:
            self.wrong.append((verb, answer.status_code, answer.text[:200]))

    def post(self, client, label):
        doubtful = False
        while True:
            answer = client.post(PATH, json=self.body(label))
            self.note("POST", answer)
            if answer.status_code == 200:
                self.accepted[label] = answer.json()["data"]["id"]
                return
            if answer.status_code == 409:
                if not doubtful:
                    self.wrong.append(("POST", 409, "a duplicate of nothing"))
                self.accepted[label] = answer.json()["data"]["id"]
                return
            if answer.status_code not in RETRIABLE:
                return
            doubtful = True
            time.sleep(0.05)

    def read(self, client, label, series):
        answer = client.get(f"{PATH}/{series}", params={"dataFormat": "json"})
        self.note("GET", answer)
        if answer.status_code == 200 and answer.json()["data"]["data"] != self.body(label)["data"]:
            self.wrong.append(("GET", 200, f"series {series} is not what was posted"))


class Echo(BaseHTTPRequestHandler):
    """A service that says what it was asked, and by whom."""

    def do_GET(self):
        content = json.dumps({"path": self.path, **self.headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def echoes(nginx, tmp_path):
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Echo)) for _ in range(2)]
        for server in servers:
            threading.Thread(target=server.serve_forever).start()
            stack.callback(server.shutdown)
        services = [SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}") for server in servers]
        yield stack.enter_context(Balancer(nginx, tmp_path / "nginx", services))


def test_balancer_discards_forged_client_addresses(echoes):
    forged = {"X-Forwarded-For": "6.6.6.6, 7.7.7.7", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "https"}
    with echoes.client("any") as client:
        seen = client.get("/api/whoami", headers=forged).json()
    assert (seen["X-Forwarded-For"], seen["X-Real-IP"], seen["X-Forwarded-Proto"]) == ("unix:", "unix:", "http")
    assert "6.6.6.6" not in json.dumps(seen)


@pytest.mark.parametrize("name", ["metrics", "readyz"])
def test_balancer_blocks_operator_paths(echoes, name):
    coded = f"%{ord(name[0]):x}{name[1:]}"
    for path in (f"/{name}", f"/{name}?x=1", f"//{name}", f"/./{name}", f"/x/../{name}", f"/{coded}"):
        assert status_of(echoes, path) == 404, path
    assert status_of(echoes, "/healthz") == 200


def status_of(balancer, path):
    """Ask for a path as it is written; httpx would tidy it."""
    with contextlib.closing(http.client.HTTPConnection("archive")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(balancer.socket)
        connection.request("GET", path)
        return connection.getresponse().status


@pytest.fixture
def settings(object_server, archive_url, tmp_path):
    assert object_server.make_bucket("balanced")
    return object_server.settings(f"balanced/{tmp_path.name}", database__url=archive_url)


@pytest.mark.skipif(not ALL, reason="make test-scale runs it")
@pytest.mark.timeout(600)
def test_killed_services_behind_a_balancer_lose_nothing(nginx, settings, archive_url, tmp_path, record_property):
    folders = [tmp_path / name for name in ("one", "two")]
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(RunningService(folder, **settings)) for folder in folders]
        balancer = stack.enter_context(Balancer(nginx, tmp_path / "nginx", services))
        place = stack.enter_context(ObjectPlace(tmp_path, archive_url, **store_only(settings)))
        admin = stack.enter_context(balancer.client(services[0].token))
        clients = Clients(balancer, services[0].token, World(admin))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(CLIENTS))
        workers = [pool.submit(clients.work, number) for number in range(CLIENTS)]
        try:
            for kill in range(KILLS):
                until_more(clients, 15, workers)
                place_in_row = kill % 2
                port = urlsplit(services[place_in_row].url).port
                services[place_in_row].kill()
                until_more(clients, 15, workers)
                services[place_in_row] = stack.enter_context(
                    RunningService(folders[place_in_row], port=port, **settings)
                )
            until_more(clients, 15, workers)
        finally:
            clients.over.set()
        for worker in workers:
            worker.result(PATIENCE)
        record_property("seen", table(clients, KILLS))
        assert clients.wrong == []
        for service in services:
            with service.client(services[0].token) as direct:
                for label, series in clients.accepted.items():
                    shown = direct.get(f"{PATH}/{series}", params={"dataFormat": "json"}).json()["data"]
                    assert shown["data"] == clients.body(label)["data"]
                    assert shown["series_obj_id"] == label
        place.check_invariant()
        assert len(place.named()) == len(clients.accepted), "nothing is there twice, and nothing that nobody accepted"
        place.check_swept()


@pytest.mark.timeout(600)
def test_rolling_restart_fails_no_request(nginx, settings, tmp_path):
    """Each service is stopped and started while clients post and read: every answer is a success."""
    folders = [tmp_path / name for name in ("one", "two")]
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(RunningService(folder, **settings)) for folder in folders]
        balancer = stack.enter_context(Balancer(nginx, tmp_path / "nginx", services))
        admin = stack.enter_context(balancer.client(services[0].token))
        clients = Clients(balancer, services[0].token, World(admin))
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(CLIENTS))
        workers = [pool.submit(clients.work, number) for number in range(CLIENTS)]
        try:
            for place in (0, 1) * ROUNDS:
                until_more(clients, 15, workers)
                port = urlsplit(services[place].url).port
                assert services[place].stop() == 0
                services[place] = stack.enter_context(RunningService(folders[place], port=port, **settings))
                deadline = time.monotonic() + PATIENCE
                while "method=POST" not in services[place].log.read_text():  # the balancer uses it again
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            clients.over.set()
        for worker in workers:
            worker.result(PATIENCE)
        assert clients.wrong == []
        assert {status for _, status in clients.seen} == {200}, clients.seen


def store_only(settings):
    return {name: value for name, value in settings.items() if name.startswith("store__")}


def until_more(clients, posts, workers):
    wanted, deadline = len(clients.accepted) + posts, time.monotonic() + PATIENCE
    while len(clients.accepted) < wanted:
        assert time.monotonic() < deadline
        assert not any(worker.done() for worker in workers), [worker.exception() for worker in workers if worker.done()]
        time.sleep(0.02)


def table(clients, kills):
    """What clients saw, a line for each verb and status."""
    meaning = {200: "success", 409: "there already", 502: "in doubt", 503: "away", 504: "in doubt", 429: "too many"}
    lines = [
        f"{verb:6}{status:5}  {meaning.get(status, 'WRONG'):14}{count:8}"
        for (verb, status), count in sorted(clients.seen.items())
    ]
    return [*lines, f"{len(clients.accepted)} series accepted, {kills} kills, {len(clients.wrong)} wrong answers"]
