"""Fields of a series from the header of a recognised survey."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from photseries.formats.time_frames import as_alignment, as_refpos
from photseries.surveys import Mission, Survey, first_of

__all__ = ["fields_of"]

_KEPT: Final = ("CAMERA", "CCD", "CHANNEL", "MODULE", "OUTPUT", "TESSMAG", "KEPMAG", "PROCVER", "DATA_REL")


def fields_of(header: Mapping[str, object], survey: Survey) -> dict[str, Any]:
    """Return fields of a series from the header of a file.

    Parameters
    ----------
    header : mapping
        The keywords of the primary header and the table header, or of a lightkurve object.

    Returns
    -------
    dict
        ``exp_time`` [s] of a mission is the photon accumulation time of a row: ``INT_TIME`` per frame times ``NUM_FRM``
        frames. The loss to the cosmic-ray mitigation of TESS is not subtracted.
    """
    named = {field: header.get(keyword) for field, keyword in survey.fields.items()}
    fields = {
        **survey.constants,
        **{field: value for field, value in named.items() if isinstance(value, str | int | float)},
    }
    if survey.mission is not None:
        fields |= _of_mission(header, survey.mission)
    return {name: value for name, value in fields.items() if value not in (None, "", {})}


def _of_mission(header: Mapping[str, object], mission: Mission) -> dict[str, object]:
    star = re.search(r"\d+", str(first_of(header, mission.identity) or ""))
    part = re.fullmatch(r"\d+", str(header.get(mission.part, "")).strip())
    return {
        "obj_id": None if star is None else f"{mission.catalogue} {star[0]}",
        "series_name": None if part is None else mission.series_name.format(int(part[0])),
        "series_obj_id": None if star is None else star[0],
        "ra": _number(header, "RA_OBJ"),
        "dec": _number(header, "DEC_OBJ"),
        "exp_time": _exposure(header),
        "time_stamp_alignment": as_alignment(header.get("TIMEPIXR")),
        "time_refpos": as_refpos(header.get("TIMEREF")),
        "altdata": {name.lower(): header[name] for name in _KEPT if isinstance(header.get(name), int | float | str)},
    }


def _exposure(header: Mapping[str, object]) -> float | None:
    a_frame, frames = _number(header, "INT_TIME"), _number(header, "NUM_FRM")
    return None if a_frame is None or frames is None else a_frame * frames


def _number(header: Mapping[str, object], name: str) -> float | None:
    value = header.get(name)
    return float(value) if isinstance(value, int | float) else None
