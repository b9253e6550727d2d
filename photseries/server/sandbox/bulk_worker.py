"""The fork server for bulk uploads, which has loaded pyarrow and is started on demand."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from photseries.errors import InvalidError, UnreadableFileError
from photseries.server.sandbox import bulk_wire, worker
from photseries.server.sandbox.bulk_reader import slabs, warm_up
from photseries.server.sandbox.bulk_request import BulkRequest
from photseries.server.sandbox.worker import Answers, ForkServer, map_file

__all__ = ["main"]


class _BulkForkServer(ForkServer):
    """Its children read a body according to a :class:`BulkRequest`, which is a second image."""

    def _warm_up(self) -> None:
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        warm_up(slabs, BulkRequest.from_json(self._warm_up_content))

    def _prepare(self, upload: int, more: int) -> Answers:
        return functools.partial(self._frames, map_file(upload), map_file(more))

    def _frames(self, body: memoryview, request: memoryview, missing: tuple[str, ...]) -> Iterator[bytes | memoryview]:
        try:
            with contextlib.closing(slabs(body, BulkRequest.from_json(request))) as slabs_of_body:
                for slab in slabs_of_body:
                    if isinstance(slab, int):
                        yield from bulk_wire.pack_number(slab, missing)
                    else:
                        yield from bulk_wire.pack(slab)
            yield from bulk_wire.pack_end()
        except InvalidError as error:
            yield from bulk_wire.pack_error(error)
        except MemoryError:
            limit = f"{self._settings.memory:,} bytes of memory"
            yield from bulk_wire.pack_error(UnreadableFileError(f"Reading the body takes more than {limit}."))


def main(arguments: dict[str, Any]) -> None:
    """Run the fork server as :class:`photseries.server.sandbox.bulk_pool.BulkSandbox` starts it."""
    worker.main(arguments, kind=_BulkForkServer)
