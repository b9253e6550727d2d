"""The fields of the features that :mod:`photseries.lightcurve.features` computes."""

from __future__ import annotations

from typing import Final

from photseries.fields.field import Comparison, Field, Operator, Section

__all__ = ["FEATURE_FIELDS"]


def _feature(
    name: str,
    label: str,
    ucd: str,
    description: str,
    *,
    unit: str | None = None,
    brightness_unit: str = "",
    digits: int | None = None,
) -> Field:
    """Return a feature with a criterion for its minimum and one for its maximum."""
    camel_case = "".join(word.capitalize() for word in name.split("_"))
    criteria = (Comparison(f"min{camel_case}", Operator.AT_LEAST), Comparison(f"max{camel_case}", Operator.AT_MOST))
    return Field(
        name=name, type="number", section=Section.FEATURE, label=label, description=description, ucd=ucd,
        criteria=criteria, unit=unit, brightness_unit=brightness_unit, digits=digits,
    )  # fmt: skip


FEATURE_FIELDS: Final[tuple[Field, ...]] = (
    Field(
        name="features_of", type="text", section=Section.FEATURE, label="Features of", ucd="meta.code",
        description="the quantity that features are computed from and whose unit they have: mag or flux",
        value_labels={"mag": "magnitude"}, criteria=(Comparison("featuresOf", Operator.ONE_OF),),
    ),
    _feature("weighted_mean", "Weighted mean", "phot;stat.mean", "mean weighted by 1 / error^2", brightness_unit="{}"),
    _feature(
        "weighted_mean_error", "Error of the weighted mean", "stat.error", "formal error of weighted_mean",
        brightness_unit="{}",
    ),
    _feature(
        "chi2_dof", "Chi squared per degree of freedom", "stat.fit.chi2",
        "chi squared about weighted_mean, per degree of freedom",
    ),
    _feature(
        "excess_variance", "Excess variance", "stat.variance",
        "variance of the fluxes beyond the errors, divided by the squared mean flux",
    ),
    _feature("excess_variance_error", "Error of the excess variance", "stat.error", "error of excess_variance"),
    _feature(
        "von_neumann", "Von Neumann ratio", "stat.value",
        "mean squared successive difference over the variance: 2 for independent values",
    ),
    _feature(
        "mad", "Median absolute deviation", "stat.value", "median absolute deviation from the median, unscaled",
        brightness_unit="{}",
    ),
    _feature("iqr", "Interquartile range", "stat.value", "p75 - p25", brightness_unit="{}"),
    _feature("skewness", "Skewness", "stat.param", "sample skewness G1"),
    _feature("kurtosis", "Excess kurtosis", "stat.param", "sample excess kurtosis G2"),
    _feature("stetson_k", "Stetson K", "stat.value", "Stetson's K about weighted_mean: 0.798 for normal noise"),
    _feature("amplitude", "Amplitude", "src.var.amplitude", "p95 - p5", brightness_unit="{}"),
    *(
        _feature(
            f"p{percent}", f"Percentile {percent}", "stat.value", f"percentile {percent} of the brightness",
            brightness_unit="{}",
        )
        for percent in (1, 5, 25, 75, 95, 99)
    ),
    _feature(
        "beyond_1_sigma", "Beyond 1 sigma", "stat.value",
        "fraction of rows more than 1 standard deviation from the mean",
    ),
    _feature(
        "beyond_2_sigma", "Beyond 2 sigma", "stat.value",
        "fraction of rows more than 2 standard deviations from the mean",
    ),
    _feature(
        "largest_change", "Largest change", "phot;stat.max", "largest absolute difference between successive rows",
        brightness_unit="{}",
    ),
    _feature("slope", "Slope", "stat.fit.param", "slope of a straight line", brightness_unit="{}/d"),
    _feature("slope_error", "Error of the slope", "stat.error", "error of slope", brightness_unit="{}/d"),
    _feature("span", "Span", "time.duration", "time from the first to the last row", unit="d", digits=5),
    _feature(
        "largest_gap", "Largest gap", "time.interval;stat.max", "longest time between successive rows", unit="d",
    ),
    _feature(
        "median_cadence", "Median cadence", "time.interval;stat.median", "median time between successive rows",
        unit="d",
    ),
    _feature("median_error", "Median error", "stat.error;stat.median", "median of the errors", brightness_unit="{}"),
    _feature("points_per_night", "Points per night", "meta.number", "mean number of rows per observed night", digits=1),
)  # fmt: skip
