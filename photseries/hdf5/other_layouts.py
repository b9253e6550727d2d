"""Other layouts of HDF5 files: pandas' ``fixed``, compound datasets, one dataset per column.

This module is for the client and for confined processes: unlike :mod:`~photseries.hdf5.plain_hdf5` it lets
libhdf5 read the data.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import TypeGuard

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["described_by_astropy", "open_file", "read_columns", "tables_in"]

#: The pickle of None, which pandas stores for the name of an index.
_NO_NAME = "N."

#: Exceptions that h5py raises for errors of libhdf5.
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)


def open_file(content: bytes) -> h5py.File:
    """Open a file for reading; the caller closes it."""
    return h5py.File(io.BytesIO(content), "r")


def tables_in(content: bytes) -> list[str]:
    """Return the paths of the tables in a file."""
    keys: list[str] = []
    try:
        with open_file(content) as file:
            for path, node in _nodes(file):
                if any(path.startswith(f"{key}/") for key in keys):
                    continue
                is_table = isinstance(node, h5py.Group) and ("pandas_type" in node.attrs or _columns(node))
                if is_table or _is_compound(node):
                    keys.append(path)
    except _DAMAGE:
        return []
    return [path.strip("/") or "/" for path in keys]


def _nodes(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yield the groups and datasets of a file that hard links reach, parents first."""
    waiting = [("/", file)]
    for _ in range(10_000):
        if not waiting:
            return
        path, node = waiting.pop(0)
        yield path, node
        if isinstance(node, h5py.Group):
            inside = [name for name in node if isinstance(node.get(name, getlink=True), h5py.HardLink)]
            waiting += [(f"{path.rstrip('/')}/{name}", node[name]) for name in inside]


def _is_compound(node: object) -> bool:
    return _is_in_file(node) and node.dtype.names is not None and node.ndim == 1 and len(node) > 0


def _is_in_file(node: object) -> TypeGuard[h5py.Dataset]:
    """Return whether this is a dataset whose values are in the file itself; libhdf5 would read any other file."""
    return isinstance(node, h5py.Dataset) and not node.external and not node.is_virtual


def _columns(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Return the datasets of a group that are columns: at least two, one-dimensional, of equal length."""
    datasets = {name: node for name, node in group.items() if _is_in_file(node) and node.ndim == 1}
    is_table = len(datasets) > 1 and len({len(node) for node in datasets.values()}) == 1
    return datasets if is_table and all(node.dtype.names is None for node in datasets.values()) else {}


def described_by_astropy(content: bytes, key: str) -> bool:
    """Return whether astropy wrote a table together with its header, and the header is in the file itself."""
    with open_file(content) as file:
        return _is_in_file(file.get(f"{key}.__table_column_meta__"))


def read_columns(content: bytes, key: str) -> tuple[pd.DataFrame, dict[str, str], list[str]] | None:
    """Read pandas' ``fixed`` layout, a compound dataset, or one dataset per column; None for other layouts.

    Returns
    -------
    DataFrame
        Its ``attrs`` are the attributes of the file and of the table that are texts or numbers.
    dict of str to str
        The units that attributes of the datasets name.
    list of str
        The unreadable columns: text in ``fixed`` is pickled.
    """
    units: dict[str, str] = {}
    left_out: list[str] = []
    index: pd.Index | None = None
    attrs: dict[str, object] = {}
    try:
        with open_file(content) as file:
            node = file[key]
            attrs = _attributes(file) | _attributes(node)
            if _is_compound(node):
                rows = node[()]
                columns = {name: rows[name] for name in rows.dtype.names}
            elif node.attrs.get("pandas_type") in (b"frame", "frame"):
                columns, left_out = _fixed(node)
                index = _index(node["axis1"])
            else:
                datasets = _columns(node)
                columns = {name: dataset[()] for name, dataset in datasets.items()}
                units = {name: text for name, dataset in datasets.items() if (text := _unit(dataset))}
    except _DAMAGE:
        return None
    plain = {name: _native_values(values) for name, values in columns.items() if values.ndim == 1}
    if not plain:
        return None
    frame = pd.DataFrame(plain, index)
    frame.attrs.update(attrs)
    return frame, units, left_out


def _attributes(node: h5py.Group | h5py.Dataset) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for name in node.attrs:
        with contextlib.suppress(*_DAMAGE):
            value = node.attrs[name]
            attributes[name] = value.item() if isinstance(value, np.number) else _decode_text(value)
    return {name: value for name, value in attributes.items() if value != ""}


def _unit(dataset: h5py.Dataset) -> str | None:
    named = {str(name).lower(): name for name in dataset.attrs}
    return next((_decode_text(dataset.attrs[named[name]]) for name in ("unit", "units") if name in named), None)


def _fixed(group: h5py.Group) -> tuple[dict[str, npt.NDArray[np.generic]], list[str]]:
    """Return the columns of a frame in pandas' ``fixed`` layout, and the names of pickled columns."""
    if not all(map(_is_in_file, group.values())):
        raise ValueError("a part of the table is not in the file")
    columns: dict[str, npt.NDArray[np.generic]] = {}
    order = _names(group["axis0"])
    for number in range(int(group.attrs.get("nblocks", 0))):
        values, names = group[f"block{number}_values"], _names(group[f"block{number}_items"])
        if values.dtype.kind in "biuf" and values.ndim == 2:
            block = _moments(values, "value_type")
            columns |= dict(zip(names, block.T if block.shape[1] == len(names) else block, strict=True))
    return {name: columns[name] for name in order if name in columns}, [name for name in order if name not in columns]


def _names(dataset: h5py.Dataset) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in dataset[()]]


def _moments(dataset: h5py.Dataset, attribute: str) -> npt.NDArray[np.generic]:
    """Return values, as datetimes if an attribute says so: pandas stores datetimes as integers."""
    kind = _decode_text(dataset.attrs.get(attribute))
    values: npt.NDArray[np.generic] = dataset[()]
    if not kind.startswith("datetime64"):
        return values
    return values.astype(np.dtype(kind if "[" in kind else "M8[ns]"))


def _index(axis: h5py.Dataset) -> pd.Index | None:
    """Return an index of numbers or datetimes; None for the default index."""
    name = _decode_text(axis.attrs.get("name"))
    values = _moments(axis, "kind")
    is_counted = name in ("", _NO_NAME) and values.dtype.kind in "iu"
    if is_counted or values.dtype.kind not in "iufM":
        return None
    index: pd.Index = pd.Index(values, name=None if name == _NO_NAME else name)
    return index


def _decode_text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _native_values(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        return np.char.decode(values.astype(np.bytes_, copy=False), "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([value.decode() if isinstance(value, bytes) else value for value in values.tolist()], object)
    return values
