"""The semaphore: bounded, first come first served, and without lost wake-ups."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from photseries.server.sandbox.semaphore import FairSemaphore


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.005)
    raise TimeoutError


def test_semaphore_admits_at_most_its_places():
    gate, lock, inside, most = FairSemaphore(3, 60), threading.Lock(), 0, 0

    def visit(number):
        nonlocal inside, most
        with gate.entered():
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.001)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(visit, range(300)))
    assert most == 3


def test_waiting_threads_enter_in_order():
    gate, order = FairSemaphore(1, 60), []

    def visit(number):
        with gate.entered():
            order.append(number)

    with ThreadPoolExecutor(8) as pool:
        with gate.entered():
            for number in range(8):
                pool.submit(visit, number)
                wait_for(lambda number=number: len(gate._waiting) == number + 1)
            # A new waiter, even one that has just left, is behind those eight.
        visit("last")
    assert order == [*range(8), "last"]


def test_timeout_keeps_the_place_available():
    gate = FairSemaphore(1, 0.05)
    with ThreadPoolExecutor(1) as pool, gate.entered():
        refused = pool.submit(lambda: gate.entered().__enter__())
        assert isinstance(refused.exception(), TimeoutError)
    with gate.entered():
        pass


def test_stuck_holders_make_waiters_fail_immediately(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("photseries.server.sandbox.semaphore.time.monotonic", lambda: now[0])
    gate = FairSemaphore(1, 10.0)
    with gate.entered():
        now[0] = 10.5
        with pytest.raises(TimeoutError), gate.entered():
            pytest.fail("entered")
        assert not gate._waiting


def test_places_survive_races_of_patience():
    gate = FairSemaphore(2, 0.001)

    def visit(number):
        with contextlib.suppress(TimeoutError), gate.entered():
            time.sleep(0.001)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(400)))
    assert (gate._inside, gate._promised, list(gate._waiting)) == ({}, 0, [])
