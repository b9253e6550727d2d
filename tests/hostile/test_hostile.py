"""Nothing hostile gets in, and everything that pandas writes does."""

import tempfile

import h5py
import pytest

from photseries.errors import UnreadableFileError
from photseries.hdf5 import plain_hdf5
from photseries.server.settings import LimitSettings
from tests.hostile import attacks, pickles, structures, trial
from tests.hostile.cases import CANARY, Traps
from tests.support import RunningService, recipe_read
from tests.world import World

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    settings = {"database__url": database_url, "sandbox__deadline": trial.DEADLINE, **attacks.SETTINGS}
    with RunningService(directory, **settings) as running:
        yield running


@pytest.mark.timeout(600)
def test_every_attack_is_refused_or_harmless(service):
    with tempfile.TemporaryDirectory() as folder, service.client() as admin:
        world, traps = World(admin), Traps(folder)
        outcomes, traces = trial.run(service, world, traps, trial.every_case())
    wrong = [
        (outcome.case.name, outcome.faults, outcome.status, outcome.text) for outcome in outcomes if outcome.faults
    ]
    assert wrong == []
    assert traces == []


def test_traps_detect_execution():
    """An attack that is opened the careless way springs the trap: the cases are no blanks."""
    with tempfile.TemporaryDirectory() as folder:
        traps = Traps(folder)
        for name in ("external link", "external storage", "virtual", "printf-style virtual"):
            path = traps.folder / "opened.h5"
            path.write_bytes(structures.POINTING[name](traps))
            with h5py.File(path) as file:
                assert CANARY in file["phot/table"][:].tobytes()
        (attack,) = (case for case in pickles.cases() if case.name == "pickle 0 os.system")
        recipe_read(attack.make(traps))
        assert traps.marker.exists()


def test_file_that_links_to_itself_causes_no_loop():
    """Found here: a printf-style virtual dataset with itself as source caused an endless loop in libhdf5."""
    with tempfile.TemporaryDirectory() as folder:
        blob = structures.POINTING["printf-style virtual"](Traps(folder))
    with pytest.raises(UnreadableFileError, match="damaged"):
        plain_hdf5.read(blob, LimitSettings())
