"""The parameters of the analyses of one series: periodogram, folded light curve, plot."""

from __future__ import annotations

from dataclasses import replace

from photseries.parameters.series_parameters import PART
from photseries.parameters.table import Parameter
from photseries.parameters.value_types import DURATION, NUMBER, PERIOD, SIGMAS, TEXT, choice, integer

__all__ = ["ENVELOPE", "FOLDED", "OWN_PERIODS", "PERIODOGRAM", "PLOT", "SOURCE_PERIODOGRAM"]

_TIMES = tuple(known for known in PART if known.name in ("mjdMin", "mjdMax"))
_UNIT = Parameter("brightness", choice("flux", "mag"), "Flux or magnitude. Default: the brightness of the table.")
_BIN = next(known for known in PART if known.name == "bin")
_CLEANED = (
    Parameter("detrend", DURATION, "Subtract the running median in a window of this width, but keep its median level."),
    Parameter(
        "clip", SIGMAS, "Then drop values more than this many times 1.4826 median absolute deviations from the median."
    ),
)
_QUALITY = Parameter("quality", TEXT, "Skip the rows where this column is not 0.")

#: The parameters of a periodogram.
PERIODOGRAM: tuple[Parameter, ...] = (
    Parameter(
        "method",
        choice("lomb_scargle", "harmonics", "bls", "pdm", "window"),
        "The method: a sinusoid; a sinusoid with two harmonics; a box, for transits (bls); the scatter in ten "
        "phase bins (pdm); or the spectral window of the times.",
        default="lomb_scargle",
    ),
    Parameter(
        "minPeriod",
        PERIOD,
        "The shortest period [d]. Default: twice the time step if the times are regular, else 0.1 d or, if "
        "shorter, twice the 10th percentile of the time steps.",
    ),
    Parameter("maxPeriod", PERIOD, "The longest period [d]. Default: the span of the times."),
    Parameter("samplesPerPeak", integer(2, 50), "Number of frequencies across a peak.", default=5),
    Parameter("peaks", integer(1, 100), "Maximum number of peaks in the list.", default=10),
    Parameter(
        "maxPoints",
        integer(4, 20_000),
        "Maximum number of frequencies in the answer, for a plot: half are the lowest; of each interval of "
        "the others the extremes are kept.",
        default=2000,
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
    Parameter("period", PERIOD, "The period [d]."),
    Parameter("epoch", NUMBER, "A time of phase 0 [MJD]. Default: the first time."),
    Parameter("bins", integer(1, 1000), "Number of phase bins.", default=50),
    Parameter(
        "maxPoints",
        integer(1, 20_000),
        "Maximum number of points in the answer, evenly sampled; the bins use all points.",
        default=5000,
    ),
    _UNIT,
    _QUALITY,
    *_CLEANED,
    *_TIMES,
)

#: The parameters of a light curve that a client draws.
ENVELOPE: tuple[Parameter, ...] = (
    Parameter(
        "width",
        integer(10, 4000),
        "Number of time columns that summarize a light curve with more than maxPoints points.",
        default=1000,
    ),
    Parameter(
        "maxPoints", integer(0, 20_000), "Maximum number of points that are returned individually.", default=5000
    ),
    Parameter("column", TEXT, "A numeric column to show in place of the brightness."),
    _UNIT,
    replace(_QUALITY, sentence="Mark the rows where this column is not 0 as flagged."),
    *_TIMES,
)

#: The parameter that selects which of the user's periods to remove.
OWN_PERIODS: tuple[Parameter, ...] = (
    Parameter("method", TEXT, "Remove the period of this method. Default: all your periods."),
)

#: The parameters of a plot.
PLOT: tuple[Parameter, ...] = (
    Parameter("width", integer(200, 2400), "Width of the picture [pixels].", default=900),
    Parameter("height", integer(150, 1600), "Height of the picture [pixels].", default=480),
    Parameter("theme", choice("light", "dark"), "Colour theme.", default="light"),
    Parameter("time", choice("mjd", "days", "date"), "Labels of the time axis.", default="mjd"),
    replace(_BIN, sentence="Draw means in bins of this width, or per night, with errors propagated from the errors."),
    _UNIT,
    _QUALITY,
    *_TIMES,
)
