"""Rows of series without tables: what the tests of queries fill a catalogue with."""

import contextlib
import itertools

from sqlalchemy import update

from photseries.fields import COMPUTED, METADATA, PERIOD
from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import series
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.services import open_services

_numbers = itertools.count(1)

#: The sources that rows may name, and the instruments.
SOURCES = ("star", "other star", "100%", "a_b", "axb", "back\\slash", "sla/sh", 'the "odd", one', " spaced ")
INSTRUMENTS = (7, 8, 9)


@contextlib.contextmanager
def emptied(database_url, directory):
    """Services without workers on a database, with the sources and instruments that rows may name."""
    config = settings.load(None, {}, {"database.url": database_url, "data.directory": str(directory)})
    with open_services(config) as services:
        services.accounts.bootstrap(services.token_file)
        for name in SOURCES:
            services.accounts.create(OPERATOR, "sources", {"id": name, "ra": 10, "dec": -20})
        for number in INSTRUMENTS:
            services.accounts.create(OPERATOR, "instrument", {"name": f"camera {number}", "id": number})
        yield services


def values(**fields):
    """The columns of a series that is complete, and like no other one."""
    number = next(_numbers)
    times = [fields[name] for name in ("mjd_first", "mjd_mid", "mjd_last") if name in fields]
    return {
        **dict.fromkeys((*METADATA, *COMPUTED)),
        "owner_id": 1,
        "obj_id": "star",
        "instrument_id": 7,
        "series_name": f"row {number}",
        "series_obj_id": f"{number}",
        "ra": 10.0,
        "dec": -20.0,
        "exp_time": 120.0,
        "filter": "ztfg",
        "time_stamp_alignment": "middle",
        "flux_unit": "uJy",
        "magsys": "ab",
        "num_exp": 10,
        "num_detected": 0,
        "is_detected": False,
        "mjd_first": min(times, default=59000.0),
        "mjd_mid": max(times, default=59000.0),
        "mjd_last": max(times, default=59000.0),
        "medians": {},
        "minima": {},
        "maxima": {},
        "stds": {},
        "statistics_version": 3,
        "inferred": [],
        "content_hash": f"content {number}",
        "hash": f"md5 {number}",
        "filename": f"rows/{number}.h5",
        "blob_size": 0,
        "blob_crc": 0,
        "blob_format": 1,
        **fields,
    }


def insert(connection, *, group_ids=(), stream_ids=(), **fields):
    """Insert a series and give its id."""
    identity = series.create(connection, {**values(**fields), "longitude": 0.0}, sorted(group_ids), sorted(stream_ids))
    later = {name: fields[name] for name in ("created_at", "modified", "revision", *PERIOD) if name in fields}
    if later:
        connection.execute(update(Series).where(SERIES.id == identity).values(later))
    return identity


def clear(connection):
    """Remove every series."""
    connection.exec_driver_sql("DELETE FROM photometric_series")
