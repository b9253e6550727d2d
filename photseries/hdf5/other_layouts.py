"""Other layouts of HDF5 files: pandas' ``fixed``, compound datasets, one dataset per column.

This module is for the client and for confined processes: unlike :mod:`~photseries.hdf5.plain_hdf5` it lets
libhdf5 read the data.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["described_by_astropy", "read_columns", "tables_in"]

#: What h5py raises for the errors of libhdf5.
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)


def tables_in(content: bytes) -> list[str]:
    """Return the paths of the tables in a file."""
    found: list[str] = []
    try:
        with h5py.File(io.BytesIO(content)) as file:
            for path, node in _nodes(file):
                if any(path.startswith(f"{key}/") for key in found):
                    continue
                if (isinstance(node, h5py.Group) and (_is_pandas(node) or _columns(node))) or _is_compound(node):
                    found.append(path)
    except _DAMAGE:
        return []
    return [path.strip("/") or "/" for path in found]


def _nodes(file: h5py.File) -> Iterator[tuple[str, h5py.Group | h5py.Dataset]]:
    """Yield the groups and datasets that lie in a file, over hard links alone, parents first."""
    waiting = [("/", file)]
    for _ in range(10_000):
        if not waiting:
            return
        path, node = waiting.pop(0)
        yield path, node
        if isinstance(node, h5py.Group):
            inside = [name for name in node if isinstance(node.get(name, getlink=True), h5py.HardLink)]
            waiting += [(f"{path.rstrip('/')}/{name}", node[name]) for name in inside]


def _is_pandas(group: h5py.Group) -> bool:
    return "pandas_type" in group.attrs


def _is_compound(node: object) -> bool:
    return isinstance(node, h5py.Dataset) and node.dtype.names is not None and node.ndim == 1 and len(node) > 0


def _columns(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """Return the datasets of a group that are columns: of one dimension and equally long, at least two."""
    found = {name: node for name, node in group.items() if isinstance(node, h5py.Dataset) and node.ndim == 1}
    lengths = {len(node) for node in found.values()}
    return found if len(found) > 1 and len(lengths) == 1 and all(n.dtype.names is None for n in found.values()) else {}


def described_by_astropy(content: bytes, key: str) -> bool:
    """Return whether astropy wrote a table together with its header."""
    with h5py.File(io.BytesIO(content)) as file:
        return f"{key}.__table_column_meta__" in file


def read_columns(content: bytes, key: str) -> tuple[pd.DataFrame, dict[str, str]] | None:
    """Read what pandas wrote as ``fixed``, a compound dataset, or a dataset for each column; None for others.

    Returns
    -------
    DataFrame
    dict of str to str
        The units that attributes of the datasets name.
    """
    units: dict[str, str] = {}
    try:
        with h5py.File(io.BytesIO(content)) as file:
            node = file[key]
            if _is_compound(node):
                rows = node[()]
                columns = {name: rows[name] for name in rows.dtype.names}
            elif node.attrs.get("pandas_type") in (b"frame", "frame"):
                columns = _fixed(node)
            else:
                datasets = _columns(node)
                columns = {name: one[()] for name, one in datasets.items()}
                units = {name: text for name, one in datasets.items() if (text := _unit(one))}
    except _DAMAGE:
        return None
    plain = {name: _plain(values) for name, values in columns.items() if values.ndim == 1}
    return (pd.DataFrame(plain), units) if plain else None


def _unit(dataset: h5py.Dataset) -> str | None:
    named = {str(name).lower(): name for name in dataset.attrs}
    values = [dataset.attrs[named[name]] for name in ("unit", "units") if name in named]
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    return next((text for text in texts if isinstance(text, str)), None)


def _fixed(group: h5py.Group) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns of a frame in pandas' layout ``fixed``; those of objects, which are pickled, are left out."""
    columns: dict[str, npt.NDArray[np.generic]] = {}
    order = [name.decode() if isinstance(name, bytes) else str(name) for name in group["axis0"][()]]
    for number in range(int(group.attrs.get("nblocks", 0))):
        values, items = group[f"block{number}_values"], group[f"block{number}_items"][()]
        if values.dtype.kind in "biuf" and values.ndim == 2:
            block = values[()]
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in items]
            columns |= dict(zip(names, block.T if block.shape[1] == len(names) else block, strict=True))
    return {name: columns[name] for name in order if name in columns}


def _plain(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        return np.char.decode(values.astype(np.bytes_, copy=False), "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([one.decode() if isinstance(one, bytes) else one for one in values.tolist()], object)
    return values
