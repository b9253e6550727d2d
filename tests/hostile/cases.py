"""What an attack or a valid variation is, the traps that tell whether one worked, and good files to spoil."""

import base64
import contextlib
import io
import json
import os
import secrets
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

CANARY = b"canary-7c1f0e5d9b"

#: What should become of a case. ``EITHER`` is for random damage only: refused, or stored as what a reader then gets.
REJECT, ACCEPT, EITHER = "reject", "accept", "either"


@dataclass(frozen=True)
class Case:
    """One upload: ``make`` gives the file; ``frame`` is what an accepted one must read back as."""

    name: str
    verdict: str
    make: Callable[["Traps"], bytes]
    frame: pd.DataFrame | None = None
    is_body: bool = False  # make gives a whole request body, with the fields filled into {fields}

    def body(self, traps, fields):
        content = self.make(traps)
        if self.is_body:
            return content.replace(b"{fields}", json.dumps(fields)[1:-1].encode())
        return json.dumps({**fields, "data": base64.b64encode(content).decode()}).encode()


class Traps:
    """Files that no upload may read, and one that none may make."""

    def __init__(self, folder):
        self.folder = Path(folder)
        os.chmod(self.folder, 0o755)  # noqa: S103  the readers are other users
        self.marker = self.folder / "marker"
        self.canary = self.folder / "canary.bin"
        self.canary.write_bytes(CANARY * 1000)
        self.canary_hdf5 = self.folder / "canary.h5"
        self.fifo = self.folder / "fifo"
        os.mkfifo(self.fifo)
        name = np.full(10, CANARY, f"S{len(CANARY)}")
        # Of the very columns of the good file, or libhdf5 would refuse for that reason alone.
        self.canary_hdf5.write_bytes(written(some_frame().assign(note=CANARY.decode().ljust(19))))
        with h5py.File(self.canary_hdf5, "r+") as file:
            file["x"] = name
        for number in range(4):
            (self.folder / f"canary-{number}.h5").write_bytes(self.canary_hdf5.read_bytes())

    @property
    def command(self):
        return f"touch {self.marker}"


def some_frame(rows=10, seed=0):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "mjd": 59000 + np.arange(rows) / 24,
            "flux": draw.normal(100, 1, rows),
            "fluxerr": np.ones(rows),
            "flag": draw.integers(0, 9, rows),
            "note": [f"quite a long note {number % 7}" for number in range(rows)],
        }
    )


def written(frame, metadata=None, *, key="phot", fletcher32=False, encoding="UTF-8", **options):
    """Write as pandas does, by the how-to's recipe."""
    put = {"format": "table", "index": None, "track_times": False, "encoding": encoding} | options
    with (
        warnings.catch_warnings(action="ignore"),  # of names and objects that PyTables would rather not see
        pd.HDFStore(
            secrets.token_hex(8), mode="w", driver="H5FD_CORE", driver_core_backing_store=0, fletcher32=fletcher32
        ) as store,
    ):
        store.put(key, frame, **put)
        if metadata is not None:
            store.get_storer(key).attrs.metadata = metadata
        return store._handle.get_file_image()


def good(metadata=None):
    return written(some_frame(), metadata)


def spoiled(blob, edit, **options):
    """Change a file through h5py."""
    content = io.BytesIO(blob)
    with h5py.File(content, "r+", **options) as file:
        edit(file)
    return content.getvalue()


def with_attribute(content, name, place="phot", blob=None):
    """Set an attribute to bytes, as PyTables stores a pickle."""

    def edit(file):
        with contextlib.suppress(KeyError):
            del file[place].attrs[name]
        file[place].attrs.create(name, np.array(content, f"S{len(content)}"))

    return spoiled(good({}) if blob is None else blob, edit)


def new_table(make, blob=None):
    """Replace the table: ``make(file, rows)`` writes phot/table; the attributes stay."""

    def edit(file):
        old = file["phot/table"]
        rows = old[:]
        attributes = {name: value for name, value in old.attrs.items() if not isinstance(value, h5py.Empty)}
        del file["phot/table"]
        make(file, rows)
        if isinstance(file.get("phot/table", getlink=True), h5py.HardLink):
            for name, value in attributes.items():
                file["phot"]["table"].attrs[name] = value

    return spoiled(good({}) if blob is None else blob, edit)
