"""The parameters of the analyses of one series: periodogram, folded light curve, plot."""

from __future__ import annotations

from dataclasses import replace

from photseries.parameters.series_parameters import PART
from photseries.parameters.table import Parameter
from photseries.parameters.value_types import DURATION, NUMBER, PERIOD, SIGMAS, TEXT, choice, whole

__all__ = ["ENVELOPE", "FOLDED", "OWN_PERIODS", "PERIODOGRAM", "PLOT", "SOURCE_PERIODOGRAM"]

_TIMES = tuple(known for known in PART if known.name in ("mjdMin", "mjdMax"))
_UNIT = Parameter(
    name="brightness",
    kind=choice("flux", "mag"),
    sentence="In which unit; as in the table unless given.",
)
_BIN = next(known for known in PART if known.name == "bin")
_CLEANED = (
    Parameter(
        name="detrend",
        kind=DURATION,
        sentence="Take away the running median in a window of this width, less its median.",
    ),
    Parameter(
        name="clip",
        kind=SIGMAS,
        sentence="Leave out what is then farther from the median than so many times 1.4826 median absolute deviations.",
    ),
)
_QUALITY = Parameter(name="quality", kind=TEXT, sentence="Leave out the rows in which this column is not 0.")

#: The parameters of a periodogram.
PERIODOGRAM: tuple[Parameter, ...] = (
    Parameter(
        name="method",
        kind=choice("lomb_scargle", "harmonics", "bls", "pdm", "window"),
        default="lomb_scargle",
        sentence="What is fitted at each period: a sinusoid; a sinusoid with two harmonics; a box, for transits (bls); "
        "the scatter in ten parts of the period (pdm); or nothing: the spectral window of the times.",
    ),
    Parameter(
        name="minPeriod",
        kind=PERIOD,
        sentence="The shortest period [d]; unless given, twice the distance of the times where these are regular, "
        "else 0.1 d or twice the distance below which a tenth are.",
    ),
    Parameter(name="maxPeriod", kind=PERIOD, sentence="The longest period [d]; the span of the times unless given."),
    Parameter(
        name="samplesPerPeak", kind=whole(2, 50), default=5, sentence="How finely the frequencies lie in a peak."
    ),
    Parameter(name="peaks", kind=whole(1, 100), default=10, sentence="How many peaks are listed at most."),
    Parameter(
        name="maxPoints",
        kind=whole(4, 20_000),
        default=2000,
        sentence="At most so many frequencies come back, for a plot: the extremes of each stretch stay.",
    ),
    _UNIT,
    _QUALITY,
    *_CLEANED,
    *_TIMES,
)

#: The parameters of the periodogram of a source.
SOURCE_PERIODOGRAM: tuple[Parameter, ...] = tuple(
    known for known in PERIODOGRAM if known.name not in ("method", "brightness", "quality")
)

#: The parameters of a folded light curve.
FOLDED: tuple[Parameter, ...] = (
    Parameter(name="period", kind=PERIOD, sentence="The period [d]."),
    Parameter(name="epoch", kind=NUMBER, sentence="A time of phase 0 [MJD]; the first one unless given."),
    Parameter(name="bins", kind=whole(1, 1000), default=50, sentence="In how many parts of the period to average."),
    Parameter(
        name="maxPoints",
        kind=whole(1, 20_000),
        default=5000,
        sentence="At most so many points come back, evenly chosen; the averages are over all.",
    ),
    _UNIT,
    _QUALITY,
    *_CLEANED,
    *_TIMES,
)

#: The parameters of a light curve that a client draws.
ENVELOPE: tuple[Parameter, ...] = (
    Parameter(
        name="width",
        kind=whole(10, 4000),
        default=1000,
        sentence="In how many columns of time the points are summarized where they are many.",
    ),
    Parameter(
        name="maxPoints",
        kind=whole(0, 20_000),
        default=5000,
        sentence="Up to so many points come back as they are.",
    ),
    Parameter(name="column", kind=TEXT, sentence="A column of numbers to show instead of the brightness."),
    _UNIT,
    replace(_QUALITY, sentence="Mark the rows in which this column is not 0 as flagged."),
    *_TIMES,
)

#: The parameter that says which of one's own periods to remove.
OWN_PERIODS: tuple[Parameter, ...] = (
    Parameter(name="method", kind=TEXT, sentence="Only the period of this method; all of one's own unless given."),
)

#: The parameters of a plot.
PLOT: tuple[Parameter, ...] = (
    Parameter(name="width", kind=whole(200, 2400), default=900, sentence="How wide the picture is [pixels]."),
    Parameter(name="height", kind=whole(150, 1600), default=480, sentence="How high [pixels]."),
    Parameter(name="theme", kind=choice("light", "dark"), default="light", sentence="Its colours."),
    Parameter(
        name="time", kind=choice("mjd", "days", "date"), default="mjd", sentence="How the axis of time is labelled."
    ),
    replace(_BIN, sentence="Draw means in bins of this width, or of each night, with the errors from the errors."),
    _UNIT,
    _QUALITY,
    *_TIMES,
)
