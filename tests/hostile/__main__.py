"""Run all attacks on a separate service and print the outcomes: ``make hostile``."""

import sys
import tempfile
from pathlib import Path

from tests.hostile import attacks, trial
from tests.hostile.cases import Traps
from tests.support import RunningService
from tests.world import World


def main():
    """Run, report, and give the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "traps").mkdir()
        Path(folder).chmod(0o755)
        directory = Path(folder) / "data"
        directory.mkdir()
        settings = {"sandbox__deadline": trial.DEADLINE, **attacks.SETTINGS}
        with RunningService(directory, **settings) as service, service.client() as admin:
            world, traps = World(admin), Traps(Path(folder) / "traps")
            return trial.report(*trial.run(service, world, traps, trial.every_case()))


sys.exit(main())
