"""Compare the package's filter names with those of an installed sncosmo; exit with 1 when they differ.

sncosmo is no dependency, so run this in an environment of its own, from the top of the project::

    python -m venv /tmp/sncosmo
    /tmp/sncosmo/bin/pip install sncosmo==2.13.1
    PYTHONPATH=. /tmp/sncosmo/bin/python tests/compare_bandpasses.py

To move to another release, install that one, carry the differences over to ``photseries/lightcurve/bandpasses.py``,
and set ``SNCOSMO_VERSION`` there.
"""

from __future__ import annotations

import sys

import sncosmo

from photseries.lightcurve.bandpasses import BANDPASSES, SNCOSMO_VERSION


def main() -> int:
    theirs = {str(band["name"]) for band in sncosmo.bandpasses._BANDPASSES.get_loaders_metadata()}
    missing, surplus = sorted(theirs - set(BANDPASSES)), sorted(set(BANDPASSES) - theirs)
    print(f"photseries has the {len(BANDPASSES)} names of sncosmo {SNCOSMO_VERSION};", end=" ")
    print(f"the installed sncosmo {sncosmo.__version__} has {len(theirs)}.")
    print(f"in sncosmo alone:    {', '.join(missing) or '-'}")
    print(f"in photseries alone: {', '.join(surplus) or '-'}")
    return 1 if missing or surplus else 0


if __name__ == "__main__":
    sys.exit(main())
