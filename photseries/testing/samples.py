"""Sample light curves with known properties; deterministic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.client import Client, Uploaded
from photseries.lightcurve.photometry import FloatArray

__all__ = ["SAMPLES", "Sample", "upload_samples"]

#: The instrument of all samples.
INSTRUMENT_ID: Final = 1

_FIRST_MJD: Final = 60000.0
_SPAN: Final = 20.0  # [d]


@dataclass(frozen=True)
class Sample:
    """A sample light curve.

    Parameters
    ----------
    obj_id : str
    filter : str
    ra, dec : float
        [deg, ICRS]
    flux : float
        The median flux [uJy].
    period : float or None
        The period [d]; None for a constant star.
    rows : int
    shape : callable
        Relative brightness as a function of the phase, both of shape (n,).
    """

    obj_id: str
    filter: str
    ra: float
    dec: float
    flux: float
    period: float | None
    rows: int
    shape: Callable[[FloatArray], FloatArray]

    @property
    def data(self) -> pd.DataFrame:
        """The table: ``mjd`` [d], ``flux`` and ``fluxerr`` [uJy], with noise of 1 percent."""
        noise = np.random.default_rng(self.rows)
        mjd = _FIRST_MJD + np.sort(noise.uniform(0, _SPAN, self.rows))
        light = self.flux * self.shape((mjd - _FIRST_MJD) / (self.period or _SPAN) % 1)
        error = np.full(self.rows, 0.01 * self.flux)
        return pd.DataFrame({"mjd": mjd, "flux": light + noise.normal(0, error), "fluxerr": error})

    @property
    def fields(self) -> dict[str, Any]:
        """The metadata that an upload of the table needs."""
        return {
            "obj_id": self.obj_id,
            "instrument_id": INSTRUMENT_ID,
            "series_name": "samples",
            "series_obj_id": self.obj_id,
            "ra": self.ra,
            "dec": self.dec,
            "exp_time": 30.0,
            "filter": self.filter,
        }


def _pulsation(phase: FloatArray) -> FloatArray:
    return np.asarray(1 + 0.3 * np.sin(2 * np.pi * phase))


def _transit(phase: FloatArray) -> FloatArray:
    return np.where(np.abs(phase - 0.5) < 0.03, 0.9, 1.0)


#: The samples: a constant star, a pulsating star in two filters, a star with transits.
SAMPLES: Final = (
    Sample("Sample constant", "ztfr", 10.0, 20.0, 500.0, None, 200, np.ones_like),
    Sample("Sample pulsating", "ztfg", 150.0, -5.0, 300.0, 0.73, 400, _pulsation),
    Sample("Sample pulsating", "ztfr", 150.0, -5.0, 400.0, 0.73, 401, _pulsation),
    Sample("Sample transit", "tess", 300.0, 45.0, 2000.0, 3.1, 2000, _transit),
)


def upload_samples(client: Client) -> list[Uploaded]:
    """Upload the samples, and create the sources and the instrument that they refer to.

    Parameters
    ----------
    client : Client
        With the token of an admin; the archive must not contain the samples.

    Returns
    -------
    list of Uploaded
        In the order of :data:`SAMPLES`.

    Raises
    ------
    DuplicateError
        When the archive contains them.
    ForbiddenError
        When the token lacks ``System admin``.
    """
    client.create(
        "instrument", id=INSTRUMENT_ID, name="Sample camera", filters=sorted({sample.filter for sample in SAMPLES})
    )
    for obj_id, (ra, dec) in {sample.obj_id: (sample.ra, sample.dec) for sample in SAMPLES}.items():
        client.create("sources", id=obj_id, ra=ra, dec=dec)
    return [client.upload(sample.data, **sample.fields) for sample in SAMPLES]
