"""Parts of tables: every column that may be asked for can be derived, and asking costs nothing."""

import subprocess
import sys

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
