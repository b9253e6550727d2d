"""Exports of the whole archive for analysis tools: a HATS catalogue with nested light curves.

What is exported is partitioned by the HEALPix index that the catalogue has anyway, a Parquet file for each pixel, small
pixels where there is much. Each file says in its footer which series it holds at which revisions (a fingerprint), so
that there is no other state: an export writes the files that are missing or differ, in any number of processes, and
removes those that are no longer planned. That resumes after a kill, and is all there is to an export of what changed.

The packages that this takes (the extra ``hats``) are imported when an export is asked for.
"""

from photseries.server.hats.exporting import MOST, Exported, export
from photseries.server.hats.layout import Layout
from photseries.server.hats.target import Target

__all__ = ["MOST", "Exported", "Layout", "Target", "export"]
