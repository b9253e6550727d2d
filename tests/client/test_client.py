"""The client and a running service: what goes up comes back, and errors are the service's own."""

import hashlib
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from astropy import units

import photseries
from photseries import errors
from photseries.client import ReadOptions
from photseries.client.keys import UploadTracker
from photseries.client.queries import snake_case
from photseries.errors import (
    DuplicateError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    StartError,
    UnauthorizedError,
)
from photseries.fields import LISTED
from photseries.hdf5 import stored_file
from photseries.parameters import ONE_SERIES
from tests.support import DATA, TESS, columns, recipe_read, recipe_write


def frame(rows=10, **more):
    return pd.DataFrame({**columns(rows), **more})


def test_the_package_imports_the_client_lazily():
    assert "Client" in dir(photseries)
    with pytest.raises(AttributeError, match="no attribute 'Server'"):
        _ = photseries.Server


def test_client_import_loads_no_server_module():
    program = """
import sys, photseries
assert not {"httpx", "pandas"} & set(sys.modules)
photseries.Client
print({"tornado", "sqlalchemy", "psycopg2", "tables", "astropy"} & set(sys.modules))
"""
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_frame_survives_the_round_trip(client, fields):
    posted = frame(n=np.arange(10), good=np.arange(10) % 2 == 0, text=["é", np.nan] * 5, gap=[1.5, math.nan] * 5)
    uploaded = client.upload(posted, **fields)
    assert uploaded.status == "created"
    series = client.get(uploaded.id)
    pd.testing.assert_frame_equal(series.data, posted, check_dtype=False, check_column_type=False)
    assert [series.data[name].dtype.kind for name in posted] == list("fffibOf")
    assert series.metadata["num_exp"] == 10
    assert series.id == uploaded.id
    assert repr(series) == f"<Series {uploaded.id}: star, ztfg, {fields['series_name']}, 10 rows>"


@pytest.mark.parametrize(
    "more",
    [
        {"small": np.arange(10, dtype="f4") / 3},
        {"flags": np.arange(10, dtype="u2")},
        {"when": pd.date_range("2026-11-21", periods=10)},
        {"deep": [math.inf, *[1.0] * 9]},
        {"no text": pd.Series([None] * 10, dtype=object)},
    ],
    ids=lambda more: next(iter(more)),
)
def test_values_that_json_would_change_survive_the_round_trip(client, fields, more):
    posted = frame(**more)
    got = client.get(client.upload(posted, **fields).id).data
    (name,) = more
    assert got[name].dtype.kind == posted[name].dtype.kind
    np.testing.assert_array_equal(got[name].isna(), posted[name].isna())
    assert (got[name] == posted[name])[posted[name].notna()].all()


def test_index_survives_the_round_trip(client, fields):
    posted = frame().set_index(pd.Index(range(5, 15), name="cadence"))
    got = client.get(client.upload(posted, **fields).id).data
    assert got.index.equals(posted.index)
    assert got.index.name == "cadence"


def test_a_dict_of_arrays_is_uploaded(client, fields):
    table = {name: np.array(values) for name, values in columns().items()}
    got = client.get(client.upload(table, **{**fields, "ra": np.float64(1.5)}).id)
    assert got.data["flux"].tolist() == table["flux"].tolist()
    assert got.metadata["ra"] == 1.5


def test_the_tess_file_survives_the_round_trip(client, world, tmp_path):
    uploaded = client.upload(TESS, obj_id=world.source, instrument_id=world.instrument)
    with pd.HDFStore(TESS, mode="r") as store:
        original = pd.DataFrame(store[store.keys()[0]])
    series = client.get(uploaded.id)
    pd.testing.assert_frame_equal(series.data, original)
    assert series.metadata["filter"] == "tess::red"
    path = series.to_hdf5(tmp_path / "series.h5")
    assert hashlib.md5(path.read_bytes()).hexdigest() == series.metadata["hash"]
    assert [file.name for file in tmp_path.iterdir()] == ["series.h5"]
    pd.testing.assert_frame_equal(recipe_read(path.read_bytes())[0], original)


@pytest.mark.parametrize("band", ["R", "B"])
def test_macho_text_survives_the_round_trip(client, fields, band):
    path = DATA / f"macho_1.3444.614.{band}.mjd"
    got = client.get(client.upload(path, **fields).id).data
    np.testing.assert_array_equal(got[["mjd", "mag", "magerr"]].to_numpy(), np.loadtxt(path))


def test_selected_columns_are_returned(client, fields):
    uploaded = client.upload(frame(), **fields)
    assert list(client.get(uploaded.id, columns=["flux", "mjd"]).data) == ["flux", "mjd"]
    with pytest.raises(InvalidError, match="bg"):
        _ = client.get(uploaded.id, columns=["bg"]).data
    with pytest.raises(InvalidError, match="Only the whole table"):
        client.get(uploaded.id, columns=["mjd"], revision=1)


def test_single_name_equals_a_list_of_one(client, fields, tmp_path):
    uploaded = client.upload(frame(), **fields)
    assert list(client.get(uploaded.id, columns="mjd", derive="mag").data) == ["mjd", "mag"]
    name = fields["series_name"]
    path = client.export(tmp_path / "long.parquet", columns="mjd", derive="snr", series_name=name)
    assert {"mjd", "snr"} < set(pyarrow.parquet.read_table(path).column_names)


def test_id_is_an_integer_or_its_digits(client, fields):
    uploaded = client.upload(frame(), **fields)
    assert client.get(str(uploaded.id)).id == client.get(np.int64(uploaded.id)).id == uploaded.id
    client.update(str(uploaded.id), origin="x", if_match=1)
    for wrong in ("", "x", "1/data", 1.5, None, -1, "²"):
        with pytest.raises(InvalidError, match="The id of a series is a whole number, not"):
            client.get(wrong)
    client.delete(str(uploaded.id))


def test_a_series_is_saved_in_any_format(client, fields, tmp_path):
    uploaded = client.upload(frame(), **fields)
    path = client.save(uploaded.id, tmp_path / "a.parquet", format="parquet")
    pd.testing.assert_frame_equal(pyarrow.parquet.read_table(path).to_pandas(), frame())
    assert client.save(uploaded.id, tmp_path / "a.h5").read_bytes() == client.get(uploaded.id).blob
    with pytest.raises(InvalidError, match="format"):
        client.save(uploaded.id, tmp_path / "a.xlsx", format="xlsx")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.h5", "a.parquet"]


def test_a_folder_that_does_not_exist_is_named(client, fields, tmp_path):
    made = client.upload(columns(), **fields)
    with pytest.raises(FileNotFoundError) as caught:
        client.save(made.id, tmp_path / "none" / "a.h5")
    assert caught.value.filename == str(tmp_path / "none" / "a.h5")


def test_pickling_is_refused_with_a_way_out(client, fields):
    made = client.upload(columns(), **fields)
    for one in (client, client[made.id]):
        with pytest.raises(TypeError, match="create a Client in each process"):
            pickle.dumps(one)


def test_a_csv_round_trip_keeps_the_table_and_reports_losses(client, fields, tmp_path):
    more = {"time_scale": "tdb", "channel": "b"}
    uploaded = client.upload(frame(sigma=np.arange(10.0)), **fields, **more)
    with pytest.warns(
        UserWarning, match="no source, filter, instrument, time scale, reference position or other metadata"
    ):
        path = client.save(uploaded.id, tmp_path / "a.csv")
    got = client.get(client.upload(path, **{**fields, "channel": "c"}).id)
    pd.testing.assert_frame_equal(got.data, frame(sigma=np.arange(10.0)))
    assert got.metadata["time_scale"] is None


def test_parts_are_selected_by_time_row_and_column(client, fields, tmp_path):
    number = client.upload(frame(100), **fields).id
    part = client.get(number, mjd_min=59001, mjd_max=59002, row_min=1, columns=["mjd"], derive=["mag", "snr"])
    assert list(part.data) == ["mjd", "mag", "snr"]
    assert part.data["mjd"].between(59001, 59002).all()
    assert part.metadata["num_exp"] == 100
    assert len(client.get(number, max_points=10).data) == 10
    assert len(client.get(number, row_max=4).data) == 5
    assert list(recipe_read(part.to_hdf5(tmp_path / "part.h5").read_bytes())[0]) == ["mjd", "mag", "snr"]
    keywords = set(inspect.signature(client.get).parameters) - {"series_id"}
    assert keywords == {snake_case(known.name) for known in ONE_SERIES} - {"data_format"}


def test_upload_returns_the_warnings_of_the_service(client, fields):
    late = frame(5).assign(mjd=lambda table: [*table["mjd"][:4], 2_459_000.5])
    text = "1 of 5 times are outside MJD 7,700 to 106,400; the first is in row 5: 2,459,000.5."
    for status in ("valid", "created", "replaced"):
        uploaded = client.upload(late, dry_run=status == "valid", if_exists="replace", **fields)
        assert (uploaded.status, uploaded.warnings) == (status, (text,))
    with pytest.raises(InvalidError, match=r"'filter' has several filters: ztfg .3 rows., ztfr .2 rows."):
        client.upload(frame(5, filter=["ztfg"] * 3 + ["ztfr"] * 2), **fields)


def test_a_dry_run_stores_nothing(client, fields):
    tried = client.upload(frame(), dry_run=True, **fields)
    assert (tried.id, tried.status) == (None, "valid")
    assert tried.report["sources"]["ra"] == "body"
    assert client.count(series_name=fields["series_name"]) == 0
    number = client.upload(frame(), **fields).id
    again = client.upload(frame(), dry_run=True, **fields)
    assert (again.id, again.status) == (number, "exists")
    assert "already" in " ".join(again.warnings)
    with pytest.raises(InvalidError):
        client.upload(frame(), dry_run=True, **{**fields, "ra": 1000})


def test_existing_series_is_refused_skipped_or_replaced(client, fields):
    first = client.upload(frame(), **fields)
    with pytest.raises(DuplicateError) as caught:
        client.upload(frame(20), **fields)
    assert caught.value.details["id"] == first.id
    assert (caught.value.status, caught.value.code) == (409, "duplicate")
    skipped = client.upload(frame(20), if_exists="skip", **fields)
    assert (skipped.id, skipped.status) == (first.id, "skipped")
    assert client.get(first.id).metadata["num_exp"] == 10
    replaced = client.upload(frame(20), if_exists="replace", **{**fields, "exp_time": 7})
    assert (replaced.id, replaced.status) == (first.id, "replaced")
    assert client.get(first.id).metadata["num_exp"] == 20
    assert client.get(first.id).metadata["exp_time"] == 7
    with pytest.raises(ValueError, match="if_exists"):
        client.upload(frame(), if_exists="perhaps", **fields)


def test_existing_series_are_looked_up_before_upload(client, admin, fields):
    """The series is stored once, whether a look-up finds it or not, for any key."""
    keys = [{**fields, "series_obj_id": f"a,{n}", "channel": channel} for n in (1, 2) for channel in (None, "b")]
    assert [client.upload(frame(), if_exists="skip", **key).status for key in keys] == ["created"] * 4
    assert [client.upload(frame(), if_exists="skip", **key).status for key in keys] == ["skipped"] * 4
    new = {**fields, "series_obj_id": 3}
    assert [client.upload(frame(), if_exists="skip", **new).status for _ in range(3)] == [
        "created",
        "skipped",
        "skipped",
    ]
    assert client.count(series_name=fields["series_name"]) == 5


def test_update_changes_fields_and_table(client, fields):
    number = client.upload(frame(), **fields, origin="first").id
    assert client.update(number, exp_time=9, origin=None) == ()
    assert [client.get(number).metadata[name] for name in ("exp_time", "origin", "revision")] == [9, None, 2]
    (warning,) = client.update(number, frame(20, filter="ztfi"), if_match=2, filter="ztfr")
    assert warning == "The column 'filter' is 'ztfi', but filter='ztfr' was given, which is used."
    assert len(client.get(number).data) == 20
    with pytest.raises(PreconditionFailedError):
        client.update(number, if_match=1, exp_time=1)
    with pytest.raises(InvalidError) as caught:
        client.update(number, exp_time=-1, ra="north")
    assert set(caught.value.fields) == {"exp_time", "ra"}
    assert [event["action"] for event in client.history(number)] == ["create", "update", "update"]
    assert len(client.get(number, revision=1).data) == 10


def test_delete_removes_a_series(client, fields):
    number = client.upload(frame(), **fields).id
    with pytest.raises(PreconditionFailedError):
        client.delete(number, if_match=7)
    client.delete(number, if_match=1)
    with pytest.raises(NotFoundError):
        client.get(number)
    with pytest.raises(NotFoundError):
        client.delete(number)


def test_find_returns_matching_series(client, fields):
    name = fields["series_name"]
    numbers = [client.upload(frame(n), **{**fields, "series_obj_id": n, "ra": 20 + n}).id for n in range(2, 7)]
    found = client.find(series_name=name)
    assert "data" not in found
    assert "data" not in client.get(numbers[0]).metadata
    assert sorted(found["id"]) == numbers
    assert list(found) == list(LISTED)
    assert client.count(seriesName=name) == 5
    assert client.find(series_name=name, min_num_exposures=4, sort_by="num_exp", sort_order="desc")[
        "num_exp"
    ].tolist() == [6, 5, 4]
    assert client.find(series_name=[name, "no, such"], series_obj_id=np.array([2, 3]))["id"].tolist() == numbers[:2]
    assert len(client.find(series_name=name, limit=2)) == 2
    with pytest.raises(InvalidError, match="limit must be at least 0, not -1"):
        client.find(limit=-1)
    nothing = client.find(series_name="nothing of this name")
    assert (len(nothing), list(nothing)) == (0, list(LISTED))
    walked = list(client.iter(series_name=name, num_per_page=2))
    assert sorted(series.id for series in walked) == numbers
    assert sorted(len(series.data) for series in walked) == [2, 3, 4, 5, 6]
    assert client.summary(series_name=name)["series"] == 5
    around = client.positions([[100, 0], [22, -20], [23, -20]], 0.1, series_name=name, num_per_page=1)
    assert list(zip(around["position"], around["ra"], strict=True)) == [(1, 22), (2, 23)]
    assert (around["separation"] < 1e-6).all()


def test_the_fields_and_the_file_have_one_revision(client, fields):
    number = client.upload(frame(), **fields).id
    (series,) = client.iter(series_name=fields["series_name"])
    client.update(number, frame(20))
    assert series.metadata["num_exp"] == 10
    assert len(series.data) == 20 == series.metadata["num_exp"]


def test_invalid_criteria_are_refused_with_a_suggestion(client):
    with pytest.raises(InvalidError, match=r"no criterion min_median_sn\. Did you mean min_median_snr"):
        client.find(min_median_sn=1)
    with pytest.raises(InvalidError, match="Invalid minMedianSNR") as caught:
        client.find(min_median_snr="many")
    assert list(caught.value.fields) == ["minMedianSNR"]
    with pytest.raises(InvalidError, match="shape"):
        client.positions([1, 2, 3], 1)


def test_client_reports_user_version_and_entries(client, world, service):
    assert client.check() == photseries.__version__
    assert client.whoami()["username"] == "admin"
    assert client.url == service.url
    assert "token" not in repr(client)
    client.create("sources", id="client's star", ra=1, dec=2)
    assert "client's star" in [entry["id"] for entry in client.entries("sources")]
    with pytest.raises(NotFoundError, match=r"There is nothing at /api/source\. Did you mean sources\?"):
        client.create("source", id="V1", ra=1, dec=2)
    with photseries.Client(service.url + "/", world.tokens["anna reads"]) as reader:
        with pytest.raises(ForbiddenError):
            reader.upload(frame(), **world.fields(series_name="forbidden"))
        with pytest.raises(NotFoundError):
            reader.get(10**6)
    with photseries.Client(service.url, "wrong") as stranger, pytest.raises(UnauthorizedError):
        stranger.find()


def test_bad_input_is_one_clear_error(client, fields, tmp_path):
    with pytest.raises(InvalidError, match="Cannot read a table from an object of type list: give a DataFrame"):
        client.upload([1, 2], **fields)
    with pytest.raises(InvalidError, match="The columns do not form a table: Inconsistent data column lengths"):
        client.upload({"mjd": [60000.0, 60001.0] * units.day, "mag": [18.0]}, **fields)
    with pytest.raises(InvalidError, match=r"lost.csv: No such file"):
        client.upload(tmp_path / "lost.csv", **fields)
    with pytest.raises(InvalidError, match="The field altdata cannot be serialised as JSON"):
        client.upload(frame(), **{**fields, "altdata": {"x": object()}})
    with pytest.raises(InvalidError, match="look like jd"):
        client.upload(frame().assign(mjd=lambda table: table["mjd"] + 2400000.5), **fields)
    with pytest.raises(StartError, match="not the URL"):
        photseries.Client("photseries.org", "x")


def test_options_are_for_tables_in_memory_too(client, fields):
    table = pd.DataFrame({"time": [1325.5, 1326.5], "counts": [1.0, 2.0]})
    options = ReadOptions(flux_col="counts", time_format="btjd", zero_point=23.9)
    series = client.get(client.upload(table, options=options, **fields).id)
    assert series.data["mjd"].tolist() == [58325.0, 58326.0]
    assert series.data["flux"].tolist() == [1.0, 2.0]
    assert (series.metadata["time_scale"], series.metadata["time_refpos"]) == ("tdb", "barycenter")
    assert series.metadata["altdata"] == {"flux_zero_point": 23.9}


def test_altdata_of_a_file_stay_beside_a_zero_point(client, fields, tmp_path):
    file = tmp_path / "counts.h5"
    said = {"pipeline": 1, "flux_calibrated": False, "flux_unit": "ct"}
    file.write_bytes(recipe_write(frame(), {"altdata": said}))
    for own, expected in (({}, {}), ({"altdata": {"pipeline": 2, "mine": 3}}, {"pipeline": 2, "mine": 3})):
        origin = f"{len(own)} of mine"
        uploaded = client.upload(file, options=ReadOptions(zero_point=25.0), origin=origin, **fields, **own)
        found = client.get(uploaded.id).metadata["altdata"]
        assert found == {"pipeline": 1, "flux_zero_point": 25.0, **expected}
    metadata = client.get(client.upload(file, **fields).id).metadata
    assert (metadata["flux_unit"], metadata["altdata"]) == ("ct", {"pipeline": 1})


def test_unknown_field_is_refused_by_the_service(client, fields):
    with pytest.raises(InvalidError, match="Unknown keys in metadata: \\['colour'\\]"):
        client.upload(frame(), colour="blue", **fields)


def test_upload_many_yields_an_outcome_per_item(client, world, fields):
    name = fields.pop("series_name")
    items = [(frame(3 + n), {"series_obj_id": n}) for n in range(12)] + [frame().drop(columns="mjd")]
    outcomes = list(client.upload_many(iter(items), in_flight=4, series_name=name, **fields))
    assert sorted(outcome.index for outcome in outcomes) == list(range(13))
    assert [outcome.index for outcome in outcomes if outcome.error] == [12]
    assert client.count(series_name=name) == 12
    again = client.upload_many(items[:12], if_exists="skip", series_name=name, **fields)
    assert {outcome.uploaded.status for outcome in again} == {"skipped"}


def test_items_that_are_no_pair_of_data_and_fields_are_rejected(client, fields):
    items = [(1, 2), (frame(), fields, 3), (frame(), {"series_obj_id": "pair"})]
    for bulk in (False, True):
        outcomes = list(client.upload_many(items, bulk=bulk, if_exists="replace", **fields))
        messages = {outcome.index: str(outcome.error) for outcome in outcomes if outcome.error}
        assert set(messages) == {0, 1}
        assert all(text.startswith("An item must be data or a pair") for text in messages.values())


def test_upload_many_consumes_items_lazily(client, fields):
    name, taken = fields.pop("series_name"), []

    def items():
        for number in range(20):
            taken.append(number)
            yield frame(), {"series_obj_id": number}

    outcomes = client.upload_many(items(), in_flight=3, series_name=name, **fields)
    next(outcomes)
    outcomes.close()
    assert len(taken) <= 3
    assert client.count(series_name=name) <= 3


def test_upload_many_with_a_bad_token_stops_immediately(service, fields):
    with photseries.Client(service.url, "wrong") as stranger, pytest.raises(UnauthorizedError):
        list(stranger.upload_many([frame()] * 100, in_flight=2, **fields))


def test_a_hostile_service_executes_nothing(client):
    from photseries.client.series import read_file
    from photseries.errors import UnreadableFileError

    blob = stored_file.encode(frame(), {})
    for damaged in (b"", b"x" * 100, blob[:-3000], blob[:500]):
        with pytest.raises(UnreadableFileError):
            read_file(damaged)


def test_fields_in_the_query_equal_those_in_json(client, world, fields):
    table = frame(small=np.arange(10, dtype="f4"))
    odd = {**fields, "origin": "null", "channel": "007", "series_obj_id": 614, "group_ids": [world.crew]}
    odd |= {"altdata": {"text": "é & ?", "deep": [1, {"a": None}]}, "ra": 1e-7}
    uploaded = client.upload(table, **odd)
    got = client.get(uploaded.id).metadata
    expected = {**odd, "series_obj_id": "614"}
    assert {name: got[name] for name in odd if name != "group_ids"} == {
        name: value for name, value in expected.items() if name != "group_ids"
    }
    assert world.crew in got["group_ids"]
    client.update(uploaded.id, table.head(5), origin=None)
    assert (client.get(uploaded.id).metadata["origin"], len(client.get(uploaded.id).data)) == (None, 5)


@pytest.mark.parametrize("if_exists", ["error", "skip", "replace"])
def test_two_tables_never_become_one_series(client, fields, if_exists):
    """The first upload is stored, and the second gets an error, even if both are sent at the same time."""
    client.upload(frame(), **{**fields, "series_obj_id": "there"})
    for number, in_flight in enumerate((1, 8, 8)):
        items = [(frame(3 + rows), {"series_obj_id": number}) for rows in range(3)]
        outcomes = list(client.upload_many(items, in_flight=in_flight, if_exists=if_exists, **without(fields)))
        (stored,) = [outcome for outcome in outcomes if outcome.uploaded]
        assert stored.uploaded.status == "created"
        assert client.get(stored.uploaded.id).metadata["num_exp"] == 3 + stored.index
        assert {type(outcome.error) for outcome in outcomes if outcome.error} == {DuplicateError}
    alone = client.upload_many([frame(7)], if_exists="replace", **{**fields, "series_obj_id": 0})
    assert [outcome.uploaded.status for outcome in alone] == ["replaced"]


def without(fields):
    return {name: value for name, value in fields.items() if name != "series_obj_id"}


@pytest.mark.parametrize(
    "change",
    [{}, {"small": np.arange(10, dtype="f4")}, {"when": pd.date_range("2026-11-21", periods=10).astype("M8[s]")}],
    ids=["as JSON", "as a file", "with what a file holds otherwise"],
)
def test_skipping_a_different_table_causes_a_warning(client, fields, change):
    client.upload(frame(**change), **fields)
    for _ in range(2):  # refused the first time, looked for the second time
        assert client.upload(frame(**change), if_exists="skip", **fields).warnings == ()
        corrected = client.upload(frame(**change).assign(fluxerr=2.0), if_exists="skip", **fields)
        assert corrected.status == "skipped"
        assert [warning for warning in corrected.warnings if "another table; the new one was not stored" in warning]


def test_many_ids_take_little_memory():
    reached = UploadTracker()
    for series_id in range(10**6, 10**6 + 100_000):
        reached.add(series_id)
    with pytest.raises(DuplicateError):
        reached.require_other(10**6)
    reached.require_other(10**6 - 1)
    assert len(reached._bits) < 30


@pytest.mark.parametrize("form", ["h5", "parquet", "arrows", "ecsv", "fits", "vot"])
def test_a_saved_file_is_uploaded_again_without_loss(client, fields, tmp_path, form):
    more = {"time_scale": "tdb", "time_refpos": "barycenter", "magref": 18.5, "channel": "b", "altdata": {"camera": 2}}
    more |= {"flux_unit": "electron/s", "magsys": "vega"}
    more |= {"time_stamp_alignment": "end", "column_units": {"sigma": "K", "when": "no unit"}}
    table = frame(when=pd.date_range("2026-11-21", periods=10), sigma=np.arange(10, dtype="i1"))
    first = client.get(client.upload(table.assign(text=["é", None, "", *"abcdefg"]), **fields, **more).id)
    path = tmp_path / f"series.{form}"
    client.save(first.id, path)
    with pytest.raises(DuplicateError):
        client.upload(path)
    second = client.get(client.upload(path, channel="c").id)
    pd.testing.assert_frame_equal(second.data, first.data)
    assert second.metadata["content_hash"] == first.metadata["content_hash"]
    own = {"id", "created_at", "modified", "channel", "filename", "hash", "revision"}
    assert {name: value for name, value in second.metadata.items() if name not in own} == {
        name: value for name, value in first.metadata.items() if name not in own
    }


def test_deleted_and_replaced_series_are_restored(client, fields, tmp_path):
    number = client.upload(frame(), channel="a", **fields).id
    client.update(number, frame(20), channel="b")
    stored = client.get(number).blob
    client.delete(number)
    assert client.save(number, tmp_path / "old.h5", revision=2).read_bytes() == stored
    assert client.restore(number) == 4
    assert client.restore(number, 1, if_match=4) == 5
    assert client.restore(number, 1) == 5
    series = client.get(number)
    assert (series.metadata["channel"], len(series.data)) == ("a", 10)
    with pytest.raises(InvalidError, match="not deleted"):
        client.restore(number)


def test_many_uploads_have_one_batch_that_can_be_undone(client, fields):
    old = client.upload(frame(), **{**fields, "series_obj_id": "old", "batch": "mine"}).id
    items = [(frame(20), {"series_obj_id": name}) for name in ("old", "1", "2")]
    outcomes = list(client.upload_many(items, if_exists="replace", **fields))
    ids = sorted(outcome.uploaded.id for outcome in outcomes)
    (batch,) = client.find(series_name=fields["series_name"])["batch"].unique()
    undone = client.undo(batch)
    assert {outcome: sorted(numbers) for outcome, numbers in undone.items() if numbers} == {
        "deleted": [number for number in ids if number != old],
        "restored": [old],
    }
    assert list(client.find(series_name=fields["series_name"])["batch"]) == ["mine"]
    other = list(client.upload_many(items, **fields, batch="named"))
    assert {client.get(one.uploaded.id).metadata["batch"] for one in other if one.uploaded} == {"named"}
    with pytest.raises(NotFoundError):
        client.undo("nobody's")


def test_renamed_error_keeps_its_old_name():
    with pytest.warns(DeprecationWarning, match="OutcomeUnknownError"):
        assert errors.InDoubtError is errors.OutcomeUnknownError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mjd,flux(mJy),fluxerr(mJy)\n59000,1,0.1\n59001,2,0.1\n", {"flux_unit": "uJy", "mean_flux": 1500.0}),
        ("mjd,flux,fluxerr\n59000,1,0.1\n59001,2,0.1\n", {"flux_unit": "mJy", "mean_flux": 1500.0}),
        (
            "BJD_TDB,flux(electron/s)\n2459000.5,1\n2459001.5,2\n",
            {"flux_unit": "electron/s", "mean_flux": 1.5, "time_scale": "tdb", "time_refpos": "barycenter"},
        ),
        ("mjd,mag,magsys\n59000,15,Vega\n59001,16,Vega\n", {"magsys": "vega", "mean_mag": 15.5}),
    ],
)
def test_an_update_takes_units_and_scales_of_its_data(client, fields, tmp_path, text, expected):
    """A table in uJy must not keep the unit mJy of the series, and one without a unit has that of the series."""
    uploaded = client.upload({"mjd": [59000.0, 59001.0], "flux": [5.0, 6.0], "fluxerr": [0.1, 0.1]}, **fields)
    client.update(uploaded.id, flux_unit="mJy", time_scale="utc")
    (tmp_path / "new.csv").write_text(text)
    client.update(uploaded.id, tmp_path / "new.csv")
    series = client.get(uploaded.id)
    assert {name: series.metadata[name] for name in expected} == expected


@pytest.mark.parametrize("number", [0, 1, 40])
def test_a_replaced_series_takes_the_unit_of_its_data(client, fields, tmp_path, number):
    """Alone, by upload_many, and among so many that they go in one body."""
    series = [{**fields, "series_name": f"{fields['series_name']}/{place}"} for place in range(max(number, 1))]
    for given in series:
        uploaded = client.upload({"mjd": [59000.0, 59001.0], "flux": [5.0, 6.0], "fluxerr": [0.1, 0.1]}, **given)
        client.update(uploaded.id, flux_unit="mJy")
    path = tmp_path / "new.csv"
    path.write_text("mjd,flux(mJy),fluxerr(mJy)\n59000,1,0.1\n59001,2,0.1\n")
    if number == 0:
        outcome = client.upload(path, **series[0], if_exists="replace")
    else:
        *_, last = client.upload_many([(path, given) for given in series], if_exists="replace")
        outcome = last.uploaded
    assert outcome.status == "replaced"
    found = client.get(outcome.id).metadata
    assert (found["flux_unit"], found["mean_flux"]) == ("uJy", 1500.0)
