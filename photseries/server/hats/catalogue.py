"""The files that turn partitions into a HATS catalogue: schema, list of partitions, properties."""

from __future__ import annotations

from collections.abc import Mapping

from photseries import __version__
from photseries.lightcurve.sky import ORDER
from photseries.server.hats.layout import HEALPIX, Layout
from photseries.server.hats.target import Target, Tile

__all__ = ["describe"]


def describe(target: Target, layout: Layout, rows: Mapping[Tile, int]) -> None:
    """Write the files that describe the whole catalogue, replacing earlier ones.

    Parameters
    ----------
    rows : mapping of Tile to int
        The partitions, and the rows of each.

    Notes
    -----
    Readers use the list of partitions: partitions that it no longer contains may be removed afterwards. The
    footers of all partitions in one file (``_metadata``) are left out, as HATS allows: readers of HATS do without, and
    it would not fit in memory for an archive of some size.
    """
    import pyarrow.parquet as pq
    from hats.catalog import PartitionInfo, TableProperties
    from hats.io.paths import get_common_metadata_pointer, get_partition_info_pointer
    from hats.pixel_math import HealpixPixel
    from upath import UPath

    partitions = PartitionInfo([HealpixPixel(*tile) for tile in sorted(rows)])
    properties = TableProperties(
        catalog_name=target.root.name,
        catalog_type="object",
        total_rows=sum(rows.values()),
        ra_column="ra",
        dec_column="dec",
        healpix_column=HEALPIX,
        healpix_order=ORDER,
        hats_order=max((tile.order for tile in rows), default=0),
        hats_max_rows=max(rows.values(), default=0),
        moc_sky_fraction=partitions.calculate_fractional_coverage(),
        **TableProperties.new_provenance_dict(target.root, builder=f"photseries v{__version__}"),
    )
    with target.replaced(get_common_metadata_pointer(target.root)) as name:
        pq.write_metadata(layout.schema(), name)
    with target.replaced(get_partition_info_pointer(target.root)) as name:
        partitions.write_to_file(UPath(name))
    for called in ("hats.properties", "properties"):
        with target.replaced(target.root / called) as name:
            properties.to_properties_file_path(UPath(name))
