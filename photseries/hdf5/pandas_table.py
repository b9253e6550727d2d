"""Interpret the attributes of a pandas 'table': names, order, types, nulls and the index.

The layout, as written by pandas 0.15 to 3.1: each field ``values_block_N`` contains one or more columns, whose names
are in ``values_block_N_kind``; a data column is a separate field; ``non_index_axes`` has the order of all columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from photseries.errors import UnreadableFileError
from photseries.hdf5 import plain_pickle
from photseries.hdf5.raw import RawColumn

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = ["METADATA", "METADATA_JSON", "Attributes", "check_kind", "columns"]

METADATA: Final = "metadata"
METADATA_JSON: Final = "metadata_json"

_ENCODINGS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("utf-8", "utf8"), "utf-8"),
    **dict.fromkeys(("latin-1", "latin1", "iso-8859-1"), "latin-1"),
    "ascii": "ascii",
}
_PICKLED_NONE: Final = re.compile(rb"(\x80[\x02-\x05])?N\.")
_UNITS: Final = ("s", "ms", "us", "ns")

#: Maximum size of a pickle whose value is cached [bytes].
_SHORT: Final = 4096

_Kind = TypeVar("_Kind")

#: Texts for null in a text index of files that do not state one; our files contain neither.
DEFAULT_NULL: Final = "nan"


class Attributes(Protocol):
    """The attributes of one HDF5 object."""

    def get(self, name: str) -> bytes | int | None:
        """Return a text as bytes, an integer, or None when the attribute is absent."""


def check_kind(group: Attributes) -> None:
    """Refuse objects other than a frame with one index in table format.

    Raises
    ------
    UnreadableFileError
        With the remedy.
    """
    kind, table = _read_text(group, "pandas_type"), _read_text(group, "table_type")
    if kind in ("frame", "series"):
        raise UnreadableFileError(
            'The HDF5 file was written with format="fixed"; write it with '
            'store.put(key, df, format="table", index=None, track_times=False).'
        )
    if kind == "series_table":
        raise UnreadableFileError("The HDF5 file contains a pandas Series; a DataFrame is needed.")
    if table == "appendable_multiframe":
        raise UnreadableFileError(
            "The HDF5 file contains a frame with a MultiIndex; write df.reset_index(), whose index has one level."
        )
    if kind != "frame_table" or table != "appendable_frame":
        raise UnreadableFileError("its table was not written by pandas as a DataFrame")


def columns(
    group: Attributes, table: Attributes, records: npt.NDArray[np.void], limits: Limits
) -> tuple[tuple[RawColumn, ...], RawColumn | None]:
    """Extract the columns and the index from the rows.

    Parameters
    ----------
    group, table : Attributes
        Of the key, and of the dataset below it.
    records : numpy.ndarray, shape (n,)
    limits : config.Limits

    Returns
    -------
    tuple of RawColumn
        In the order of the frame.
    RawColumn or None
        The index; None when it is 0..n-1.

    Raises
    ------
    UnreadableFileError
        When the attributes do not describe these rows, or a column or the index has an unsupported type.
    """
    order = _column_names(group, limits)
    fields = _pickled(group, limits, "values_cols", list)
    info = _pickled(group, limits, "info", dict, missing={}, skip_foreign=True)
    encoding = _encoding(group)
    index_field = _index_field(group, limits)
    if not all(isinstance(field, str) for field in fields) or {index_field, *fields} != set(records.dtype.names or ()):
        raise UnreadableFileError("its attributes name other fields than its table has")

    own_nulls = bool(group.get("data_col_nan_rep"))
    shared_null = _read_text(group, "nan_rep") or DEFAULT_NULL
    by_label: dict[str, RawColumn] = {}
    for field in fields:
        labels = _pickled(table, limits, f"{field}_kind", list)
        values = records[field]
        block = values.reshape(len(values), -1)
        if len(labels) != block.shape[1] or not set(map(type, labels)) <= {str}:
            raise UnreadableFileError(f"its attributes do not name the columns of the field {field!r}")
        _check_block(table, field, labels, info)
        stored = _read_text(table, f"{field}_dtype") or block.dtype.name
        null = _read_text(table, f"{field}_nan_rep") if own_nulls else shared_null
        for index, label in enumerate(labels):
            if label in by_label:
                raise UnreadableFileError(f"its column {label!r:.80} occurs twice")
            by_label[label] = _column(label, block[:, index], stored, null, encoding)
    if set(by_label) != set(order):
        raise UnreadableFileError("its attributes disagree about the names of the columns")
    return tuple(by_label[name] for name in order), _index(index_field, table, records, info, encoding)


def _check_block(table: Attributes, field: str, labels: list[str], info: dict[object, object]) -> None:
    shown = ", ".join(repr(label)[:80] for label in labels[:5])
    if _read_text(table, f"{field}_meta") == "category":
        raise UnreadableFileError(f"The column {shown} is categorical; write it as text, df[...].astype(str).")
    about = info.get(field)
    if isinstance(about, dict) and about.get("tz") is not None:
        raise UnreadableFileError(
            f"The column {shown} has a time zone; write UTC without one, df[...].dt.tz_convert(None)."
        )


def _column(name: str, values: npt.NDArray[np.generic], stored: str, null: str | None, encoding: str) -> RawColumn:
    native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    if native.dtype.kind == "S" and stored.startswith(("bytes", "string")):
        return RawColumn(name, native, null, encoding)
    if native.dtype == np.int64 and (moment := _datetime_type(stored)):
        return RawColumn(name, native.view(moment))
    if native.dtype.kind == "b" and stored == "bool":
        return RawColumn(name, native.view(np.uint8) != 0)
    if native.dtype.name == stored:
        return RawColumn(name, native)
    supported = "integers, floats, booleans, text and datetimes are read"
    raise UnreadableFileError(f"its column {name!r:.80} is of the type {stored!r:.40}; {supported}")


def _datetime_type(stored: str) -> str | None:
    """Translate ``datetime64[unit]`` and ``timedelta64[unit]``; pandas before 2.0 wrote no unit and meant ns."""
    kind, _, unit = stored.partition("[")
    unit = unit.removesuffix("]") or "ns"
    return f"{kind}[{unit}]" if kind in ("datetime64", "timedelta64") and unit in _UNITS else None


def _index(
    field: str, table: Attributes, records: npt.NDArray[np.void], info: dict[object, object], encoding: str
) -> RawColumn | None:
    values = records[field]
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    kind = _read_text(table, f"{field}_kind") or ""
    about = info.get(field, {})
    about = about if isinstance(about, dict) else {}
    name = about.get("index_name") or ""
    if values.ndim != 1 or not isinstance(name, str) or _read_text(table, f"{field}_meta") == "category":
        raise _unknown_index("not one level of plain values with a text as its name")
    if about.get("tz") is not None:
        raise _unknown_index("in a time zone")
    if kind == "integer" and values.dtype.kind in "iu":
        if about.get("freq") is not None:
            raise _unknown_index("made of periods")
        if not name and values.dtype == np.int64 and np.array_equal(values, np.arange(len(values))):
            return None
        return RawColumn(name, values)
    if kind == "float" and values.dtype.kind == "f":
        return RawColumn(name, values)
    if kind.startswith("datetime64") and values.dtype == np.int64 and (moment := _datetime_type(kind)):
        return RawColumn(name, values.view(moment))
    if kind == "string" and values.dtype.kind == "S":
        null = _read_text(table, f"{field}_nan_rep")
        return RawColumn(name, values, DEFAULT_NULL if null is None else null or None, encoding)
    raise _unknown_index(f"of the kind {kind!r:.40}")


def _unknown_index(problem: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"The index of the table in the HDF5 file is {problem}; one level of numbers, text or datetimes is kept, "
        "otherwise write df.reset_index()."
    )


def _column_names(group: Attributes, limits: Limits) -> list[str]:
    match _pickled(group, limits, "non_index_axes", list):
        case [(1, [*names])]:
            pass
        case _:
            raise UnreadableFileError("its attributes do not list the columns")
    if len(names) > limits.columns:
        raise UnreadableFileError(f"its table has {len(names):,} columns, and at most {limits.columns:,} are accepted")
    for name in names:
        if not isinstance(name, str):
            raise UnreadableFileError(f"its column {name!r:.80} has a name that is not a text")
        if len(name.encode("utf-8", "surrogatepass")) > limits.column_name:
            raise UnreadableFileError(
                f"the name of its column {name[:40]!r}... has more than {limits.column_name} bytes"
            )
    if len(set(names)) < len(names):
        raise UnreadableFileError("two of its columns have the same name")
    return names


def _index_field(group: Attributes, limits: Limits) -> str:
    match _pickled(group, limits, "index_cols", list):
        case [(0, str() as field)]:
            return field
    raise UnreadableFileError("its attributes do not name one index")


def _encoding(group: Attributes) -> str:
    encoding = _read_text(group, "encoding") or "utf-8"
    if encoding.lower() not in _ENCODINGS:
        raise UnreadableFileError(f"its text is encoded as {encoding!r:.40}; write it with encoding='UTF-8'")
    return _ENCODINGS[encoding.lower()]


def _read_text(attributes: Attributes, name: str) -> str | None:
    """Read a text; pandas pickles None, which PyTables returns as None."""
    value = attributes.get(name)
    if not isinstance(value, bytes):
        return None
    text = value.rstrip(b"\0")
    return None if _PICKLED_NONE.fullmatch(text) else text.decode("utf-8")


def _pickled(
    attributes: Attributes,
    limits: Limits,
    name: str,
    kind: type[_Kind],
    *,
    missing: _Kind | None = None,
    skip_foreign: bool = False,
) -> _Kind:
    data = attributes.get(name)
    if data is None and missing is not None:
        return missing
    if not isinstance(data, bytes):
        raise UnreadableFileError(f"its attribute {name!r} is missing or not what pandas writes")
    interpret = _interpreted if len(data) <= _SHORT else plain_pickle.interpret
    try:
        value = interpret(data, limits, skip_foreign=skip_foreign)
    except UnreadableFileError as error:
        raise UnreadableFileError(f"in its attribute {name!r:.80}, {error.message}") from error
    if not isinstance(value, kind):
        raise UnreadableFileError(f"its attribute {name!r:.80} is not a {kind.__name__}")
    return value


#: Files of one origin share most attributes. Callers must not change the result.
_interpreted = lru_cache(maxsize=64)(plain_pickle.interpret)
