"""Frames as plain JSON values and back, under any pandas since 1.5 and Python since 3.8, without photseries."""

import numpy as np
import pandas as pd


def to_spec(frame):
    """Write a frame down without pandas: what every pandas can be asked to compare with."""
    index = None
    if not (frame.index.dtype == np.int64 and list(frame.index) == list(range(len(frame)))):
        index = _column(frame.index.to_series())
    columns = [[name, *_column(frame[name])] for name in frame.columns]
    return {"columns": columns, "index": index}


def to_frame(spec):
    index = None if spec["index"] is None else pd.Index(_values(*spec["index"]))
    return pd.DataFrame({name: _values(kind, values) for name, kind, values in spec["columns"]}, index=index)


def differences(frame, spec):
    """Say how a frame differs from what a spec describes: a list of texts, empty when it does not."""
    expected = to_frame(spec)
    found = []
    if list(frame.columns) != list(expected.columns):
        found.append(f"columns {list(frame.columns)} in place of {list(expected.columns)}")
        return found
    for name in expected.columns:
        if frame[name].dtype != expected[name].dtype:
            found.append(f"{name!r} is {frame[name].dtype} in place of {expected[name].dtype}")
    if not frame.index.equals(expected.index):
        found.append(f"index {frame.index} in place of {expected.index}")
    for name in expected.columns:
        if not frame[name].reset_index(drop=True).equals(expected[name].reset_index(drop=True)):
            found.append(f"{name!r} has other values")
    if not found and not frame.equals(expected):
        found.append("frames differ")
    return found


def _column(series):
    kind = str(series.dtype)
    if kind in ("object", "str", "string"):
        return ["text", [value if isinstance(value, str) else None for value in series.tolist()]]
    values = series.to_numpy()
    if values.dtype.kind in "mM":
        return [kind, values.view("i8").tolist()]
    return [kind, values.tolist()]


def _values(kind, values):
    if kind == "text":
        array = np.empty(len(values), object)
        array[:] = [np.nan if value is None else value for value in values]
        return array
    if kind.startswith(("datetime64", "timedelta64")):
        return np.array(values, "i8").view(kind)
    return np.array(values, kind)
