"""Bulk uploads: many series in one body, as Arrow or Parquet, nested or long."""

import contextlib
import http.client
import io
import json
import os
import socket
import time
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support import columns, until

PATH = "/api/photometric_series"
BULK = f"{PATH}/bulk"
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


def arrow(table, rows=None):
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, rows)
    return out.getvalue()


def parquet(table, rows=None):
    out = io.BytesIO()
    pq.write_table(table, out, rows)
    return out.getvalue()


BODIES = {ARROW: arrow, PARQUET: parquet}


def send(client, table, media=ARROW, **query):
    """Post a body; gives the lines of the answer."""
    content = table if isinstance(table, bytes) else BODIES[media](table)
    answer = client.post(BULK, content=content, headers={"Content-Type": media}, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    *lines, last = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines] == list(range(len(lines)))
    assert "index" not in last
    return lines, last


def open_files(process):
    """The files and pipes that a process has open; sockets may be those of its pools."""
    folder = f"/proc/{process}/fd"
    found = []
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"{folder}/{name}"))
    return [one for one in found if not one.startswith("socket:")]


def tables(number, rows=20):
    return [columns(rows, seed=seed) for seed in range(number)]


def nested(world, name, several, **more):
    """One row a series."""
    fields = world.fields(series_name=name)
    data = {key: [value] * len(several) for key, value in fields.items()}
    data["series_obj_id"] = [f"{number}" for number in range(len(several))]
    data |= {key: [one[key] for one in several] for key in several[0]}
    return pa.table({**data, **more})


def long(world, name, several):
    """One row a measurement."""
    fields = world.fields(series_name=name)
    lengths = [len(one["mjd"]) for one in several]
    data = {key: [value] * sum(lengths) for key, value in fields.items()}
    data["series_obj_id"] = np.repeat([f"{number}" for number in range(len(several))], lengths).tolist()
    return pa.table({**data, **{key: [cell for one in several for cell in one[key]] for key in several[0]}})


SHAPES = {"nested": (nested, {}), "long": (long, {"by": "series_obj_id,filter"})}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("media", BODIES)
def test_series_are_as_those_of_single_uploads(media, shape, admin, world):
    make, query = SHAPES[shape]
    several = [columns(rows, brightness=1000 + rows, seed=rows) for rows in (20, 3, 20, 1)]
    name = f"{shape} {media[-7:]}"
    lines, last = send(admin, make(world, name, several), media, **query)
    assert last["data"] == {"series": 4, "created": 4, "skipped": 0, "replaced": 0, "failed": 0}
    for number, (line, table) in enumerate(zip(lines, several, strict=True)):
        assert (line["status"], line["data"]["outcome"]) == ("success", "created")
        bulk = line["data"]["id"]
        if shape == "long":
            same = {key: [world.fields()[key]] * len(table["mjd"]) for key in ("ra", "dec", "exp_time", "filter")}
            table = {**same, **table}
        body = world.fields(series_name=f"single {name}", series_obj_id=f"{number}", data=table)
        if shape == "long":
            for key in ("ra", "dec", "exp_time", "filter"):
                del body[key]
        single = admin.post(PATH, json=body).json()["data"]
        assert [text for text in single["warnings"] if "already stored" not in text] == [
            text for text in line["data"]["warnings"] if "already stored" not in text
        ]
        one, other = (
            admin.get(f"{PATH}/{series_id}", params={"dataFormat": "json"}).json()["data"]
            for series_id in (bulk, single["id"])
        )
        for key in ("id", "created_at", "modified", "series_name", "filename", "hash"):
            del one[key], other[key]
        assert one == other
        assert admin.get(f"{PATH}/{bulk}/history").json()["data"]["history"][0]["action"] == "create"


def test_rows_of_a_series_may_be_scattered(admin, world):
    table = long(world, "scattered", tables(3, 5))
    order = np.random.default_rng(3).permutation(15)
    first = dict.fromkeys(np.repeat(["0", "1", "2"], 5)[order].tolist())
    lines, _ = send(admin, table.take(order), by="series_obj_id")
    for name, line in zip(first, lines, strict=True):
        shown = admin.get(f"{PATH}/{line['data']['id']}", params={"dataFormat": "json"}).json()["data"]
        rows = [row for row in order if row // 5 == int(name)]
        assert shown["series_obj_id"] == name
        assert shown["data"]["flux"] == [tables(3, 5)[int(name)]["flux"][row % 5] for row in rows]


def test_fields_are_columns_query_and_null(admin, world):
    several = tables(3)
    table = nested(
        world,
        "fields",
        several,
        altdata=['{"a": [1, 2]}', None, None],
        group_ids=[[world.crew], None, []],
        origin=["one", None, "three"],
        instrument_id=[7.0, 7.0, 7.0],
        asked=[0, 1, 2],
        num_exp=[99, 99, 99],
        hash=["x", "x", "x"],
    )
    lines, _ = send(admin, table, batch="night 1", channel="left")
    shown = [admin.get(f"{PATH}/{line['data']['id']}").json()["data"] for line in lines]
    assert [one["altdata"] for one in shown] == [{"a": [1, 2]}, None, None]
    assert [one["origin"] for one in shown] == ["one", None, "three"]
    assert {one["batch"] for one in shown} == {"night 1"}
    assert {one["channel"] for one in shown} == {"left"}
    assert {one["num_exp"] for one in shown} == {20}
    assert world.crew in shown[0]["group_ids"]
    assert world.crew not in shown[1]["group_ids"]


def test_columns_keep_their_types(admin, world):
    mjd = [[1.0, 2.0], [3.0]]
    table = pa.table(
        {
            **{key: [value] * 2 for key, value in world.fields(series_name="types").items() if key != "series_obj_id"},
            "series_obj_id": ["a", "b"],
            "mjd": [[59000 + value for value in one] for one in mjd],
            "flux": pa.array([[1.5, None], [2.5]], pa.list_(pa.float32())),
            "whole": pa.array([[1, 2], [3]], pa.large_list(pa.int16())),
            "holed": [[1, None], [3]],
            "note": [["ü", None], ["b"]],
            "good": [[True, False], [True]],
            "only": [[1, 2], None],
            "when": pa.array([[0, 10**9], [5]], pa.list_(pa.timestamp("ns"))),
        }
    )
    lines, last = send(admin, table)
    assert last["data"]["created"] == 2, lines
    first, second = (
        admin.post(
            f"{PATH}?dryRun=true",
            content=admin.get(f"{PATH}/{line['data']['id']}/data").content,
            headers={"Content-Type": "application/x-hdf5"},
        ).json()["data"]["columns"]
        for line in lines
    )
    same = {"mjd": "float64", "flux": "float32", "whole": "int16", "good": "bool", "when": "datetime64[ns]"}
    assert {key: first[key] for key in same} == same == {key: second[key] for key in same}
    assert (first["holed"], second["holed"], first["only"]) == ("float64", "int64", "int64")
    assert "only" not in second
    shown = admin.get(f"{PATH}/{lines[0]['data']['id']}", params={"dataFormat": "json"}).json()["data"]["data"]
    assert (shown["flux"], shown["holed"], shown["note"]) == ([1.5, None], [1, None], ["ü", None])


def test_a_fault_of_one_series_stops_no_other(admin, world):
    several = [*tables(2), {"mjd": [1.0], "flux": [1.0, 2.0], "fluxerr": [1.0]}, *tables(1)]
    table = nested(world, "faults", several, limiting_mag=[20.0, 20.0, 20.0, 20.0])
    table = table.set_column(0, "obj_id", pa.array([world.source, "nobody", world.source, world.source]))
    table = table.set_column(table.schema.names.index("filter"), "filter", pa.array(["ztfg", "ztfg", "ztfg", "pink"]))
    lines, last = send(admin, table)
    assert last["data"] == {"series": 4, "created": 1, "skipped": 0, "replaced": 0, "failed": 3}
    assert lines[0]["data"]["outcome"] == "created"
    for number, (body, code) in enumerate([({"obj_id": "nobody"}, 400), ({}, 400), ({"filter": "pink"}, 400)], 1):
        single = world.fields(series_name="faults", series_obj_id=f"{number}", limiting_mag=20.0, data=several[number])
        answer = admin.post(PATH, json={**single, **body})
        assert answer.status_code == code
        assert {**answer.json(), "index": number} == lines[number]


def test_existing_series_are_refused_skipped_or_replaced(admin, world):
    several = tables(2)
    first, _ = send(admin, nested(world, "exist", several[:1]))
    there = first[0]["data"]["id"]
    table = nested(world, "exist", [columns(20, seed=9), several[1]])
    lines, last = send(admin, table, dryRun="true")
    assert [line["data"]["outcome"] for line in lines] == ["exists", "valid"]
    assert last["data"] == {"series": 2, "created": 0, "skipped": 0, "replaced": 0, "failed": 0}
    lines, last = send(admin, table, onError="abort")
    assert [line["data"]["code"] for line in lines] == ["duplicate", "aborted"]
    assert lines[0]["data"]["id"] == there
    lines, last = send(admin, table)
    assert lines[0]["data"]["code"] == "duplicate"
    assert (lines[0]["data"]["id"], lines[1]["data"]["outcome"]) == (there, "created")
    lines, last = send(admin, table, ifExists="skip")
    assert [line["data"]["outcome"] for line in lines] == ["skipped", "skipped"]
    assert "another table" in lines[0]["data"]["warnings"][-1]
    assert last["data"] == {"series": 2, "created": 0, "skipped": 2, "replaced": 0, "failed": 0}
    lines, last = send(admin, table, ifExists="replace")
    assert [line["data"]["outcome"] for line in lines] == ["replaced", "replaced"]
    shown = admin.get(f"{PATH}/{there}", params={"dataFormat": "json"}).json()["data"]
    assert (shown["data"], shown["revision"]) == (columns(20, seed=9), 2)


def test_repeated_key_in_a_body_is_refused(admin, world):
    table = nested(world, "twice", tables(3))
    place = table.schema.names.index("series_obj_id")
    table = table.set_column(place, "series_obj_id", pa.array(["a", "b", "a"]))
    lines, last = send(admin, table, ifExists="skip")
    assert last["data"] == {"series": 3, "created": 2, "skipped": 0, "replaced": 0, "failed": 1}
    assert (lines[2]["data"]["code"], lines[2]["data"]["index"]) == ("duplicate", 0)


def test_atomic_upload_stores_all_or_nothing(admin, world):
    several = tables(600, 2)
    table = nested(world, "all", several)
    place = table.schema.names.index("filter")
    spoiled = table.set_column(place, "filter", pa.array(["ztfg"] * 599 + ["pink"]))
    lines, last = send(admin, spoiled, onError="abort")
    assert last["data"] == {"series": 600, "created": 0, "skipped": 0, "replaced": 0, "failed": 600}
    assert {line["data"]["code"] for line in lines[:-1]} == {"aborted"}
    assert "is not allowed" in lines[-1]["message"]
    found = admin.get(PATH, params={"seriesName": "all"}).json()["data"]
    assert found["totalMatches"] == 0
    lines, last = send(admin, table, onError="abort")
    assert last["data"]["created"] == 600
    assert admin.get(PATH, params={"seriesName": "all"}).json()["data"]["totalMatches"] == 600
    refused = admin.post(
        BULK, content=arrow(table), headers={"Content-Type": ARROW}, params={"onError": "abort", "ifExists": "replace"}
    )
    assert refused.status_code == 400


def test_bulk_upload_requires_permission(admin, service, world):
    body = arrow(nested(world, "rights", tables(1)))
    for name, status in (("anna reads", 403), ("nobody's", 401)):
        with service.client(world.tokens.get(name, name)) as client:
            assert client.post(BULK, content=body, headers={"Content-Type": ARROW}).status_code == status
    with service.client(world.tokens["olga"]) as olga:
        lines, _ = send(olga, nested(world, "rights", tables(1), group_ids=[[world.crew]]))
        assert lines[0]["message"] == f"Invalid group ID: {world.crew}"
        lines, _ = send(olga, nested(world, "rights", tables(1)))
        hidden = lines[0]["data"]["id"]
    with service.client(world.tokens["anna"]) as anna:
        assert anna.get(f"{PATH}/{hidden}").status_code == 404
        for how in ("error", "skip", "replace"):
            lines, _ = send(anna, nested(world, "rights", tables(1)), ifExists=how)
            assert lines[0]["data"]["code"] == "duplicate"
            assert "id" not in lines[0]["data"]


BAD = {
    "no body": (b"", ARROW, {}, "Arrow IPC stream"),
    "no Parquet": (b"PAR1 and so on", PARQUET, {}, "Parquet"),
    "unknown field": ({"mjd": [[1.0]], "flux": [[1.0]], "colour": ["red"]}, ARROW, {}, "Unknown keys in metadata"),
    "no table": ({"obj_id": ["star"]}, ARROW, {}, "Must supply a non-empty DataFrame"),
    "by names nothing": ({"mjd": [1.0], "flux": [1.0]}, ARROW, {"by": "star"}, "no column 'star'"),
    "lists in a long body": ({"star": [1], "mjd": [[1.0]]}, ARROW, {"by": "star"}, "contains lists"),
    "unknown parameter": ({"mjd": [[1.0]]}, ARROW, {"ifExists": "perhaps"}, "ifExists"),
    "structures": ({"mjd": [[{"a": 1}]]}, ARROW, {}, "is of type struct"),
}


@pytest.mark.parametrize("name", BAD)
def test_bodies_that_are_refused_as_a_whole(name, admin):
    content, media, query, words = BAD[name]
    body = content if isinstance(content, bytes) else BODIES[media](pa.table(content))
    answer = admin.post(BULK, content=body, headers={"Content-Type": media}, params=query)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]


def test_fields_that_all_series_share_are_counted_for_each(admin, world):
    """60,000 bytes in the query would be 180 MB in the files of 3,000 series."""
    body = arrow(nested(world, "shared", [{"mjd": [60000.0], "flux": [1.0]}] * 3000))
    query = {"altdata": json.dumps({"note": "x" * 60_000})}
    answer = admin.post(BULK, content=body, headers={"Content-Type": ARROW}, params=query)
    assert (answer.status_code, "limits.bulk_fields" in answer.text) == (400, True)
    assert admin.get(PATH, params={"seriesName": "shared"}).json()["data"]["totalMatches"] == 0


@pytest.mark.parametrize("media", BODIES)
def test_truncated_body_is_refused(media, admin, world):
    body = BODIES[media](nested(world, "cut", tables(5)))
    for length in (len(body) // 2, len(body) - 9):
        answer = admin.post(BULK, content=body[:length], headers={"Content-Type": media})
        assert (answer.status_code, answer.json()["data"]["code"]) == (400, "unreadable_file")
    assert admin.get(PATH, params={"seriesName": "cut"}).json()["data"]["totalMatches"] == 0


def test_other_media_types_are_refused(admin):
    for headers in (
        {"Content-Type": "application/json"},
        {"Content-Type": ARROW, "Content-Encoding": "gzip"},
        {},
    ):
        assert admin.post(BULK, content=b"{}", headers=headers).status_code == 415


def test_a_short_answer_has_no_last_line(admin, world):
    """What is wrong in the middle of a body ends the answer with an error that has no index."""
    table = nested(world, "broken", tables(300, 2))
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table, max_chunksize=270)
    body = bytearray(out.getvalue())
    body[-40:-20] = bytes(20)
    answer = admin.post(BULK, content=bytes(body), headers={"Content-Type": ARROW})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    if answer.status_code == 200:
        assert lines[-1]["status"] == "error"
        assert "index" not in lines[-1]
    else:
        assert answer.status_code == 400


@pytest.mark.slow
def test_departed_clients_block_no_upload(admin, world, service):
    """More uploads than one user may have at a time, and than there are readers, end in the middle."""

    def used():
        metrics = dict(line.rsplit(" ", 1) for line in admin.get("/metrics").text.splitlines())
        names = ("in_flight", "database_connections_in_use", "spool_memory_bytes", "spool_disk_bytes")
        return [metrics[f"photseries_{name}"] for name in names], len(open_files(service.process.pid))

    table = nested(world, "leaving", tables(2_000, 2))
    send(admin, table.slice(0, 1), dryRun="true")
    before = used()
    for number in range(6):
        with service.client() as client:
            options = {"dryRun": "true"} if number % 2 else {"ifExists": "skip"}
            with client.stream(
                "POST", BULK, content=arrow(table), headers={"Content-Type": ARROW}, params=options
            ) as answer:
                assert answer.status_code == 200
                next(answer.iter_bytes())
        assert admin.get(PATH, params={"seriesName": "leaving"}).status_code == 200
    until(lambda: used() == before)
    _, last = send(admin, table, ifExists="skip")
    assert last["data"]["failed"] == 0


def long_answer(world, number=20_000):
    """A body whose answer is longer than the buffers of a connection."""
    table = nested(world, "stalled", [{"mjd": [60000.0], "flux": [1.0]}] * number)
    return arrow(table.set_column(0, "obj_id", pa.array(["x" * 150] * number)))


def test_lost_rights_end_an_upload(service, admin, world):
    """A client that reads slowly would otherwise store series hours later."""
    token = {"user_id": world.users["anna"], "permissions": ["Upload data"]}
    token = admin.post("/api/tokens", json=token).json()["data"]
    address = urlsplit(service.url)
    with contextlib.closing(http.client.HTTPConnection(address.hostname, address.port)) as connection:
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sock.connect((address.hostname, address.port))
        headers = {"Authorization": f"token {token['token']}", "Content-Type": ARROW}
        connection.request("POST", BULK, long_answer(world), headers)
        answer = connection.getresponse()
        time.sleep(1.5)
        assert admin.delete(f"/api/tokens/{token['id']}").status_code == 200
        *lines, last = answer.read().splitlines()
    assert json.loads(last)["data"]["code"] == "unauthorized"
    assert 0 < len(lines) < 20_000


@contextlib.contextmanager
def unread(service, world, admin, number):
    """Keep bulk uploads of anna busy with answers that nobody reads."""
    body = long_answer(world)
    address = urlsplit(service.url)
    head = (
        f"POST {BULK} HTTP/1.1\r\nHost: x\r\nAuthorization: token {world.tokens['anna']}\r\n"
        f"Content-Type: {ARROW}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    until(lambda: "photseries_in_flight 1.0" in admin.get("/metrics").text)  # uploads of earlier tests have ended
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((address.hostname, address.port))
            connection.sendall(head.encode() + body)
        until(lambda: f"photseries_in_flight {number + 1}.0" in admin.get("/metrics").text)
        time.sleep(1)  # until they have readers
        yield


def test_answers_that_one_user_does_not_read_stop_no_upload_of_another(admin, world, service):
    """Each unread answer occupies one of the four readers of bodies."""
    with unread(service, world, admin, 4), service.client(world.tokens["ben"]) as ben:
        lines, _ = send(ben, nested(world, "not stalled", tables(1)))
        assert lines[0]["data"]["outcome"] == "created"


def test_a_client_that_goes_away_and_comes_again(admin, world, service):
    """What was answered is stored; series are there as a whole; the same body with ifExists=skip completes it."""
    table = nested(world, "away", tables(2_000, 2))
    with (
        service.client() as client,
        client.stream("POST", BULK, content=arrow(table), headers={"Content-Type": ARROW}) as answer,
    ):
        answered = [json.loads(line) for _, line in zip(range(300), answer.iter_lines(), strict=False)]
    lines, last = send(admin, table, ifExists="skip")
    assert [one["data"]["id"] for one in answered] == [one["data"]["id"] for one in lines[:300]]
    assert {one["data"]["outcome"] for one in lines[:300]} == {"skipped"}
    counts = last["data"]
    assert (counts["created"] + counts["skipped"], counts["failed"]) == (2_000, 0)
    assert admin.get(PATH, params={"seriesName": "away"}).json()["data"]["totalMatches"] == 2_000


def test_metadata_too_long_for_a_file_fail_alone(admin, world):
    notes = [json.dumps({"note": "x" * length}) for length in (10, 70_000, 10)]
    lines, last = send(admin, nested(world, "long metadata", tables(3), altdata=notes))
    assert [line["status"] for line in lines] == ["success", "error", "success"]
    assert lines[1]["data"]["code"] == "invalid"
    assert "at most" in lines[1]["data"]["fields"]["altdata"][0]
    assert last["data"] == {"series": 3, "created": 2, "skipped": 0, "replaced": 0, "failed": 1}
