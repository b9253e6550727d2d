"""The calibration of fluxes and magnitudes of a series, and whether they can be converted into each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal, TypedDict

from photseries.fields import FIELDS, Field
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, FluxUnit, flux_unit_of

__all__ = [
    "AB_MICROJANSKY",
    "SYSTEM_COLUMNS",
    "ZERO_POINT_COLUMNS",
    "BrightnessDescription",
    "Calibration",
    "Unit",
    "calibration_of",
    "unit_in",
    "with_fields_of_altdata",
]

Unit = Literal["flux", "mag"]

#: Columns with a zero point for each row, and with the system of magnitudes, in lower case; also keywords of headers.
ZERO_POINT_COLUMNS: Final = ("zp", "zeropoint", "zero_point", "zeropt", "zp_ab", "magzp", "mag_zp", "zpmag", "magzero")
SYSTEM_COLUMNS: Final = (
    "magsys", "zpsys", "mag_system", "magnitude_system", "mag_sys", "magsystem", "mag system", "magnitude system",
    "zp_sys",
)  # fmt: skip

#: Keys of altdata that earlier versions used instead of fields.
_OLD: Final = ("flux_calibrated", "flux_unit")


class BrightnessDescription(TypedDict):
    """The kind, unit and system of a brightness, and the label of its axis."""

    brightness: Unit
    unit: Annotated[str, "Unit of the brightness: mag, uJy, or flux_unit if that is not a flux density."]
    magsys: Annotated[str | None, {"enum": [*FIELDS["magsys"].values, None]}, "Magnitude system."]
    label: Annotated[str, "Axis label."]


@dataclass(frozen=True)
class Calibration:
    """The flux unit, magnitude system and brightness column of a series.

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
        """Whether fluxes and magnitudes can be converted: only AB magnitudes and flux densities can."""
        return self.magsys == "ab" and self.flux_unit.microjansky is not None

    @property
    def scale(self) -> float:
        """The factor from fluxes of the table to :attr:`unit`, the unit of statistics."""
        return self.flux_unit.microjansky or 1.0

    @property
    def unit(self) -> str:
        """The unit of statistics and derived fluxes: uJy, or the table's unit if it is not a flux density."""
        return self.flux_unit.name if self.flux_unit.microjansky is None else MICROJANSKY

    @property
    def system(self) -> str:
        """The system of the magnitudes in words: AB, Vega or instrumental.

        Empty if the series has only fluxes and AB is merely the default.
        """
        is_silent = self.magsys == "ab" and self.flux_unit.microjansky is None and self.brightness != "mag"
        return "" if is_silent else FIELDS["magsys"].label_of(self.magsys)

    def describe(self, unit: Unit) -> BrightnessDescription:
        """Describe the flux or magnitude of statistics and derived columns for an answer."""
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


#: The default calibration of a series.
AB_MICROJANSKY: Final = Calibration(flux_unit_of(MICROJANSKY))


def calibration_of(metadata: Mapping[str, object]) -> Calibration:
    """Return the calibration of a series.

    Parameters
    ----------
    metadata : mapping
        Checked fields; absent ones have their default. In files from before these fields, ``altdata`` describes the
        fluxes.
    """
    fields = with_fields_of_altdata(metadata, prefer_altdata=True)
    return _calibration(fields.get("flux_unit") or MICROJANSKY, fields.get("magsys") or "ab", fields.get("brightness"))


@lru_cache(maxsize=256)
def _calibration(unit: str, magsys: str, brightness: Unit | None) -> Calibration:
    return Calibration(flux_unit_of(unit), magsys, brightness)


def with_fields_of_altdata(fields: Mapping[str, object], *, prefer_altdata: bool = False) -> dict[str, object]:
    """Move the calibration of fluxes from ``altdata`` into ``flux_unit``.

    Clients before the field existed wrote ``flux_calibrated: false`` and ``flux_unit`` into altdata.

    Parameters
    ----------
    fields : mapping
        Fields of a series.
    prefer_altdata : bool
        Whether altdata has precedence over ``flux_unit``, as for a row with the default unit.

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
    if field.brightness_unit:
        flux = "1" if calibration.unit == RELATIVE else calibration.unit
        unit = field.brightness_unit.format("mag" if metadata.get("features_of") == "mag" else flux)
        return None if unit == "1" else unit
    if field.is_magnitude:
        return FIELDS["magsys"].value_labels.get(calibration.magsys, field.unit)
    if field.unit == MICROJANSKY:
        return None if calibration.unit == RELATIVE else calibration.unit
    return field.unit
