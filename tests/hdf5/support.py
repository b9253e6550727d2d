"""The how-to's recipe, both ways, in memory; what pipelines do and what downloaders do."""

import secrets
from pathlib import Path

import numpy as np
import pandas as pd

from photseries.server.settings import LimitSettings

LIMITS = LimitSettings()
DATA = Path(__file__).parent.parent / "data"
TESS = DATA / "TESS_photometric_series1.h5"


def recipe_read(blob):
    with pd.HDFStore(
        secrets.token_hex(8), mode="r", driver="H5FD_CORE", driver_core_image=blob, driver_core_backing_store=0
    ) as store:
        (key,) = store.keys()
        return store[key], getattr(store.get_storer(key).attrs, "metadata", None)


def recipe_write(frame, metadata=None, *, key="phot", format="table", fletcher32=False, **options):
    with pd.HDFStore(
        secrets.token_hex(8), mode="w", driver="H5FD_CORE", driver_core_backing_store=0, fletcher32=fletcher32
    ) as store:
        store.put(key, frame, format=format, index=None, track_times=False, **options)
        if metadata is not None:
            store.get_storer(key).attrs.metadata = metadata
        return store._handle.get_file_image()


def edited(blob, edit):
    """Change a file through PyTables: ``edit(handle, group)`` sees the open file and the group of its key."""
    with pd.HDFStore(
        secrets.token_hex(8), mode="a", driver="H5FD_CORE", driver_core_image=blob, driver_core_backing_store=0
    ) as store:
        (key,) = store.keys()
        edit(store._handle, store.get_storer(key).group)
        return store._handle.get_file_image()


def some_frame():
    return pd.DataFrame(
        {
            "mjd": [58000.5, 58001.5, np.nan, 58003.5],
            "flux": np.array([1.1, -2.5, np.inf, np.nan], "f4"),
            "half": np.array([1, 2.5, np.nan, 3], "f2"),
            "flag": np.array([0, -7, 2**31 - 1, 5], "i4"),
            "id": np.array([1, 2, 3, 2**63 - 1], "i8"),
            "small": np.array([0, 1, 2, 255], "u1"),
            "good": [True, False, True, True],
            "note": ["nan", "", "é☃", None],
            "quality": ["x", "yy", "zzz", "x"],
            "when": np.array(["2019-01-01T00:00:00.25", "NaT", "2021-02-03", "2022-01-01T12:00"], "M8[ns]"),
            "lasted": np.array([1, 2, -3, "NaT"], "m8[ns]"),
        }
    )
