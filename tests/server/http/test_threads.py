"""Work in threads: every request is answered, also when a module that is not Python breaks, while rights last."""

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tsdownsample import MinMaxDownsampler

from photseries.errors import ForbiddenError, UnauthorizedError
from photseries.server.http import work
from photseries.server.http.caller import Caller
from photseries.server.http.credentials import Credential
from photseries.server.http.threads import ThreadPool
from photseries.server.http.throttle import Throttle
from photseries.server.principal import MANAGE, UPLOAD, Principal
from photseries.server.settings import ServerSettings
from tests.support import PATIENCE

TIMES_NEXT_TO_EACH_OTHER = np.arange(5000) * 5e-324


@contextlib.contextmanager
def ended(threads):
    yield threads
    assert threads.end(time.monotonic() + PATIENCE)


def panicking():
    MinMaxDownsampler().downsample(TIMES_NEXT_TO_EACH_OTHER, np.ones(5000), n_out=100)


def test_a_panic_of_native_code_is_an_exception_like_any_other():
    with pytest.raises(BaseException, match="out of bounds") as panic:
        panicking()
    assert not isinstance(panic.value, Exception), "what Tornado does not answer"

    async def work():
        with pytest.raises(RuntimeError, match="ended with PanicException") as raised:
            await threads.call(panicking)
        assert "out of bounds" in str(raised.value.__cause__)
        with pytest.raises(RuntimeError, match="ended with StopIteration"):
            await threads.call(next, iter(()))
        with pytest.raises(ZeroDivisionError):
            await threads.call(pow, 0, -1)
        assert await threads.call(pow, 2, 3) == 8

    with ended(ThreadPool(1)) as threads:
        asyncio.run(work())


def test_the_thread_used_last_is_used_next():
    async def work():
        both = threading.Barrier(2)
        await asyncio.gather(*(threads.call(both.wait, PATIENCE) for _ in range(2)))
        return {await threads.call(threading.get_ident) for _ in range(10)}

    with ended(ThreadPool(3)) as threads:
        assert len(asyncio.run(work())) == 1


def test_calls_beyond_the_number_of_threads_wait_in_their_order_unless_cancelled():
    done = []

    async def work():
        first = threads.call(gate.wait, PATIENCE)
        calls = [threads.call(done.append, number) for number in range(4)]
        calls[1].cancel()
        gate.set()
        assert await first
        await asyncio.gather(*calls, return_exceptions=True)

    gate = threading.Event()
    with ended(ThreadPool(1)) as threads:
        asyncio.run(work())
    assert done == [0, 2, 3]


def test_an_idle_thread_keeps_neither_results_nor_errors_alive():
    class Table:
        pass

    def failing():
        table = Table()
        kept.append(weakref.ref(table))
        raise ValueError

    async def work():
        kept.append(weakref.ref(await threads.call(Table)))
        with contextlib.suppress(ValueError):
            await threads.call(failing)
        await threads.call(int)  # after it, the thread has left the call before
        assert [reference() for reference in kept] == [None, None]

    kept = []
    gc.disable()
    try:
        with ended(ThreadPool(1)) as threads:
            asyncio.run(work())
    finally:
        gc.enable()


def test_the_end_waits_for_running_calls_discards_others_and_says_whether_all_ended():
    done = []

    async def leave():
        threads.call(gate.wait, PATIENCE)
        threads.call(done.append, "waiting")

    gate, threads = threading.Event(), ThreadPool(1)
    asyncio.run(leave())
    assert not threads.end(time.monotonic())
    gate.set()
    assert threads.end(time.monotonic() + PATIENCE)
    assert done == []


def test_a_piece_that_was_computed_while_rights_were_lost_is_not_sent(monkeypatch):
    lost = []

    def check_rights(_):
        if lost:
            raise UnauthorizedError("The token has ended.")

    def pieces():
        yield b"before"
        lost.append("token")
        yield b"after"

    catalogue = SimpleNamespace(with_retries=lambda function, harmless: function())
    shared: Any = SimpleNamespace(services=SimpleNamespace(catalogue=catalogue, accounts=None))
    monkeypatch.setattr(work, "_RIGHTS_INTERVAL", 0)
    caller: Any = SimpleNamespace(check_rights=check_rights)
    sent = work.Work(shared, caller, None, quick=False, harmless=True).while_allowed(pieces())
    assert next(sent) == b"before"
    with pytest.raises(UnauthorizedError):
        next(sent)


@pytest.mark.parametrize("rights", ["permissions", "group_ids", "stream_ids"])
def test_a_request_ends_when_any_right_is_lost_and_only_then(rights):
    full = Principal(1, "anna", 2, frozenset({UPLOAD, MANAGE}), frozenset({2, 3}), frozenset({4, 5}))
    left: dict[str, Any] = {rights: frozenset(list(getattr(full, rights))[:1])}
    fewer = replace(full, **left)
    accounts: Any = None
    caller = Caller("127.0.0.1", Throttle(ServerSettings()))
    for before, now in ((full, full), (fewer, full)):
        caller.principal, caller.credential = before, Credential("", lambda *_, now=now: now)
        caller.check_rights(accounts)
    caller.principal, caller.credential = full, Credential("", lambda *_: fewer)
    with pytest.raises(ForbiddenError, match="You lost a permission, a group or a stream"):
        caller.check_rights(accounts)
