"""Fair shares: users take turns at each pool of threads, and each has a limit of heavy requests.

A lock on the table of series blocks the threads that ask for series, for as long as a test wants.
"""

import asyncio
import contextlib
import inspect
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import psycopg2
import pytest

from photseries import Client
from photseries.errors import BusyError, UnavailableError
from photseries.server.http import shared
from photseries.server.http.pages.assets import address_of
from photseries.server.http.threads import ThreadPool
from photseries.server.http.turns import Turns
from tests.conftest import database
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, columns, recipe_write
from tests.world import World

LIST = "/api/photometric_series"


def scheduled(turns, jobs):
    """Let users ask for places one after the other, before anybody who has one leaves.

    Returns the names of the jobs in the order in which they get places, and the most places of each user at once.
    """
    order, inside, most = [], [], {}
    begin = asyncio.Event()

    async def work(user, name):
        async with turns.place(user):
            order.append(name)
            inside.append(user)
            most[user] = max(most.get(user, 0), inside.count(user))
            await begin.wait()
            await asyncio.sleep(0)
            inside.remove(user)

    async def everything():
        tasks = []
        for user, name in jobs:
            tasks.append(asyncio.create_task(work(user, name)))
            await asyncio.sleep(0)
        begin.set()
        await asyncio.gather(*tasks)

    asyncio.run(everything())
    return order, most


def test_the_first_request_of_one_comes_before_the_second_of_another():
    jobs = [("a", f"a{number}") for number in range(20)]
    order, _ = scheduled(Turns(1, 1), [*jobs[:3], ("b", "b0"), *jobs[3:]])
    assert order == ["a0", "b0", *(f"a{number}" for number in range(1, 20))]


def test_three_users_take_turns():
    jobs = [(user, f"{user}{number}") for user in "abc" for number in range(3)]
    order, _ = scheduled(Turns(1, 1), jobs)
    assert order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_one_user_never_holds_every_place():
    order, most = scheduled(Turns(4, 3), [*(("a", "a") for _ in range(9)), ("b", "b")])
    assert most == {"a": 3, "b": 1}
    assert len(order) == 10


def test_user_without_waiting_places_is_refused():
    async def ask():
        turns = Turns(None, 1, 0)
        for _ in range(2):
            async with turns.place("a"):
                with pytest.raises(BusyError, match="maximum of heavy requests per user: 1 running and 0 waiting"):
                    await turns.place("a").__aenter__()
                async with turns.place("b"):
                    assert turns.waiting == 0

    asyncio.run(ask())


def test_user_without_waiting_places_waits_for_a_first_place():
    async def ask():
        turns = Turns(1, 1, 0)
        async with asyncio.timeout(PATIENCE):
            async with turns.place("a"):
                turns.check("b")
                waiting = asyncio.create_task(turns.place("b").__aenter__())
                await asyncio.sleep(0)
                with pytest.raises(BusyError, match="maximum of heavy requests per user: 1 running and 1 waiting"):
                    await turns.place("b").__aenter__()
            await waiting

    asyncio.run(ask())


def test_a_request_waits_no_longer_than_allowed():
    async def ask():
        turns = Turns(None, 1, 1, "uploads", 0.1)
        async with turns.place("a"):
            begun = time.monotonic()
            with pytest.raises(BusyError, match="maximum of uploads per user: 1 running and 1 waiting"):
                await turns.place("a").__aenter__()
            assert 0.1 <= time.monotonic() - begun < PATIENCE
            assert turns.waiting == 0
        async with turns.place("a"):
            await asyncio.sleep(0.2)  # the work may take longer
            assert turns.waiting == 0

    asyncio.run(ask())


@pytest.mark.parametrize("name", ["heavy_requests", "bulk_turns", "analyses"])
def test_turns_of_a_service_end_before_the_client_gives_up(services, monkeypatch, name):
    timeout = inspect.signature(Client).parameters["timeout"].default
    assert timeout > 2 * shared.MAX_WAIT, "a bulk upload or an analysis waits twice"
    monkeypatch.setattr(shared, "MAX_WAIT", 0.1)

    async def wait():
        turns = getattr(shared.SharedState(services, *pools), name)
        async with contextlib.AsyncExitStack() as held:
            for _ in range(100):  # more than there are places
                await held.enter_async_context(turns.place("a"))

    pools = [ThreadPool(1) for _ in range(3)]
    with pytest.raises(BusyError) as raised:
        asyncio.run(asyncio.wait_for(wait(), PATIENCE))
    assert (raised.value.status, raised.value.retry_after) == (429, 5)


@pytest.mark.parametrize("is_assigned", [True, False])
def test_a_request_cancelled_when_its_turn_comes_gives_the_place_back(is_assigned):
    """Cancelled before the place is assigned, but not yet continued, it took the place for ever."""

    async def ask():
        turns = Turns(1, 1)

        async def wait():
            async with turns.place("a"):
                pytest.fail("it was cancelled")

        async with turns.place("a"):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0)
            if not is_assigned:
                waiting.cancel()
        if is_assigned:
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(PATIENCE), turns.place("b"):
            assert turns.waiting == 0

    asyncio.run(ask())


def test_a_wait_for_other_users_is_not_blamed_on_the_user():
    async def ask():
        turns = Turns(1, 1, what="analyses", max_wait=0.1)
        async with turns.place("a"):
            with pytest.raises(UnavailableError, match="Too many analyses of other users") as raised:
                await turns.place("b").__aenter__()
            assert (raised.value.status, raised.value.retry_after) == (503, 2)
            assert turns.waiting == 0

    asyncio.run(ask())


def test_a_request_that_gives_up_leaves_others_of_its_user_waiting():
    async def ask():
        turns = Turns(1, 1)
        async with asyncio.timeout(PATIENCE):
            async with turns.place("a"):
                first, second = (asyncio.create_task(turns.place("b").__aenter__()) for _ in range(2))
                await asyncio.sleep(0)
                first.cancel()
                await asyncio.wait([first])
                assert turns.waiting == 1
            await second

    asyncio.run(ask())


def test_a_request_that_gives_up_frees_its_place():
    async def give_up():
        turns = Turns(1, 1, 1)
        async with turns.place("a"):
            waiting = asyncio.create_task(turns.place("b").__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(BusyError, match="maximum of heavy requests per user: 1 running and 1 waiting"):
                await turns.place("b").__aenter__()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            assert turns.waiting == 0
        async with turns.place("b"):
            assert turns.waiting == 0

    asyncio.run(give_up())


@contextlib.contextmanager
def serving(database_url, directory, threads):
    """A service with few threads in each pool, a client of each of three users, and the path of a series they see.

    The service knows the tokens of the users.
    """
    directory.mkdir()
    settings = {"threads": threads, "table_threads": threads, "heavy_requests": 2, "heavy_waiting": 1}
    named = {f"server__{name}": value for name, value in settings.items()}
    with (
        ForkedService(directory, database__url=database_url, **named) as service,
        service.client() as admin,
        contextlib.ExitStack() as stack,
    ):
        world = World(admin)
        clients = {name: stack.enter_context(service.client(world.tokens[name])) for name in ("anna", "ben", "sam")}
        body = world.fields(series_name="shared", group_ids="all", data=columns())
        answer = clients["anna"].post(LIST, json=body)
        for client in clients.values():
            assert client.get("/api/whoami").status_code == 200
        yield service, clients, f"{LIST}/{answer.json()['data']['id']}"


@pytest.fixture(scope="module")
def narrow(database_url, tmp_path_factory):
    """A service in which one user has at most one of two threads."""
    with serving(database_url, tmp_path_factory.mktemp("narrow") / "data", 2) as running:
        yield running


@pytest.fixture
def pool():
    with ThreadPoolExecutor(30) as threads:
        yield threads


@contextlib.contextmanager
def locked(database_url):
    """Lock the table of series; return a function that waits until this many statements wait for it."""
    url = database_url.replace("+psycopg2", "")
    with contextlib.closing(psycopg2.connect(url)) as connection, contextlib.closing(psycopg2.connect(url)) as looking:
        looking.autocommit = True
        connection.cursor().execute("LOCK TABLE photometric_series IN ACCESS EXCLUSIVE MODE")

        def until(number):
            end = time.monotonic() + PATIENCE
            cursor = looking.cursor()
            found = None
            while found != number:
                assert time.monotonic() < end, f"{found} statements wait, not {number}"
                time.sleep(0.02)
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
                (found,) = cursor.fetchone()

        yield until


def received(service):
    """Wait until the service has read what was sent to it before."""
    with service.client() as client:
        for _ in range(3):
            assert client.get("/healthz").status_code == 200


def sent(service, client, path, verb="GET", body=b""):
    """Send a request on a connection of its own; give the connection."""
    address = urlsplit(service.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
    token = client.headers["Authorization"]
    about = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    head = f"{verb} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{about}\r\n"
    connection.sendall(head.encode() + body)
    received(service)
    return connection


@pytest.mark.parametrize("data_format", ["none", "json"])
def test_single_request_is_not_delayed_by_twenty_of_another_user(server, template, tmp_path, data_format):
    with (
        database(server, template) as url,
        serving(url, tmp_path / "data", 1) as (service, clients, path),
        contextlib.ExitStack() as stack,
    ):
        begin = len(service.log.read_text())
        path = f"{path}?dataFormat={data_format}"
        with locked(url) as until:
            for _ in range(20):
                stack.enter_context(sent(service, clients["anna"], path))
            until(1)
            stack.enter_context(sent(service, clients["ben"], path))
        assert clients["anna"].get(path).status_code == 200, "the last one"
        found = re.findall(rf"path={LIST}\S* query=\S+ status=200 .*user=(\w+)", service.log.read_text()[begin:])
    assert found[:21] == ["anna", "ben", *["anna"] * 19]


def test_one_user_leaves_a_thread_to_others(narrow, database_url):
    service, clients, path = narrow
    with contextlib.ExitStack() as stack, locked(database_url) as until:
        for _ in range(5):
            stack.enter_context(sent(service, clients["anna"], f"{path}?dataFormat=none"))
        until(1)
        assert clients["ben"].get("/api/enum_types").status_code == 200
        assert clients["sam"].get("/api/whoami").status_code == 200


def test_requests_without_a_pool_answer_while_pools_are_blocked(narrow, database_url, pool):
    service, clients, path = narrow
    token = clients["ben"].headers["Authorization"].removeprefix("token ")
    with locked(database_url) as until:
        waiting = [
            pool.submit(clients[name].get, f"{path}?dataFormat={data_format}")
            for name in ("anna", "ben", "sam")
            for data_format in ("none", "none", "json", "json")
        ]
        until(4)
        assert not any(answer.done() for answer in waiting)
        with service.client() as other:
            assert other.get("/healthz").json()["data"] == {"alive": True}
            assert other.request("GET", "/healthz", content=b"{}").status_code == 200
            assert other.get("/sign-in").status_code == 200
            assert other.post("/sign-in", data={"token": token, "next": "/"}).status_code == 303
            for name in ("find.js", "chart.js"):
                assert other.get(address_of(name)).status_code == 200
            assert other.get("/nothing").status_code == 404
        until(4)
    assert {answer.result().status_code for answer in waiting} == {200}


def test_jobs_with_uploads_by_url_are_heavy(narrow, database_url):
    """A slow server would keep a thread of short requests waiting."""
    service, clients, _ = narrow
    upload = {"QUERY": "SELECT 1 AS n", "UPLOAD": "t,http://127.0.0.1:1/"}
    with locked(database_url) as until, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(sent(service, clients["anna"], f"{LIST}/summary"))
        until(1)
        answer = clients["anna"].post("/vo/tap/async", data=upload)
        assert answer.status_code == 429
        assert "maximum of heavy requests per user: 2 running and 1 waiting" in answer.text
        assert clients["anna"].post("/vo/tap/async", data={"QUERY": "SELECT 1 AS n"}).status_code == 303
    answer = clients["ben"].post("/vo/tap/async", data=upload)
    assert (answer.status_code, "not a public address" in answer.text) == (400, True)


@pytest.mark.parametrize("kind", ["summary", "positions", "list", "export", "periodogram"])
def test_excess_heavy_requests_are_refused(narrow, database_url, pool, kind):
    service, clients, path = narrow
    position = {"positions": [[10, -20]], "radius": 1}
    ask = {
        "summary": lambda client: client.get(f"{LIST}/summary"),
        "positions": lambda client: client.post(f"{LIST}/query", json=position),
        "list": lambda client: client.get(f"{LIST}?dataFormat=json"),
        "export": lambda client: client.get(f"{LIST}/export"),
        "periodogram": lambda client: client.get(f"{path}/periodogram"),
    }[kind]
    with locked(database_url) as until:
        first = [pool.submit(clients["anna"].get, f"{LIST}/summary") for _ in range(3)]
        until(1)  # two places, but one user has one thread
        received(service)
        if kind != "periodogram":  # which looks for its series first
            error = check_error(ask(clients["anna"]), 429)
            assert error["data"]["code"] == "busy"
            assert "maximum of heavy requests per user: 2 running and 1 waiting" in error["message"]
            assert ask(clients["anna"]).headers["Retry-After"] == "5"
        assert clients["anna"].get("/api/enum_types").status_code == 200
        others = pool.submit(ask, clients["ben"])
        until(2)
    assert {answer.result().status_code for answer in first} == {200}
    assert others.result().status_code == 200
    assert ask(clients["anna"]).status_code == 200, "the places are free again"


def test_a_request_whose_client_has_gone_is_not_worked_at(narrow, database_url):
    service, clients, path = narrow
    begin = len(service.log.read_text())
    with contextlib.ExitStack() as stack:
        with locked(database_url) as until:
            stays = stack.enter_context(sent(service, clients["anna"], f"{LIST}?objectID=stays"))
            until(1)
            sent(service, clients["anna"], f"{LIST}?objectID=goes").close()
            received(service)
        assert stays.recv(12) == b"HTTP/1.1 200"
    assert clients["anna"].get(f"{path}?dataFormat=none").status_code == 200
    assert re.findall(rf"path={LIST} query=\S+ status=(\d+)", service.log.read_text()[begin:]) == ["200", "499"]


@pytest.mark.parametrize(
    "path",
    [
        f"{LIST}?objectID=star",
        f"{LIST}?dataFormat=json",
        f"{LIST}/query",
        f"{LIST}/summary",
        f"{LIST}/export",
        "/vo/scs?RA=10&DEC=-20&SR=1",
        "/vo/tap/sync?LANG=ADQL&QUERY=SELECT+id+FROM+photseries.series",
        "/vo/moc",
    ],
)
def test_a_query_is_cancelled_when_its_client_goes(narrow, database_url, path):
    service, clients, _ = narrow
    search = ("POST", b'{"positions": [[10, -20]], "radius": 1}') if path.endswith("query") else ()
    with locked(database_url) as until:
        for _ in range(3):  # as many as would take all threads, and more
            connection = sent(service, clients["anna"], path, *search)
            until(1)
            connection.close()
            until(0)
    assert clients["anna"].get(LIST).status_code == 200


def test_a_change_is_completed_when_its_client_goes(narrow, database_url):
    service, clients, path = narrow
    before = clients["anna"].get(f"{path}?dataFormat=none").json()["data"]["revision"]
    with locked(database_url) as until:
        connection = sent(service, clients["anna"], path, "PATCH", b'{"origin": "mine"}')
        until(1)
        connection.close()
        received(service)
        until(1)
    begin = time.monotonic()
    while (now := clients["anna"].get(f"{path}?dataFormat=none").json()["data"])["revision"] == before:
        assert time.monotonic() < begin + PATIENCE
    assert (now["revision"], now["origin"]) == (before + 1, "mine")


def test_files_of_many_rows_are_heavy(narrow):
    service, clients, small = narrow
    anna = clients["anna"]
    rows = 600_000
    noise = np.random.default_rng(1).normal(100, 1, (2, rows))
    table = pd.DataFrame({"mjd": 59000 + np.arange(rows) / 1440, "flux": noise[0], "fluxerr": np.abs(noise[1])})
    fields = {"obj_id": "star", "instrument_id": 7, "series_name": "long", "series_obj_id": "2", "ra": 1, "dec": 1}
    posted = anna.post(
        LIST,
        params={**fields, "exp_time": 1, "filter": "ztfg"},
        content=recipe_write(table, {}),
        headers={"Content-Type": "application/x-hdf5"},
    )
    long = f"{LIST}/{posted.json()['data']['id']}"
    with contextlib.ExitStack() as stack:
        for _ in range(2):  # a client that does not read its export holds a place
            export = stack.enter_context(sent(service, anna, f"{LIST}/export?format=zip&seriesName=long"))
            assert export.recv(12) == b"HTTP/1.1 200"
        stack.enter_context(sent(service, anna, f"{LIST}/summary"))
        for path in (f"{long}/data?format=votable", f"{long}.csv", long, f"{long}?dataFormat=json&maxPoints=5"):
            check_error(anna.get(path), 429, "busy")
        for path in (f"{long}/data", f"{long}?dataFormat=none", f"{small}/data?format=votable", f"{small}.csv", small):
            assert anna.get(path).status_code == 200
        assert clients["ben"].get(f"{small}/data?format=votable").status_code == 200
