"""Import other archives: SkyPortal's with its ids, and directory trees of HDF5 files.

Nothing is trusted: every file is read by a worker process, every statistic is computed anew, and what differs from what
the other archive said is reported with the reason. What cannot be taken is reported, and not in the archive.
"""

from photseries.server.importers.directory import DirectoryImport
from photseries.server.importers.mapping import load_mapping
from photseries.server.importers.report import Outcome, Report, Status
from photseries.server.importers.running import import_lock
from photseries.server.importers.skyportal import SkyPortalImport

__all__ = ["DirectoryImport", "Outcome", "Report", "SkyPortalImport", "Status", "import_lock", "load_mapping"]
