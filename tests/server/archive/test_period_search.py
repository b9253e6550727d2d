"""A search for a period is of one revision: what changes meanwhile is searched again."""

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
