"""What the headers of TESS, Kepler and K2 tell of a light curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from photseries.formats.time_frames import as_alignment, as_refpos

__all__ = ["MISSIONS", "Mission", "mission_of", "suggestions"]


@dataclass(frozen=True)
class Mission:
    """A mission, by the keywords of its light curves.

    Parameters
    ----------
    name : str
    identity, prefix : str
        The keyword of the star's number in the mission's catalogue, and the name of that catalogue.
    part, series_name : str
        The keyword of the part of the survey, and the name of its series.
    quality : str
        The column of the quality flags.
    filter : str
        The bandpass.
    reference : float
        The BJD at which the mission's times are 0, where the header does not say [d].
    """

    name: str
    identity: str
    prefix: str
    part: str
    series_name: str
    quality: str
    filter: str
    reference: float


#: By what ``MISSION`` or else ``TELESCOP`` says.
MISSIONS: Final[Mapping[str, Mission]] = {
    "TESS": Mission("TESS", "TICID", "TIC", "SECTOR", "TESS/sector-{:02d}", "QUALITY", "tess::red", 2_457_000.0),
    "Kepler": Mission(
        "Kepler", "KEPLERID", "KIC", "QUARTER", "Kepler/quarter-{:02d}", "SAP_QUALITY", "kepler", 2_454_833.0
    ),
    "K2": Mission("K2", "KEPLERID", "EPIC", "CAMPAIGN", "K2/campaign-{:02d}", "SAP_QUALITY", "kepler", 2_454_833.0),
}

_KEPT: Final = ("CAMERA", "CCD", "CHANNEL", "MODULE", "OUTPUT", "TESSMAG", "KEPMAG", "PROCVER", "DATA_REL")


def mission_of(header: Mapping[str, Any]) -> Mission | None:
    """Tell which mission made a file, by its header; None when it is none of these."""
    return MISSIONS.get(str(header.get("MISSION", "")).strip()) or MISSIONS.get(str(header.get("TELESCOP", "")).strip())


def suggestions(header: Mapping[str, Any]) -> dict[str, Any]:
    """Suggest fields of a series from the header of a light curve.

    Parameters
    ----------
    header : mapping
        The keywords of the primary header and of the table's; those of a lightkurve object do as well.

    Returns
    -------
    dict
        ``exp_time`` [s] is the photon accumulation time of a row: ``INT_TIME`` a frame times ``NUM_FRM`` frames. What
        the cosmic-ray mitigation of TESS leaves out is not subtracted. Empty when no mission is recognized.
    """
    mission = mission_of(header)
    if mission is None:
        return {}
    number, part = header.get(mission.identity), header.get(mission.part)
    fields = {
        "obj_id": None if number is None else f"{mission.prefix} {number}",
        "series_name": mission.series_name.format(part) if isinstance(part, int) else None,
        "series_obj_id": None if number is None else str(number),
        "ra": _number(header, "RA_OBJ"),
        "dec": _number(header, "DEC_OBJ"),
        "exp_time": _exposure(header),
        "filter": mission.filter,
        "time_stamp_alignment": as_alignment(header.get("TIMEPIXR")),
        "time_refpos": as_refpos(header.get("TIMEREF")),
        "altdata": {name.lower(): header[name] for name in _KEPT if isinstance(header.get(name), int | float | str)},
    }
    return {name: value for name, value in fields.items() if value not in (None, {})}


def _exposure(header: Mapping[str, Any]) -> float | None:
    a_frame, frames = _number(header, "INT_TIME"), _number(header, "NUM_FRM")
    return None if a_frame is None or frames is None else a_frame * frames


def _number(header: Mapping[str, Any], name: str) -> float | None:
    value = header.get(name)
    return float(value) if isinstance(value, int | float) else None
