"""The recipe: what the how-to's own code costs for a step, in one process, without HTTP, database or care.

Written as an author of a pipeline would: pandas' HDFStore in memory, the standard library's json, base64 and hashlib,
and SkyPortal's statistics. Where a step has no table to read or write, nothing is left of it but its JSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from bench.samples import Sample
from tests.server.importers.peer import statistics
from tests.support import recipe_read, recipe_write

__all__ = ["recipe"]


def recipe(operation: str, sample: Sample, answer: bytes, folder: Path) -> Callable[[], object]:
    """Return the function that does a step; of a list, and of metadata alone, it writes the documents of the answer."""
    match operation:
        case "POST json":
            return lambda: post_json(sample.json, folder)
        case "POST hdf5":
            return lambda: post_hdf5(sample.hdf5, folder)
        case "GET json" | "GET hdf5" | "PATCH":
            path = store(recipe_write(sample.frame, sample.metadata), folder)
            act = {"GET json": get_json, "GET hdf5": get_hdf5, "PATCH": patch}[operation]
            return lambda: act(path)
    documents = json.loads(answer)
    return lambda: json.dumps(documents)


def post_json(body: bytes, folder: Path) -> object:
    metadata = json.loads(body)
    return keep(pd.DataFrame(metadata.pop("data")), metadata, folder)


def post_hdf5(body: bytes, folder: Path) -> object:
    fields = json.loads(body)
    frame, metadata = recipe_read(base64.b64decode(fields.pop("data")))
    return keep(frame, {**metadata, **fields}, folder)


def keep(frame: pd.DataFrame, metadata: dict[str, Any], folder: Path) -> object:
    content = recipe_write(frame, metadata)
    path = store(content, folder)
    return {**metadata, **statistics(frame), "hash": hashlib.md5(content).hexdigest(), "filename": str(path)}


def get_json(path: Path) -> object:
    frame, metadata = recipe_read(path.read_bytes())
    columns = frame.astype(object).where(frame.notna(), None).to_dict("list")
    return json.dumps({**metadata, "data": columns})


def get_hdf5(path: Path) -> object:
    content = path.read_bytes()
    return json.dumps({"data": base64.b64encode(content).decode()})


def patch(path: Path) -> object:
    frame, metadata = recipe_read(path.read_bytes())
    content = recipe_write(frame, {**metadata, "altdata": {"number": 1}})
    store(content, path.parent)
    return hashlib.md5(content).hexdigest()


def store(content: bytes, folder: Path) -> Path:
    path = folder / f"{secrets.token_hex(8)}.h5"
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return path
