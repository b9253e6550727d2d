"""Signs of mistakes in a table that is valid."""

import numpy as np
import pandas as pd

from photseries.lightcurve.quality import inspect

MJD = 59000 + np.arange(6.0)


def said(**columns):
    frame = pd.DataFrame({"mjd": MJD, **columns})
    return " ".join(inspect(frame, frame, {}, {}).warnings)


def test_a_table_without_anything_odd():
    assert said(flux=np.full(6, 1000.0), fluxerr=np.full(6, 5.0), mag=np.full(6, 16.4)) == ""


def test_magnitudes_that_count_as_absent_are_counted():
    mag = [18.0, 99.999, -99.0, 100.0, np.nan, np.inf]
    found = said(mag=mag, magerr=np.full(6, 0.1), lim_mag=[20.0, 99.0, 20.0, 20.0, 20.0, 20.0])
    assert "3 of 6 values in the column 'mag' are 40 mag or more, or -40 or less" in found
    assert "1 of 6 values in the column 'lim_mag'" in found
    assert "2 of 6 rows have no brightness." in found
    assert "40" not in said(mag=[18.0, 39.9, -39.9, 20.0, 19.0, 18.0], magerr=np.full(6, 0.1))
    assert "40" not in said(flux=np.full(6, 99.0), fluxerr=np.full(6, 5.0), mag=["99"] * 6)


def test_errors_that_are_not_positive_are_counted():
    found = said(flux=np.full(6, 1000.0), fluxerr=[5.0, 0.0, -1.0, 5.0, np.nan, 5.0])
    assert found == "2 of 6 errors in the column 'fluxerr' are zero or negative and count as absent."


def test_a_table_without_errors():
    assert said(flux=np.full(6, 1000.0)).startswith("There are no errors; the noise is estimated")
