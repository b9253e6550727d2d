"""Runs in a virtual environment with some pandas and without photseries.

``read FOLDER``: read every file that photseries wrote by the how-to's recipe and compare it with its spec.
``write FOLDER``: write files as pipelines do, by the recipe's other half, with the spec of what the recipe reads back.
"""

import json
import sys
import warnings
from pathlib import Path

import neutral
import numpy as np
import pandas as pd

PLAIN = (str, int, float, bool, type(None), list, dict)


def recipe(filename):
    with pd.HDFStore(filename, mode="r") as store:
        (key,) = store.keys()
        df = store[key]
        metadata = store.get_storer(key).attrs.metadata
    return df, metadata


def not_plain(value):
    """Name the types in a value that are not Python's own plain ones."""
    if type(value) not in PLAIN:
        return [type(value).__name__]
    items = list(value) + list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [name for item in items for name in not_plain(item)]


def read(folder):
    results = {}
    for spec_file in sorted(folder.glob("*.json")):
        spec = json.loads(spec_file.read_text("utf-8"))
        try:
            frame, metadata = recipe(str(spec_file.with_suffix(".h5")))
            problems = neutral.differences(frame, spec)
            problems += ["metadata holds " + name for name in not_plain(metadata)]
            if metadata != spec["metadata"]:
                problems.append("metadata {!r} in place of {!r}".format(metadata, spec["metadata"]))
        except Exception as error:
            problems = [f"{type(error).__name__}: {error}"]
        results[spec_file.stem] = problems
    return results


def frames():
    when = np.array(["2019-01-01T00:00:00.25", "NaT", "2021-02-03", "2022-01-01T12:00"], "M8[ns]")
    plain = pd.DataFrame(
        {
            "mjd": [58000.5, 58001.5, np.nan, 58003.5],
            "flux": np.array([1.1, -2.5, np.inf, np.nan], "f4"),
            "flag": np.array([0, -7, 2**31 - 1, 5], "i4"),
            "id": np.array([1, 2, 3, 2**62], "i8"),
            "small": np.array([0, 1, 2, 255], "u1"),
            "good": [True, False, True, True],
            "note": ["a", "", "\u00e9\u2603", None],
            "quality": ["x", "yy", "zzz", "x"],
            "when": when,
        }
    )
    yield "plain", plain, {}
    yield "data_columns", plain, {"data_columns": True}
    yield "one_data_column", plain, {"data_columns": ["note", "mjd"]}
    for complib in ("zlib", "bzip2", "blosc"):
        yield complib, pd.concat([plain] * 500, ignore_index=True), {"complib": complib, "complevel": 5}
    yield "fletcher32", plain, {"complib": "zlib", "complevel": 1, "fletcher32": True}
    yield "index_offset", plain.set_index(pd.Index([3, 4, 5, 6])), {}
    yield "index_float", plain.set_index(pd.Index([0.5, 1.5, np.nan, 3.5])), {}
    yield "index_text", plain.set_index(pd.Index(["a", "b", "c", "d"])), {}
    yield "index_datetime", plain.set_index(pd.date_range("2020-01-01", periods=4, freq="D")), {}
    yield "half", plain[["mjd"]].assign(half=np.array([1, 2.5, np.nan, 3], "f2")), {}


def write(folder):
    results = {}
    metadata = {
        "ra": np.float64(10.5),
        "dec": np.float32(-2.5),
        "instrument_id": np.int64(3),
        "flag": np.bool_(True),
        "series_name": np.str_("night \u2603"),
        "altdata": {"list": [1, 2.5, None, "x"], "tuple": (1, 2), "nested": {"deep": np.int16(-4)}},
    }
    for name, frame, options in frames():
        target = folder / (name + ".h5")
        checked = options.pop("fletcher32", False)
        store = pd.HDFStore(str(target), mode="w", driver="H5FD_CORE", fletcher32=checked)
        store.put("phot_" + name, frame, format="table", index=None, track_times=False, **options)
        store.get_storer("phot_" + name).attrs.metadata = metadata
        store.close()
        back, _ = recipe(str(target))
        spec = dict(
            neutral.to_spec(back), metadata=json.loads(json.dumps(metadata, default=lambda value: value.item()))
        )
        target.with_suffix(".json").write_text(json.dumps(spec), "utf-8")
        results[name] = []
    return results


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    outcome = {"read": read, "write": write}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"pandas": pd.__version__, "numpy": np.__version__, "results": outcome}))
