"""The safe reader: read the pandas table of an HDF5 file by h5py's low-level API, without unpickling.

libhdf5 reads only the structure: links, attributes, the row type and the offsets of chunks.
:mod:`photseries.hdf5.chunks` then reads the bytes from the file image. This module must never open a file by name,
follow a link that is not hard, or read an attribute that it does not need. Untrusted bytes are read here only inside a
worker.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
from h5py import h5a, h5d, h5f, h5fd, h5g, h5l, h5o, h5p, h5s, h5t

from photseries.errors import UnreadableFileError
from photseries.hdf5 import chunks, pandas_table
from photseries.hdf5.image import Image
from photseries.hdf5.metadata import from_json, from_pickle
from photseries.hdf5.pandas_table import METADATA, METADATA_JSON
from photseries.hdf5.raw import RawTable, cell_size

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = ["read"]

MAX_ATTRIBUTE: Final = 64 * 1024  # [bytes]; the limit of an object header of libhdf5

#: Exceptions that h5py raises for errors of libhdf5.
_DAMAGE: Final = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)


def read(
    blob: bytes | memoryview, limits: Limits, *, metadata: Literal["pickle", "json"] = "pickle", key: str | None = None
) -> RawTable:
    """Read the one table of a file.

    Parameters
    ----------
    blob : bytes or memoryview
        The file's image.
    limits : config.Limits
    metadata : {"pickle", "json"}
        Which of the attributes ``metadata`` and ``metadata_json`` to read. In foreign files, where pandas may have
        edited the first, the first has precedence; in our own files both are equal.
    key : str, optional
        The table to read, in a file with several.

    Returns
    -------
    RawTable

    Raises
    ------
    UnreadableFileError
        When the file is damaged, is not a single pandas table, or exceeds a limit; the message has the reason.
    """
    try:
        return _read_image(memoryview(blob), limits, metadata, key)
    except _DAMAGE as error:
        raise UnreadableFileError("The HDF5 file cannot be read: it is damaged.") from error
    except UnreadableFileError as error:
        is_sentence = error.message[:1].isupper()
        message = error.message if is_sentence else f"The HDF5 file cannot be read: {error.message}."
        raise UnreadableFileError(message) from error.__cause__


def _read_image(image: memoryview, limits: Limits, metadata: str, requested_key: str | None) -> RawTable:
    access = h5p.create(h5p.FILE_ACCESS)
    # The core driver would copy the image twice, and open the sources of a virtual dataset from the disk. This one
    # reads only the bytes that libhdf5 requests, and only from the image.
    content = Image(image)
    access.set_fileobj_driver(h5fd.fileobj_driver, content)
    access.set_fclose_degree(h5f.CLOSE_STRONG)  # also closes open objects of the file
    # With one name for two open images, the second reader could get the first one's table: names are unique.
    file = h5f.open(secrets.token_hex(16).encode(), h5f.ACC_RDONLY, access)
    try:
        content.seal()
        if file.get_create_plist().get_userblock():
            raise UnreadableFileError("it starts with a user block")
        key, group = _only_table(file, limits, requested_key)
        attributes = PlainAttributes(group)
        pandas_table.check_kind(attributes)
        dataset = h5d.open(group, b"table")
        records = _records(image, dataset, limits)
        columns, index = pandas_table.columns(attributes, PlainAttributes(dataset), records, limits)
        return RawTable(key, columns, index, _metadata(attributes, limits, metadata))
    finally:
        file.close()


def _metadata(attributes: PlainAttributes, limits: Limits, first: str) -> dict[str, object]:
    readers = [(METADATA, from_pickle), (METADATA_JSON, from_json)]
    for name, interpret in readers if first == "pickle" else reversed(readers):
        data = attributes.get(name)
        if data is not None:
            return interpret(data, limits)
    return {}


class PlainAttributes:
    """The attributes of one object, read on demand: scalar fixed strings as bytes, integers as int."""

    def __init__(self, owner: object) -> None:
        self._owner = owner

    def get(self, name: str) -> bytes | int | None:
        """Return one attribute; None when it is absent.

        Raises
        ------
        UnreadableFileError
            When it is not a scalar fixed string or integer, or longer than 64 kB.
        """
        encoded = name.encode()
        if not h5a.exists(self._owner, encoded):
            return None
        attribute = h5a.open(self._owner, encoded)
        kind = attribute.get_type()
        extent = attribute.get_space().get_simple_extent_type()
        size = kind.get_size()
        is_text = kind.get_class() == h5t.STRING and not kind.is_variable_str()
        if extent == h5s.NULL and is_text:
            return b""
        if extent != h5s.SCALAR or size > MAX_ATTRIBUTE:
            raise UnreadableFileError(f"its attribute {name!r} is not one value of at most {MAX_ATTRIBUTE:,} bytes")
        if is_text:
            text = np.empty((), f"S{size}")
            attribute.read(text, kind)
            return text.tobytes()
        if kind.get_class() in (h5t.INTEGER, h5t.BITFIELD) and size <= 8:
            number = np.empty((), _scalar_type(kind))
            attribute.read(number, kind)
            return int(number)
        raise UnreadableFileError(f"its attribute {name!r} is neither a text of fixed length nor an integer")


def _only_table(file: h5f.FileID, limits: Limits, requested_key: str | None) -> tuple[str, h5g.GroupID]:
    """Find the group of the only table, or of the one with a key, as ``HDFStore.keys`` names it."""
    tables = [(path, group) for path, group in _groups(file, limits) if _is_key(group)]
    paths = {path for path, _ in tables}
    # The categories of categorical columns lie below their own table.
    own = [(path, group) for path, group in tables if not any(path.startswith(f"{parent}/meta/") for parent in paths)]
    if requested_key is not None:
        own = [(path, group) for path, group in own if path.strip("/") == requested_key.strip("/")]
    if not own:
        raise UnreadableFileError(
            "Must supply a non-empty DataFrame. Expected 1 table in HDF5 file, got 0 (pandas writes no table for an "
            "empty frame)."
        )
    if len(own) > 1:
        raise UnreadableFileError(f"Expected 1 table in HDF5 file, got {len(own)}.")
    return own[0]


def _is_key(group: h5g.GroupID) -> bool:
    return PlainAttributes(group).get("pandas_type") is not None or group.links.exists(b"table")


def _groups(file: h5f.FileID, limits: Limits) -> Iterator[tuple[str, h5g.GroupID]]:
    """Walk all groups over hard links, each object once, without opening a dataset."""
    seen: set[int] = set()
    waiting = [("", h5g.open(file, b"/"), 1)]
    while waiting:
        path, group, level = waiting.pop()
        yield path, group
        if len(seen) + group.get_num_objs() > limits.objects:
            raise UnreadableFileError(f"it contains more than {limits.objects:,} objects")
        for name in group:
            if group.links.get_info(name).type != h5l.TYPE_HARD:
                raise UnreadableFileError("it contains a soft, external or user-defined link; only hard links are read")
            about = h5o.get_info(group, name)
            if about.addr in seen:
                raise UnreadableFileError("an object in it is linked twice")
            seen.add(about.addr)
            if about.type == h5o.TYPE_GROUP and not name.startswith((b"_i_", b"_p_")):
                if level >= limits.groups_deep:
                    raise UnreadableFileError(f"its groups are nested deeper than {limits.groups_deep}")
                waiting.append((f"{path}/{name.decode('utf-8')}", h5g.open(group, name), level + 1))


def _records(image: memoryview, dataset: h5d.DatasetID, limits: Limits) -> npt.NDArray[np.void]:
    """Check the shape, type and storage of a dataset, and read its rows."""
    space = dataset.get_space()
    if space.get_simple_extent_type() != h5s.SIMPLE or space.get_simple_extent_ndims() != 1:
        raise UnreadableFileError("its table is not one-dimensional")
    (rows,) = dataset.shape
    if rows == 0:
        raise UnreadableFileError("Must supply a non-empty DataFrame. The table in the HDF5 file has no rows.")
    if rows > limits.rows:
        raise UnreadableFileError(f"its table has {rows:,} rows, and at most {limits.rows:,} are accepted")
    dtype = _row_type(dataset.get_type(), limits)
    fields = [dtype[name] for name in dtype.names or ()]
    size = rows * max(dtype.itemsize, sum(cell_size(field.base) * math.prod(field.shape) for field in fields))
    if size > limits.table:
        raise UnreadableFileError(
            f"its table takes {size:,} bytes in memory, and at most {limits.table:,} are accepted"
        )
    plan = dataset.get_create_plist()
    if plan.get_external_count():
        raise UnreadableFileError("its table lies in external files")
    if plan.get_layout() == h5d.CONTIGUOUS:
        chunk, filters = rows, []
        spans = [chunks.Span(0, dataset.get_offset() or 0, dataset.get_storage_size())]
    elif plan.get_layout() == h5d.CHUNKED:
        (chunk,) = plan.get_chunk()
        if chunk * dtype.itemsize > limits.chunk:
            raise UnreadableFileError(
                f"a chunk of its table takes {chunk * dtype.itemsize:,} bytes; at most {limits.chunk:,} are read"
            )
        filters = [
            chunks.Filter(code, tuple(parameters))
            for code, _, parameters, _ in map(plan.get_filter, range(plan.get_nfilters()))
        ]
        spans = _spans(dataset, -(-rows // chunk))
    else:
        raise UnreadableFileError("its table is virtual or compact; only contiguous and chunked ones are read")
    chunks.check_filters(filters)
    chunks.check_spans(spans, range(0, rows, chunk), len(image))
    return chunks.assemble(image, spans, filters, dtype, rows, chunk)


def _spans(dataset: h5d.DatasetID, expected: int) -> list[chunks.Span]:
    if dataset.get_num_chunks() != expected:
        raise UnreadableFileError("its table lacks or repeats chunks")
    spans: list[chunks.Span] = []

    def add(stored: h5d.StoreInfo) -> None:
        spans.append(chunks.Span(stored.chunk_offset[0], stored.byte_offset, stored.size, stored.filter_mask))

    dataset.chunk_iter(add)
    return spans


def _row_type(kind: h5t.TypeID, limits: Limits) -> np.dtype[np.void]:
    if kind.get_class() != h5t.COMPOUND:
        raise UnreadableFileError("its table does not consist of rows of named fields")
    count = kind.get_nmembers()
    if count > limits.columns + 1:
        raise UnreadableFileError(f"its table has more than {limits.columns:,} columns")
    names = [kind.get_member_name(number).decode("utf-8") for number in range(count)]
    offsets = [kind.get_member_offset(number) for number in range(count)]
    types = [_field_type(kind.get_member_type(number), name) for number, name in enumerate(names)]
    end = 0
    for offset, field in sorted(zip(offsets, types, strict=True), key=lambda pair: pair[0]):
        if offset < end:
            raise UnreadableFileError("fields of its table overlap")
        end = offset + field.itemsize
    if end > kind.get_size():
        raise UnreadableFileError("fields of its table reach beyond the row")
    return np.dtype({"names": names, "formats": types, "offsets": offsets, "itemsize": kind.get_size()})


def _field_type(kind: h5t.TypeID, name: str) -> np.dtype[np.generic]:
    if kind.get_class() == h5t.ARRAY:
        dimensions = kind.get_array_dims()
        if len(dimensions) != 1:
            raise UnreadableFileError(f"the field {name!r} of its table has more than one dimension")
        return np.dtype((_scalar_type(kind.get_super()), dimensions))
    return _scalar_type(kind)


def _scalar_type(kind: h5t.TypeID) -> np.dtype[np.generic]:
    """Translate the type of a number or a fixed string in a standard form; refuse all others."""
    size = kind.get_size()
    if kind.get_class() == h5t.STRING and not kind.is_variable_str():
        return np.dtype(f"S{size}")
    if kind.get_class() == h5t.BITFIELD and (kind.equal(h5t.STD_B8LE) or kind.equal(h5t.STD_B8BE)):
        return np.dtype(np.bool_)
    if kind.get_class() in (h5t.INTEGER, h5t.FLOAT):
        order = ">" if kind.get_order() == h5t.ORDER_BE else "<"
        unsigned = kind.get_class() == h5t.INTEGER and kind.get_sign() == h5t.SGN_NONE
        letter = "f" if kind.get_class() == h5t.FLOAT else "u" if unsigned else "i"
        if size in (1, 2, 4, 8) and not (letter == "f" and size == 1):
            translated: np.dtype[np.generic] = np.dtype(f"{order}{letter}{size}")
            if h5t.py_create(translated).equal(kind):
                return translated
    raise UnreadableFileError("its table has fields that are not integers, floats, booleans or texts of fixed length")
