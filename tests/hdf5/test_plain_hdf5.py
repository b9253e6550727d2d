"""The careful reader on everything that pandas writes, and on what it must refuse."""

import dataclasses
import io
import pickle
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from photseries.errors import UnreadableFileError
from photseries.hdf5 import frames, plain_hdf5
from tests.hdf5.support import LIMITS, TESS, edited, recipe_read, recipe_write, some_frame


def read(blob, **limits):
    return plain_hdf5.read(blob, dataclasses.replace(LIMITS, **limits))


def check_equal(blob):
    raw = read(blob)
    expected, metadata = recipe_read(blob)
    found = frames.build(raw)
    pd.testing.assert_frame_equal(found, expected, check_freq=False, check_index_type=False)
    assert found.equals(expected)
    return raw, metadata


def test_the_tess_file():
    raw, metadata = check_equal(TESS.read_bytes())
    assert raw.metadata == metadata
    assert raw.key == "/photometry"
    assert raw.index is None


WRITTEN: dict[str, dict[str, Any]] = {
    "plain": {},
    "another key": {"key": "deep/er/key"},
    "data columns": {"data_columns": True},
    "one data column": {"data_columns": ["note", "mjd"]},
    "nan_rep": {"nan_rep": "missing"},
    "latin-1": {"encoding": "latin-1"},
    "zlib": {"complib": "zlib", "complevel": 9},
    "bzip2": {"complib": "bzip2", "complevel": 1},
    "blosc": {"complib": "blosc", "complevel": 5},
    "blosc lz4": {"complib": "blosc:lz4", "complevel": 5},
    "blosc zstd": {"complib": "blosc:zstd", "complevel": 5},
    "fletcher32": {"fletcher32": True},
    "zlib and fletcher32": {"fletcher32": True, "complib": "zlib", "complevel": 1},
}


@pytest.mark.parametrize("case", WRITTEN)
@pytest.mark.parametrize("copies", [1, 700])
def test_files_of_pandas(case, copies):
    frame = pd.concat([some_frame()] * copies, ignore_index=True)
    if case == "latin-1":
        frame["note"] = frame["note"].str.replace("☃", "")
    check_equal(recipe_write(frame, {"ra": 1.5}, **WRITTEN[case]))


INDEXES = {
    "offset": pd.Index([3, 4, 5, 6]),
    "small": pd.Index([3, 4, 5, 300], dtype="u2"),
    "named": pd.RangeIndex(4, name="row"),
    "float": pd.Index([0.5, np.nan, 3, -1]),
    "text": pd.Index(["a", "é☃", "", "nan"]),
    "text and null": pd.Index(["a", "é☃", None, "nan"], dtype="str"),
    "datetime": pd.date_range("2020-01-01", periods=4, freq="h"),
    "datetime in s": pd.DatetimeIndex(["2020-01-01", None, "2021", "1900"]).as_unit("s"),
}


@pytest.mark.parametrize("case", INDEXES)
def test_indexes_are_kept(case):
    raw, _ = check_equal(recipe_write(some_frame().set_index(INDEXES[case])))
    assert raw.index is not None
    assert raw.index.name == (INDEXES[case].name or "")


def test_metadata_are_read():
    metadata = {"ra": np.float64(1.5), "n": np.int64(3), "s": np.str_("x"), "list": [1, (2, None)], "nan": float("nan")}
    raw = read(recipe_write(some_frame(), metadata))
    assert repr(raw.metadata) == "{'ra': 1.5, 'n': 3, 's': 'x', 'list': [1, [2, None]], 'nan': nan}"
    assert read(recipe_write(some_frame())).metadata == {}


def test_metadata_as_json_only():
    def write(handle, group):
        group._v_attrs.metadata_json = '{"ra": 1.5}'

    blob = edited(recipe_write(some_frame()), write)
    assert read(blob).metadata == {"ra": 1.5}


def test_edited_metadata_wins_over_its_old_json():
    def write(handle, group):
        group._v_attrs.metadata_json = '{"ra": 1.5}'

    blob = edited(recipe_write(some_frame(), {"ra": 2.5}), write)
    assert read(blob).metadata == {"ra": 2.5}
    assert plain_hdf5.read(blob, LIMITS, metadata="json").metadata == {"ra": 1.5}


def tampered(blob, edit, **options):
    """Change a file through h5py."""
    content = io.BytesIO(blob)
    with h5py.File(content, "r+", **options) as file:
        edit(file)
    return content.getvalue()


def numbers():
    return recipe_write(some_frame()[["mjd", "flux", "flag"]], {"ra": 1.5})


def with_table(change=lambda rows: rows, **options):
    """Rewrite the table as h5py would with these options."""

    def edit(file):
        old = file["phot/table"]
        rows = old[:]
        attributes = {name: value for name, value in old.attrs.items() if not isinstance(value, h5py.Empty)}
        del file["phot/table"]
        new = file.create_dataset("phot/table", data=change(rows), **options)
        new.attrs.update(attributes)

    return tampered(numbers(), edit)


def big_endian(rows):
    names = rows.dtype.names
    fields = [(name, (rows.dtype[name].base.newbyteorder(">"), rows.dtype[name].shape)) for name in names]
    return rows.astype(np.dtype([(name, np.dtype(field)) for name, field in fields]))


@pytest.mark.parametrize("options", [{}, {"chunks": (3,)}, {"chunks": (3,), "shuffle": True, "compression": 9}])
@pytest.mark.parametrize("change", [lambda rows: rows, big_endian])
def test_valid_layouts_that_pandas_does_not_write(options, change):
    raw = read(with_table(change, **options))
    expected = some_frame()[["mjd", "flux", "flag"]]
    assert frames.build(raw).equals(expected)
    assert all(column.values.dtype.isnative for column in raw.columns)


def test_booleans_are_zero_and_one():
    """A bitfield may hold any byte, numpy's bool only two."""

    def edit(file):
        field = h5py.h5t.create(h5py.h5t.COMPOUND, 1)
        field.insert(b"values_block_1", 0, h5py.h5t.array_create(h5py.h5t.STD_B8LE, (1,)))
        file["phot/table"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([0, 1, 2, 255], "u1"), field)

    blob = tampered(recipe_write(some_frame()[["mjd", "good"]]), edit)
    (column,) = (column for column in read(blob).columns if column.name == "good")
    assert column.values.view("u1").tolist() == [0, 1, 1, 1]


def edit_of(action):
    return tampered(numbers(), action)


def group_of(name, value):
    return tampered(numbers(), lambda file: file["phot"].attrs.__setitem__(name, value))


def table_of(name, value):
    return tampered(numbers(), lambda file: file["phot/table"].attrs.__setitem__(name, value))


def two_tables():
    return tampered(numbers(), lambda file: file.copy("phot", "phot2"))


def deep(levels):
    return edit_of(lambda file: file.create_group("/".join(["g"] * levels)))


def many(count):
    def edit(file):
        for number in range(count):
            file.create_group(f"g{number}")

    return edit_of(edit)


def virtual():
    def edit(file):
        rows = file["phot/table"][:]
        del file["phot/table"]
        layout = h5py.VirtualLayout((len(rows),), rows.dtype)
        layout[:] = h5py.VirtualSource("/etc/passwd", "x", (len(rows),), rows.dtype)
        file.create_virtual_dataset("phot/table", layout)

    return tampered(numbers(), edit)


def with_space(shape, **options):
    def edit(file):
        dtype = file["phot/table"].dtype
        del file["phot/table"]
        file.create_dataset("phot/table", shape, dtype, **options)

    return tampered(numbers(), edit)


def compact():
    def edit(file):
        rows = file["phot/table"][:]
        del file["phot/table"]
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((len(rows),))
        h5py.h5d.create(file["phot"].id, b"table", h5py.h5t.py_create(rows.dtype), space, plan)

    return tampered(numbers(), edit)


def with_fields(*fields):
    def edit(file):
        old = file["phot/table"].dtype
        del file["phot/table"]
        file.create_dataset("phot/table", (4,), np.dtype([*[(name, old[name]) for name in old.names], *fields]))

    return tampered(numbers(), edit)


def half_written():
    def edit(file):
        dtype = file["phot/table"].dtype
        del file["phot/table"]
        file.create_dataset("phot/table", (4,), dtype, chunks=(1,))[:2] = np.zeros(2, dtype)

    return tampered(numbers(), edit)


def long_attribute():
    content = io.BytesIO()
    with h5py.File(content, "w", libver="latest") as new, h5py.File(io.BytesIO(numbers())) as old:
        group = new.create_group("phot")
        old.copy("phot/table", group)
        attributes = {name: value for name, value in old["phot"].attrs.items() if not isinstance(value, h5py.Empty)}
        group.attrs.update(attributes | {"metadata": np.bytes_(b"V" + b"x" * 70_000 + b"\n.")})
    return content.getvalue()


def user_block():
    return b"#!/bin/sh\n".ljust(512) + numbers()


def dates():
    frame = some_frame()[["mjd"]]
    return {
        "categorical": frame.assign(c=pd.Categorical(list("abca"))),
        "zone": frame.assign(t=pd.date_range("2020", periods=4, tz="UTC")),
        "zone of a place": frame.assign(t=pd.date_range("2020", periods=4, tz="Europe/Berlin")),
        "complex": frame.assign(z=1j),
        "levels": frame.set_index(pd.MultiIndex.from_product([[1, 2], [3, 4]])),
        "periods": frame.set_index(pd.period_range("2020", periods=4, freq="D")),
        "durations": frame.set_index(pd.to_timedelta([1, 2, 3, 4], unit="s")),
        "categories": frame.set_index(pd.CategoricalIndex(list("abca"))),
        "truths": frame.set_index(pd.Index([True, False, True, True])),
        "zones": frame.set_index(pd.date_range("2020", periods=4, tz="UTC")),
        "series": frame["mjd"],
        "numbered": pd.DataFrame({0: [1.0], 1: [2.0]}),
    }


REFUSED = {
    "nothing": (lambda: b"", "damaged"),
    "no HDF5": (lambda: b"x" * 5000, "damaged"),
    "user block": (user_block, "user block"),
    "empty": (lambda: recipe_write(some_frame().iloc[:0]), "Must supply a non-empty DataFrame"),
    "two tables": (two_tables, "^Expected 1 table in HDF5 file, got 2.$"),
    "fixed": (lambda: recipe_write(some_frame(), format="fixed"), 'format="table"'),
    "soft link": (lambda: edit_of(lambda file: file.__setitem__("s", h5py.SoftLink("/phot"))), "soft, external"),
    "external link": (
        lambda: edit_of(lambda file: file.__setitem__("e", h5py.ExternalLink("/etc/passwd", "/"))),
        "soft, external",
    ),
    "soft table": (
        lambda: edit_of(
            lambda file: (file.move("phot/table", "t"), file["phot"].__setitem__("table", h5py.SoftLink("/t")))
        ),
        "soft, external",
    ),
    "two names": (lambda: edit_of(lambda file: file.__setitem__("again", file["phot"])), "linked twice"),
    "a cycle": (lambda: edit_of(lambda file: file["phot"].__setitem__("loop", file["/"])), "linked twice"),
    "deep": (lambda: deep(LIMITS.groups_deep), "nested deeper than 16"),
    "virtual": (virtual, "virtual or compact"),
    "compact": (compact, "virtual or compact"),
    "external": (lambda: with_space((4,), external=[("/etc/passwd", 0, 100)]), "external files"),
    "rank 2": (lambda: with_space((4, 1)), "not one-dimensional"),
    "rank 0": (lambda: with_space(()), "not one-dimensional"),
    "no rows": (lambda: with_space((0,), maxshape=(None,)), "Must supply a non-empty DataFrame"),
    "no chunks": (lambda: with_space((4,), chunks=(2,)), "lacks or repeats chunks"),
    "half of the chunks": (half_written, "lacks or repeats chunks"),
    "many rows": (lambda: with_space((2_000_001,), chunks=(1000,)), "2,000,001 rows, and at most 2,000,000"),
    "a huge table": (lambda: with_space((2**62,), chunks=(1000,)), "rows"),
    "a huge chunk": (lambda: with_space((2_000_000,), chunks=(2_000_000,)), "a chunk of its table takes"),
    "lzf": (lambda: with_table(chunks=(2,), compression="lzf"), "the HDF5 filter 32000"),
    "scaleoffset": (lambda: with_table(lambda rows: rows["index"], chunks=(2,), scaleoffset=0), "not consist of rows"),
    "no compound": (lambda: with_table(lambda rows: rows["index"]), "not consist of rows of named fields"),
    "variable text": (lambda: with_fields(("v", h5py.string_dtype())), "fields that are not integers"),
    "references": (lambda: with_fields(("v", h5py.ref_dtype)), "fields that are not integers"),
    "an enum": (lambda: with_fields(("v", h5py.enum_dtype({"a": 1}))), "fields that are not integers"),
    "opaque": (lambda: with_fields(("v", "V5")), "fields that are not integers"),
    "nested": (lambda: with_fields(("v", [("a", "i4")])), "fields that are not integers"),
    "long double": (lambda: with_fields(("v", "g")), "fields that are not integers"),
    "two dimensions": (lambda: with_fields(("v", "i4", (2, 2))), "more than one dimension"),
    "an unknown field": (
        lambda: with_table(lambda rows: np.zeros(4, [*rows.dtype.descr, ("v", "i4")])),
        "other fields than its table has",
    ),
    "a variable attribute": (lambda: group_of("encoding", "UTF-8"), "attribute 'encoding'"),
    "an array attribute": (lambda: group_of("nan_rep", [1, 2]), "attribute 'nan_rep'"),
    "a float attribute": (lambda: group_of("nan_rep", 1.5), "attribute 'nan_rep'"),
    "a long attribute": (long_attribute, "attribute 'metadata' is not one value of at most 65,536 bytes"),
    "an odd encoding": (lambda: group_of("encoding", np.bytes_("idna")), "encoded as 'idna'"),
    "no columns": (lambda: group_of("non_index_axes", np.bytes_("(lp0\n.")), "do not list the columns"),
    "other columns": (
        lambda: table_of("values_block_0_kind", np.bytes_(pickle.dumps(["other"], 0))),
        "disagree about the names",
    ),
    "too many columns": (
        lambda: table_of("values_block_0_kind", np.bytes_(pickle.dumps(["a", "b"], 0))),
        "do not name the columns of the field",
    ),
    "another type": (lambda: table_of("values_block_0_dtype", np.bytes_("int64")), "of the type 'int64'"),
    "an object": (lambda: table_of("values_block_0_dtype", np.bytes_("object")), "of the type 'object'"),
    "a pickle's object": (
        lambda: table_of("values_block_0_kind", np.bytes_(pickle.dumps([print], 0))),
        "in its attribute 'values_block_0_kind', it contains an object of __builtin__.print",
    ),
    "another index": (lambda: table_of("index_kind", np.bytes_("object")), "of the kind 'object'"),
    "metadata that is no dict": (lambda: group_of("metadata", np.bytes_(pickle.dumps([1], 0))), "must be a dict"),
    "metadata that is a text": (lambda: group_of("metadata", np.bytes_("hello")), "metadata of the HDF5 file"),
    "metadata that is a number": (lambda: group_of("metadata", 5), "must be a dict"),
    "categorical": (lambda: recipe_write(dates()["categorical"]), "column 'c' is categorical"),
    "zone": (lambda: recipe_write(dates()["zone"]), "column 't' has a time zone"),
    "zone of a place": (lambda: recipe_write(dates()["zone of a place"]), "column 't' has a time zone"),
    "complex": (lambda: recipe_write(dates()["complex"]), "fields that are not integers"),
    "levels": (lambda: recipe_write(dates()["levels"]), "MultiIndex"),
    "periods": (lambda: recipe_write(dates()["periods"]), "index .* made of periods"),
    "durations": (lambda: recipe_write(dates()["durations"]), "index .* kind 'timedelta64"),
    "categories": (lambda: recipe_write(dates()["categories"]), "index .* not one level of plain values"),
    "truths": (lambda: recipe_write(dates()["truths"]), "index .* kind 'bool'"),
    "zones": (lambda: recipe_write(dates()["zones"]), "index .* in a time zone"),
    "series": (lambda: recipe_write(dates()["series"]), "pandas Series"),
    "numbered": (lambda: recipe_write(dates()["numbered"]), "name that is not a text"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.filterwarnings("ignore:Writing an empty DataFrame")
def test_unsupported_files_are_refused(case):
    make, phrase = REFUSED[case]
    blob = make()
    with pytest.raises(UnreadableFileError, match=phrase):
        read(blob)


def test_files_beyond_a_limit_are_refused():
    frame = some_frame()[["mjd", "note"]]
    blob = recipe_write(frame)
    size = 4 * (8 + 8 + 5 + 57)  # index, float, text and what a text takes in memory
    check = {
        "rows": 4,
        "columns": 2,
        "column_name": 4,
        "table": size,
        "chunk": 4096 * 22,
        "objects": 2,
        "groups_deep": 2,
    }
    exact = read(blob, **check | {"chunk": LIMITS.chunk})
    assert frames.build(exact).equals(frame)
    for name in ("rows", "columns", "column_name", "table", "objects", "groups_deep"):
        with pytest.raises(UnreadableFileError):
            read(blob, **{name: check[name] - 1})
    with h5py.File(io.BytesIO(blob)) as file:
        chunk = file["phot/table"].chunks[0] * file["phot/table"].dtype.itemsize
    assert read(blob, chunk=chunk).key == "/phot"
    with pytest.raises(UnreadableFileError, match="a chunk of its table"):
        read(blob, chunk=chunk - 1)


def test_number_of_objects_is_limited():
    blob = many(50)
    assert read(blob, objects=52).key == "/phot"
    with pytest.raises(UnreadableFileError, match="more than 51 objects"):
        read(blob, objects=51)


def test_text_in_another_encoding():
    blob = recipe_write(pd.DataFrame({"mjd": [1.0], "note": ["é"]}), encoding="latin-1")
    assert frames.build(read(blob))["note"].tolist() == ["é"]
    broken = tampered(blob, lambda file: file["phot"].attrs.__setitem__("encoding", np.bytes_("UTF-8")))
    with pytest.raises(UnreadableFileError, match="column 'note' contains text that is not utf-8"):
        frames.build(read(broken))


def test_infinities_survive_the_round_trip():
    frame = pd.DataFrame({"mjd": [1.0, 2.0], "flux": [np.inf, -np.inf]})
    assert frames.build(read(recipe_write(frame))).equals(frame)
