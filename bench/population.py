"""An archive to measure: its rows, made up from a seed and filled into the catalogue by COPY.

The mix: sources with one series and sources with hundreds (a power law that does not depend on the archive's size),
a crowded field of 1 deg, a galactic plane, an empty rest; six instruments; 500 owners, groups that overlap and three
streams; ten years, uploaded about in the order of observation; statistics as wide as those of a TESS table.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from sqlalchemy import Connection

from photseries.lightcurve import sky
from photseries.server.catalogue.access import audience
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.models import Base, Series
from photseries.server.principal import ADMIN, Principal

FIRST_DAY, LAST_DAY = 57000.0, 60650.0  # [MJD], ten years
CROWDED = (270.9, -30.0)  # [deg], Baade's window
CROWDED_SHARE, PLANE_SHARE = 0.05, 0.45
PLANE_WIDTH = 5.0  # [deg], scale of |b|
SEEN_BY_FEW = 100

OWNERS = 500
PROGRAMS = 20
SITEWIDE, SURVEY, RARE = 1, 2, 3
FIRST_PROGRAM, FIRST_OWN = 10, 100
MEMBER, LONER = OWNERS + 1, OWNERS + 2

INSTRUMENTS = {
    1: ("TESS", ("tess::red",)),
    2: ("ZTF", ("ztfg", "ztfr", "ztfi")),
    3: ("LSST", ("lsstu", "lsstg", "lsstr", "lssti", "lsstz", "lssty")),
    4: ("ATLAS", ("atlasc", "atlaso")),
    5: ("Gaia", ("gaia::g", "gaia::gbp", "gaia::grp")),
    6: ("Swope", ("bessellb", "bessellv", "bessellr")),
}
INSTRUMENT_SHARES = (0.3, 0.3, 0.2, 0.1, 0.05, 0.05)

STATISTICS = """
    time flux fluxerr time_corr bg bg_err pos1 pos1_err pos2 pos2_err pos_corr1 pos_corr2 exp_time flag mag magerr snr
    dsnr dmag mjd
""".split()  # noqa: SIM905
DOCUMENTS = 1000  # so many different statistics

BATCH = 20_000
FILTERS = np.array([name for _, names in INSTRUMENTS.values() for name in names])

# Galactic to equatorial axes, J2000 (ESA 1997, The Hipparcos and Tycho Catalogues, vol. 1, eq. 1.5.11).
_GALACTIC = np.array(
    [
        [-0.0548755604, 0.4941094279, -0.8676661490],
        [-0.8734370902, -0.4448296300, -0.1980763734],
        [-0.4838350155, 0.7469822445, 0.4559837762],
    ]
)


@dataclass(frozen=True)
class Population:
    """The sources of an archive and who asks for them."""

    rows: int
    names: list[str]
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    principals: dict[str, Principal]


def fill(catalogue: Catalogue, rows: int, seed: int = 3) -> Population:
    """Fill a catalogue anew, index it, and leave it as autovacuum would."""
    rng = np.random.default_rng(seed)
    per_source = _series_per_source(rng, rows)
    ra, dec = _positions(rng, len(per_source))
    names = _names(rng, len(per_source))
    with catalogue.engine.begin() as connection:
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        connection.exec_driver_sql(f"TRUNCATE {tables}")
        with _unindexed(connection):
            _copy(connection, "sources", ("id", "ra", "dec"), zip(names, ra.tolist(), dec.tolist(), strict=True))
            _fill_people(connection)
            _fill_series(connection, rng, names, per_source, ra, dec)
        connection.exec_driver_sql(f"SELECT setval('photometric_series_id_seq', {rows})")
    with catalogue.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    return Population(rows, names, ra, dec, _principals())


def _principals() -> dict[str, Principal]:
    """Give who asks: an admin, a member who sees half of everything, one who sees 100 series of it."""
    return {
        "admin": Principal(1, "user1", FIRST_OWN + 1, permissions=frozenset({ADMIN})),
        "half": Principal(
            MEMBER, "member", FIRST_OWN + MEMBER, frozenset(),
            frozenset({SITEWIDE, SURVEY, FIRST_OWN + MEMBER}), frozenset({1}),
        ),
        "hundred": Principal(
            LONER, "loner", FIRST_OWN + LONER, frozenset(), frozenset({SITEWIDE, RARE, FIRST_OWN + LONER}),
        ),
    }  # fmt: skip


def _series_per_source(rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Draw how many series each source has: p(k) ~ k^-1.8, at most 2,000."""
    numbers = np.arange(1, 2001)
    weights = numbers**-1.8
    drawn = rng.choice(numbers, rows, p=weights / weights.sum())
    last = int(np.searchsorted(np.cumsum(drawn), rows))
    drawn = drawn[: last + 1]
    drawn[-1] -= drawn.sum() - rows
    return np.asarray(drawn)


def _positions(rng: np.random.Generator, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw positions [deg]: in the crowded field, in the galactic plane, anywhere."""
    kind = rng.choice(3, number, p=(CROWDED_SHARE, PLANE_SHARE, 1 - CROWDED_SHARE - PLANE_SHARE))
    ra = rng.uniform(0, 360, number)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, number)))
    radius, angle = np.sqrt(rng.uniform(0, 1, number)), rng.uniform(0, 2 * np.pi, number)
    crowded = kind == 0
    dec[crowded] = CROWDED[1] + (radius * np.sin(angle))[crowded]
    ra[crowded] = CROWDED[0] + (radius * np.cos(angle))[crowded] / np.cos(np.radians(CROWDED[1]))
    plane = kind == 1
    galactic = sky.unit_vector(ra[plane], np.clip(rng.laplace(0, PLANE_WIDTH, plane.sum()), -90, 90))
    x, y, z = _GALACTIC @ galactic.T
    ra[plane], dec[plane] = np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arcsin(np.clip(z, -1, 1)))
    return ra, dec


def _names(rng: np.random.Generator, number: int) -> list[str]:
    """Make names as surveys do, all different."""
    tails = rng.permutation(np.unique(rng.integers(10**6, 3 * 10**9, 2 * number)))[:number]
    years, kinds = rng.integers(15, 26, number), rng.choice(3, number, p=(0.4, 0.4, 0.2))
    return [
        (f"ZTF{year}{_letters(tail)}", f"TIC {tail}", f"Gaia DR3 {tail * 1_364_136_223:019d}")[kind]
        for tail, year, kind in zip(tails.tolist(), years.tolist(), kinds.tolist(), strict=True)
    ]


def _letters(number: int) -> str:
    letters = ""
    for _ in range(7):
        number, letter = divmod(number, 26)
        letters = chr(97 + letter) + letters
    return letters


def _fill_people(connection: Connection) -> None:
    users = [*range(1, OWNERS + 1), MEMBER, LONER]
    _copy(connection, "users", ("id", "username"), ((user, f"user{user}") for user in users))
    groups = {SITEWIDE: "Sitewide Group", SURVEY: "survey", RARE: "rare"}
    groups |= {FIRST_PROGRAM + n: f"program {n}" for n in range(PROGRAMS)}
    _copy(connection, "groups", ("id", "name"), groups.items())
    own = [(FIRST_OWN + user, f"user{user}", user) for user in users]
    _copy(connection, "groups", ("id", "name", "single_user_id"), own)
    members = [(group, user) for group, _, user in own] + [(SITEWIDE, user) for user in users]
    _copy(connection, "group_users", ("group_id", "user_id"), [*members, (SURVEY, MEMBER), (RARE, LONER)])
    _copy(connection, "streams", ("id", "name"), [(n, f"stream {n}") for n in (1, 2, 3)])
    _copy(connection, "stream_users", ("stream_id", "user_id"), [(1, MEMBER)])
    instruments = [(n, name, "{" + ",".join(filters) + "}") for n, (name, filters) in INSTRUMENTS.items()]
    _copy(connection, "instruments", ("id", "name", "filters"), instruments)


def _fill_series(
    connection: Connection,
    rng: np.random.Generator,
    names: list[str],
    per_source: NDArray[np.int64],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
) -> None:
    rows = int(per_source.sum())
    source = rng.permutation(np.repeat(np.arange(len(names)), per_source))
    first = np.sort(rng.uniform(FIRST_DAY, LAST_DAY, rows)) + rng.normal(0, 3, rows)
    rare = np.zeros(rows, bool)
    rare[rng.permutation(rows)[:SEEN_BY_FEW]] = True
    documents = _documents(rng)
    for begin in range(0, rows, BATCH):
        batch = slice(begin, min(begin + BATCH, rows))
        drawn = _draw(rng, names, source[batch], ra, dec, first[batch])
        drawn["id"] = list(range(batch.start + 1, batch.stop + 1))
        picked = rng.integers(0, DOCUMENTS, batch.stop - batch.start)
        for name in ("medians", "minima", "maxima", "stds"):
            drawn[name] = [documents[(number + len(name)) % DOCUMENTS] for number in picked]
        groups, streams = _sharing(rng, drawn["owner_id"], rare[batch])
        heard = map(audience, groups, streams)
        drawn["audience"] = ["{" + ",".join(map(str, numbers)) + "}" for numbers in heard]
        _copy(connection, Series.__tablename__, tuple(drawn), zip(*drawn.values(), strict=True))
        for table, name, shared in (("series_groups", "group_id", groups), ("series_streams", "stream_id", streams)):
            pairs = ((row, number) for row, numbers in zip(drawn["id"], shared, strict=True) for number in numbers)
            _copy(connection, table, ("series_id", name), pairs)


def _draw(
    rng: np.random.Generator,
    names: list[str],
    source: NDArray[np.int64],
    ra: NDArray[np.float64],
    dec: NDArray[np.float64],
    first: NDArray[np.float64],
) -> dict[str, list[Any]]:
    """Draw the columns of some rows; a series lies within about 0.1 arcsec of its source."""
    rows = len(source)
    instrument = rng.choice(np.array(list(INSTRUMENTS)), rows, p=INSTRUMENT_SHARES)
    offsets = np.cumsum([0, *(len(filters) for _, filters in INSTRUMENTS.values())])
    filters = FILTERS[offsets[instrument - 1] + rng.integers(0, 6, rows) % np.diff(offsets)[instrument - 1]]
    ra = (ra[source] + rng.normal(0, 3e-5, rows)) % 360
    dec = np.clip(dec[source] + rng.normal(0, 3e-5, rows), -90, 90)
    span = rng.exponential(20, rows)
    mag, snr = rng.normal(17, 2, rows).round(6), rng.lognormal(2, 1, rows).round(6)
    points = rng.integers(10, 20_000, rows)
    flux = (10 ** ((23.9 - mag) / 2.5)).round(6)
    numbers: dict[str, NDArray[Any]] = {
        "owner_id": 1 + (OWNERS * rng.uniform(0, 1, rows) ** 2).astype(int),
        "instrument_id": instrument, "ra": ra, "dec": dec, "healpix": sky.pixel(ra, dec),
        "exp_time": rng.choice([20.0, 30.0, 120.0], rows), "frame_rate": rng.lognormal(-4, 1, rows).round(9),
        "limiting_mag": rng.normal(21, 0.5, rows).round(4), "num_exp": points, "num_detected": points // 2,
        "mean_flux": flux, "rms_flux": flux / 10, "robust_flux": flux, "robust_rms_flux": flux / 12,
        "mjd_first": first, "mjd_mid": first + span / 2, "mjd_last": first + span, "mjd_last_detected": first + span,
        "mag_first": mag + 0.1, "mag_last": mag - 0.1, "mag_last_detected": mag - 0.1, "mean_mag": mag,
        "rms_mag": snr**-0.5, "robust_mag": mag, "robust_rms": snr**-0.5,
        "median_snr": snr, "best_snr": snr * 2, "worst_snr": snr / 2, "blob_size": points * 104, "blob_crc": points,
    }  # fmt: skip
    columns: dict[str, list[Any]] = {name: values.tolist() for name, values in numbers.items()}
    constant = {"is_detected": True, "time_stamp_alignment": "middle", "blob_format": 1}
    constant |= {"flux_unit": "uJy", "magsys": "ab"}
    columns |= {name: [value] * rows for name, value in constant.items()}
    obj_id = [names[number] for number in source.tolist()]
    night = [
        f"{INSTRUMENTS[n][0]}/{int(day // 27)}" for n, day in zip(instrument.tolist(), first.tolist(), strict=True)
    ]
    tails = [secrets.token_hex(8) for _ in obj_id]
    columns |= {
        "obj_id": obj_id, "filter": filters.tolist(), "series_name": night, "series_obj_id": tails,
        "filename": [f"{folder}/{tail}.h5" for folder, tail in zip(night, tails, strict=True)],
        "hash": [secrets.token_hex(16) for _ in obj_id], "content_hash": [secrets.token_hex(32) for _ in obj_id],
    }  # fmt: skip
    return columns


def _sharing(rng: np.random.Generator, owners: list[int], rare: NDArray[np.bool_]) -> tuple[list[Any], list[Any]]:
    """Draw groups and streams: two fifths go to the survey, a sixth to each stream, so that the member sees half."""
    rows = len(owners)
    survey, program = rng.uniform(0, 1, rows) < 0.4, rng.integers(0, 3 * PROGRAMS, rows)
    stream = rng.integers(1, 7, rows)
    groups = [
        [FIRST_OWN + owner, *[SURVEY] * shared, *[FIRST_PROGRAM + number] * (number < PROGRAMS), *[RARE] * few]
        for owner, shared, number, few in zip(
            owners, survey.tolist(), program.tolist(), rare.tolist(), strict=True
        )
    ]  # fmt: skip
    return groups, [[number] if number <= 3 else [] for number in stream.tolist()]


def _documents(rng: np.random.Generator) -> list[str]:
    values = rng.lognormal(6, 1, (DOCUMENTS, len(STATISTICS)))
    return [orjson.dumps(dict(zip(STATISTICS, row, strict=True))).decode() for row in values.tolist()]


@contextmanager
def _unindexed(connection: Connection) -> Iterator[None]:
    """Take keys and indexes away for the filling, as one does before a large load, and build them after it."""
    tables = "('photometric_series', 'series_groups', 'series_streams', 'sources')"
    keys = connection.exec_driver_sql(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        f"WHERE (conrelid::regclass::text IN {tables} OR confrelid::regclass::text IN {tables}) "
        "AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f'"
    ).all()
    for table, name, _ in reversed(keys):
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    indexes = connection.exec_driver_sql(
        f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN {tables}"
    ).all()
    for name, _ in indexes:
        connection.exec_driver_sql(f"DROP INDEX {name}")
    yield
    connection.exec_driver_sql("SET LOCAL maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        connection.exec_driver_sql(definition)
    for table, name, definition in keys:
        connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _copy(connection: Connection, table: str, columns: tuple[str, ...], rows: Any) -> None:
    """COPY rows of texts and numbers, none of which holds a tab, a line end or a backslash."""
    lines = io.StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
    driver: Any = connection.connection.dbapi_connection
    with driver.cursor() as cursor:
        cursor.copy_expert(f"COPY {table} ({', '.join(columns)}) FROM STDIN", lines)
