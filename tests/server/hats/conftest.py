"""An archive of a few stars that vary, and its export; only where the packages for that are (make test-hats)."""

from importlib.util import find_spec

import numpy as np
import pytest

from photseries.server.accounts import OPERATOR
from photseries.server.hats import Layout, Target, export

collect_ignore_glob = [] if find_spec("hats") else ["test_*.py"]

#: The stars: position [deg], period [d].
STARS = {
    "north": (10.0, 41.0, 0.5137),
    "near north": (10.01, 41.0, 1.2071),
    "south": (200.0, -60.0, 2.311),
    "pole": (0.0, 89.9, 0.0831),
}
FILTERS = ("ztfg", "ztfr")
ROWS = 120


def star(name, band):
    """What is posted of a star in a filter: a sine that is seen at odd times."""
    ra, dec, period = STARS[name]
    noise = np.random.default_rng([*name.encode(), *band.encode()])
    mjd = 59000 + noise.uniform(0, 40, ROWS)
    flux = 100 + 20 * np.sin(2 * np.pi * mjd / period) + noise.normal(0, 0.5, ROWS)
    data = {"mjd": mjd.tolist(), "flux": flux.tolist(), "fluxerr": [0.5] * ROWS, "airmass": (mjd % 1 + 1).tolist()}
    named = {"obj_id": name, "series_name": "night", "series_obj_id": name, "instrument_id": 7}
    return {**named, "ra": ra, "dec": dec, "exp_time": 30, "filter": band, "altdata": {"note": "made up"}, "data": data}


@pytest.fixture
def ids(services, principal):
    """The ids of the series by star and filter."""
    for name, (ra, dec, _) in STARS.items():
        services.accounts.create(OPERATOR, "sources", {"id": name, "ra": ra, "dec": dec})
    return {(name, band): services.archive.create(principal, star(name, band)).id for name in STARS for band in FILTERS}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "export"


@pytest.fixture
def exported(services, folder):
    """A function that exports."""

    def run(*, by_source=False, columns=(), **options):
        return export(services, OPERATOR, Target(str(folder)), Layout(by_source, columns), **options)

    return run


@pytest.fixture
def environment(archive_url, tmp_path):
    """What a command needs to find the archive."""
    return {"PHOTSERIES_DATABASE__URL": archive_url, "PHOTSERIES_DATA__DIRECTORY": str(tmp_path / "data")}
