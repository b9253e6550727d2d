"""A range of a stored file."""

import pytest

from photseries.errors import DamagedError
from photseries.server.storage import Store
from tests.support import columns


@pytest.fixture
def found(services, principal):
    body = {
        "obj_id": "star", "instrument_id": 7, "series_name": "one", "series_obj_id": "1", "ra": 10.0, "dec": -20.0,
        "exp_time": 30.0, "filter": "ztfg", "data": columns(),
    }  # fmt: skip
    return services.reader.get(principal, services.archive.create(principal, body).id)


def test_a_range_reads_no_more_than_it_has(services, principal, found, monkeypatch):
    _, whole = services.reader.file(principal, found)
    asked = []
    chunks = type(services.store).chunks

    def recorded(self, key, start=0, stop=None):
        asked.append((start, stop))
        return chunks(self, key, start, stop)

    monkeypatch.setattr(type(services.store), "chunks", recorded)
    monkeypatch.setattr(type(services.store), "read", Store.read)
    assert services.reader.stored_range(principal, found, 10, 300)[1] == whole[10:300]
    assert asked == [(10, 300)]


def test_a_range_of_a_file_that_is_cut_short_is_refused(services, principal, found, monkeypatch):
    monkeypatch.setattr(type(services.store), "chunks", lambda self, key, start, stop: iter([b"short"]))
    with pytest.raises(DamagedError):
        services.reader.stored_range(principal, found, 10, 300)
