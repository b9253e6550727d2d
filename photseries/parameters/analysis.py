"""The parameters of the analyses of one series: periodogram, folded light curve, plot."""

from __future__ import annotations

from dataclasses import replace

from photseries.parameters.series_parameters import PART
from photseries.parameters.table import Parameter
from photseries.parameters.value_types import DURATION, NUMBER, PERIOD, SIGMAS, TEXT, choice, integer

__all__ = ["ENVELOPE", "FOLDED", "OWN_PERIODS", "PERIODOGRAM", "PLOT", "SOURCE_PERIODOGRAM"]

_TIMES = tuple(known for known in PART if known.name in ("mjdMin", "mjdMax"))
_UNIT = Parameter(
    name="brightness",
    kind=choice("flux", "mag"),
    sentence="Flux or magnitude. Default: the brightness of the table.",
)
_BIN = next(known for known in PART if known.name == "bin")
_CLEANED = (
    Parameter(
        name="detrend",
        kind=DURATION,
        sentence="Subtract the running median in a window of this width, but keep its median level.",
    ),
    Parameter(
        name="clip",
        kind=SIGMAS,
        sentence="Then drop values more than this many times 1.4826 median absolute deviations from the median.",
    ),
)
_QUALITY = Parameter(name="quality", kind=TEXT, sentence="Skip the rows where this column is not 0.")

#: The parameters of a periodogram.
PERIODOGRAM: tuple[Parameter, ...] = (
    Parameter(
        name="method",
        kind=choice("lomb_scargle", "harmonics", "bls", "pdm", "window"),
        default="lomb_scargle",
        sentence="The method: a sinusoid; a sinusoid with two harmonics; a box, for transits (bls); the scatter in ten "
        "phase bins (pdm); or the spectral window of the times.",
    ),
    Parameter(
        name="minPeriod",
        kind=PERIOD,
        sentence="The shortest period [d]. Default: twice the time step if the times are regular, else 0.1 d or, if "
        "shorter, twice the 10th percentile of the time steps.",
    ),
    Parameter(name="maxPeriod", kind=PERIOD, sentence="The longest period [d]. Default: the span of the times."),
    Parameter(name="samplesPerPeak", kind=integer(2, 50), default=5, sentence="Number of frequencies across a peak."),
    Parameter(name="peaks", kind=integer(1, 100), default=10, sentence="Maximum number of peaks in the list."),
    Parameter(
        name="maxPoints",
        kind=integer(4, 20_000),
        default=2000,
        sentence="Maximum number of frequencies in the answer, for a plot: half are the lowest; of each interval of "
        "the others the extremes are kept.",
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
    Parameter(name="epoch", kind=NUMBER, sentence="A time of phase 0 [MJD]. Default: the first time."),
    Parameter(name="bins", kind=integer(1, 1000), default=50, sentence="Number of phase bins."),
    Parameter(
        name="maxPoints",
        kind=integer(1, 20_000),
        default=5000,
        sentence="Maximum number of points in the answer, evenly sampled; the bins use all points.",
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
        kind=integer(10, 4000),
        default=1000,
        sentence="Number of time columns that summarize a light curve with more than maxPoints points.",
    ),
    Parameter(
        name="maxPoints",
        kind=integer(0, 20_000),
        default=5000,
        sentence="Maximum number of points that are returned individually.",
    ),
    Parameter(name="column", kind=TEXT, sentence="A numeric column to show in place of the brightness."),
    _UNIT,
    replace(_QUALITY, sentence="Mark the rows where this column is not 0 as flagged."),
    *_TIMES,
)

#: The parameter that selects which of the user's periods to remove.
OWN_PERIODS: tuple[Parameter, ...] = (
    Parameter(name="method", kind=TEXT, sentence="Remove the period of this method. Default: all your periods."),
)

#: The parameters of a plot.
PLOT: tuple[Parameter, ...] = (
    Parameter(name="width", kind=integer(200, 2400), default=900, sentence="Width of the picture [pixels]."),
    Parameter(name="height", kind=integer(150, 1600), default=480, sentence="Height of the picture [pixels]."),
    Parameter(name="theme", kind=choice("light", "dark"), default="light", sentence="Colour theme."),
    Parameter(name="time", kind=choice("mjd", "days", "date"), default="mjd", sentence="Labels of the time axis."),
    replace(_BIN, sentence="Draw means in bins of this width, or per night, with errors propagated from the errors."),
    _UNIT,
    _QUALITY,
    *_TIMES,
)
