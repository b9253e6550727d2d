"""Hostile bodies of bulk uploads: each gets a 400 or an error line, and affects nobody else."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.server.http.test_bulk import ARROW, BODIES, BULK, PARQUET, arrow, nested, parquet
from tests.support import columns

pytestmark = pytest.mark.slow

REFUSED = (400, 413)


@pytest.fixture(autouse=True)
def _service_survives(admin):
    yield
    assert admin.get("/readyz").status_code == 200


def post(client, body, media, **query):
    return client.post(BULK, content=body, headers={"Content-Type": media}, params=query)


def check(answer):
    """An answer is a refusal of the body, or lines of which the last says how many, or why no more."""
    assert answer.status_code in (200, *REFUSED), answer.text[:300]
    lines = [json.loads(line) for line in answer.text.splitlines()]
    if answer.status_code == 200:
        assert "index" not in lines[-1]
    for line in lines:
        if line["status"] == "error":
            assert line["message"]
            assert "Traceback" not in line["message"]
    return lines


def long_of(rows, series, **more):
    return pa.table({"series_obj_id": np.arange(rows) % series, "mjd": np.full(rows, 59000.0), **more})


def bomb():
    """A small Parquet file whose one column has 2^31 equal values."""
    out = io.BytesIO()
    schema = pa.schema([("star", pa.int32()), ("mjd", pa.float64())])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        part = pa.table({"star": pa.array(np.zeros(2**23, np.int32)), "mjd": pa.array(np.zeros(2**23))}, schema=schema)
        for _ in range(130):
            writer.write_table(part)
    return out.getvalue()


def arrow_bomb():
    """A compressed buffer that says that it has 2^40 bytes."""
    out = io.BytesIO()
    table = pa.table({"obj_id": ["a"] * 9, "mjd": [[1.0] * 1000] * 9, "flux": [[1.0] * 1000] * 9})
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    size = (8 * 9000).to_bytes(8, "little")
    assert size in out.getvalue()
    return out.getvalue().replace(size, (2**40).to_bytes(8, "little"))


def wrong_offsets(last):
    """Lists and texts whose offsets lead out of their values, or backwards."""
    lists = pa.array([[0.0] * 5, [1.0] * 5])
    body = arrow(pa.table({"obj_id": ["01234", "56789"], "mjd": lists, "flux": lists}))
    right = np.array([0, 5, 10], np.int32).tobytes()
    assert body.count(right) == 3
    return body.replace(right, np.array([0, 5, last], np.int32).tobytes())


def without_values():
    return arrow(pa.table({"obj_id": pa.nulls(10**6), "mjd": pa.nulls(10**6, pa.list_(pa.float64()))}))


HOSTILE = {
    "a Parquet bomb": (bomb, PARQUET, {"by": "star"}),
    "an Arrow bomb": (arrow_bomb, ARROW, {}),
    "offsets beyond the end": (lambda: wrong_offsets(2**30), ARROW, {}),
    "offsets backwards": (lambda: wrong_offsets(-7), ARROW, {}),
    "2,000 columns in Arrow": (lambda: arrow(pa.table({f"c{n}": [[1.0]] for n in range(2000)})), ARROW, {}),
    "2,000 columns in Parquet": (lambda: parquet(pa.table({f"c{n}": [[1.0]] for n in range(2000)})), PARQUET, {}),
    "10^6 series in Arrow": (lambda: arrow(long_of(10**6, 10**6)), ARROW, {"by": "series_obj_id"}),
    "10^6 series in Parquet": (lambda: parquet(long_of(10**6, 10**6)), PARQUET, {"by": "series_obj_id"}),
    "10^6 nested series": (without_values, ARROW, {}),
    "a column twice": (
        lambda: arrow(pa.Table.from_arrays([pa.array([[1.0]])] * 2, names=["mjd", "mjd"])), ARROW, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused(name, admin):
    make, media, query = HOSTILE[name]
    answer = post(admin, make(), media, **query)
    assert answer.status_code in REFUSED, answer.text[:300]
    check(answer)


@pytest.mark.parametrize("media", BODIES)
def test_random_damage_ends_no_service(media, admin, world):
    """Bits flip, ranges are zeroed, pieces are cut out: nothing but refusals and whole series comes of it."""
    draw = np.random.default_rng(11)
    body = BODIES[media](nested(world, f"damage {media[-7:]}", [columns(9, seed=seed) for seed in range(8)]))
    for number in range(60):
        damaged = bytearray(body)
        place = int(draw.integers(len(damaged)))
        match number % 4:
            case 0:
                damaged[place] ^= 1 << int(draw.integers(8))
            case 1:
                damaged[place : place + 16] = bytes(16)
            case 2:
                damaged[place : place + 4] = int(draw.integers(2**32)).to_bytes(4, "little")
            case 3:
                del damaged[place : place + 8]
        check(post(admin, bytes(damaged), media, ifExists="skip", dryRun="true"))


def test_long_fields_are_refused_one_by_one(admin, world):
    """The fields of one series are far too long; the others are stored."""
    several = [columns(9, seed=seed) for seed in range(3)]
    long = json.dumps({"text": "x" * 10_000_000})
    lines = check(post(admin, arrow(nested(world, "long", several, altdata=[None, long, None])), ARROW))
    assert [line["status"] for line in lines] == ["success", "error", "success", "success"]
