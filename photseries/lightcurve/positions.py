"""Parse positions: decimal, sexagesimal, or in an IAU name, with an optional radius."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from photseries.errors import InvalidError

__all__ = ["DEFAULT_RADIUS", "Cone", "angle", "parse_position", "position_in_name", "sexagesimal"]

#: The default radius of a search [deg].
DEFAULT_RADIUS: Final = 5 / 3600

_UNITS: Final[Mapping[str, float]] = {
    **dict.fromkeys(('"', "''", "arcsec", "arcsecs", "arcsecond", "arcseconds", "asec"), 1 / 3600),
    **dict.fromkeys(("'", "arcmin", "arcmins", "arcminute", "arcminutes", "amin"), 1 / 60),
    **dict.fromkeys(("d", "deg", "degs", "degree", "degrees", "°"), 1.0),
}
_PLAIN: Final = str.maketrans({"−": "-", "–": "-", "″": '"', "”": '"', "′": "'", "’": "'"})
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_RADIUS = re.compile(
    rf"^(.*?)[\s,;]+(?:r(?:adius)?\s*=?\s*)?({_NUMBER})\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})$", re.I
)
_DECIMAL = re.compile(
    rf"(?:ra\s*[=:]?\s*)?({_NUMBER})\s*(?:d|deg|°)?(?:\s*[,;\s]\s*|(?=[+-]))(?:dec\s*[=:]?\s*)?([+-]?)\s*({_NUMBER})\s*"
    r"(?:d|deg|°)?",
    re.I,
)
_SECONDS = r"\d{1,2}(?:\.\d*)?"
_SEXAGESIMAL = re.compile(
    rf"(?:ra\s*[=:]?\s*)?(\d{{1,2}})\s*[h:\s]\s*({_SECONDS})(?:\s*[m:'\s]\s*({_SECONDS})\s*[s\"]?)?\s*m?"
    rf"(?:\s*[,;\s]\s*|(?=[+-]))(?:dec\s*[=:]?\s*)?([+-]?)\s*(\d{{1,2}})\s*[d:°\s]\s*({_SECONDS})"
    rf"(?:\s*[m:'\s]\s*({_SECONDS})\s*(?:s|\"|'')?)?\s*[m']?",
    re.I,
)
_IAU = re.compile(r"(?:^|[^a-z])J\s?(\d{2})(\d{2})(\d{2}(?:\.\d*)?)?([+-])(\d{2})(\d{2})(\d{2}(?:\.\d*)?)?$", re.I)


class Cone(NamedTuple):
    """A circle on the sky; all in deg, ICRS."""

    ra: float
    dec: float
    radius: float


def parse_position(text: str) -> Cone | None:
    """Read a position with an optional radius.

    Parameters
    ----------
    text : str
        Such as ``83.63 22.01``, ``05:34:31.9 +22:00:52 2 arcmin`` or ``5h34m31.9s +22d00m52s``.

    Returns
    -------
    Cone or None
        With :data:`DEFAULT_RADIUS` unless the text names a radius; None if the text is not a position.

    Raises
    ------
    InvalidError
        When the position is not on the sky, or the radius is not above 0 and at most 180 deg.
    """
    return _with_radius(text, _position, DEFAULT_RADIUS)


def position_in_name(text: str) -> Cone | None:
    """Read the position in a name of the IAU's form, such as ``J053431.9+220052``; None if there is none.

    The digits of such a name are truncated: without a radius in the text, the circle covers all these positions.
    """
    return _with_radius(text, _position_in_name, None)


def _with_radius(
    text: str, read: Callable[[str], tuple[float, float, float] | None], default: float | None
) -> Cone | None:
    plain = " ".join(text.translate(_PLAIN).split())
    position, radius = read(plain), default
    if position is None and (parts := _RADIUS.match(plain)):
        position, radius = read(parts[1].strip()), float(parts[2]) * _UNITS[parts[3].lower()]
        if position is not None and not 0 < radius <= 180:
            raise InvalidError(f"The radius {parts[2]}{parts[3]} must be above 0 and at most 180 deg.")
    if position is None:
        return None
    ra, dec, precision = position
    if not (0 <= ra < 360 and -90 <= dec <= 90):
        raise InvalidError(f"RA {ra:g} deg, Dec {dec:g} deg is not on the sky: RA is 0 to 360, Dec -90 to 90.")
    return Cone(ra, dec, precision if radius is None else radius)


def _position(text: str) -> tuple[float, float, float] | None:
    if (parts := _DECIMAL.fullmatch(text)) is not None:
        return float(parts[1]), float(parts[2] + parts[3]), DEFAULT_RADIUS
    if (parts := _SEXAGESIMAL.fullmatch(text)) is None:
        return None
    hours = _sixtieths(parts[1], parts[2], parts[3], text)
    degrees = _sixtieths(parts[5], parts[6], parts[7], text)
    return 15 * hours, -degrees if parts[4] == "-" else degrees, DEFAULT_RADIUS


def _position_in_name(text: str) -> tuple[float, float, float] | None:
    if (parts := _IAU.search(text)) is None:
        return None
    hours = _sixtieths(parts[1], parts[2], parts[3], text)
    degrees = _sixtieths(parts[5], parts[6], parts[7], text)
    radius = math.hypot(15 * _last_digit(parts[3]), _last_digit(parts[7]))
    return 15 * hours, -degrees if parts[4] == "-" else degrees, max(DEFAULT_RADIUS, radius)


def _last_digit(seconds: str | None) -> float:
    """Return the weight of the last digit of minutes and seconds, in hours or degrees."""
    return 1 / 60 if seconds is None else 10.0 ** -len(seconds.partition(".")[2]) / 3600


def _sixtieths(degrees: str, minutes: str, seconds: str | None, text: str) -> float:
    if float(minutes) >= 60 or float(seconds or 0) >= 60:
        raise InvalidError(f"Minutes and seconds must be below 60 in {text!r:.60}.")
    return int(degrees) + float(minutes) / 60 + float(seconds or 0) / 3600


def sexagesimal(ra: float, dec: float) -> str:
    """Write a position [deg] as ``05:34:31.97 +22:00:52.1``."""
    hours = round(ra / 15 * 360_000) % (24 * 360_000)
    degrees = round(abs(dec) * 36_000)
    return (
        f"{hours // 360_000:02}:{hours // 6000 % 60:02}:{hours % 6000 / 100:05.2f} "
        f"{'-' if dec < 0 else '+'}{degrees // 36_000:02}:{degrees // 600 % 60:02}:{degrees % 600 / 10:04.1f}"
    )


def angle(degrees: float) -> str:
    """Write an angle [deg] in the unit that fits."""
    for factor, unit in ((3600, '"'), (60, "'")):
        if degrees * factor < 59.95:
            return f"{degrees * factor:.2g}{unit}" if degrees * factor < 9.95 else f"{degrees * factor:.0f}{unit}"
    return f"{degrees:.2g}°" if degrees < 9.95 else f"{degrees:.0f}°"
