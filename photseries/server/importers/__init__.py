"""Import other archives: SkyPortal's with its ids, and directory trees of HDF5 files.

Nothing is trusted: a worker process reads every file, every statistic is recomputed, and differences from the other
archive are reported with their reasons. Series that cannot be imported are reported and not stored.
"""

from photseries.server.importers.directory import DirectoryImport
from photseries.server.importers.mapping import load_mapping
from photseries.server.importers.report import ImportOutcome, Report, Status
from photseries.server.importers.running import import_lock
from photseries.server.importers.skyportal import SkyPortalImport

__all__ = ["DirectoryImport", "ImportOutcome", "Report", "SkyPortalImport", "Status", "import_lock", "load_mapping"]
