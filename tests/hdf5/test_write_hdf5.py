"""The writer, held against pandas and PyTables: the same objects, attributes, types and rows, but for the chunks."""

import io
import pickle
import secrets

import h5py
import numpy as np
import pandas as pd
import pytest
from h5py import h5f, h5s, h5t
from hypothesis import given, settings

from photseries.hdf5 import frames, plain_hdf5, stored_file, write_hdf5
from tests.hdf5.strategies import tables
from tests.hdf5.support import LIMITS, TESS, recipe_read, some_frame

METADATA: dict[str, str | bytes] = {
    "metadata": b"(dVra\nF359.5\ns.",
    "metadata_json": '{"ra":359.5,"series_name":"é☃"}',
}

alike = pytest.mark.skipif(
    tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1), reason="older pandas write fewer attributes"
)


def written(table, *, deflate=False):
    return write_hdf5.write(table, stored_file.KEY, METADATA, deflate=deflate).content


def written_by_pandas(table, *, deflate=False):
    """Write as photseries did before it had a writer."""
    frame = pd.DataFrame({name: pd.Series(values, table.index, values.dtype) for name, values in table.columns.items()})
    options = {"format": "table", "index": None, "track_times": False, "nan_rep": table.null}
    if deflate:
        options |= {"complib": "zlib", "complevel": 1}
    with pd.HDFStore(secrets.token_hex(8), mode="w", driver="H5FD_CORE", driver_core_backing_store=0) as store:
        store.put(stored_file.KEY, frame, **options)
        storer = store.get_storer(stored_file.KEY)
        storer.attrs.pandas_version = write_hdf5.PANDAS_VERSION
        for name, value in METADATA.items():
            storer.attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value
        if isinstance(frame.index, pd.DatetimeIndex):
            storer.table.attrs.index_kind = "datetime64"  # where pandas 3 writes a unit, which older ones do not know
        return store._handle.get_file_image()


def described(blob):
    """Tell everything of a file that a reader may see, but for the sizes and the places of its chunks."""
    with h5py.File(io.BytesIO(blob)) as file:
        found = {"/": about(file["/"])}
        file.visititems(lambda path, node: found.update({path: about(node)}))
    return found


def about(node):
    found = {name: value_of(h5py.h5a.open(node.id, name.encode())) for name in node.attrs}
    if isinstance(node, h5py.Group):
        return "group", found, list(node)
    rows = np.empty(node.shape, f"V{node.id.get_type().get_size()}")
    node.id.read(h5s.ALL, h5s.ALL, rows, node.id.get_type())
    plan = node.id.get_create_plist()
    steps = [plan.get_filter(number) for number in range(plan.get_nfilters())]
    times = plan.get_fill_time(), plan.get_alloc_time(), plan.get_obj_track_times(), plan.fill_value_defined()
    shapes = node.shape, node.maxshape, plan.get_layout()
    return "dataset", found, spelled(node.id.get_type()), rows.tobytes(), steps, times, shapes


def value_of(attribute):
    kind, space = attribute.get_type(), attribute.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        return spelled(kind), "nothing"
    value = np.empty(space.shape, f"V{kind.get_size()}")
    attribute.read(value, kind)
    if kind.get_class() == h5t.STRING and kind.get_cset() == h5t.CSET_ASCII and value.tobytes().endswith(b"."):
        return "a pickle", space.shape, repr(pickle.loads(value.tobytes()))
    return spelled(kind), space.shape, value.tobytes()


def spelled(kind):
    """Give a type as it stands in a file: class, order, character set, padding, members and where they lie."""
    return kind.encode()


def writable(frame):
    return frames.writable(frame, LIMITS)


@alike
@given(tables())
@settings(max_examples=100)
@pytest.mark.slow
def test_any_table_is_written_as_pandas_writes_it(frame):
    table = writable(frame)
    assert described(written(table)) == described(written_by_pandas(table))


FRAMES = {
    "all types": some_frame(),
    "types apart": some_frame().assign(flux_2=1.5, note_2="x", mjd_2=np.float32(2), when_2=pd.Timestamp("2020")),
    "one row": some_frame().iloc[:1],
    "named index": some_frame().set_index(pd.Index([3, 1, 2, 9], name="Index")),
    "small index": some_frame().set_index(pd.Index([3, 1, 2, 9], dtype="u1")),
    "float index": some_frame().set_index(pd.Index([0.5, np.nan, 3, -1])),
    "text index": some_frame().set_index(pd.Index(["a", "é☃", "", "NaN"], name="é")),
    "datetime index": some_frame().set_index(pd.DatetimeIndex(["2020-01-01", None, "2021", "1900"]).as_unit("us")),
    "TESS": frames.build(plain_hdf5.read(TESS.read_bytes(), LIMITS)),
}


@alike
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("case", FRAMES)
def test_a_table_is_written_as_pandas_writes_it(case, deflate):
    table = writable(FRAMES[case])
    assert described(written(table, deflate=deflate)) == described(written_by_pandas(table, deflate=deflate))


def chunk_of(blob):
    with h5py.File(io.BytesIO(blob)) as file:
        table = file[f"{stored_file.KEY}/table"]
        return table.chunks[0], table.id.get_num_chunks(), table.dtype.itemsize


@pytest.mark.parametrize(
    ("columns", "rows", "count"),
    [(1, 1, 1), (1, 2**15, 1), (1, 2**15 + 1, 2), (1, 2**16, 2), (1, 2**16 + 1, 3), (2, 21_845, 1), (2, 100_000, 5)],
)
@pytest.mark.parametrize("deflate", [False, True])
def test_chunks_are_few_and_equal(columns, rows, count, deflate):
    """Rows of 16 bytes, 2**15 of which fill a chunk, or of 24, 21,845 of which nearly do."""
    frame = pd.DataFrame({f"c{number}": np.arange(rows, dtype="f8") for number in range(columns)})
    blob = written(writable(frame), deflate=deflate)
    chunk, chunks, size = chunk_of(blob)
    assert (chunks, size) == (count, 8 + 8 * columns)
    assert chunk * size <= write_hdf5.CHUNK
    assert rows <= chunk * chunks < rows + chunks
    for found in (stored_file.decode(blob).frame, recipe_read(blob)[0]):
        assert found.equals(frame)


@pytest.mark.parametrize("length", [write_hdf5.CHUNK // 2, write_hdf5.CHUNK + 1])
def test_long_rows_have_a_chunk_each(length):
    frame = pd.DataFrame({"mjd": [1.0, 2.0, 3.0], "note": ["x" * length, "", "y"]})
    blob = written(writable(frame))
    assert chunk_of(blob)[:2] == (1, 3)
    assert stored_file.decode(blob).frame.equals(frame)


def test_a_small_table_makes_a_small_file():
    assert len(written(writable(some_frame()[["mjd"]]))) < 8_000


def test_pandas_can_append_to_it():
    frame = some_frame()[["mjd", "flux", "note", "when"]]
    with pd.HDFStore(
        secrets.token_hex(8),
        mode="a",
        driver="H5FD_CORE",
        driver_core_image=written(writable(frame)),
        driver_core_backing_store=0,
    ) as store:
        store.append(stored_file.KEY, frame)
        assert store[stored_file.KEY].equals(pd.concat([frame, frame]))


def test_old_libraries_can_read_it():
    """Superblock 0 and version 1 of each object: HDF5 since 1.0, or 1.8 where a type needs it."""
    blob = written(writable(some_frame()))
    assert blob[8] == 0
    with h5py.File(io.BytesIO(blob)) as file:
        for path in ("/", stored_file.KEY, f"{stored_file.KEY}/table"):
            assert h5py.h5o.get_info(file[path].id).hdr.version == 1


def test_writer_leaves_no_open_object():
    def count():
        return h5f.get_obj_count(h5f.OBJ_ALL, h5f.OBJ_FILE | h5f.OBJ_GROUP | h5f.OBJ_DATASET | h5f.OBJ_ATTR)

    before = count()
    written(writable(some_frame()))
    with pytest.raises(OSError, match="attribute"):
        write_hdf5.write(writable(some_frame()), stored_file.KEY, {"long": "x" * 70_000}, deflate=False)
    assert count() == before
