"""The keywords of searches and of parts of tables, typed for editors and type checkers.

``python tools/tables.py`` writes the keys from the table of query parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, TypeAlias, TypedDict

import numpy as np

if TYPE_CHECKING:
    from astropy.time import Time

__all__ = ["ConeCriteria", "Criteria", "ListOptions", "Moment", "PartOptions"]

#: An MJD, an ISO 8601 text, a date or datetime (UTC unless it has a time zone), or an astropy Time.
Moment: TypeAlias = "float | str | date | np.datetime64 | Time"


class Criteria(TypedDict, total=False):
    """Which series to find, and their order; a list matches any of its values, None is ignored."""

    # criteria
    object_id: str | None
    """Series whose obj_id contains this text; % and _ are plain characters."""
    obj_id: str | Sequence[str] | None
    """Series of this source; upper and lower case differ."""
    rejected_object_ids: str | Sequence[str] | None
    """Series of all sources except these."""
    instrument_id: int | Sequence[int] | None
    """Series taken with this instrument."""
    series_name: str | Sequence[str] | None
    """Series whose series_name equals this."""
    series_obj_id: str | Sequence[str] | None
    """Series whose series_obj_id equals this."""
    exp_time: float | Sequence[float] | None
    """Series whose exp_time equals this [s]."""
    min_exp_time: float | None
    """Series whose exp_time is at least this [s]."""
    max_exp_time: float | None
    """Series whose exp_time is at most this [s]."""
    filter: str | Sequence[str] | None
    """Series through this filter."""
    channel: str | Sequence[str] | None
    """Series of this channel."""
    origin: str | Sequence[str] | None
    """Series of this origin."""
    limiting_mag_fainter_than: float | None
    """Series whose limiting_mag is at least this [mag]. Instrumental magnitudes never match."""
    limiting_mag_brighter_than: float | None
    """Series whose limiting_mag is at most this [mag]. Instrumental magnitudes never match."""
    limiting_mag_is_nan: bool | None
    """Series without (true) or with (false) a limiting magnitude."""
    magref_fainter_than: float | None
    """Series whose magref is at least this [mag]. Instrumental magnitudes never match."""
    magref_brighter_than: float | None
    """Series whose magref is at most this [mag]. Instrumental magnitudes never match."""
    followup_request_id: int | Sequence[int] | None
    """Series of this followup request."""
    assignment_id: int | Sequence[int] | None
    """Series of this assignment."""
    flux_unit: str | Sequence[str] | None
    """Series with this stored flux_unit."""
    magsys: str | Sequence[str] | None
    """Series with magnitudes in this system; series without magnitudes never match."""
    batch: str | Sequence[str] | None
    """Series last stored by this upload run."""
    owner_id: int | Sequence[int] | None
    """Series of this owner."""
    group_id: int | Sequence[int] | None
    """Series shared with this group, which must be visible to you."""
    stream_id: int | Sequence[int] | None
    """Series of this stream, which must be visible to you."""
    filename: str | None
    """Series whose filename contains this text; % and _ are plain characters."""
    hash: str | Sequence[str] | None
    """Series whose file has this MD5."""
    content_hash: str | Sequence[str] | None
    """Series whose table has this content_hash."""
    min_num_exposures: int | None
    """Series whose num_exp is at least this."""
    max_num_exposures: int | None
    """Series whose num_exp is at most this."""
    min_num_flagged: int | None
    """Series whose num_flagged is at least this."""
    max_num_flagged: int | None
    """Series whose num_flagged is at most this."""
    min_num_detected: int | None
    """Series whose num_detected is at least this."""
    max_num_detected: int | None
    """Series whose num_detected is at most this."""
    start_after: Moment | None
    """Series whose mjd_first is at least this."""
    start_before: Moment | None
    """Series whose mjd_first is at most this."""
    mid_after: Moment | None
    """Series whose mjd_mid is at least this."""
    mid_before: Moment | None
    """Series whose mjd_mid is at most this."""
    end_after: Moment | None
    """Series whose mjd_last is at least this."""
    end_before: Moment | None
    """Series whose mjd_last is at most this."""
    detected: bool | None
    """Series with (true) or without (false) a detected row."""
    mag_fainter_than: float | None
    """Series whose mean_mag is at least this [mag]. Instrumental magnitudes never match."""
    mag_brighter_than: float | None
    """Series whose mean_mag is at most this [mag]. Instrumental magnitudes never match."""
    min_rms: float | None
    """Series whose rms_mag is at least this [mag]."""
    max_rms: float | None
    """Series whose rms_mag is at most this [mag]."""
    min_median_snr: float | None
    """Series whose median_snr is at least this."""
    max_median_snr: float | None
    """Series whose median_snr is at most this."""
    min_best_snr: float | None
    """Series whose best_snr is at least this."""
    max_best_snr: float | None
    """Series whose best_snr is at most this."""
    min_worst_snr: float | None
    """Series whose worst_snr is at least this."""
    max_worst_snr: float | None
    """Series whose worst_snr is at most this."""
    min_frame_rate: float | None
    """Series whose frame_rate is at least this [Hz]."""
    max_frame_rate: float | None
    """Series whose frame_rate is at most this [Hz]."""
    features_of: str | Sequence[str] | None
    """Series whose features_of equals this."""
    min_weighted_mean: float | None
    """Series whose weighted_mean is at least this."""
    max_weighted_mean: float | None
    """Series whose weighted_mean is at most this."""
    min_weighted_mean_error: float | None
    """Series whose weighted_mean_error is at least this."""
    max_weighted_mean_error: float | None
    """Series whose weighted_mean_error is at most this."""
    min_chi2_dof: float | None
    """Series whose chi2_dof is at least this."""
    max_chi2_dof: float | None
    """Series whose chi2_dof is at most this."""
    min_excess_variance: float | None
    """Series whose excess_variance is at least this."""
    max_excess_variance: float | None
    """Series whose excess_variance is at most this."""
    min_excess_variance_error: float | None
    """Series whose excess_variance_error is at least this."""
    max_excess_variance_error: float | None
    """Series whose excess_variance_error is at most this."""
    min_von_neumann: float | None
    """Series whose von_neumann is at least this."""
    max_von_neumann: float | None
    """Series whose von_neumann is at most this."""
    min_mad: float | None
    """Series whose mad is at least this."""
    max_mad: float | None
    """Series whose mad is at most this."""
    min_iqr: float | None
    """Series whose iqr is at least this."""
    max_iqr: float | None
    """Series whose iqr is at most this."""
    min_skewness: float | None
    """Series whose skewness is at least this."""
    max_skewness: float | None
    """Series whose skewness is at most this."""
    min_kurtosis: float | None
    """Series whose kurtosis is at least this."""
    max_kurtosis: float | None
    """Series whose kurtosis is at most this."""
    min_stetson_k: float | None
    """Series whose stetson_k is at least this."""
    max_stetson_k: float | None
    """Series whose stetson_k is at most this."""
    min_amplitude: float | None
    """Series whose amplitude is at least this."""
    max_amplitude: float | None
    """Series whose amplitude is at most this."""
    min_p1: float | None
    """Series whose p1 is at least this."""
    max_p1: float | None
    """Series whose p1 is at most this."""
    min_p5: float | None
    """Series whose p5 is at least this."""
    max_p5: float | None
    """Series whose p5 is at most this."""
    min_p25: float | None
    """Series whose p25 is at least this."""
    max_p25: float | None
    """Series whose p25 is at most this."""
    min_p75: float | None
    """Series whose p75 is at least this."""
    max_p75: float | None
    """Series whose p75 is at most this."""
    min_p95: float | None
    """Series whose p95 is at least this."""
    max_p95: float | None
    """Series whose p95 is at most this."""
    min_p99: float | None
    """Series whose p99 is at least this."""
    max_p99: float | None
    """Series whose p99 is at most this."""
    min_beyond1_sigma: float | None
    """Series whose beyond_1_sigma is at least this."""
    max_beyond1_sigma: float | None
    """Series whose beyond_1_sigma is at most this."""
    min_beyond2_sigma: float | None
    """Series whose beyond_2_sigma is at least this."""
    max_beyond2_sigma: float | None
    """Series whose beyond_2_sigma is at most this."""
    min_largest_change: float | None
    """Series whose largest_change is at least this."""
    max_largest_change: float | None
    """Series whose largest_change is at most this."""
    min_slope: float | None
    """Series whose slope is at least this."""
    max_slope: float | None
    """Series whose slope is at most this."""
    min_slope_error: float | None
    """Series whose slope_error is at least this."""
    max_slope_error: float | None
    """Series whose slope_error is at most this."""
    min_span: float | None
    """Series whose span is at least this [d]."""
    max_span: float | None
    """Series whose span is at most this [d]."""
    min_largest_gap: float | None
    """Series whose largest_gap is at least this [d]."""
    max_largest_gap: float | None
    """Series whose largest_gap is at most this [d]."""
    min_median_cadence: float | None
    """Series whose median_cadence is at least this [d]."""
    max_median_cadence: float | None
    """Series whose median_cadence is at most this [d]."""
    min_median_error: float | None
    """Series whose median_error is at least this."""
    max_median_error: float | None
    """Series whose median_error is at most this."""
    min_points_per_night: float | None
    """Series whose points_per_night is at least this."""
    max_points_per_night: float | None
    """Series whose points_per_night is at most this."""
    min_period: float | None
    """Series whose period is at least this [d]."""
    max_period: float | None
    """Series whose period is at most this [d]."""
    max_false_alarm: float | None
    """Series whose period_false_alarm is at most this."""
    stat: str | Sequence[str] | None
    """Series with this statistic of a column, such as medians.bg<600; repeatable."""
    use_robust_mag_and_rms: bool | None
    """Compare magBrighterThan, magFainterThan, minRMS and maxRMS with robust_mag and robust_rms."""
    time_scale: str | None
    """The scale of the times in the criteria, which are converted for each series with a time_scale. Without this
    parameter, and for other series, times are compared with the stored MJD."""
    sort_by: str | None
    """The field to sort by. The id breaks ties, null sorts last, objects and lists sort as text, and separation needs a
    cone. Default: obj_id, or separation for a list of positions."""
    features: bool | None
    """Whether to include the features, such as von_neumann; a single series always includes them."""
    sort_order: str | None
    """Ascending or descending."""
    num_per_page: int | None
    """Series per page, at most 500; a higher number means 500."""
    # end


class ConeCriteria(Criteria, total=False):
    """The same, and a cone on the sky."""

    # cone
    ra: float | None
    """Centre, ICRS, of a cone; ra, dec and radius must be given together."""
    dec: float | None
    """Centre, ICRS, of a cone; ra, dec and radius must be given together."""
    radius: float | None
    """Radius of a cone; ra, dec and radius must be given together."""
    # end
    position: object
    """Centre of a cone instead of ra and dec: an astropy SkyCoord, or a pair of numbers [deg]."""


class PartOptions(TypedDict, total=False):
    """Which columns and rows of each table; as in :meth:`photseries.Client.get`."""

    columns: str | Sequence[str] | None
    mjd_min: float | None
    mjd_max: float | None
    row_min: int | None
    row_max: int | None
    max_points: int | None
    derive: str | Sequence[str] | None
    bin: str | None
    detrend: str | None
    clip: float | None


class ListOptions(ConeCriteria, PartOptions, total=False):
    """Criteria, and a part of each table."""
