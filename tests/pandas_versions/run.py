"""Do all pandas read what we write, and we what they write? Exit status 0 when so.

Run as ``python tests/pandas_versions/run.py [VERSION ...]`` with the environment in which photseries is installed. For
each pandas a virtual environment is made in ``.venv-readers/`` when it is missing; remove a folder there to renew it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import neutral
import numpy as np
import pandas as pd

from photseries.errors import PhotseriesError
from photseries.hdf5 import frames, plain_hdf5, stored_file
from photseries.server.settings import LimitSettings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".venv-readers"

#: pandas -> what to install, and the newest Python (3.x) for which it has wheels; "next" only runs when it is named.
READERS = {
    "1.5.3": (["pandas==1.5.3", "numpy<2", "tables"], 11),
    "2.2": (["pandas==2.2.*", "tables"], 13),
    "3.0": (["pandas==3.0.*", "tables"], 99),
    "newest": (["pandas", "tables"], 99),
    "next": (["--pre", "pandas", "tables"], 99),
}

METADATA = {
    "obj_id": "ZTF18abc",
    "instrument_id": 1,
    "ra": 359.988204043562,
    "dec": -1e-300,
    "series_name": "night/☃\\ \n",
    "altdata": {"a": [1, 2.5, None, True, {"é": -(2**63)}], "big": 2**63 - 1, "empty": {}, "text": "ends."},
}


def ours() -> dict[str, tuple[pd.DataFrame, dict]]:
    """Give the tables that we write."""
    rows = 5
    columns = pd.DataFrame(
        {
            "mjd": [58000.5, 58001.25, np.nan, 58003.5, np.inf],
            "flux": np.array([1.1, -2.5, np.inf, np.nan, 1e-38], "f4"),
            "half": np.array([1, 2.5, np.nan, 3, -4], "f2"),
            "i1": np.array([-128, 0, 1, 2, 127], "i1"),
            "i4": np.array([0, -7, 2**31 - 1, 5, 6], "i4"),
            "i8": np.array([-(2**63), 2, 3, 2**62, 2**63 - 1], "i8"),
            "u8": np.array([0, 2, 3, 2**62, 2**64 - 1], "u8"),
            "good": [True, False, True, True, False],
            "a/b.c d": range(rows),
            "☃": range(rows),
            "values_block_0": np.arange(rows, dtype="f8"),
        }
    )
    text = pd.DataFrame({"mjd": np.arange(5.0), "full": list("abcde"), "odd": ["", "é☃", "nan", "NaN", "x" * 300]})
    nulls = text.assign(nulls=["a", None, "b", None, ""], both=["nan", None, "_nan_", "", None])
    only_nulls = text.assign(none=np.array([np.nan] * 5, object))
    when = np.array(["2019-01-01T00:00:00.25", "NaT", "2021-02-03", "1970-01-01", "2100-01-01T12:00"], "M8[ns]")
    units = {unit: when.astype(f"M8[{unit}]") for unit in ("s", "ms", "us", "ns")}
    durations = {f"m{unit}": np.array([1, 2, -3, 4, "NaT"], f"m8[{unit}]") for unit in ("s", "ns")}
    times = pd.DataFrame({"mjd": np.arange(5.0), **units, **durations})
    tables = {
        "columns": columns,
        "text": text,
        "text_nulls": nulls,
        "text_only_nulls": only_nulls,
        "datetimes": times,
        "one_row": columns.iloc[:1],
        "index_offset": columns.set_index(pd.Index([7, 8, 9, 10, 11])),
        "index_float": columns.set_index(pd.Index([0.5, 1, np.nan, -1, 3])),
        "index_text": columns.set_index(pd.Index(["a", "é☃", "", "b", "c"])),
        "index_datetime": columns.set_index(pd.DatetimeIndex(units["us"])),
        "index_filtered": columns[columns.good],
    }
    found = {name: (frame, METADATA) for name, frame in tables.items()}
    raw = plain_hdf5.read((HERE.parent / "data/TESS_photometric_series1.h5").read_bytes(), LimitSettings())
    found["tess"] = (frames.build(raw), raw.metadata)
    return found


def in_nanoseconds(frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame as it is read and stored: pandas 2 would take every other unit of time for nanoseconds."""
    times = {str(name): column.dt.as_unit("ns") for name, column in frame.items() if column.dtype.kind in "mM"}
    index = frame.index.as_unit("ns") if isinstance(frame.index, pd.DatetimeIndex) else frame.index
    return frame.assign(**times).set_index(index)


def python_for(newest: int) -> str:
    """Find an interpreter that is not too new: the running one, else the newest that is installed."""
    if sys.version_info[:2] <= (3, newest):
        return sys.executable
    for minor in range(newest, 8, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    raise SystemExit(f"This pandas needs Python 3.{newest} or older, and no python3.N of that age is installed.")


def environment(version: str) -> Path:
    """Give the Python of the virtual environment with one pandas, made when it is missing."""
    packages, newest = READERS[version]
    folder = CACHE / version
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {' '.join(packages)} ...", flush=True)
        subprocess.run([python_for(newest), "-m", "venv", str(folder)], check=True)
        install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--only-binary=:all:", *packages], check=True)
        (folder / "complete").touch()
    return folder / "bin/python"


def stranger(python: Path, verb: str, folder: Path) -> dict:
    done = subprocess.run(
        [str(python), str(HERE / "stranger.py"), verb, str(folder)], stdout=subprocess.PIPE, check=True, text=True
    )
    return json.loads(done.stdout)


def write_ours(folder: Path) -> None:
    for name, (frame, metadata) in ours().items():
        for compression in ("none", "deflate"):
            case = folder / (name if compression == "none" else f"{name}_deflate")
            case.with_suffix(".h5").write_bytes(stored_file.encode(frame, metadata, compression=compression))
            spec = {**neutral.to_spec(in_nanoseconds(frame)), "metadata": metadata}
            case.with_suffix(".json").write_text(json.dumps(spec), "utf-8")


def read_theirs(folder: Path) -> dict[str, list[str]]:
    results = {}
    for spec_file in sorted(folder.glob("*.json")):
        spec = json.loads(spec_file.read_text("utf-8"))
        try:
            raw = plain_hdf5.read(spec_file.with_suffix(".h5").read_bytes(), LimitSettings())
            expected = neutral.to_spec(in_nanoseconds(neutral.to_frame(spec)))
            problems = neutral.differences(frames.build(raw), expected)
            if raw.metadata != spec["metadata"]:
                problems.append(f"metadata {raw.metadata!r} in place of {spec['metadata']!r}")
        except PhotseriesError as error:
            problems = [error.message]
        results[spec_file.stem] = problems
    return results


def main(versions: list[str]) -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, "ours")
        written.mkdir()
        write_ours(written)
        print(f"{'pandas':8} {'numpy':8} {'reads ours':>12} {'we read its':>12}")
        for version in versions:
            python = environment(version)
            told = stranger(python, "read", written)
            theirs = Path(scratch, version)
            theirs.mkdir()
            stranger(python, "write", theirs)
            outcomes = {"it reads": told["results"], "we read": read_theirs(theirs)}
            counts = [f"{sum(not p for p in results.values())} of {len(results)}" for results in outcomes.values()]
            print(f"{told['pandas']:8} {told['numpy']:8} {counts[0]:>12} {counts[1]:>12}", flush=True)
            for verb, results in outcomes.items():
                for name, problems in results.items():
                    for problem in problems:
                        failed += 1
                        print(f"    {verb} {name}: {problem}")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or [version for version in READERS if version != "next"]))
