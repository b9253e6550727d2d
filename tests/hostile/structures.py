"""Files that point elsewhere, inflate, are huge, deep or cyclic, or are not what they say."""

import bz2
import io
import secrets
import zlib

import h5py
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t, h5z

from tests.hostile.cases import ACCEPT, REJECT, Case, good, new_table, some_frame, spoiled, with_attribute


def _link(make):
    """Make phot/table a link; the attributes cannot come along."""
    return lambda traps: new_table(lambda file, rows: file.__setitem__("phot/table", make(traps)))


def _virtual(source, count=10):
    def make(traps):
        def write(file, rows):
            layout = h5py.VirtualLayout((count,), rows.dtype)
            layout[:] = h5py.VirtualSource(source(traps), "phot/table", (count,), rows.dtype)
            file.create_virtual_dataset("phot/table", layout)

        return new_table(write)

    return make


def _printf(source):
    def make(traps):
        def write(file, rows):
            plan = h5p.create(h5p.DATASET_CREATE)
            space = h5s.create_simple((40,), (h5s.UNLIMITED,))
            space.select_hyperslab((0,), (h5s.UNLIMITED,), stride=(10,), block=(10,))
            origin = h5s.create_simple((10,))
            plan.set_virtual(space, source(traps).encode(), b"phot/table", origin)
            whole = h5s.create_simple((40,), (h5s.UNLIMITED,))
            h5d.create(file.id, b"phot/table", h5t.py_create(rows.dtype, logical=True), whole, plan)

        return new_table(write)

    return make


def _external(path, size=10_000):
    def make(traps):
        def write(file, rows):
            count = min(len(rows), size // rows.dtype.itemsize)
            file.create_dataset("phot/table", (count,), rows.dtype, external=[(str(path(traps)), 0, h5s.UNLIMITED)])

        return new_table(write)

    return make


def _chunked(chunk, content, *, rows=10, filters=((h5z.FILTER_DEFLATE, (1,)),), mask=0):
    """Write one chunk byte by byte."""

    def make(traps):
        def write(file, old):
            plan = h5p.create(h5p.DATASET_CREATE)
            plan.set_chunk((chunk,))
            for code, values in filters:
                plan.set_filter(code, h5z.FLAG_OPTIONAL, values)
            space = h5s.create_simple((rows,), (h5s.UNLIMITED,))
            dataset = h5d.create(file.id, b"phot/table", h5t.py_create(old.dtype, logical=True), space, plan)
            dataset.write_direct_chunk((0,), content(old), mask)

        return new_table(write)

    return make


def _shaped(shape, **options):
    def write(file, rows):
        file.create_dataset("phot/table", shape, rows.dtype, **options)

    return lambda traps: new_table(write)


def _typed(dtype, shape=(10,)):
    def write(file, rows):
        file.create_dataset("phot/table", shape, dtype)

    return lambda traps: new_table(write)


def _edit(edit, **options):
    return lambda traps: spoiled(good({}), edit, **options)


def _groups(path):
    def edit(file):
        at = file.id
        for name in path:
            at = h5py.h5g.create(at, name.encode())

    return _edit(edit)


def _many_groups(count):
    def edit(file):
        top = h5py.h5g.create(file.id, b"many")
        for number in range(count):
            h5py.h5g.create(top, b"%d" % number)

    return _edit(edit)


def _userblock(traps):
    return b"\0" * 512 + good({})


def _bytes_at(offset, content):
    def make(traps):
        blob = bytearray(good({}))
        blob[offset : offset + len(content)] = content
        return bytes(blob)

    return make


POINTING = {
    "soft link": _link(lambda traps: h5py.SoftLink("/elsewhere")),
    "soft link to itself": _link(lambda traps: h5py.SoftLink("/phot/table")),
    "external link": _link(lambda traps: h5py.ExternalLink(str(traps.canary_hdf5), "phot/table")),
    "external link to a fifo": _link(lambda traps: h5py.ExternalLink(str(traps.fifo), "phot/table")),
    "external link to a device": _link(lambda traps: h5py.ExternalLink("/dev/zero", "phot/table")),
    "external link elsewhere in the file": lambda traps: spoiled(
        good({}), lambda file: file.__setitem__("more", h5py.ExternalLink(str(traps.canary_hdf5), "/"))
    ),
    "external group": lambda traps: spoiled(
        spoiled(good({}), lambda file: file.__delitem__("phot")),
        lambda file: file.__setitem__("phot", h5py.ExternalLink(str(traps.canary_hdf5), "phot")),
    ),
    "external storage": _external(lambda traps: traps.canary),
    "external storage in a fifo": _external(lambda traps: traps.fifo),
    "external storage in /etc/passwd": _external(lambda traps: "/etc/passwd", 500),
    "virtual": _virtual(lambda traps: str(traps.canary_hdf5)),
    "virtual of a fifo": _virtual(lambda traps: str(traps.fifo)),
    "virtual of a device": _virtual(lambda traps: "/dev/zero"),
    "virtual of itself": _virtual(lambda traps: "."),
    "virtual of a missing file": _virtual(lambda traps: "missing.h5"),
    "printf-style virtual": _printf(lambda traps: str(traps.folder / "canary-%b.h5")),
    "printf-style virtual of a fifo": _printf(lambda traps: str(traps.fifo) + "%b"),
    "printf-style virtual of /proc": _printf(lambda traps: "/proc/self/fd/%b"),
}

INFLATING = {
    "deflate of 100 MB": _chunked(10, lambda rows: zlib.compress(bytes(100_000_000), 9)),
    "deflate of nothing": _chunked(10, lambda rows: zlib.compress(b"")),
    "deflate one byte short": _chunked(10, lambda rows: zlib.compress(rows.tobytes()[:-1])),
    "deflate one byte long": _chunked(10, lambda rows: zlib.compress(rows.tobytes() + b"x")),
    "deflate cut": _chunked(10, lambda rows: zlib.compress(rows.tobytes())[:-8]),
    "deflate of garbage": _chunked(10, lambda rows: b"\xff" * 200),
    "deflate skipped by the mask, short": _chunked(10, lambda rows: rows.tobytes()[:-8], mask=1),
    "bzip2 of 100 MB": _chunked(10, lambda rows: bz2.compress(bytes(100_000_000)), filters=((307, (1,)),)),
    "bzip2 of garbage": _chunked(10, lambda rows: b"BZh9" + b"\x31" * 100, filters=((307, (1,)),)),
    "blosc with a lying head": _chunked(
        10, lambda rows: b"\x02\x01\x01\x08" + b"\xff\xff\xff\x7f" * 3 + bytes(100), filters=((32001, (2, 2, 8, 80)),)
    ),
    "blosc shorter than its head": _chunked(10, lambda rows: b"\x02\x01", filters=((32001, (2, 2, 8, 80)),)),
    "blosc of garbage": _chunked(
        10,
        lambda rows: b"\x02\x01\x31\x08" + np.array([rows.nbytes, rows.nbytes, 216], "<u4").tobytes() + b"\xee" * 200,
        filters=((32001, (2, 2, 8, 80)),),
    ),
    "shuffle of width 0": _chunked(10, lambda rows: rows.tobytes(), filters=((h5z.FILTER_SHUFFLE, (0,)),)),
    "a wrong checksum": _chunked(10, lambda rows: rows.tobytes() + b"abcd", filters=((h5z.FILTER_FLETCHER32, ()),)),
    "a user's filter": _chunked(10, lambda rows: rows.tobytes(), filters=((32768, (1, 2)),)),
    "a filter for tests": _chunked(10, lambda rows: rows.tobytes(), filters=((256, ()),)),
    "lzf": _chunked(10, lambda rows: rows.tobytes(), filters=((32000, ()),)),
    "the same filter twice": _chunked(
        10, lambda rows: rows.tobytes(), filters=((h5z.FILTER_DEFLATE, (1,)), (h5z.FILTER_DEFLATE, (1,)))
    ),
    "a chunk is missing": _chunked(10, lambda rows: zlib.compress(rows.tobytes()), rows=20),
    "a chunk of 4 GB": _shaped((10,), maxshape=(None,), chunks=(60_000_000,)),
    "a chunk over the limit": _shaped((10,), maxshape=(None,), chunks=(800_000,)),
    "a table that was never written": _shaped((10,), maxshape=(None,), chunks=(10,)),
    "contiguous and never written": _shaped((10,)),
}

SHAPES = {
    "2^40 rows": _shaped((2**40,), maxshape=(None,), chunks=(1000,)),
    "2^62 rows": _shaped((2**62 // 100,), maxshape=(None,), chunks=(1000,)),
    "2,000,001 rows": _shaped((2_000_001,), maxshape=(None,), chunks=(1000,)),
    "no rows": _shaped((0,), maxshape=(None,), chunks=(10,)),
    "two dimensions": _shaped((10, 1)),
    "a scalar": _shaped(()),
    "numbers in place of rows": _typed("f8"),
    "1,026 fields": _typed(np.dtype([(f"c{number}", "f8") for number in range(1026)])),
    "a nested row": _typed(np.dtype([("index", "i8"), ("values_block_0", [("a", "f8")])])),
    "variable text": _typed(np.dtype([("index", "i8"), ("values_block_0", h5py.string_dtype())])),
    "variable numbers": _typed(np.dtype([("index", "i8"), ("values_block_0", h5py.vlen_dtype("f8"))])),
    "references": _typed(np.dtype([("index", "i8"), ("values_block_0", h5py.ref_dtype)])),
    "region references": _typed(np.dtype([("index", "i8"), ("values_block_0", h5py.regionref_dtype)])),
    "an enumeration": _typed(np.dtype([("index", "i8"), ("values_block_0", h5py.enum_dtype({"a": 1}))])),
    "opaque bytes": _typed(np.dtype([("index", "i8"), ("values_block_0", "V8")])),
    "an array of two dimensions": _typed(np.dtype([("index", "i8"), ("values_block_0", "f8", (2, 2))])),
    "a row of 2 GB": _typed(np.dtype([("index", "i8"), ("values_block_0", "S2000000000")]), (1,)),
    "long double": _typed(np.dtype([("index", "i8"), ("values_block_0", "f16")])),
    "complex": _typed(np.dtype([("index", "i8"), ("values_block_0", "c16")])),
}

TREES = {
    "20,001 groups": _many_groups(20_001),
    "17 groups deep": _groups(["g"] * 17),
    "2,000 groups deep": _groups(["g"] * 2000),
    "a group in itself": _edit(lambda file: file["phot"].__setitem__("self", file["phot"])),
    "a cycle of two": _edit(lambda file: (file.create_group("a/b"), file["a/b"].__setitem__("up", file["a"]))),
    "the root in a group": _edit(lambda file: file["phot"].__setitem__("root", file["/"])),
    "a table linked twice": _edit(lambda file: file["phot"].__setitem__("again", file["phot/table"])),
    "two tables": _edit(lambda file: file.copy("phot", "phot2")),
    "a table that is a group": lambda traps: new_table(lambda file, rows: file.create_group("phot/table")),
    "a table that is a type": lambda traps: new_table(
        lambda file, rows: file.__setitem__("phot/table", np.dtype("f8"))
    ),
    "no table": lambda traps: new_table(lambda file, rows: None),
    "attributes of 1 MB": lambda traps: spoiled(
        good({}), lambda file: file["phot"].attrs.__setitem__("metadata", np.bytes_(b"N" * 60_000 + b"."))
    ),
    "a dense attribute of 1 MB": lambda traps: _dense(1_000_000),
    "a variable text as an attribute": _edit(lambda file: file["phot"].attrs.__setitem__("values_cols", "text")),
    "a list as an attribute": _edit(lambda file: file["phot"].attrs.__setitem__("index_cols", [1, 2, 3])),
    "a reference as an attribute": _edit(lambda file: file["phot"].attrs.__setitem__("info", file["phot"].ref)),
    "a user block": _userblock,
}


def _dense(size):
    """An attribute outside of the object header, which only the newest file format has."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_LATEST, h5f.LIBVER_LATEST)
    access.set_fapl_core(backing_store=False)
    name = secrets.token_hex(8).encode()
    with h5py.File(io.BytesIO(good())) as old, h5py.File(h5f.create(name, h5f.ACC_TRUNC, fapl=access)) as new:
        group = new.create_group("phot")
        old.copy("phot/table", group)
        for name, value in old["phot"].attrs.items():
            group.attrs[name] = value
        group.attrs.create("metadata", np.array(b"(dp0\n." + b" " * size, f"S{size + 6}"))
        new.flush()
        return new.id.get_file_image()


RAW = {
    "nothing": lambda traps: b"",
    "text": lambda traps: b"hello, world\n" * 100,
    "the signature alone": lambda traps: b"\x89HDF\r\n\x1a\n",
    "a zip": lambda traps: b"PK\x03\x04" + bytes(1000),
    "HDF4": lambda traps: b"\x0e\x03\x13\x01" + bytes(1000),
    "zeros": lambda traps: bytes(100_000),
    "ones": lambda traps: b"\xff" * 100_000,
    "another superblock version": _bytes_at(8, b"\x09"),
    "an end beyond the file": _bytes_at(40, b"\xff\xff\xff\x7f\xff\xff\xff\x7f"),
    "a root that is not there": _bytes_at(64, b"\xff\xff\xff\x7f\xff\xff\xff\x7f"),
    "sizes of 255 bytes": _bytes_at(13, b"\xff\xff"),
    "a base address": _bytes_at(24, b"\x10"),
}


def cases():
    """Yield the cases."""
    for family, table in (
        ("pointing", POINTING),
        ("inflating", INFLATING),
        ("shape", SHAPES),
        ("tree", TREES),
        ("raw", RAW),
    ):
        for name, make in table.items():
            yield Case(f"{family}: {name}", REJECT, make)
    yield Case(
        "tree: an attribute that nobody reads",
        ACCEPT,
        lambda traps: with_attribute(b"x" * 60_000, "more", "phot"),
        some_frame(),
    )
    # The table ends the file's header region and its rows; the tail of a core-driver image may be unused.
    size = len(good({}))
    for place in sorted({0, 1, 7, 8, 40, 95, 96, *range(200, size, size // 24)}):
        yield Case(f"cut at {place}", REJECT, lambda traps, n=place: good({})[:n])
