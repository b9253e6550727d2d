"""For every criterion of the table of query parameters: series that match, series that do not, and the boundary."""

import math
from dataclasses import dataclass

from photseries.server.catalogue.models import Series

#: Ids that are a group and a stream at once, a followup request and an assignment.
ONE, OTHER = 101, 102


@dataclass(frozen=True)
class Case:
    """Arguments of a request, series that match them, and series that do not."""

    arguments: dict
    yes: list
    no: list


def same(name, field, texts, *, yes, no):
    """A parameter that means the same in several texts; null never matches."""
    absent = [{field: None}] if Series.__table__.c[field].nullable else []
    for text in texts:
        yield name, Case({name: text}, [{field: value} for value in yes], [*({field: value} for value in no), *absent])


def listed(name, field, one, other, third):
    """An exact match, with one value and with two."""
    yield from same(name, field, [f"{one}", f'"{one}"'], yes=[one], no=[other, third])
    yield from same(name, field, [f"{one},{other}", f' {other} ,"{one}"'], yes=[one, other], no=[third])


def bounds(low, high, field, value, texts=(), **arguments):
    """Two inclusive bounds: the bound itself, and its neighbours in float64 or among the integers."""
    whole = isinstance(value, int)
    below = value - 1 if whole else math.nextafter(value, -math.inf)
    above = value + 1 if whole else math.nextafter(value, math.inf)
    for name, inside, outside in ((low, above, below), (high, below, above)):
        for _, case in same(name, field, texts or [repr(value)], yes=[value, inside], no=[outside]):
            yield name, Case({**case.arguments, **arguments}, case.yes, case.no)


def min_max(what, field, value, **arguments):
    return bounds(f"min{what}", f"max{what}", field, value, **arguments)


def magnitudes(what, field, value, **arguments):
    return bounds(f"{what}FainterThan", f"{what}BrighterThan", field, value, **arguments)


def shared(name, keyword, other_keyword):
    """Groups or streams; a group is not a stream of the same number."""
    both, neither = {keyword: [OTHER, ONE], other_keyword: [ONE]}, [{other_keyword: [ONE, OTHER]}, {}]
    yield name, Case({name: f"{ONE}"}, [{keyword: [ONE]}, both], [{keyword: [OTHER]}, *neither])
    yield name, Case({name: f"{ONE},{OTHER}"}, [{keyword: [ONE]}, {keyword: [OTHER]}, both], neither)
    yield name, Case({name: f"-{ONE},0,{10**17}"}, [], [{keyword: [ONE]}, both, *neither])


def statistic(field, comparison, yes, no):
    texts = comparison if isinstance(comparison, list) else [comparison]
    arguments = {"stat": [f"{field}.{text}" for text in texts]}
    return "stat", Case(arguments, [{field: one} for one in yes], [{field: one} for one in no])


ABSENT = [{}, {"bg": None}, {"bgs": 600.0}, {"BG": 600.0}]
ABOVE, BELOW = {"bg": math.nextafter(600, 601)}, {"bg": math.nextafter(600, 599)}
EQUAL = [{"bg": 600}, {"bg": 600.0}]
HUGE, TINY = {"bg": 1.7976931348623157e308}, {"bg": -1.7976931348623157e308}

CONE = {"ra": "359.5", "dec": "60", "radius": "1"}
INSIDE = [{"ra": 359.5, "dec": 60.0}, {"ra": 1.4, "dec": 60.0}, {"ra": 359.5, "dec": 61 - 1e-9}]
OUTSIDE = [{"ra": 1.6, "dec": 60.0}, {"ra": 359.5, "dec": 61 + 1e-9}, {"ra": 179.5, "dec": -60.0}]
POLE = {"ra": "77", "dec": "-90", "radius": "0.1"}

MOMENTS = ("59310", "59310.0", "5.931e4", "2021-04-06", "2021-04-06T00:00:00Z", "2021-04-06 05:30+05:30")

#: The parameter that a case is about, and the case.

#: What follows min and max in the names of parameters, and the field.
FEATURES = {
    "WeightedMean": "weighted_mean",
    "WeightedMeanError": "weighted_mean_error",
    "Chi2Dof": "chi2_dof",
    "ExcessVariance": "excess_variance",
    "ExcessVarianceError": "excess_variance_error",
    "VonNeumann": "von_neumann",
    "Mad": "mad",
    "Iqr": "iqr",
    "Skewness": "skewness",
    "Kurtosis": "kurtosis",
    "StetsonK": "stetson_k",
    "Amplitude": "amplitude",
    "P1": "p1",
    "P5": "p5",
    "P25": "p25",
    "P75": "p75",
    "P95": "p95",
    "P99": "p99",
    "Beyond1Sigma": "beyond_1_sigma",
    "Beyond2Sigma": "beyond_2_sigma",
    "LargestChange": "largest_change",
    "Slope": "slope",
    "SlopeError": "slope_error",
    "Span": "span",
    "LargestGap": "largest_gap",
    "MedianCadence": "median_cadence",
    "MedianError": "median_error",
    "PointsPerNight": "points_per_night",
}
CASES = [
    (
        "ra",
        Case({**CONE, "ra": "360"}, [{"ra": ra, "dec": 60.0} for ra in (0.0, 359.0, 1.0)], [{"ra": 3.0, "dec": 60.0}]),
    ),
    ("dec", Case(POLE, [{"ra": ra, "dec": -89.95} for ra in (0.0, 90.0, 200.0)], [{"ra": 77.0, "dec": -89.8}])),
    ("radius", Case(CONE, INSIDE, OUTSIDE)),
    ("radius", Case({**CONE, "radius": "180"}, [*INSIDE, *OUTSIDE, {"dec": 90.0}, {"dec": -90.0}], [])),
    *same("objectID", "obj_id", ["star", "tar"], yes=["star", "other star"], no=["100%", "a_b"]),
    *same("objID", "obj_id", ["star", ' "star"'], yes=["star"], no=["other star", "a_b"]),
    *same("rejectedObjectIDs", "obj_id", ["star", ' "star"'], yes=["other star", "a_b"], no=["star"]),
    *same("rejectedObjectIDs", "obj_id", ['star,"the ""odd"", one"'], yes=["a_b"], no=["star", 'the "odd", one']),
    *same("rejectedObjectIDs", "obj_id", ['" spaced "'], yes=["a_b"], no=[" spaced "]),
    *listed("seriesName", "series_name", "sector 1", "sector 2", "sector"),
    *same("seriesName", "series_name", ['"a,b", c'], yes=["a,b", "c"], no=["a", "b", "a,b, c"]),
    *same("seriesName", "series_name", ['" a "'], yes=[" a "], no=["a", "a ", " a"]),
    *listed("seriesObjID", "series_obj_id", "1", "01", "1.0"),
    *listed("filter", "filter", "ztfg", "ztfr", "ztf"),
    *listed("channel", "channel", "a", "A", "a "),
    *listed("origin", "origin", "pipeline@v2", "pipeline", "é"),
    *listed("batch", "batch", "20261129T015000Z-1f2e3d4c", "night 1", "é"),
    *same("filename", "filename", ["night", "s/night.h"], yes=["s/night.h5", "x/s/night.h5"], no=["s/nigh.h5"]),
    *listed("hash", "hash", "d41d8cd98f00b204", "0cc175b9c0f1b6a8", "D41D8CD98F00B204"),
    *listed("contentHash", "content_hash", "e3b0c44298fc1c14", "ca978112ca1bbdca", "ca978112ca1bbd"),
    *bounds("startAfter", "startBefore", "mjd_first", 59310.0, MOMENTS),
    *bounds("midAfter", "midBefore", "mjd_mid", 59310.0, MOMENTS),
    *bounds("endAfter", "endBefore", "mjd_last", 59310.0, MOMENTS),
    ("midBefore", Case({"midBefore": "59310"}, [{"mjd_first": 59000.0, "mjd_mid": 59310.0, "mjd_last": 59620.0}], [])),
    *same("detected", "is_detected", ["true", "t", "1", "yes", "TRUE"], yes=[True], no=[False]),
    *same("detected", "is_detected", ["false", "f", "0", "no", "No"], yes=[False], no=[True]),
    *min_max("NumDetected", "num_detected", 3),
    *listed("expTime", "exp_time", 0.1, 30.0, math.nextafter(0.1, 1)),
    *min_max("ExpTime", "exp_time", 0.1),
    *min_max("FrameRate", "frame_rate", 1 / 120),
    *min_max("NumExposures", "num_exp", 18699),
    *listed("instrumentID", "instrument_id", 7, 8, 9),
    *listed("followupRequestID", "followup_request_id", ONE, OTHER, None),
    *listed("assignmentID", "assignment_id", ONE, OTHER, None),
    *listed("ownerID", "owner_id", 1, 2, 3),
    *shared("groupID", "group_ids", "stream_ids"),
    *shared("streamID", "stream_ids", "group_ids"),
    *magnitudes("mag", "mean_mag", 18.1),
    *magnitudes("mag", "mean_mag", 18.1, useRobustMagAndRMS="false"),
    *magnitudes("mag", "robust_mag", 18.1, useRobustMagAndRMS="yes"),
    *min_max("RMS", "rms_mag", 0.1),
    *min_max("RMS", "rms_mag", 0.1, useRobustMagAndRMS="0"),
    *min_max("RMS", "robust_rms", 0.1, useRobustMagAndRMS="1"),
    *magnitudes("limitingMag", "limiting_mag", 20.3),
    *(
        (name, Case({name: bound}, [{field: 20.0, "magsys": "vega"}], [{field: 20.0, "magsys": "instrumental"}]))
        for what, field in (("limitingMag", "limiting_mag"), ("magref", "magref"), ("mag", "mean_mag"))
        for name, bound in ((f"{what}FainterThan", "19"), (f"{what}BrighterThan", "21"))
    ),
    *listed("fluxUnit", "flux_unit", "uJy", "electron/s", "relative"),
    *(
        (
            "magsys",
            Case(
                {"magsys": text},
                [{"magsys": one, "mean_mag": 20.0} for one in systems],
                [{"magsys": systems[0]}, {"magsys": "instrumental", "mean_mag": 20.0}],
            ),
        )
        for text, systems in (("vega", ["vega"]), ('ab, "vega"', ["ab", "vega"]))
    ),
    (
        "limitingMagFainterThan",
        Case({"limitingMagFainterThan": "0"}, [{"limiting_mag": 0.0}], [{"limiting_mag": None}]),
    ),
    *(
        ("limitingMagIsNaN", Case({"limitingMagIsNaN": text}, [{"limiting_mag": yes}], [{"limiting_mag": no}]))
        for text, yes, no in (("true", None, 20.0), ("1", None, 0.0), ("false", 20.0, None), ("no", 0.0, None))
    ),
    *magnitudes("magref", "magref", 17.9),
    *min_max("MedianSNR", "median_snr", 5.5),
    *min_max("BestSNR", "best_snr", 5.5),
    *min_max("WorstSNR", "worst_snr", -5.5),
    *min_max("NumFlagged", "num_flagged", 3),
    *listed("featuresOf", "features_of", "mag", "flux", "Mag"),
    *(case for what, field in FEATURES.items() for case in min_max(what, field, 0.1)),
    *min_max("Period", "period", 0.1),
    *same("maxFalseAlarm", "period_false_alarm", ["1e-3"], yes=[0.0, 1e-300, 1e-3], no=[0.0011, 1.0, None]),
    statistic("medians", "bg<600", [BELOW, TINY], [*EQUAL, ABOVE, *ABSENT]),
    statistic("medians", "bg <= 6e2", [*EQUAL, BELOW, TINY], [ABOVE, *ABSENT]),
    statistic("medians", "bg>600.0", [ABOVE, HUGE], [*EQUAL, BELOW, *ABSENT]),
    statistic("medians", "bg >=600", [*EQUAL, ABOVE, HUGE], [BELOW, *ABSENT]),
    statistic("medians", '"bg"=600', EQUAL, [ABOVE, BELOW, *ABSENT]),
    statistic("minima", '"a ""<b"" \'"<-1', [{'a "<b" \'': -2}], [{'a "<b" \'': -1}, {"a": -2}]),
    statistic("minima", "%s<1", [{"%s": 0}], [{"%s": 1}, {"s": 0}]),
    statistic("maxima", "α.β>1", [{"α.β": 2}], [{"α": 2}, {"β": 2}]),
    statistic("stds", ["bg>1", "bg<3"], [{"bg": 2}], [{"bg": 1}, {"bg": 3}]),
    (
        "stat",
        Case(
            {"stat": ["medians.bg=1", "stds.bg=5"]},
            [{"medians": {"bg": 1}, "stds": {"bg": 5}}],
            [{"medians": {"bg": 1}}, {"stds": {"bg": 5}}],
        ),
    ),
]
