"""Work is cancelled in its own thread only, and never after its end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from photseries.cancellation import Cancellation, CancelledWorkError, cancellable, check_cancelled
from photseries.lightcurve.lomb_scargle import Grid, LombScargle
from photseries.lightcurve.period_methods import phase_dispersion

TIMES = np.linspace(0, 10, 50)
GRID = Grid(0.1, 0.1, 20)


def cancelled():
    one = Cancellation()
    one.is_set = True
    return one


def test_work_without_a_cancellation_goes_on():
    check_cancelled()
    with cancellable(pytest.fail):
        assert Cancellation().run(lambda: 8) == 8
    with pytest.raises(CancelledWorkError):
        cancelled().run(pytest.fail)
    check_cancelled()


def test_a_wait_is_interrupted_until_it_ends():
    one, waits, interrupted = Cancellation(), threading.Event(), threading.Event()

    def work():
        with cancellable(interrupted.set):
            waits.set()
            assert interrupted.wait(60)
        with cancellable(pytest.fail):
            pytest.fail("the work was cancelled")

    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(one.run, work)
        assert waits.wait(60)
        assert one.is_awaited
        one.is_set = True
        one.interrupt()
        with pytest.raises(CancelledWorkError):
            done.result()
    assert not one.is_awaited
    interrupted.clear()
    one.interrupt()
    assert not interrupted.is_set()


@pytest.mark.parametrize(
    "search",
    [
        lambda: LombScargle(TIMES, np.sin(TIMES), None).on_grid(GRID),
        lambda: phase_dispersion(TIMES, np.sin(TIMES), GRID),
    ],
)
def test_a_search_for_periods_is_cancelled(search):
    one = Cancellation()

    def work():
        assert len(search()) == GRID.count
        one.is_set = True
        search()
        pytest.fail("the search was cancelled")

    with pytest.raises(CancelledWorkError):
        one.run(work)
