"""Lists of series through the client: complete, or with the missing entries, despite interruptions."""

import zipfile

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from photseries.client import lists
from photseries.errors import (
    AlteredError,
    DamagedError,
    InvalidError,
    NotFoundError,
    UnreachableError,
    UnreadableFileError,
)
from tests.client.between import PASS, Between, answer
from tests.support import columns


@pytest.fixture(scope="module")
def stars(client, world):
    """The ids of a series of each of twelve stars, by the names of the stars."""
    found = {}
    for number in range(12):
        name = f"star {number}"
        world.make("sources", id=name, ra=20.0 + number, dec=5.0)
        fields = world.fields(obj_id=name, series_name="many", ra=20.0 + number, dec=5.0)
        data = {**columns(10 + number), "sky": list(range(10 + number))}
        found[name] = client.upload(data, **fields).id
    return found


@pytest.fixture
def portions(monkeypatch):
    """Portions of five entries, without pauses."""
    monkeypatch.setattr(lists, "PORTION", 5)
    monkeypatch.setattr(lists, "PAUSE", 0.0)
    monkeypatch.setattr(lists.ListQuery.portions, "__defaults__", (5,))


def test_names_with_missing_entries(client, stars, portions):
    names = [*[*stars][::-1], "nobody", *[*stars][:2]]
    many = client.get_many(obj_ids=names)
    assert many.missing == ["nobody"]
    assert many.damaged == []
    assert [one.id for one in many] == [stars[name] for name in names if name != "nobody"]
    assert [many.asked[place] for place in many.places] == [one.metadata["obj_id"] for one in many]
    assert repr(many) == "<SeriesList: 14 series of 15 entries, 1 missing, 0 damaged>"
    assert many.of("star 3") == [one for one in many if one.id == stars["star 3"]] != []
    for one in many.series:
        pd.testing.assert_frame_equal(one.data, client.get(one.id).data)
        assert one.metadata == client.get(one.id).metadata
    assert set(many.frames) == set(stars.values())
    assert len(many.metadata) == 14
    assert "von_neumann" in many.metadata


def test_lists_of_ids_hashes_and_positions_are_accepted(client, stars):
    ids = np.array([*stars.values()])
    assert [one.id for one in client.get_many(ids=ids[::2])] == ids[::2].tolist()
    hashes = [client.get(one).metadata["hash"] for one in ids[:3].tolist()]
    assert [one.id for one in client.get_many(hashes=hashes)] == ids[:3].tolist()
    around = client.get_many(positions=[[22.0, 5.0], [100, 5], [20.0001, 5.0]], radius=0.01, series_name="many")
    assert [(place, one.id) for place, one in zip(around.places, around, strict=True)] == [(0, ids[2]), (2, ids[0])]
    assert around.missing == [[100.0, 5.0]]
    assert len(client.get_many(series_obj_ids=["1"], series_name="many")) == 12


def test_lists_accept_parts_and_criteria(client, stars):
    many = client.get_many(obj_ids=stars, columns=["mjd", "sky"], derive="snr", row_min=11, min_num_exposures=11)
    assert many.missing == ["star 0"]
    assert [*many[2].data] == ["mjd", "sky", "snr"]
    assert many[2].data["sky"].tolist() == [11, 12]
    with pytest.raises(InvalidError, match="No row"):
        _ = many[0].data
    table = many.to_pandas()
    assert table.groupby("series_id").size().to_dict() == {
        stars[f"star {number}"]: number - 1 for number in range(2, 12)
    }
    assert [*table][:4] == ["asked", "series_id", "obj_id", "filter"]


def test_an_incomplete_list_can_raise_an_error(client, stars, directory):
    with pytest.raises(NotFoundError, match=r"2 of 3 entries .* 'a', 'b'"):
        client.get_many(obj_ids=["a", "star 1", "b"], missing="raise")
    assert len(client.get_many(obj_ids=["star 1"], missing="raise")) == 1
    file = directory / "store" / client.get(stars["star 2"]).metadata["filename"]
    content = file.read_bytes()
    file.write_bytes(b"x" + content[1:])
    try:
        many = client.get_many(obj_ids=["star 1", "star 2"])
        assert (len(many), many.missing, many.damaged) == (1, [], [stars["star 2"]])
        with pytest.raises(DamagedError, match=str(stars["star 2"])):
            client.get_many(obj_ids=["star 1", "star 2"], missing="raise")
    finally:
        file.write_bytes(content)


def test_invalid_lists_are_refused(client):
    for wrong in ({}, {"ids": [1], "obj_ids": ["a"]}, {"obj_ids": "star 1"}, {"ids": ["x"]}, {"ids": []}):
        with pytest.raises(InvalidError):
            client.get_many(**wrong).of("x") if wrong != {"ids": []} else client.export("x.zip", **wrong)
    with pytest.raises(InvalidError, match="no criterion colour"):
        client.get_many(ids=[1], colour="red")
    with pytest.raises(ValueError, match="missing must be"):
        client.get_many(ids=[1], missing="perhaps")


def test_interrupted_portion_is_requested_again(client, service, stars, portions):
    with Between(service.url) as between, type(client)(between.url, service.token) as broken:
        between.fates = [PASS, 3000]
        many = broken.get_many(obj_ids=stars)
        assert [one.id for one in many] == [*stars.values()]
        between.fates = [2000] * lists.ATTEMPTS
        with pytest.raises(UnreachableError, match="broke off"):
            broken.get_many(obj_ids=stars)


def test_an_answer_that_differs_from_its_manifest(client, stars, monkeypatch):
    whole = zipfile.ZipFile.read

    def read(self, name):
        content = whole(self, name)
        return content.replace(b'"found":{"0":', b'"found":{"7":') if name == "manifest.json" else content

    monkeypatch.setattr(zipfile.ZipFile, "read", read)
    with pytest.raises(AlteredError, match="incomplete"):
        client.get_many(obj_ids=["star 1"])


def test_a_damaged_file_in_an_answer(client, stars, monkeypatch):
    many = client.get_many(obj_ids=["star 1", "star 2"])

    def read(self, name):
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {name!r}")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "read", read)
        with pytest.raises(AlteredError, match="damaged"):
            _ = many[0].data
    assert len(many[0].data) == 11


def test_list_is_exported_as_a_file(client, stars, tmp_path):
    path = client.export(tmp_path / "long.parquet", obj_ids=[*stars][:3], columns=["mjd"], stat=[])
    assert pyarrow.parquet.read_table(path)["asked"].to_pylist() == [0] * 10 + [1] * 11 + [2] * 12
    assert b"photseries.manifest" in pyarrow.parquet.read_metadata(path).metadata


def test_collection_iterates_over_a_list(client, stars, tmp_path, monkeypatch):
    whole = client.collection(series_name="many", sort_by="id", progress=False)
    assert [one.id for one in whole] == [*stars.values()]
    assert len(whole) == 12
    assert whole.statistics.loc[stars["star 4"], "num_exp"] == 14
    assert whole.map(lambda one: len(one.data), workers=3) == list(range(10, 22))
    table = whole.to_pandas()
    assert len(table) == sum(range(10, 22))
    assert len(pyarrow.parquet.read_table(whole.to_parquet(tmp_path / "all.parquet"))) == len(table)
    named = client.collection(obj_ids=(name for name in ("star 3", "x", "star 1")))
    assert [one.id for one in named] == [stars["star 3"], stars["star 1"]] == [one.id for one in named]
    assert named.to_parquet(tmp_path / "named.parquet").exists()


def test_files_stay_in_the_cache(client, world, stars, tmp_path, monkeypatch):
    asked = []

    def get_list(transport, wanted):
        asked.append(len(wanted.entries))
        return lists.get_list(transport, wanted)

    monkeypatch.setattr("photseries.client.collection.get_list", get_list)
    collection = client.collection(series_name="many", sort_by="id", cache=tmp_path / "cache", progress=False)
    first = [one.data for one in collection]
    assert asked == [12]
    for one, before in zip(collection, first, strict=True):
        pd.testing.assert_frame_equal(one.data, before)
    assert asked == [12]
    client.update(stars["star 5"], {**columns(4), "sky": [1, 2, 3, 4]})
    (altered,) = (tmp_path / "cache").rglob(f"*{client.get(stars['star 6']).metadata['hash']}.h5")
    altered.write_bytes(b"something else")
    again = {one.id: one.data for one in collection}
    assert asked == [12, 1]
    assert len(again[stars["star 5"]]) == 4
    pd.testing.assert_frame_equal(again[stars["star 6"]], first[6])


def test_tables_of_a_collection_are_decoded_on_use(client, stars, tmp_path, monkeypatch):
    """So memory does not grow with the number of tables ahead, and a damaged file fails only when it is used."""
    for cache in (None, tmp_path / "cache"):
        collection = client.collection(series_name="many", sort_by="id", cache=cache, progress=False)
        with monkeypatch.context() as patch:
            patch.setattr("photseries.client.series.read_file", lambda blob: pytest.fail("nobody wants a table"))
            assert [one.id for one in collection] == [*stars.values()]


def test_a_file_that_disappears_from_the_cache_is_fetched_again(client, stars, tmp_path):
    collection = client.collection(series_name="many", sort_by="id", cache=tmp_path, progress=False)
    cached = [*collection] and [*collection]
    for file in tmp_path.rglob("*.h5"):
        file.unlink()
    assert len(cached[3].data) == 13
    assert len([*tmp_path.rglob("*.h5")]) == 1


def test_a_hash_from_the_service_names_no_file_outside_the_cache(client, service, tmp_path):
    series = {"id": 1, "content_hash": "../../outside", "hash": "x", "revision": 1}
    with Between() as between, type(client)(between.url, service.token) as hostile:
        between.fates = [answer(200, {"series": [series], "cursor": None})]
        with pytest.raises(AlteredError, match="no valid hashes"):
            list(hostile.collection(cache=tmp_path / "a" / "cache", progress=False))
    assert list(tmp_path.iterdir()) == []


def test_a_column_that_no_series_has_is_an_error(client, stars):
    many = client.get_many(obj_ids=stars, columns=["mjd", "skye"])
    for use in (lambda: many.frames, many.to_pandas):
        with pytest.raises(InvalidError, match=r"no column 'skye'\. Did you mean sky\?"):
            use()


def test_series_without_a_column_are_left_out_with_a_warning(client, stars):
    """Series without a row in the part are left out silently."""
    many = client.get_many(obj_ids=stars, columns=["sky"], row_min=11)
    first = next(number for number, one in enumerate(many) if one.metadata["num_exp"] > 11)
    many[first]._fetch = client.get_many(ids=[many[first].id], columns=["other"])[0]._fetch
    for use in (lambda: many.frames, many.to_pandas):
        with pytest.warns(UserWarning, match=rf"^1 series are left out, the first is {many[first].id}: .*'other'"):
            use()


def test_an_unreadable_table_is_not_left_out_of_the_frames(client, stars):
    many = client.get_many(ids=[stars["star 1"]])
    many[0]._fetch = lambda: (many[0].metadata, b"no HDF5")
    for use in (lambda: many.frames, many.to_pandas):
        with pytest.raises(UnreadableFileError):
            use()
