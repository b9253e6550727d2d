"""What a series of a bulk upload costs, counted and not timed, so that it cannot creep up unseen."""

import dataclasses
import itertools
import math
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import text

from photseries.errors import InvalidError
from photseries.server.archive import bulk, portions, store_ownership
from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.bulk import BulkOptions, BulkUpload, request_of
from photseries.server.archive.portions import PORTION
from photseries.server.catalogue.bulk import holders
from photseries.server.sandbox.bulk_reader import slabs
from photseries.server.sandbox.bulk_wire import Slab
from photseries.server.sandbox.worker import map_file
from photseries.server.settings import LimitSettings, QuotaSettings
from tests.server.http import test_bulk
from tests.server.http.test_bulk import arrow
from tests.server.statements import sent_statements

ROWS = 1000

#: Of Python functions, for a series of plain numbers; a single upload takes about 5,000.
MAX_CALLS = 700
#: Of SQL, for a portion: two look-ups, the same tables, the insert, numbers for the planner; without BEGIN, COMMIT.
MAX_STATEMENTS = 6


def night(name, series, rows=ROWS):
    draw = np.random.default_rng(5)
    fields = {"obj_id": "star", "instrument_id": 7, "series_name": name, "filter": "ztfg"}
    fields |= {"ra": 10.0, "dec": -20.0, "exp_time": 20.0}
    values = {
        "mjd": np.tile(59000 + np.arange(rows) / 4096, series),
        "flux": draw.normal(1000, 3, series * rows),
        "fluxerr": draw.uniform(2, 4, series * rows),
        "sky": draw.normal(100, 3, series * rows),
    }
    offsets = np.arange(0, series * rows + 1, rows)
    lists = {key: pa.LargeListArray.from_arrays(offsets, column) for key, column in values.items()}
    same = {key: [value] * series for key, value in fields.items()}
    return pa.table({**same, "series_obj_id": [f"{number}" for number in range(series)], **lists})


def test_bulk_upload_has_bounded_calls_and_statements(services, principal, monkeypatch):
    monkeypatch.setattr(store_ownership, "_TRUSTED", math.inf)  # else a slow machine looks at the mark again
    calls = 0

    def count(frame, kind, argument):
        nonlocal calls
        calls += kind == "call"

    def upload(name):
        with tempfile.TemporaryFile() as body:
            body.write(arrow(night(name, 2 * PORTION)))
            body.flush()
            outcomes = [
                one for some in services.bulk.upload(principal, body.fileno(), BulkOptions("arrow")) for one in some
            ]
        assert {one.status for one in outcomes} == {"created"}

    upload("warm")
    with sent_statements() as statements:
        threading.setprofile(count)  # a thread parses ahead
        sys.setprofile(count)
        try:
            upload("counted")
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    print(calls / (2 * PORTION), len(statements))
    assert calls / (2 * PORTION) < MAX_CALLS
    assert len(statements) <= 2 * MAX_STATEMENTS


@pytest.mark.slow
def test_a_body_of_many_batches_takes_time_in_proportion():
    """One batch per series, as some clients write; the time was quadratic: 38 times as much for 8 times the batches."""

    def seconds(batches):
        table = pa.table({"name": np.repeat(np.arange(batches), 3), "mjd": np.arange(3.0 * batches)})
        body = memoryview(arrow(table, 3))
        request = dataclasses.replace(request_of(LimitSettings(), "arrow"), by=("name",))
        begun = time.process_time()
        assert sum(len(slab.rows) for slab in slabs(body, request) if isinstance(slab, Slab)) == batches
        return time.process_time() - begun

    few = seconds(2000)
    assert seconds(16_000) < 16 * few


@pytest.mark.parametrize("media", ["arrow", "parquet"])
def test_the_memory_of_a_reader_does_not_grow_with_the_body(tmp_path, media):
    """The pages of the mapped body counted, up to 1 GiB, as memory of the process that reads it."""
    series, rows = 4_000, 500  # 32 MB
    times = np.random.default_rng(3).uniform(59000, 60000, series * rows)
    table = pa.table({"name": np.repeat(np.arange(series), rows), "mjd": times})
    (tmp_path / "body").write_bytes(BODIES[media](table, 100_000))
    request = dataclasses.replace(request_of(LimitSettings(), media), by=("name",))
    with open(tmp_path / "body", "rb") as body:
        resident = []
        for _ in slabs(map_file(body.fileno()), request):
            about = Path("/proc/self/smaps").read_text().partition(f"{tmp_path}/body\n")[2]
            resident.append(int(re.search(r"^Rss: +(\d+) kB", about, re.MULTILINE)[1]) * 1024)
    assert 0 < max(resident) < (tmp_path / "body").stat().st_size / 4


@pytest.mark.slow
def test_the_planner_knows_of_many_new_series(services, principal):
    """Else each key would be looked for among all series of its source, until PostgreSQL looks at the table itself."""
    with tempfile.TemporaryFile() as body:
        body.write(arrow(night("planned", 6 * PORTION)))
        body.flush()
        for _ in services.bulk.upload(principal, body.fileno(), BulkOptions("arrow")):
            pass
    with services.catalogue.reading() as connection:
        known = connection.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'photometric_series'")).scalar()
    assert known > 2 * PORTION


def stored(services, principal, table, quotas=None):
    """Upload a body to an archive with quotas; return the outcomes."""
    config = dataclasses.replace(services.config, quotas=quotas or services.config.quotas)
    sandbox, archive = services.bulk._sandbox, services.archive
    uploads = BulkUpload(services.catalogue, services.store, sandbox, archive, config)
    with tempfile.TemporaryFile() as body:
        body.write(arrow(table))
        body.flush()
        return [one for some in uploads.upload(principal, body.fileno(), BulkOptions("arrow")) for one in some]


def test_series_beyond_a_quota_need_no_transactions(services, principal):
    with sent_statements() as statements:
        outcomes = stored(services, principal, night("full", 2 * PORTION + 9, 3), quotas=QuotaSettings(series=7))
    inserts = [statement for statement in statements if "INSERT INTO photometric_series" in statement]
    assert [one.status for one in outcomes] == ["created"] * 7 + [None] * (2 * PORTION + 2)
    assert {one.error.code for one in outcomes[7:]} == {"quota_exceeded"}
    assert len(inserts) <= 3, "the first portion, what fits of it, and perhaps what was written ahead"
    assert len(list(services.store.scan())) == 7


def test_a_quota_of_bytes_takes_what_fits(services, principal):
    tables = [night(name, 1, rows) for name, rows in (("a", 3), ("b", 9000), ("c", 3), ("d", 9000), ("e", 3))]
    (first,) = stored(services, principal, tables[0])
    (size,) = (blob.size for blob in services.store.scan())
    outcomes = stored(services, principal, pa.concat_tables(tables[1:]), quotas=QuotaSettings(bytes=3 * size + 99))
    assert first.status == "created"
    assert [one.status for one in outcomes] == [None, "created", None, "created"]


def test_series_of_a_faster_upload_leave_their_room_to_others(services, principal, monkeypatch):
    """The first series exceeds the quota of bytes; all others fit, but those of portions 2 and 3 of 6 exist by then."""
    small = night("small", 59, 3)
    faster = stored(services, principal, small.slice(9, 20))
    size = max(blob.size for blob in services.store.scan())

    def unaware(*given):
        """Find no series ahead of the thread that stores."""
        return {} if threading.current_thread().name.startswith("bulk") else holders(*given)

    monkeypatch.setattr(portions, "PORTION", 10)
    monkeypatch.setattr(bulk, "holders", unaware)
    table = pa.concat_tables([night("big", 1, 90_000), small])
    outcomes = stored(services, principal, table, QuotaSettings(bytes=60 * size))
    assert [one.error and one.error.code for one in outcomes] == [
        *("quota_exceeded", *[None] * 9),
        *["duplicate"] * 20,
        *[None] * 30,
    ]
    assert [one.error.details["id"] for one in outcomes[10:30]] == [one.id for one in faster]
    assert len(list(services.store.scan())) == 59


BODIES = {"arrow": arrow, "parquet": test_bulk.parquet}
ALTDATA = '{"note": "' + 988 * "x" + '"}'  # 1,000 bytes


@pytest.mark.parametrize("by", [(), ("series_obj_id",)], ids=["nested", "long"])
@pytest.mark.parametrize("is_dictionary", [False, True])
@pytest.mark.parametrize("media", ["arrow", "parquet"])
def test_fields_are_bounded_by_their_decoded_size(by, is_dictionary, media):
    texts = pa.array([ALTDATA] * 300)
    ids = pa.array([f"{number:03}" for number in range(300)])
    values = pa.array([60000.0] * 300)
    if not by:
        values = pa.ListArray.from_arrays(range(301), values)
    table = pa.table({"series_obj_id": ids, "altdata": texts.dictionary_encode() if is_dictionary else texts})
    body = memoryview(BODIES[media](table.append_column("mjd", values)))
    limits = LimitSettings(bulk_fields=300 * (1000 + 3))
    number, *parts = slabs(body, request_of(limits, media, by))
    assert number == sum(len(part.rows) for part in parts if isinstance(part, Slab)) == 300
    less = dataclasses.replace(limits, bulk_fields=limits.bulk_fields - 1)
    with pytest.raises(InvalidError, match=r"300,899 bytes \(limits\.bulk_fields\)"):
        list(slabs(body, request_of(less, media, by)))


def test_a_quota_may_be_exceeded_while_the_next_portion_is_written(services, principal, monkeypatch):
    numbers, exceeded, encode = itertools.count(), threading.Event(), BlobWriter.encode

    def wait(*given):
        """Hold the first series of the second portion until the first portion is written again, after the error."""
        if not threading.current_thread().name.startswith("bulk"):
            exceeded.set()
        elif next(numbers) == 10:
            assert exceeded.wait(30)
        return encode(*given)

    monkeypatch.setattr(portions, "PORTION", 10)
    monkeypatch.setattr(BlobWriter, "encode", wait)
    outcomes = stored(services, principal, night("next", 20, 3), QuotaSettings(series=5))
    assert [one.error and one.error.code for one in outcomes] == [None] * 5 + ["quota_exceeded"] * 15
