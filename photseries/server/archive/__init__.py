"""The archive: the order in which tables, rows and blobs change, so that nothing is ever lost.

**Invariant: every committed row has its blob, complete and matching its hash. A blob without a row is harmless, and is
swept when it is old.**

* create: blob, then commit the row;
* update: new blob, then commit the row that points to it;
* delete: commit.

None of them removes the bytes of a committed row: that is the sweep's alone, after the grace. A new blob is taken back
only when its row is certain not to have been committed; when that is unknown, the sweep decides later by the rows.
"""

from photseries.server.archive.archive import Archive, Created
from photseries.server.archive.upkeep import Damage, Swept, Upkeep

__all__ = ["Archive", "Created", "Damage", "Swept", "Upkeep"]
