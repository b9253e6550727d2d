"""What a series of a bulk upload costs, counted and not timed, so that it cannot creep up unseen."""

import sys
import tempfile
import threading

import numpy as np
import pyarrow as pa
from sqlalchemy import event, text

from photseries.server.archive.bulk import BulkOptions
from photseries.server.archive.portions import PORTION
from tests.server.http.test_bulk import arrow

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


def test_bulk_upload_has_bounded_calls_and_statements(services, principal):
    statements, calls = [], 0

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
    event.listen(services.catalogue.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
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
