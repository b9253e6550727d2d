"""The archive: the use cases of series, and the order in which blobs and rows change so that nothing is lost.

``Archive`` changes series, ``BulkUpload`` stores many at once, ``Restorer`` brings back earlier revisions,
``SeriesReader`` reads them, ``Exporter`` and ``Analysis`` build on the reader, ``Upkeep`` sweeps and
verifies the store.

**Invariant: every committed row has its blob, complete and matching its hash. A blob without a row is harmless, and is
swept once it is old.**

* create: blob, then commit the row;
* update: new blob, then commit the row that points to it;
* delete: commit;
* restore: commit the row that points to an earlier blob, which the sweep then cannot remove.

None of these operations removes the blob of a committed row; only the sweep does, after the grace. After a failure a
new blob is removed only if its row is certainly not committed; if that is unknown, the sweep decides later by the rows.
"""

from photseries.server.archive.analysis import Analysis
from photseries.server.archive.archive import Archive, Created
from photseries.server.archive.batches import BatchUndo
from photseries.server.archive.bulk import BulkUpload
from photseries.server.archive.exports import Exporter
from photseries.server.archive.file_uploads import FileUploads, SentFile
from photseries.server.archive.periods import Periods
from photseries.server.archive.reader import SeriesReader
from photseries.server.archive.restoring import Restorer
from photseries.server.archive.upkeep import Damage, SweepResult, Upkeep

__all__ = [
    "Analysis",
    "Archive",
    "BatchUndo",
    "BulkUpload",
    "Created",
    "Damage",
    "Exporter",
    "FileUploads",
    "Periods",
    "Restorer",
    "SentFile",
    "SeriesReader",
    "SweepResult",
    "Upkeep",
]
