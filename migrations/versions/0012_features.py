"""Features of variability in the rows of series, the columns of flags, and the places of instruments."""

import sqlalchemy as sa
from alembic import op

from photseries.server.catalogue.migrations import create_index

revision = "0012"
down_revision = "0011"

NUMBERS = (
    "weighted_mean", "weighted_mean_error", "chi2_dof", "excess_variance", "excess_variance_error", "von_neumann",
    "mad", "iqr", "skewness", "kurtosis", "stetson_k", "amplitude", "p1", "p5", "p25", "p75", "p95", "p99",
    "beyond_1_sigma", "beyond_2_sigma", "largest_change", "slope", "slope_error", "span", "largest_gap",
    "median_cadence", "median_error", "points_per_night",
)  # fmt: skip
COLUMNS = {
    "flag_column": sa.Text(),
    "good_values": sa.JSON(),
    "num_flagged": sa.Integer(),
    "features_of": sa.Text(),
    **dict.fromkeys(NUMBERS, sa.Double()),
}
PLACE = ("longitude", "latitude", "height")
INDEXED = ("von_neumann", "chi2_dof", "amplitude")


def upgrade():
    for name in PLACE:
        op.add_column("instruments", sa.Column(name, sa.Double()), if_not_exists=True)
    for name, kind in COLUMNS.items():
        op.add_column("photometric_series", sa.Column(name, kind), if_not_exists=True)
    for name in INDEXED:
        create_index(f"ix_photometric_series_{name}_id", "photometric_series", [name, "id"])
