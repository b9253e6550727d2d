"""The calibration of fluxes and magnitudes of a series, and whether they can be converted into each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal, TypedDict

from photseries.fields import FIELDS, Field
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, FluxUnit, flux_unit_of

__all__ = ["AB_MICROJANSKY", "Calibration", "Described", "Unit", "calibration_of", "unit_in", "with_fields_of_altdata"]

Unit = Literal["flux", "mag"]

_SYSTEMS: Final = {"ab": "AB", "vega": "Vega", "instrumental": "instrumental"}

#: The keys of altdata that were used before there were fields for them.
_OLD: Final = ("flux_calibrated", "flux_unit")


class Described(TypedDict):
    """What the values of a brightness are: its kind, unit and system, and the label of its axis."""

    brightness: Unit
    unit: Annotated[str, "Unit of the brightness: mag, uJy, or flux_unit if that is not a flux density."]
    magsys: Annotated[str | None, {"enum": [*FIELDS["magsys"].values, None]}, "Magnitude system."]
    label: Annotated[str, "Axis label."]


@dataclass(frozen=True)
class Calibration:
    """The unit of the fluxes of a series, the system of its magnitudes, and which of the two is its brightness.

    Parameters
    ----------
    flux_unit : FluxUnit
        Of the fluxes in the table.
    magsys : {"ab", "vega", "instrumental"}
        Of the magnitudes in the table.
    brightness : {"flux", "mag"}, optional
        None: flux where the table has one.
    """

    flux_unit: FluxUnit
    magsys: str = "ab"
    brightness: Unit | None = None

    @property
    def converts(self) -> bool:
        """Whether fluxes become magnitudes and magnitudes fluxes: only AB and a flux density are on one scale."""
        return self.magsys == "ab" and self.flux_unit.microjansky is not None

    @property
    def scale(self) -> float:
        """What a flux of the table is multiplied with for statistics, which are in :attr:`unit`."""
        return self.flux_unit.microjansky or 1.0

    @property
    def unit(self) -> str:
        """The unit of statistics and of derived fluxes: uJy, or that of the table if it is no flux density."""
        return self.flux_unit.name if self.flux_unit.microjansky is None else MICROJANSKY

    @property
    def standard_unit(self) -> str | None:
        """The same as files spell it; None for fluxes without a unit."""
        return self.flux_unit.standard if self.flux_unit.microjansky is None else MICROJANSKY

    @property
    def system(self) -> str:
        """The system of the magnitudes in words: AB, Vega or instrumental.

        Empty where it is AB by default alone: nobody spoke of magnitudes beside fluxes that have none.
        """
        is_silent = self.magsys == "ab" and self.flux_unit.microjansky is None and self.brightness != "mag"
        return "" if is_silent else _SYSTEMS[self.magsys]

    def described(self, unit: Unit) -> Described:
        """Return what flux or magnitude is in statistics and derived columns, as answers have it."""
        is_mag = unit == "mag"
        return {
            "brightness": unit,
            "unit": "mag" if is_mag else self.unit,
            "magsys": self.magsys if is_mag else None,
            "label": self.label(unit),
        }

    def label(self, unit: Unit) -> str:
        """Return the label of an axis of flux or magnitude."""
        if unit == "mag":
            return f"{self.system} magnitude".strip()
        if self.unit == RELATIVE:
            return "relative flux"
        return f"flux [{'µJy' if self.unit == MICROJANSKY else self.unit}]"


#: What a series has unless its fields say otherwise.
AB_MICROJANSKY: Final = Calibration(flux_unit_of(MICROJANSKY))


def calibration_of(metadata: Mapping[str, object]) -> Calibration:
    """Return the calibration of a series.

    Parameters
    ----------
    metadata : mapping
        Checked fields; absent ones have their default. What ``altdata`` says of fluxes in files from before the fields
        were introduced counts.
    """
    fields = with_fields_of_altdata(metadata, prefer_altdata=True)
    return _calibration(fields.get("flux_unit") or MICROJANSKY, fields.get("magsys") or "ab", fields.get("brightness"))


@lru_cache(maxsize=256)
def _calibration(unit: str, magsys: str, brightness: Unit | None) -> Calibration:
    return Calibration(flux_unit_of(unit), magsys, brightness)


def with_fields_of_altdata(fields: Mapping[str, object], *, prefer_altdata: bool = False) -> dict[str, object]:
    """Move what ``altdata`` says of fluxes that are not calibrated into ``flux_unit``.

    Clients before the field existed wrote ``flux_calibrated: false`` and ``flux_unit`` into altdata.

    Parameters
    ----------
    fields : mapping
        Fields of a series.
    prefer_altdata : bool
        Whether altdata wins over a ``flux_unit`` that is given, as for a row that has got the default.

    Returns
    -------
    dict
        The fields; the two keys are removed from altdata, which is None if nothing else was in it. A unit that is not
        known becomes ``relative``.
    """
    altdata = fields.get("altdata")
    if not isinstance(altdata, Mapping) or altdata.get("flux_calibrated") is not False:
        return dict(fields)
    moved = {**fields, "altdata": {name: value for name, value in altdata.items() if name not in _OLD} or None}
    if prefer_altdata or fields.get("flux_unit") is None:
        try:
            moved["flux_unit"] = flux_unit_of(str(altdata.get("flux_unit"))).name
        except ValueError:
            moved["flux_unit"] = RELATIVE
    return moved


def unit_in(field: Field, metadata: Mapping[str, object]) -> str | None:
    """Return the unit of a field in a series: AB or Vega for its magnitudes, its own for statistics of its fluxes."""
    calibration = calibration_of(metadata)
    if field.is_magnitude:
        return {"vega": "Vega", "ab": "AB"}.get(calibration.magsys, field.unit)
    if field.unit == MICROJANSKY:
        return None if calibration.unit == RELATIVE else calibration.unit
    return field.unit
