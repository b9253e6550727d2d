"""The stored file: what goes in comes out, by our reader and by the how-to's recipe, from the same bytes each time."""

import dataclasses
import io
import json
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from photseries.errors import InvalidError, UnreadableFileError
from photseries.hdf5 import frames, plain_hdf5, stored_file
from tests.hdf5.strategies import tables
from tests.hdf5.support import DATA, LIMITS, TESS, recipe_read, some_frame

METADATA = {"obj_id": "x", "ra": 359.988204043562, "altdata": {"a": [1, None, {"b": True}]}, "series_name": "é☃/1"}


@given(tables())
@settings(max_examples=120)
def test_any_table_survives_the_round_trip(frame):
    blob = stored_file.encode(frame, METADATA)
    assert stored_file.encode(frame[list(frame)].copy(), dict(METADATA)) == blob
    native = pd.DataFrame({name: native_of(column) for name, column in frame.items()})
    decoded = stored_file.decode(blob)
    by_recipe, metadata = recipe_read(blob)
    for found in (decoded.frame, by_recipe):
        assert list(found) == list(frame)
        assert found.dtypes.tolist() == native.dtypes.tolist()
        assert found.equals(native)
    assert repr(decoded.metadata) == repr(metadata) == repr(METADATA)


def native_of(column):
    return column.to_numpy().astype(column.dtype.newbyteorder("=")) if column.dtype.kind in "fi" else column


INDEXES = {
    "offset": pd.Index([3, 4, 5, 6]),
    "shuffled": pd.Index([2, 0, 1, 3]),
    "small": pd.Index([3, 4, 5, 300], dtype="u2"),
    "named": pd.RangeIndex(4, name="row"),
    "float": pd.Index([0.5, np.nan, 3, -1]),
    "text": pd.Index(["a", "é☃", "", "NaN"]),
    "datetime": pd.date_range("2020-01-01", periods=4, freq="h"),
    "datetime in us": pd.DatetimeIndex(["2020-01-01", None, "2021", "1900"]).as_unit("us"),
}


@pytest.mark.parametrize("case", INDEXES)
def test_an_index_is_kept(case):
    frame = some_frame().set_index(INDEXES[case])
    blob = stored_file.encode(frame, METADATA)
    for found in (stored_file.decode(blob).frame, recipe_read(blob)[0]):
        assert found.equals(frame)
        assert found.index.name == frame.index.name


def test_filtered_rows_keep_their_numbers():
    frame = some_frame()[lambda table: table.good]
    assert frame.index.tolist() == [0, 2, 3]
    assert stored_file.decode(stored_file.encode(frame, {})).frame.index.tolist() == [0, 2, 3]


def test_the_tess_file():
    original, metadata = recipe_read(TESS.read_bytes())
    blob = stored_file.encode(original, metadata)
    found, kept = recipe_read(blob)
    assert found.equals(original)
    assert list(found) == list(original)
    assert found.dtypes.tolist() == original.dtypes.tolist()
    assert kept == metadata
    assert stored_file.decode(blob).frame.equals(original)
    deflated = stored_file.encode(original, metadata, compression="deflate")
    assert len(deflated) < 0.7 * len(blob)
    assert stored_file.decode(deflated).frame.equals(original)


def test_other_units_of_time_become_nanoseconds():
    when = np.array(["2020-01-01T00:00:00.5", "NaT"], "M8[ms]")
    lasted = np.array([1500, "NaT"], "m8[ms]")
    frame = pd.DataFrame({"mjd": [1.0, 2.0], "when": when, "lasted": lasted})
    found = stored_file.decode(stored_file.encode(frame, {})).frame
    assert found["when"].dtype == "M8[ns]"
    assert (found["when"] == frame["when"]).tolist() == [True, False]
    assert found["lasted"].tolist()[0] == pd.Timedelta("1.5s")


def test_block_layout_does_not_change_the_file():
    frame = some_frame()
    scattered = pd.DataFrame({"mjd": frame["mjd"]})
    for name in frame.columns[1:]:
        scattered.insert(len(scattered.columns), name, frame[name])
    strided = pd.concat([frame, frame], axis=0).iloc[::2].iloc[:0:-1][::-1]
    assert stored_file.encode(scattered, METADATA) == stored_file.encode(frame, METADATA)
    assert stored_file.decode(stored_file.encode(strided, {})).frame.equals(strided)


SCRIPT = """
import sys, json, hashlib
from photseries.hdf5 import stored_file
from tests.hdf5.strategies import tables
from tests.hdf5.support import some_frame
print(hashlib.sha256(stored_file.encode(some_frame(), json.loads(sys.argv[1]))).hexdigest())
"""


def test_file_bytes_are_equal_in_every_process():
    command = [sys.executable, "-c", SCRIPT, json.dumps(METADATA)]
    digests = [
        subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=DATA.parent.parent, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert digests[0] == digests[1]


def test_readers_without_pickle_read_the_file():
    with h5py.File(io.BytesIO(stored_file.encode(some_frame(), METADATA))) as file:
        assert list(file) == [stored_file.KEY]
        assert json.loads(file[stored_file.KEY].attrs["metadata_json"]) == METADATA


def test_golden_file_is_read():
    """Format 1 stays readable: this file was written once and must never be written again."""
    decoded = stored_file.decode((DATA / "golden_format_1.h5").read_bytes())
    assert stored_file.BLOB_FORMAT == 1
    assert decoded.metadata == {"obj_id": "golden", "ra": 12.5, "altdata": {"list": [1, 2.5, None, "é☃"]}}
    assert decoded.frame.index.tolist() == [3, 4, 5]
    expected = pd.DataFrame(
        {
            "mjd": [58000.5, 58001.25, np.nan],
            "flux": np.array([1.1, np.inf, np.nan], "f4"),
            "flag": np.array([-1, 0, 2**31 - 1], "i4"),
            "good": [True, False, True],
            "note": ["nan", None, "é☃"],
            "when": np.array(["2020-01-01T00:00:00.25", "NaT", "1999-12-31"], "M8[ns]"),
        },
        index=[3, 4, 5],
    )
    assert decoded.frame.equals(expected)
    assert decoded.frame.dtypes.tolist() == expected.dtypes.tolist()


@pytest.mark.parametrize("blob", [b"", b"x" * 1000])
def test_damage_is_reported(blob):
    with pytest.raises(UnreadableFileError):
        stored_file.decode(blob)


def test_a_truncated_file_is_damaged():
    blob = stored_file.encode(some_frame(), METADATA)
    with pytest.raises(UnreadableFileError):
        stored_file.decode(blob[:-1])


def one(**column):
    return pd.DataFrame({"mjd": [1.0, 2.0], **column})


REFUSED_COLUMNS = {
    "objects": (one(c=[{}, 1]), "contains dict, int where only text"),
    "mixed": (one(c=["x", 1]), "contains int where only text"),
    "bytes": (one(c=[b"x", b"y"]), "contains bytes where only text"),
    "NUL": (one(c=["x", "a\0"]), "NUL"),
    "a surrogate": (one(c=pd.Series(["x", "\ud800"], dtype=object)), "not valid Unicode"),
    "complex": (one(c=[1j, 2]), "is of type complex128"),
    "categorical": (one(c=pd.Categorical(["a", "b"])), "is of type category"),
    "zone": (one(c=pd.date_range("2020", periods=2, tz="UTC")), "time zone"),
    "nullable": (one(c=pd.array([1, None], "Int64")), "is of type Int64"),
    "periods": (one(c=pd.period_range("2020", periods=2, freq="D")), "is of type period"),
    "early": (one(c=np.array(["0001-01-01", "2020"], "M8[s]")), "outside 1677-2262"),
}


@pytest.mark.parametrize("case", REFUSED_COLUMNS)
def test_columns_that_cannot_be_stored(case):
    frame, phrase = REFUSED_COLUMNS[case]
    with pytest.raises(InvalidError, match=phrase) as caught:
        stored_file.encode(frame, {})
    assert list(caught.value.fields) == ["data.c"]


def test_all_unstorable_columns_are_reported_together():
    frame = pd.DataFrame({"a": [1j], "b": [1.0], "c": [{}]})
    with pytest.raises(InvalidError) as caught:
        stored_file.encode(frame, {})
    assert list(caught.value.fields) == ["data.a", "data.c"]


REFUSED_FRAMES = {
    "no rows": (one().iloc[:0], "Must supply a non-empty DataFrame"),
    "no columns": (pd.DataFrame(index=[1, 2]), "Must supply a non-empty DataFrame"),
    "a number as name": (pd.DataFrame({5: [1.0]}), "name 5 is not text"),
    "an empty name": (pd.DataFrame({"": [1.0]}), "name .* is empty"),
    "NUL in a name": (pd.DataFrame({"a\0": [1.0]}), "name .* contains a NUL"),
    "a surrogate in a name": (pd.DataFrame({"\ud800": [1.0]}), "name .* not valid Unicode"),
    "equal names": (pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]), "more than once"),
    "levels": (one().set_index(pd.MultiIndex.from_tuples([(1, 2), (3, 4)])), "index has 2 levels"),
    "truths": (one().set_index(pd.Index([True, False])), "index .* type bool"),
    "durations": (one().set_index(pd.to_timedelta([1, 2], unit="s")), "index .* type timedelta64"),
    "periods": (one().set_index(pd.period_range("2020", periods=2, freq="D")), "index .* type period"),
    "zone": (one().set_index(pd.date_range("2020", periods=2, tz="UTC")), "index .* UTC"),
    "null in text": (one().set_index(pd.Index(["a", None])), "index contains null among its texts"),
    "nan in text": (one().set_index(pd.Index(["a", "nan"])), "index .* 'nan'"),
    "a surrogate in text": (one().set_index(pd.Index(["a", "\ud800"], dtype=object)), "index .* not valid Unicode"),
    "early": (
        one().set_index(pd.DatetimeIndex(np.array(["0001-01-01", "2020"], "M8[s]"))),
        "index contains times outside 1677-2262",
    ),
    "a number as index name": (one().set_index(pd.Index([5, 6], name=7)), "index has a name that is not valid text"),
}


@pytest.mark.parametrize("case", REFUSED_FRAMES)
def test_frames_that_cannot_be_stored(case):
    frame, phrase = REFUSED_FRAMES[case]
    with pytest.raises(InvalidError, match=phrase) as caught:
        stored_file.encode(frame, {})
    assert caught.value.fields


def limited(**limits):
    return dataclasses.replace(LIMITS, **limits)


def test_tables_beyond_a_limit_are_refused():
    frame = some_frame()[["mjd", "note"]]
    size = 4 * (8 + 8 + 5 + 57)
    exact = {"rows": 4, "columns": 2, "column_name": 4, "table": size}
    blob = stored_file.encode(frame, METADATA, limits=limited(**exact))
    raw = plain_hdf5.read(blob, limited(**exact))
    assert frames.build(raw).equals(frame)
    for name, limit in exact.items():
        with pytest.raises(InvalidError):
            stored_file.encode(frame, METADATA, limits=limited(**{name: limit - 1}))


def filled(size):
    """Metadata whose longer form has this many bytes."""
    return {"altdata": "x" * (size - len("(dValtdata\nV\ns."))}


def test_metadata_up_to_the_limit_of_hdf5():
    most = frames.MAX_ATTRIBUTE
    blob = stored_file.encode(one(), filled(most))
    assert stored_file.decode(blob).metadata == recipe_read(blob)[1] == filled(most)
    with pytest.raises(InvalidError, match="altdata included, take 65,401 bytes as stored; at most 65,400") as caught:
        stored_file.encode(one(), filled(most + 1))
    assert list(caught.value.fields) == ["altdata"]
    with pytest.raises(InvalidError, match="at most 1,000"):
        stored_file.encode(one(), filled(1001), limits=limited(metadata=1000))
    assert stored_file.encode(one(), filled(1000), limits=limited(metadata=1000))


@pytest.mark.parametrize("letter", ["n", "é", "☃"])
def test_column_names_up_to_the_limit_of_hdf5(letter):
    written = len(letter.encode("raw-unicode-escape"))
    length = ((frames.MAX_ATTRIBUTE - 100) // 1000 - 10 - 4) // written
    widest = pd.DataFrame(np.zeros((1, 1000)), columns=[f"{number:04d}{letter * length}" for number in range(1000)])
    assert recipe_read(stored_file.encode(widest, {}))[0].equals(widest)
    wider = widest.rename(columns=lambda name: name + letter * (8 // written))
    with pytest.raises(InvalidError, match="names of the columns take"):
        stored_file.encode(wider, {})
    with pytest.raises(InvalidError, match="names of the columns take"):
        frames.writable_numbers({str(name): column.to_numpy() for name, column in wider.items()}, LIMITS)


@pytest.mark.parametrize("character", ["\\", "\n", "\r", "\x1a"])
def test_size_of_names_counts_encoded_bytes(character):
    """What would end or escape a line of a pickle is written as six characters."""
    count = (frames.MAX_ATTRIBUTE - 100) // (4 + 6 * 40 + 10)
    widest = pd.DataFrame(np.zeros((1, count)), columns=[f"{number:04d}{character * 40}" for number in range(count)])
    assert recipe_read(stored_file.encode(widest, {}))[0].equals(widest)
    with pytest.raises(InvalidError, match="names of the columns take"):
        stored_file.encode(widest.assign(**{character * 100: 1.0}), {})


def test_as_many_text_columns_as_allowed():
    frame = pd.DataFrame({f"c{number}": ["x", None] for number in range(LIMITS.columns)})
    assert stored_file.decode(stored_file.encode(frame, {})).frame.equals(frame)


def test_one_long_text_is_counted_in_every_row():
    frame = pd.DataFrame({"mjd": np.arange(2000.0), "note": ["x" * 200_000, *["y"] * 1999]})
    with pytest.raises(InvalidError, match="every value of a text column takes as much as its longest"):
        stored_file.encode(frame, {})


def test_threads_write_independent_files():
    """In-memory files of one name would share their content (PEER 30)."""

    def round_trip(number):
        frame = pd.DataFrame({"mjd": np.arange(200.0) + number, "id": [secrets.token_hex(4)] * 200})
        decoded = stored_file.decode(stored_file.encode(frame, {"number": number}))
        return decoded.frame.equals(frame) and decoded.metadata == {"number": number}

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(60)))


@pytest.mark.parametrize("name", ["Index", "type", "index", "names", "index_name"])
def test_equal_index_names_give_equal_files(name):
    """Whether two equal texts are one object shows in what the pickler writes."""
    other = "".join(list(name))
    assert other is not name
    blobs = {stored_file.encode(one().set_index(pd.Index([5, 6], name=label)), {}) for label in (name, other)}
    assert len(blobs) == 1
