"""Convert columns to storable numpy types without losing a digit."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import pyarrow

__all__ = ["EXACT", "frame_of_arrow", "plain_column", "plain_frame"]

#: Integers up to this one are exact as float64.
EXACT: Final = 2**53

#: Types of Python objects in a column, as pandas calls them -> type of numpy.
_OBJECTS: Final = {"date": np.dtype("M8[us]"), "decimal": np.dtype("f8")}

_Nullable = pd.arrays.BooleanArray | pd.arrays.IntegerArray | pd.arrays.FloatingArray


def plain_column(column: object) -> Any:
    """Return the values of an astropy column for a frame.

    Parameters
    ----------
    column : astropy Column, Quantity, or array

    Returns
    -------
    ndarray or IntegerArray of shape (n,)
        Of native byte order, text as objects, masked values as null; integers with null in the type of pandas, of
        which :func:`plain_frame` makes numbers or text.
    """
    masked = np.asarray(getattr(column, "mask", False))
    values: Any = np.asarray(getattr(column, "unmasked", column))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "U":
        values = values.astype(object)
    if not masked.any():
        return values
    if values.dtype.kind in "iu":
        return pd.arrays.IntegerArray(values, masked)
    values = values.astype(values.dtype if values.dtype.kind in "fOmM" else np.float64)
    values[masked] = "NaT" if values.dtype.kind in "mM" else np.nan
    return values


def plain_frame(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Convert columns of pandas' own types and of objects to numpy types: nullable numbers, categories, dates.

    Parameters
    ----------
    frame : DataFrame
        Null in numbers becomes NaN, among true and false these become 1 and 0. Integers with null that float64 cannot
        represent exactly become text. Columns of lists are left out.

    Returns
    -------
    DataFrame
        The same frame if nothing changes.
    tuple of str
        Warnings for the uploader.
    """
    if not frame.columns.is_unique:
        return frame, ()
    lists = [str(name) for name, column in frame.items() if _holds_lists(column)]
    frame = frame.drop(columns=lists) if lists else frame
    plain = {str(name): _to_numpy(column) for name, column in frame.items() if _is_to_do(column)}
    texts = [
        name
        for name, values in plain.items()
        if values.dtype.kind == "O" and getattr(frame[name].dtype, "kind", "") in "iu"
    ]
    warnings = {
        "Left out, because a row has more than one value": lists,
        "Kept as text, because integers of this length with missing values would lose their last digits": texts,
    }
    return frame.assign(**plain) if plain else frame, tuple(
        f"{warning}: {', '.join(names)}." for warning, names in warnings.items() if names
    )


def _holds_lists(column: pd.Series) -> bool:
    return _kind_of_objects(column) in ("mixed", "mixed-integer") and any(
        isinstance(cell, Collection) and not isinstance(cell, str | bytes) for cell in column
    )


def _kind_of_objects(column: pd.Series) -> str:
    """Return pandas' name for the type of all objects of a column; empty for other columns."""
    is_plain = isinstance(column.name, str) and column.dtype == np.dtype(object)
    return pd.api.types.infer_dtype(column) if is_plain else ""


def _is_to_do(column: pd.Series) -> bool:
    return isinstance(column.name, str) and (
        isinstance(column.dtype, pd.CategoricalDtype | pd.ArrowDtype)
        or isinstance(column.array, _Nullable)
        or _kind_of_objects(column) in _OBJECTS
    )


def frame_of_arrow(table: pyarrow.Table) -> pd.DataFrame:
    """Return an Arrow table as a frame; integers in pandas' own type, because null would make them float64."""
    import pyarrow

    long = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=long.get, use_threads=False)
    return frame


def _of_categories(column: pd.Series) -> pd.Series:
    """Return the values of a categorical column; integers and booleans in a type with null, to the last digit."""
    categories = column.cat.categories
    if categories.dtype.kind not in "iub":
        return column.astype(categories.dtype)
    return pd.Series(pd.array(categories.to_numpy()).take(column.cat.codes.to_numpy(), allow_fill=True), column.index)


def _to_numpy(column: pd.Series) -> Any:
    if isinstance(column.dtype, pd.ArrowDtype):
        import pyarrow

        column = frame_of_arrow(pyarrow.table({"": column.array.__arrow_array__()}))[""].set_axis(column.index)
    if (kind := _kind_of_objects(column)) in _OBJECTS:
        return column.astype(_OBJECTS[kind])
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = _of_categories(column)
    array = column.array
    if not isinstance(array, _Nullable):
        values: object = column.to_numpy(object) if column.dtype.kind in "OTU" else column
        return values
    absent = column.isna()
    dtype = np.dtype(array.dtype.type)
    if not absent.any():
        return column.to_numpy(dtype)
    if dtype.kind in "iu" and not column.dropna().between(-EXACT, EXACT).all():
        return np.array([None if null else str(value) for null, value in zip(absent, column, strict=True)], object)
    return column.to_numpy(dtype if dtype.kind == "f" else np.float64, na_value=np.nan)
