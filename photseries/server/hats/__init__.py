"""Exports of the whole archive for analysis tools: a HATS catalogue with nested light curves.

The export is partitioned by the HEALPix index of the catalogue, with a Parquet file per pixel and smaller pixels in
dense regions. The footer of each file has a fingerprint of its series and their revisions, and there is no other state:
an export writes the files that are missing or differ, in any number of processes, and removes those that are no longer
planned. Resumed and incremental exports therefore run the same code.

The required packages (the extra ``hats``) are imported on first use.
"""

from photseries.server.hats.exporting import MAX_WEIGHT, ExportResult, export
from photseries.server.hats.layout import Layout
from photseries.server.hats.target import Target

__all__ = ["MAX_WEIGHT", "ExportResult", "Layout", "Target", "export"]
