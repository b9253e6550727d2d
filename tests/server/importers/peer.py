"""A SkyPortal to be taken over: its tables by its column names, its files by its recipe, its numbers by its formulas.

The formulas are those of its model, wrong results included; they are written down here once more, in other words, so
that what an import says of them can be held against what SkyPortal would have stored.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
from psycopg2.extras import Json, execute_values

from tests.support import recipe_write

SCHEMA = """
CREATE TYPE bandpasses AS ENUM ('ztfg', 'ztfr', 'tess::red', 'f1550c');
CREATE TYPE time_stamp_alignment_types AS ENUM ('start', 'middle', 'end');
CREATE TABLE users (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    username varchar NOT NULL UNIQUE, first_name varchar, expiration_date timestamp);
CREATE TABLE groups (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    name varchar NOT NULL UNIQUE, nickname varchar, private boolean, single_user_group boolean);
CREATE TABLE group_users (id serial PRIMARY KEY, created_at timestamp, modified timestamp,
    group_id int NOT NULL REFERENCES groups, user_id int NOT NULL REFERENCES users, admin boolean);
CREATE TABLE streams (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    name varchar NOT NULL UNIQUE, altdata jsonb);
CREATE TABLE stream_users (id serial PRIMARY KEY, created_at timestamp, modified timestamp,
    stream_id int NOT NULL REFERENCES streams, user_id int NOT NULL REFERENCES users);
CREATE TABLE telescopes (id serial PRIMARY KEY, name varchar NOT NULL, lat float, lon float, elevation float);
CREATE TABLE instruments (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    name varchar NOT NULL UNIQUE, telescope_id int REFERENCES telescopes, filters bandpasses[] NOT NULL DEFAULT '{}');
CREATE TABLE objs (id varchar PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    ra float, dec float, redshift float);
CREATE TABLE followuprequests (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    obj_id varchar NOT NULL REFERENCES objs, status varchar);
CREATE TABLE classicalassignments (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    obj_id varchar NOT NULL REFERENCES objs, status varchar);
CREATE TABLE photometric_series (id serial PRIMARY KEY, created_at timestamp NOT NULL, modified timestamp NOT NULL,
    obj_id varchar NOT NULL REFERENCES objs, series_name varchar NOT NULL, series_obj_id varchar NOT NULL,
    ra float, dec float, filter bandpasses NOT NULL, channel varchar NOT NULL, origin varchar NOT NULL,
    filename varchar NOT NULL UNIQUE, mjd_first float NOT NULL, mag_first float NOT NULL, mjd_mid float NOT NULL,
    mjd_last float NOT NULL, mag_last float NOT NULL, mjd_last_detected float, mag_last_detected float,
    is_detected boolean NOT NULL, exp_time float NOT NULL, frame_rate float NOT NULL, num_exp int NOT NULL,
    time_stamp_alignment time_stamp_alignment_types NOT NULL, ra_unc float, dec_unc float, limiting_mag float NOT NULL,
    ref_flux float, ref_fluxerr float, altdata jsonb, instrument_id int NOT NULL REFERENCES instruments,
    followup_request_id int REFERENCES followuprequests, assignment_id int REFERENCES classicalassignments,
    owner_id int NOT NULL REFERENCES users, mean_mag float, rms_mag float, robust_mag float, robust_rms float,
    median_snr float, best_snr float, worst_snr float, medians jsonb, maxima jsonb, minima jsonb, stds jsonb,
    hash varchar NOT NULL UNIQUE, autodelete boolean NOT NULL DEFAULT true);
CREATE TABLE group_photometric_series (id serial PRIMARY KEY, created_at timestamp, modified timestamp,
    group_id int NOT NULL REFERENCES groups, photometric_serie_id int NOT NULL REFERENCES photometric_series);
CREATE TABLE stream_photometric_series (id serial PRIMARY KEY, created_at timestamp, modified timestamp,
    stream_id int NOT NULL REFERENCES streams, photometric_serie_id int NOT NULL REFERENCES photometric_series);
"""

#: The folder in which the SkyPortal kept its files, on a machine that is not this one.
ROOT = "/skyportal/persistentdata/phot_series"
MADE = "2023-04-05 06:07:08.901234"
CHANGED = "2024-01-02 03:04:05"
PUBLIC = 2
USERS = {11: "anna", 12: "ben", 13: "sam", 14: "olga"}
OWN = {number: 100 + number for number in USERS}
CREW, FEED = 30, 40


class Peer:
    """The database at a URL, and files below a folder."""

    def __init__(self, url, folder):
        self.folder = folder
        self.marker = folder.with_name("run")  # a hostile series would write it
        self.url = url.replace("+psycopg2", "")
        self.connection = psycopg2.connect(self.url)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.cursor.execute(SCHEMA)
        self.rows = {}

    def insert(self, table, rows):
        """Insert rows, which all have the columns of the first; dates are added."""
        names = [*rows[0], "created_at", "modified"]
        values = [[*map(_stored, row.values()), MADE, CHANGED] for row in rows]
        execute_values(self.cursor, f"INSERT INTO {table} ({', '.join(names)}) VALUES %s", values)

    def people(self):
        """Users with their own groups, a group and a stream that some of them share, things to refer to."""
        self.insert("users", [{"id": number, "username": name} for number, name in USERS.items()])
        groups = [{"id": PUBLIC, "name": "Sitewide Group", "single_user_group": False}]
        groups += [{"id": OWN[number], "name": name, "single_user_group": True} for number, name in USERS.items()]
        self.insert("groups", [*groups, {"id": CREW, "name": "crew", "single_user_group": False}])
        members = [(PUBLIC, number) for number in USERS] + [(OWN[number], number) for number in USERS]
        members += [(CREW, 11), (CREW, 12)]
        self.insert("group_users", [{"group_id": group, "user_id": user, "admin": True} for group, user in members])
        self.insert("streams", [{"id": FEED, "name": "feed"}])
        self.insert("stream_users", [{"stream_id": FEED, "user_id": user} for user in (11, 13)])
        self.cursor.execute("INSERT INTO telescopes VALUES (5, 'Siding Spring', -31.2733, 149.07, 1165)")
        self.insert("instruments", [{"id": 77, "name": "ZTF", "telescope_id": 5}])
        self.cursor.execute("UPDATE instruments SET filters = '{ztfg,ztfr}'")
        self.insert("objs", [{"id": f"star {n}", "ra": 10.0 + n, "dec": -20.0} for n in range(5)])
        self.insert("objs", [{"id": name, "ra": None, "dec": None} for name in ("nowhere", "no place")])
        self.insert("followuprequests", [{"id": 900, "obj_id": "star 1", "status": "done"}])
        self.insert("classicalassignments", [{"id": 901, "obj_id": "star 1", "status": "done"}])

    def series(self, number, frame, *, groups=(CREW,), streams=(), path=None, stored=None, **fields):
        """Store a series as SkyPortal does; ``stored`` are columns that hold something else than it would compute."""
        row = {
            "obj_id": f"star {number % 5}", "series_name": "sector/5", "series_obj_id": f"n{number}", "ra": 10.5,
            "dec": -20.5, "filter": "ztfg", "channel": "", "origin": "", "exp_time": 30.0, "instrument_id": 77,
            "time_stamp_alignment": "middle", "limiting_mag": math.nan, "altdata": {}, "owner_id": 11, "ra_unc": None,
            "dec_unc": None, "ref_flux": None, "ref_fluxerr": None, "followup_request_id": None,
            "assignment_id": None, **fields,
        }  # fmt: skip
        metadata = {name: value for name, value in row.items() if value is not None}
        content = recipe_write(frame, {**metadata, "group_ids": sorted(groups), "stream_ids": sorted(streams)})
        name = f"{row['series_name'].replace(chr(92), '/')}/series_{row['series_obj_id']}_inst_77.h5"
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        row |= {"id": number, "filename": path or f"{ROOT}/{name}", "hash": hashlib.md5(content).hexdigest()}
        row |= {**statistics(frame), **(stored or {})}
        self.insert("photometric_series", [row])
        shared = [{"group_id": group, "photometric_serie_id": number} for group in groups]
        if shared:
            self.insert("group_photometric_series", shared)
        if streams:
            joined = [{"stream_id": stream, "photometric_serie_id": number} for stream in streams]
            self.insert("stream_photometric_series", joined)
        self.rows[number] = row
        return file


def _stored(value):
    return (
        Json(value, dumps=lambda found: json.dumps(found).replace("NaN", "null")) if isinstance(value, dict) else value
    )


def plain(rows=30, seed=0, level=100.0):
    """A table without anything odd."""
    noise = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "mjd": 59000 + np.arange(rows) / 48,
            "flux": level + noise.normal(0, 1, rows),
            "fluxerr": np.full(rows, 1.5),
            "background": noise.normal(50, 2, rows),
        }
    )


def statistics(frame):
    """Compute what SkyPortal stores of a table: in the precision of its columns, first row first."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        mjd = np.array(frame["mjd"])
        if "flux" in frame:
            flux = np.array(frame["flux"])
            mag = np.where(flux > 0, -2.5 * np.log10(flux) + 23.9, np.nan).astype(flux.dtype)
        else:
            mag = np.array(frame["mag"])
            flux = 10 ** (0.4 * (23.9 - mag))
        robust_mag, robust_rms = _clipped(mag)
        noise = robust_rms * np.log(10) / 2.5 * abs(np.nanmedian(flux))
        if "fluxerr" in frame:
            noise = np.maximum(np.array(frame["fluxerr"]), noise)
        snr = flux / noise
        found = np.flatnonzero(snr > 3)
        last = found[-1] if found.size else None
        step = np.nanmedian(np.diff(mjd)) * 86400 if len(mjd) > 1 else np.nan
        numbers = {
            "mjd_first": mjd[0], "mjd_mid": (mjd[0] + mjd[-1]) / 2, "mjd_last": mjd[-1], "mag_first": mag[0],
            "mag_last": mag[-1], "mjd_last_detected": None if last is None else mjd[last],
            "mag_last_detected": None if last is None else mag[last], "frame_rate": 1 / step,
            "mean_mag": np.nanmean(mag), "rms_mag": np.nanstd(mag), "robust_mag": robust_mag,
            "robust_rms": robust_rms, "median_snr": np.nanmedian(snr), "best_snr": np.nanmax(snr),
            "worst_snr": np.nanmin(snr),
        }  # fmt: skip
        functions: dict[str, Callable[..., Any]] = {
            "medians": np.nanmedian,
            "minima": np.nanmin,
            "maxima": np.nanmax,
            "stds": np.nanstd,
        }
        columns = {
            kind: {name: float(function(column)) for name, column in frame.items() if column.dtype.kind in "if"}
            for kind, function in functions.items()
        }
    numbers = {name: None if value is None else float(value) for name, value in numbers.items()}
    return {**numbers, **columns, "is_detected": bool(found.size), "num_exp": len(mjd)}


def _clipped(values):
    if len(values) < 5:
        return np.nanmedian(values), np.nanstd(values)
    values = values.copy()
    centre, scatter, before = np.nanmedian(values), np.nanstd(values), np.isfinite(values).sum()
    for _ in range(3):
        values[abs(values - centre) / scatter > 3] = np.nan
        left = np.isfinite(values).sum()
        if left in (before, *range(5)):
            break
        before, centre, scatter = left, np.nanmean(values), np.nanstd(values)
    return centre, scatter
