"""The recipe: what the how-to's own code costs for a step, in one process, without HTTP, database or care.

Written as an author of a pipeline would: pandas' HDFStore in memory, the standard library's json, base64 and hashlib,
statistics line by line. Where a step has no table to read or write, nothing is left of it but its JSON.
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

import numpy as np
import pandas as pd

from bench.samples import Sample
from tests.support import recipe_read, recipe_write

__all__ = ["recipe"]


def recipe(operation: str, sample: Sample, answer: bytes, folder: Path) -> Callable[[], Any]:
    """Give the function that does a step; of a list, and of metadata alone, it makes the answer's documents again."""
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


def post_json(body: bytes, folder: Path) -> dict[str, Any]:
    metadata = json.loads(body)
    frame = pd.DataFrame(metadata.pop("data"))
    return keep(frame, metadata, folder)


def post_hdf5(body: bytes, folder: Path) -> dict[str, Any]:
    fields = json.loads(body)
    frame, metadata = recipe_read(base64.b64decode(fields.pop("data")))
    return keep(frame, {**metadata, **fields}, folder)


def keep(frame: pd.DataFrame, metadata: dict[str, Any], folder: Path) -> dict[str, Any]:
    summary = summarize(frame)
    content = recipe_write(frame, metadata)
    digest = hashlib.md5(content).hexdigest()
    return {**metadata, **summary, "hash": digest, "filename": str(store(content, folder))}


def get_json(path: Path) -> str:
    frame, metadata = recipe_read(path.read_bytes())
    columns = frame.astype(object).where(frame.notna(), None).to_dict("list")
    return json.dumps({**metadata, "data": columns})


def get_hdf5(path: Path) -> str:
    content = path.read_bytes()
    return json.dumps({"data": base64.b64encode(content).decode()})


def patch(path: Path) -> str:
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


def summarize(frame: pd.DataFrame) -> dict[str, Any]:
    """Take the statistics that the service keeps, one after the other."""
    ordered = frame.sort_values("mjd")
    mjd, flux = ordered["mjd"].to_numpy(float), ordered["flux"].to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mag = 23.9 - 2.5 * np.log10(flux)
        robust_mag, robust_rms = clipped(mag)
        robust_flux, robust_rms_flux = clipped(flux)
        snr = flux / ordered["fluxerr"].to_numpy(float)
    detected = snr > 3
    numbers = frame.select_dtypes("number")
    steps = np.diff(mjd)
    return {
        "num_exp": len(frame), "num_detected": int(detected.sum()), "is_detected": bool(detected.any()),
        "mjd_first": mjd[0], "mjd_last": mjd[-1], "mjd_mid": (mjd[0] + mjd[-1]) / 2,
        "mag_first": mag[0], "mag_last": mag[-1], "mean_mag": np.nanmean(mag), "rms_mag": np.nanstd(mag),
        "mean_flux": np.nanmean(flux), "rms_flux": np.nanstd(flux), "robust_mag": robust_mag, "robust_rms": robust_rms,
        "robust_flux": robust_flux, "robust_rms_flux": robust_rms_flux, "median_snr": np.nanmedian(snr),
        "best_snr": np.nanmax(snr), "worst_snr": np.nanmin(snr), "frame_rate": 1 / np.median(steps[steps > 0]) / 86400,
        "medians": numbers.median().to_dict(), "minima": numbers.min().to_dict(), "maxima": numbers.max().to_dict(),
        "stds": numbers.std(ddof=0).to_dict(),
    }  # fmt: skip


def clipped(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    centre, scatter = np.nanmedian(values), np.nanstd(values)
    for _ in range(3):
        values = values[np.abs(values - centre) <= 3 * scatter]
        centre, scatter = np.mean(values), np.std(values)
    return float(centre), float(scatter)
