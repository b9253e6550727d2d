"""HDF5: one table in the layout of pandas, of astropy, or as a dataset for each column."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pandas as pd

from photseries.errors import UnreadableFileError
from photseries.formats.options import ReadOptions, chosen, invalid
from photseries.formats.reading import Table
from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.stored_file import encode as write

__all__ = ["read", "write"]

#: What the careful reader says of files in other layouts.
_OTHER = ("Expected 1 table", 'format="fixed"', "was not written by pandas", "its attribute 'pandas_type'")

#: What h5py raises for the errors of libhdf5.
_DAMAGE = (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError)


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of a file that pandas, astropy or h5py wrote.

    What pandas wrote as a table is read with the careful reader: it may come from anywhere.
    """
    try:
        raw = plain_hdf5.read(content, Limits(), key=options.table)
        return Table(
            frame=frames.build(raw),
            file_metadata=raw.metadata,
            blob=content if options.table is None else None,
            uses=("table",),
        )
    except UnreadableFileError as error:
        is_other = any(words in error.message for words in _OTHER)  # h5py must not see what is damaged
        keys = _keys(content) if is_other else []
        frame = _other(content, keys[chosen(keys, options)]) if keys else None
        if frame is None:
            raise invalid(error.message) from error
        return Table(frame=frame, uses=("table",))


def _keys(content: bytes) -> list[str]:
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


def _nodes(file: Any) -> Iterator[tuple[str, Any]]:
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


def _is_pandas(group: Any) -> bool:
    return "pandas_type" in group.attrs


def _is_compound(node: Any) -> bool:
    return isinstance(node, h5py.Dataset) and node.dtype.names is not None and node.ndim == 1 and len(node) > 0


def _columns(group: Any) -> dict[str, Any]:
    """Return the datasets of a group that are columns: of one dimension and equally long, at least two."""
    found = {name: node for name, node in group.items() if isinstance(node, h5py.Dataset) and node.ndim == 1}
    lengths = {len(node) for node in found.values()}
    return found if len(found) > 1 and len(lengths) == 1 and all(n.dtype.names is None for n in found.values()) else {}


def _other(content: bytes, key: str) -> pd.DataFrame | None:
    """Read what pandas wrote as ``fixed``, a compound dataset, or a dataset for each column; None for others."""
    try:
        with h5py.File(io.BytesIO(content)) as file:
            node = file[key]
            if _is_compound(node):
                rows = node[()]
                columns = {name: rows[name] for name in rows.dtype.names}
            elif node.attrs.get("pandas_type") in (b"frame", "frame"):
                columns = _fixed(node)
            else:
                columns = {name: one[()] for name, one in _columns(node).items()}
    except _DAMAGE:
        return None
    plain = {name: _plain(values) for name, values in columns.items() if values.ndim == 1}
    return pd.DataFrame(plain) if plain else None


def _fixed(group: Any) -> dict[str, Any]:
    """Return the columns of a frame in pandas' layout ``fixed``; those of objects, which are pickled, are left out."""
    columns: dict[str, Any] = {}
    order = [name.decode() if isinstance(name, bytes) else str(name) for name in group["axis0"][()]]
    for number in range(int(group.attrs.get("nblocks", 0))):
        values, items = group[f"block{number}_values"], group[f"block{number}_items"][()]
        if values.dtype.kind in "biuf" and values.ndim == 2:
            block = values[()]
            names = [name.decode() if isinstance(name, bytes) else str(name) for name in items]
            columns |= dict(zip(names, block.T if block.shape[1] == len(names) else block, strict=True))
    return {name: columns[name] for name in order if name in columns}


def _plain(values: Any) -> Any:
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8").astype(object)
    if values.dtype.kind == "O":
        return np.array([one.decode() if isinstance(one, bytes) else one for one in values.tolist()], object)
    return values
