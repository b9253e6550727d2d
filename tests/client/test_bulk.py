"""Many series in one call: tables, files and frames go together."""

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from astropy import units
from astropy.table import QTable
from astropy.time import Time

from photseries.client import ReadOptions, Uploaded
from photseries.errors import DuplicateError, InvalidError, OutcomeUnknownError
from tests.client.between import PASS, Between


def night(stars, rows=30, seed=0):
    """A long table: the stars' rows stand together."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "series_obj_id": np.repeat([f"star {number}" for number in range(stars)], rows),
            "mjd": np.tile(59000 + np.arange(rows) / 24, stars),
            "flux": draw.normal(100, 1, stars * rows),
        }
    )


@pytest.fixture
def shared(fields):
    return {name: value for name, value in fields.items() if name != "series_obj_id"}


def stored(client, outcomes):
    """The tables of the series, by their series_obj_id."""
    series = [client.get(outcome.uploaded.id) for outcome in outcomes]
    return {one.metadata["series_obj_id"]: one.data for one in series}


def test_long_frame_is_split_into_series(client, shared):
    table = night(40)
    outcomes = list(client.upload_many(table, by="series_obj_id", **shared))
    assert [outcome.item for outcome in outcomes] == [{"series_obj_id": f"star {number}"} for number in range(40)]
    assert [outcome.index for outcome in outcomes] == list(range(40))
    assert {outcome.uploaded.status for outcome in outcomes} == {"created"}
    expected = dict(iter(table.groupby("series_obj_id")[["mjd", "flux"]]))
    for name, data in stored(client, outcomes).items():
        pd.testing.assert_frame_equal(data, expected[name].reset_index(drop=True))
    again = client.upload_many(table.sample(frac=1, random_state=1), by="series_obj_id", if_exists="skip", **shared)
    assert {outcome.uploaded.status for outcome in again} == {"skipped"}
    refused = list(client.upload_many(table, by="series_obj_id", **shared))
    assert {type(outcome.error) for outcome in refused} == {DuplicateError}


@pytest.mark.parametrize("make", [dict, QTable])
def test_a_long_table_of_astropy_keeps_units_and_time_scale(client, shared, make):
    times = Time(60000 + np.arange(4.0), format="mjd", scale="tdb")
    table = make({"series_obj_id": ["a", "a", "b", "b"], "time": times, "flux": [1.0, 2.0, 3.0, 4.0] * units.mJy})
    outcomes = list(client.upload_many(table, by="series_obj_id", **shared))
    data = stored(client, outcomes)
    assert {name: one["flux"].tolist() for name, one in data.items()} == {"a": [1e3, 2e3], "b": [3e3, 4e3]}
    assert {name: one["mjd"].tolist() for name, one in data.items()} == {"a": [60000, 60001], "b": [60002, 60003]}
    assert {client[one.uploaded.id].time_scale for one in outcomes} == {"tdb"}


def test_the_series_of_tables_from_an_iterator_share_requests(client, service, shared):
    """Each of the 32 first tables of an iterator was split, and its series were sent one by one."""
    tables = (night(40, seed=number).assign(channel=f"{number}") for number in range(3))
    with Between(service.url) as between, type(client)(between.url, service.token) as counted:
        outcomes = list(counted.upload_many(tables, by=["series_obj_id", "channel"], **shared))
        assert {path for _, path in between.seen} == {"/api/photometric_series/bulk"}
    assert [outcome.index for outcome in outcomes] == [0] * 40 + [1] * 40 + [2] * 40
    for number, outcome in ((0, outcomes[7]), (2, outcomes[87])):
        got, sent = client[outcome.uploaded.id], night(40, seed=number)
        assert (got.channel, got.series_obj_id) == (f"{number}", "star 7")
        assert got.data["flux"].tolist() == sent["flux"][sent["series_obj_id"] == "star 7"].tolist()


def test_parts_in_flight_are_known_when_a_part_of_a_table_fails(client, service, shared, monkeypatch):
    monkeypatch.setattr("photseries.client.bulk_bodies.MAX_SLICE_BYTES", 2000)
    failed = orjson.dumps({"status": "error", "message": "The body is damaged.", "data": {"code": "invalid"}})
    known = []
    with Between(service.url) as between, type(client)(between.url, service.token) as cut:
        between.fates = [PASS] * 4 + [(200, {"Content-Type": "application/x-ndjson"}, failed)]
        with pytest.raises(InvalidError, match="damaged"):
            known.extend(cut.upload_many(night(40), by="series_obj_id", **shared))
        sent = len(between.seen)
    stored_names = {series.metadata["series_obj_id"] for series in client.iter(series_name=shared["series_name"])}
    assert {outcome.item["series_obj_id"] for outcome in known} == stored_names
    assert 5 <= sent <= 8, "nothing is sent after an error, but what was in flight"


def test_metadata_frame_gives_the_fields_of_each_series(client, shared):
    about = pd.DataFrame({"series_obj_id": ["star 0", "star 1"], "channel": ["a", "b"]})
    outcomes = list(client.upload_many(night(2), by=["series_obj_id"], metadata=about, **shared))
    assert [client.get(outcome.uploaded.id).metadata["channel"] for outcome in outcomes] == ["a", "b"]
    with pytest.raises(InvalidError, match="needs 'by'"):
        list(client.upload_many(night(2), metadata=about, **shared))
    outcomes = list(client.upload_many(night(1), by="series_obj_id", metadata={**shared, "channel": "c"}))
    assert client.get(outcomes[0].uploaded.id).metadata["channel"] == "c"


def test_nested_frames_and_arrow_tables_are_uploaded(client, shared):
    long = night(3)
    nested = long.groupby("series_obj_id").agg(list).reset_index()
    outcomes = list(client.upload_many(nested, channel="nested", **shared))
    assert [outcome.item for outcome in outcomes] == [0, 1, 2]
    arrow = list(client.upload_many(pa.table(long), by="series_obj_id", channel="arrow", **shared))
    for one, other in zip(stored(client, outcomes).values(), stored(client, arrow).values(), strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_bulk_file_is_sent_unparsed(client, shared, tmp_path, kind):
    table, file = pa.table(night(3)), tmp_path / f"night.{kind}"
    if kind == "parquet":
        pa.parquet.write_table(table, file)
    elif kind == "arrow":
        with pa.ipc.new_stream(str(file), table.schema) as writer:
            writer.write_table(table)
    else:
        pa.feather.write_feather(table, file)
    outcomes = list(client.upload_many(file, by="series_obj_id", **shared))
    assert [(outcome.item, outcome.uploaded.status) for outcome in outcomes] == [(file, "created")] * 3
    assert len(stored(client, outcomes)["star 2"]) == 30


def test_a_file_is_read_first_if_an_option_needs_its_columns(client, shared, tmp_path):
    file = tmp_path / "night.parquet"
    table = night(3).assign(filter="ztfg")
    table["mjd"] += 2400000.5
    pa.parquet.write_table(pa.table(table.rename(columns={"mjd": "jd"})), file)
    shared.pop("filter", None)
    options = ReadOptions(time_col="jd", time_format="jd")
    outcomes = list(client.upload_many([file], options=options, by="series_obj_id", bulk=True, **shared))
    assert [outcome.error for outcome in outcomes] == [None] * 3
    for data in stored(client, outcomes).values():
        np.testing.assert_allclose(data["mjd"], 59000 + np.arange(30) / 24, rtol=0, atol=1e-8)


def frames(number):
    for place in range(number):
        rows = pd.DataFrame({"mjd": 59000 + np.arange(9.0), "flux": 100.0 + place + np.arange(9)})
        yield rows.assign(note="x") if place % 5 == 0 else rows, {"series_obj_id": place, "altdata": {"n": place}}


@pytest.mark.parametrize("make", [list, iter], ids=["a list", "as they come"])
def test_many_frames_share_a_request(client, shared, make, monkeypatch):
    sent = []
    request = client._transport.request
    monkeypatch.setattr(
        client._transport,
        "request",
        lambda verb, path, *more, **named: sent.append(path) or request(verb, path, *more, **named),
    )
    items = [*frames(100), (pd.DataFrame({"flux": [1.0]}), {"series_obj_id": "bad"}), next(frames(1))]
    outcomes = list(client.upload_many(make(items), **shared))
    assert sorted(outcome.index for outcome in outcomes) == list(range(102))
    failed = {outcome.index: type(outcome.error) for outcome in outcomes if outcome.error}
    assert failed == {100: InvalidError, 101: DuplicateError}
    assert client.count(series_name=shared["series_name"]) == 100
    assert sent.count("/api/photometric_series/bulk") > 0
    assert len(sent) < 60
    for outcome in outcomes[50:60]:
        got = client.get(outcome.uploaded.id)
        assert got.metadata["altdata"] == {"n": outcome.index}
        assert got.data["flux"][0] == 100 + outcome.index


@pytest.mark.parametrize("part", [64 * 1024 * 1024, 2000])
def test_failed_series_stores_nothing_with_all_or_nothing(client, shared, monkeypatch, part):
    """Also for a table that would go in several parts."""
    monkeypatch.setattr("photseries.client.bulk_bodies.MAX_SLICE_BYTES", part)
    table = night(5)
    table.loc[140:, "flux"] = np.nan
    table.loc[120:, "mjd"] = np.nan
    outcomes = list(client.upload_many(table, by="series_obj_id", on_error="abort", **shared))
    assert [outcome.error.code for outcome in outcomes] == ["aborted"] * 4 + ["invalid"]
    assert client.count(series_name=shared["series_name"]) == 0


@pytest.mark.parametrize("if_exists", ["skip", "replace"])
@pytest.mark.parametrize("place", [3, 33], ids=["sent alone", "sent together"])
def test_a_key_that_another_item_had_is_refused_however_either_was_sent(client, shared, if_exists, place):
    """The first 32 items of an iterator are sent alone, the others together."""
    items = list(frames(40))
    items[36] = (pd.DataFrame({"mjd": [1.0], "flux": [5.0]}), {"series_obj_id": place})
    outcomes = list(client.upload_many(iter(items), if_exists=if_exists, **shared))
    assert {outcome.index: type(outcome.error) for outcome in outcomes if outcome.error} == {36: DuplicateError}
    (kept,) = client.iter(series_name=shared["series_name"], series_obj_id=str(place))
    assert kept.data["flux"].tolist() == [100.0 + place + number for number in range(9)]


def test_a_file_with_the_key_of_a_table_that_was_sent_with_others_is_refused(client, shared, tmp_path):
    file = tmp_path / "again.csv"
    file.write_text("mjd,flux\n59000,1\n59001,2\n")
    items = [*frames(40), (str(file), {"series_obj_id": 39})]
    outcomes = {outcome.index: outcome for outcome in client.upload_many(items, if_exists="replace", **shared)}
    assert {index: type(outcome.error) for index, outcome in outcomes.items() if outcome.error} == {40: DuplicateError}
    assert len(client[outcomes[39].uploaded.id].data) == 9


@pytest.mark.parametrize(
    "index", [pd.RangeIndex(10, 19), pd.RangeIndex(9, name="night"), pd.RangeIndex(0, 18, 2), pd.RangeIndex(9)], ids=str
)
def test_a_table_among_many_keeps_its_index(client, shared, index):
    items = [(table.set_axis(index, axis=0), fields) for table, fields in frames(40)]
    outcomes = list(client.upload_many(items, **shared))
    pd.testing.assert_index_equal(client.get(outcomes[35].uploaded.id).data.index, index, exact="equiv")


def test_a_table_with_a_number_as_column_name_fails_alone(client, shared):
    items = [(table.rename(columns={"note": 0}), fields) for table, fields in frames(40)]
    outcomes = list(client.upload_many(items, **shared))
    assert {outcome.index for outcome in outcomes if outcome.error} == {*range(0, 40, 5)}
    assert {outcome.error.fields["data.0"][0] for outcome in outcomes if outcome.error} == {
        "The column name 0 is not text."
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("altdata", {"a": object()}), ("series_obj_id", 2**70), ("channel", "\ud800")],
    ids=["object", "integer", "surrogate"],
)
def test_a_field_that_cannot_be_sent_fails_alone(client, shared, name, value):
    items = [*frames(40)]
    items[7] = (items[7][0], {**items[7][1], name: value})
    outcomes = list(client.upload_many(items, **shared))
    assert {outcome.index: list(outcome.error.fields) for outcome in outcomes if outcome.error} == {7: [name]}
    assert len(outcomes) == 40


def test_an_empty_table_has_no_series(client, shared):
    empty = night(1).iloc[:0]
    assert list(client.upload_many(empty, by="series_obj_id", **shared)) == []
    assert list(client.upload_many(pa.Table.from_pandas(empty), by="series_obj_id", **shared)) == []


def test_metadata_that_differ_for_one_series_are_refused(client, shared):
    about = pd.DataFrame({"series_obj_id": ["star 0"] * 2, "channel": ["a", "b"], "altdata": ['{"n": 1}'] * 2})
    with pytest.raises(InvalidError, match=r"several rows.*'star 0'"):
        client.upload_many(night(1), by="series_obj_id", metadata=about, **shared)
    same = about.assign(channel="a")
    (outcome,) = client.upload_many(night(1), by="series_obj_id", metadata=same, **shared)
    assert client[outcome.uploaded.id].channel == "a"


def test_an_answer_that_ends_within_a_line_leaves_the_outcome_unknown(client, service, shared, monkeypatch):
    monkeypatch.setattr("photseries.client.transport.time.sleep", lambda _: None)
    with Between(service.url) as between, type(client)(between.url, service.token) as cut:
        between.fates = [(200, {"Content-Type": "application/x-ndjson"}, b'{"index": 0, "status": "success", "da')]
        with pytest.raises(OutcomeUnknownError, match=r"last line is missing.*may or may not"):
            list(cut.upload_many(night(2), by="series_obj_id", **shared))
        between.fates = [(200, {"Content-Type": "application/x-ndjson"}, b'{"index": 0, "sta'), (502, {}, b"no answer")]
        tried = list(cut.upload_many(night(2), by="series_obj_id", dry_run=True, **shared))
        assert [outcome.uploaded.status for outcome in tried] == ["valid"] * 2, "a dry run is repeated"


def test_series_before_an_error_that_ends_the_answer_are_known(client, service, shared):
    line = {"status": "success", "index": 1, "data": {"id": 17, "outcome": "created", "warnings": ["far"]}}
    failed = {"status": "error", "message": "The body is damaged.", "data": {"code": "invalid"}}
    answer = (200, {"Content-Type": "application/x-ndjson"}, b"\n".join(map(orjson.dumps, (line, failed))))
    with Between(service.url) as between, type(client)(between.url, service.token) as cut:
        between.fates = [answer]
        outcomes = {outcome.index: outcome for outcome in cut.upload_many([*frames(40)], **shared)}
        assert outcomes.pop(1).uploaded == Uploaded(17, "created", ("far",))
        assert {str(outcome.error) for outcome in outcomes.values()} == {"The body is damaged."}
        assert len(outcomes) == 39
        between.fates = [answer]
        sent = cut.upload_many(night(3), by="series_obj_id", **shared)
        assert next(sent).item == {"series_obj_id": "star 1"}
        with pytest.raises(InvalidError, match="damaged"):
            next(sent)


def test_a_service_that_fails_after_some_series_leaves_the_outcome_unknown(client, service, shared, monkeypatch):
    """Series of a repeated upload that the first attempt had stored were reported as duplicates."""
    monkeypatch.setattr("photseries.client.transport.time.sleep", lambda _: None)
    (first,) = client.upload_many(night(1), by="series_obj_id", **shared)
    stored_line = {
        "status": "success",
        "index": 0,
        "data": {"id": first.uploaded.id, "outcome": "created", "warnings": []},
    }
    failed_line = {"status": "error", "message": "full", "data": {"code": "unavailable"}}
    body = b"\n".join(map(orjson.dumps, (stored_line, failed_line)))
    failing = (200, {"Content-Type": "application/x-ndjson"}, body)
    with Between(service.url) as between, type(client)(between.url, service.token) as cut:
        between.fates = [failing]
        outcomes = cut.upload_many(night(2), by="series_obj_id", **shared)
        assert next(outcomes).uploaded.id == first.uploaded.id, "what was answered is certain"
        with pytest.raises(OutcomeUnknownError, match="ended after 1 series: full"):
            next(outcomes)
        between.fates = [failing]
        completed = list(cut.upload_many(night(2), by="series_obj_id", if_exists="skip", **shared))
    assert [outcome.uploaded.status for outcome in completed] == ["skipped", "created"]


def test_missing_values_of_pandas_are_missing_fields_however_a_table_is_sent(client, shared):
    """The text null was stored for NaN, which rows of pandas have in place of a missing value."""
    missing = [np.nan, np.float32("nan"), pd.NA, pd.NaT]
    items = [
        (table, {**fields, "channel": missing[index % 4], "limiting_mag": missing[index % 4]})
        for index, (table, fields) in enumerate(frames(40))
    ]
    outcomes = list(client.upload_many(items, **shared))
    assert {client[outcome.uploaded.id].channel for outcome in outcomes[:4]} == {None}
    for index, value in enumerate(missing):
        uploaded = client.upload(items[0][0], **{**shared, "series_obj_id": f"x {index}", "channel": value})
        assert client[uploaded.id].channel is None
    part = night(1, rows=4).assign(series_obj_id="y", channel=["a", "a", np.nan, np.nan])
    split = list(client.upload_many([part], by=["series_obj_id", "channel"], bulk=True, **shared))
    assert [client[outcome.uploaded.id].channel for outcome in split] == ["a", None]
