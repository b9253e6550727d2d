"""A search for a period is of one revision: what changes meanwhile is searched again."""

import numpy as np
import pytest

from photseries.errors import DamagedError
from photseries.server.archive.period_search import PeriodSearcher, SearchOutcome
from tests.server.archive.test_order import body
from tests.support import columns


@pytest.mark.parametrize("changes", [True, False])
def test_a_failed_search_marks_the_revision_that_it_read(services, principal, monkeypatch, changes):
    services.archive.create(principal, body(data=columns(20)))
    read = []

    def lose_the_file(store, blob):
        """Without a grace, a change removes the file that it replaces."""
        read.append(blob.filename)
        if changes and len(read) == 1:
            services.archive.update(principal, 1, {"data": columns(30)})
        raise DamagedError("The file is missing.")

    monkeypatch.setattr("photseries.server.archive.period_search.read_table", lose_the_file)
    searched = PeriodSearcher(services.catalogue, services.store, services.config.analysis).run_new()
    outcomes = [one.outcome for one in searched if isinstance(one, SearchOutcome)]
    assert outcomes == ["failed"] * (2 if changes else 1)
    assert len(set(read)) == len(read) == len(outcomes), "each file once"
    assert services.periods.number_waiting() == 0


def fail(*_, **__):
    raise MemoryError


def test_the_period_of_an_earlier_table_stays_hidden_after_a_failed_search(services, principal, monkeypatch):
    mjd = 59000 + np.sort(np.random.default_rng(1).uniform(0, 30, 300))
    flux = 100 + 20 * np.sin(2 * np.pi * mjd / 0.7)
    services.archive.create(principal, body(data={"mjd": mjd.tolist(), "flux": flux.tolist()}))
    searcher = PeriodSearcher(services.catalogue, services.store, services.config.analysis)
    assert [one.outcome for one in searcher.run_new() if isinstance(one, SearchOutcome)] == ["period"]
    (found,) = services.periods.list(principal, 1)
    assert found.period == pytest.approx(0.7, abs=0.001)

    services.archive.update(principal, 1, {"data": columns(100)})
    with monkeypatch.context() as patched:
        patched.setattr("photseries.server.archive.period_search.find_period", fail)
        assert [one.outcome for one in searcher.run_new() if isinstance(one, SearchOutcome)] == ["failed"]
    assert services.periods.list(principal, 1) == []
    services.periods.put(principal, 1, {"period": 3.0, "method": "by eye", "preferred": False})
    assert [one.method for one in services.periods.list(principal, 1)] == ["by eye"]
    assert services.reader.get(principal, 1).fields["period"] is None
