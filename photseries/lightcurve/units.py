"""Flux units as text: the supported ones, and which are spectral flux densities.

astropy takes a second to import and is not part of the base installation, and the service needs only two facts of a
unit. Grammar and names are a subset of astropy's, with the same meaning. Importing this module loads neither numpy nor
pandas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from photseries.fields.values import MAX_UNIT_LENGTH

__all__ = ["MICROJANSKY", "RELATIVE", "FluxUnit", "flux_unit_of"]

MICROJANSKY: Final = "uJy"

#: The unit of relative fluxes.
RELATIVE: Final = "relative"

_AB_JANSKY: Final = 10 ** (8.9 / 2.5)

_Powers = Mapping[str, int]

#: The scale in SI units and the powers of the base units. Units without an SI dimension are base units.
_JANSKY: Final = (1e-26, {"kg": 1, "s": -2})
_PREFIXED: Final[Mapping[str, tuple[float, _Powers]]] = {
    "Jy": _JANSKY,
    "W": (1.0, {"kg": 1, "m": 2, "s": -3}),
    "J": (1.0, {"kg": 1, "m": 2, "s": -2}),
    "erg": (1e-7, {"kg": 1, "m": 2, "s": -2}),
    "eV": (1.602176634e-19, {"kg": 1, "m": 2, "s": -2}),
    "Hz": (1.0, {"s": -1}),
    "g": (1e-3, {"kg": 1}),
    "m": (1.0, {"m": 1}),
    "s": (1.0, {"s": 1}),
    "rad": (1.0, {"rad": 1}),
    "sr": (1.0, {"rad": 2}),
    "adu": (1.0, {"adu": 1}),
    "ct": (1.0, {"ct": 1}),
    "count": (1.0, {"ct": 1}),
    "ph": (1.0, {"ph": 1}),
    "photon": (1.0, {"ph": 1}),
    "pix": (1.0, {"pix": 1}),
    "pixel": (1.0, {"pix": 1}),
    "mgy": (1.0, {"mgy": 1}),
}
_PLAIN: Final[Mapping[str, tuple[float, _Powers]]] = {
    **dict.fromkeys(("AB", "ABflux"), (_AB_JANSKY * 1e-26, {"kg": 1, "s": -2})),
    **dict.fromkeys(("AA", "Angstrom", "angstrom"), (1e-10, {"m": 1})),
    **dict.fromkeys(("h", "hr", "hour"), (3600.0, {"s": 1})),
    **dict.fromkeys(("d", "day"), (86400.0, {"s": 1})),
    **dict.fromkeys(("DN", "dn"), (1.0, {"DN": 1})),
    **dict.fromkeys(("%", "percent", "pct"), (0.01, {})),
    "maggy": (1.0, {"mgy": 1}),
    "micron": (1e-6, {"m": 1}),
    "min": (60.0, {"s": 1}),
    "deg": (math.pi / 180, {"rad": 1}),
    "arcmin": (math.pi / 10_800, {"rad": 1}),
    "arcsec": (math.pi / 648_000, {"rad": 1}),
    "electron": (1.0, {"electron": 1}),
    "beam": (1.0, {"beam": 1}),
    "bin": (1.0, {"bin": 1}),
    "chan": (1.0, {"chan": 1}),
}
_PREFIXES: Final = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "c": -2, "d": -1, "da": 1, "h": 2, "k": 3,
    "M": 6, "G": 9,
}  # fmt: skip
_SYMBOLS: Final[Mapping[str, tuple[float, _Powers]]] = {
    **{
        f"{prefix}{name}": (scale * 10.0**power, powers)
        for name, (scale, powers) in _PREFIXED.items()
        for prefix, power in _PREFIXES.items()
    },
    **_PREFIXED,
    **_PLAIN,
}

#: Other spellings -> units that astropy and this module know.
_SPELLINGS: Final = {
    "e-": "electron", "ADU": "adu", "counts": "count", "electrons": "electron", "photons": "photon",
    "nanomaggy": "nmgy", "nanomaggies": "nmgy",
}  # fmt: skip
_SPELLING: Final = re.compile(rf"(?<![\w.])({'|'.join(_SPELLINGS)})(?![\w-])")

#: Texts for fluxes without a unit; ppm and ppt are parts in a million and in a thousand.
_RELATIVE: Final = (RELATIVE, "ppm", "ppt")

_FACTOR: Final = re.compile(r"(?P<name>%|[A-Za-zµμ]+)(?:(?:\*\*|\^)?(?:(?P<power>[+-]?\d)|\((?P<group>[+-]?\d)\)))?")
_TIMES: Final = re.compile(r"\s*(?:\.|(?<!\*)\*(?!\*))\s*|\s+")
_SCALE: Final = re.compile(r"\s*(?:10(?:\*\*|\^)?\(?(?P<exponent>[+-]\d+)\)?|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?))")


@dataclass(frozen=True)
class FluxUnit:
    """A unit of flux.

    Parameters
    ----------
    name : str
        As it is stored: as given, without spaces around a slash.
    standard : str or None
        A spelling that VOTable, FITS and astropy read, where there is one; None for fluxes without a unit.
    microjansky : float or None
        Of one unit [uJy]; None if the unit is not a spectral flux density.
    """

    name: str
    standard: str | None
    microjansky: float | None


@lru_cache(maxsize=256)
def flux_unit_of(text: str) -> FluxUnit:
    """Read a unit of flux.

    Parameters
    ----------
    text : str
        Such as ``mJy``, ``erg/s/cm2/Hz``, ``electron/s``, ``relative`` or ``ppm``.

    Raises
    ------
    ValueError
        With a sentence, when the text is not a known unit of flux.

    Notes
    -----
    A density per wavelength, as in erg/s/cm2/AA, cannot be converted to one per frequency without a wavelength, so it
    does not count as a spectral flux density.
    """
    name = "/".join(part.strip() for part in text.strip().split("/"))
    if name in _RELATIVE:
        return FluxUnit(name, None if name == RELATIVE else name, None)
    name = _SPELLING.sub(lambda match: _SPELLINGS[match[0]], name)
    if len(name) > MAX_UNIT_LENGTH:
        raise _unknown(text)
    scaled = _SCALE.match(name)
    symbols = name if scaled is None else name[scaled.end() :]
    factors = list(_factors(symbols, text))
    scale = 1.0 if scaled is None else float(scaled["number"] or f"1e{scaled['exponent']}")
    if not 0 < scale < math.inf:
        raise _unknown(text)
    standard = _standard(scale, factors) or name
    dimension: dict[str, int] = {}
    for symbol, power in factors:
        unit, powers = _SYMBOLS[symbol]
        scale *= unit**power
        for base, exponent in powers.items():
            dimension[base] = dimension.get(base, 0) + exponent * power
    is_density = {base: power for base, power in dimension.items() if power} == _JANSKY[1]
    microjansky = float(f"{scale * 1e32:.14g}")  # without the rounding errors of a product of powers of ten
    return FluxUnit(name, standard, microjansky if is_density else None)


def _factors(text: str, spelling: str) -> Iterator[tuple[str, int]]:
    """Yield the symbols of a unit and their powers; a unit between two slashes is a divisor."""
    for number, product in enumerate(text.strip().split("/")):
        inner = product[1:-1] if number and product.startswith("(") and product.endswith(")") else product
        for factor in map(_FACTOR.fullmatch, _TIMES.split(inner.strip())):
            if factor is None or factor["name"] not in _SYMBOLS:
                raise _unknown(spelling)
            power = int(factor["power"] or factor["group"] or 1)
            yield factor["name"].replace("µ", "u").replace("μ", "u"), -power if number else power


def _standard(scale: float, factors: list[tuple[str, int]]) -> str | None:
    """Write a unit with powers, or with a single slash if possible; None if its scale is not a power of ten."""
    exponent = round(math.log10(scale))
    if scale != float(f"1e{exponent}"):
        return None
    head = f"10{exponent:+d} " if exponent else ""
    if len(factors) == 2 and (factors[0][1], factors[1][1]) == (1, -1):
        return f"{head}{factors[0][0]}/{factors[1][0]}"
    return head + ".".join(f"{symbol}{'' if power == 1 else power}" for symbol, power in factors)


def _unknown(text: str) -> ValueError:
    return ValueError(
        f"{text.strip()[:40]!r} is not a known unit of flux. Use one such as uJy, mJy, erg/s/cm2/Hz, electron/s, "
        f"adu/s, ct/s, percent or ppm, or {RELATIVE!r} for a flux without a unit."
    )
