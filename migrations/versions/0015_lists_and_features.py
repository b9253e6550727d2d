"""Lists of names, and searches by any feature: indexes."""

from photseries.server.catalogue.migrations import create_index

revision = "0015"
down_revision = "0014"

TABLE = "photometric_series"
NAMES = "ix_photometric_series_series_obj_id"
FEATURES = "ix_photometric_series_features"
SCANNED = (
    "weighted_mean", "weighted_mean_error", "excess_variance", "excess_variance_error", "mad", "iqr", "skewness",
    "kurtosis", "stetson_k", "p1", "p5", "p25", "p75", "p95", "p99", "beyond_1_sigma", "beyond_2_sigma",
    "largest_change", "slope", "slope_error", "span", "largest_gap", "median_cadence", "median_error",
    "points_per_night", "period_power", "period_false_alarm", "period_error",
)  # fmt: skip


def upgrade():
    create_index(NAMES, TABLE, ["series_obj_id"], postgresql_using="hash")
    create_index(FEATURES, TABLE, ["id"], postgresql_include=["obj_id", *SCANNED, "audience"])
