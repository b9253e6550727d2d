"""Parts of tables: every column that may be asked for can be derived, and asking costs nothing."""

import subprocess
import sys

import numpy as np
import pandas as pd

from photseries.lightcurve.select import select
from photseries.lightcurve.selection import DERIVED, Selection
from tests.support import columns

KNOWN_TIMES = {
    "ra": 10.25, "dec": -20.5, "time_scale": "utc", "time_refpos": "topocenter", "longitude": 0.0, "latitude": 45.0,
    "height": 100.0,
}  # fmt: skip


def test_every_derivable_column_is_computed():
    frame = pd.DataFrame(columns())
    assert list(select(frame, Selection(columns=("mjd",), derive=tuple(DERIVED)), KNOWN_TIMES)) == ["mjd", *DERIVED]


def test_the_table_of_parameters_needs_no_numbers():
    program = "import sys, photseries.parameters; print({'numpy', 'pandas'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_converting_the_fluxes_scales_every_flux_column_by_itself():
    frame = pd.DataFrame(
        {"mjd": [1.0, 2.0, 3.0], "flux": [1.0, 2.0, 3.0], "fluxes": [7.0, 8.0, 9.0], "fluxerr": [0.5, 0.0, -1.0]}
    )
    mjy = {"flux_unit": "mJy"}
    part = select(frame, Selection(derive=("flux",)), mjy)
    assert part.to_dict("list") == {
        "mjd": [1.0, 2.0, 3.0],
        "flux": [1e3, 2e3, 3e3],
        "fluxes": [7e3, 8e3, 9e3],
        "fluxerr": [500.0, 0.0, -1000.0],
    }
    derived = select(frame, Selection(derive=("fluxerr",)), mjy)  # errors that are not positive count as absent
    np.testing.assert_array_equal(derived["fluxerr"], [500.0, np.nan, np.nan])


def test_converting_the_fluxes_keeps_those_beside_magnitudes():
    frame = pd.DataFrame({"mjd": [1.0, 2.0], "flux": [1.0, 2.0], "mag": [23.9, 18.9], "magerr": [0.1, 0.2]})
    part = select(frame, Selection(derive=("fluxerr",)), {"flux_unit": "mJy", "brightness": "mag"})
    assert part["flux"].tolist() == [1e3, 2e3]
    np.testing.assert_allclose(part["fluxerr"], np.log(10) / 2.5 * np.array([0.1 * 1, 0.2 * 100]))
