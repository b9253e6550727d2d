"""The steps of an export: check the owner, find outdated partitions, write them, then write the catalogue files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice

from photseries.errors import DamagedError, StartError
from photseries.server.archive.store_ownership import Ownership
from photseries.server.catalogue import blobs, exporting
from photseries.server.hats.catalogue import describe
from photseries.server.hats.layout import Layout
from photseries.server.hats.partition import Partition, WrittenPartition, write
from photseries.server.hats.planning import partitions, span
from photseries.server.hats.target import Target, Tile
from photseries.server.principal import Principal
from photseries.server.services import Services

__all__ = ["MAX_WEIGHT", "ExportResult", "export"]

#: Maximum weight of a partition: the measurements of its series, and 32 more per series for the metadata.
MAX_WEIGHT = 1_000_000

#: Advisory lock of the exporting process.
EXPORT = 7_302_003
#: Maximum number of attempts for a partition when concurrent changes remove files of its series.
TRIES = 3
#: Timeouts for a scheduler to answer, and for a worker to start [s].
PATIENCE = 10


@dataclass(frozen=True)
class ExportResult:
    """The result of an export.

    Attributes
    ----------
    partitions, rows : int
        In the export now.
    written, series, measurements : int
        Partitions written by this run, with their contents.
    removed : int
        Partitions that were removed.
    """

    partitions: int
    rows: int
    written: int
    series: int
    measurements: int
    removed: int


def export(
    services: Services,
    principal: Principal,
    target: Target,
    layout: Layout,
    *,
    max_weight: int = MAX_WEIGHT,
    scheduler: str | None = None,
    progress: Callable[[int], AbstractContextManager[Callable[[], None]]] = lambda total: nullcontext(lambda: None),
) -> ExportResult:
    """Export the series visible to a principal as a HATS catalogue, or update such an export.

    Parameters
    ----------
    max_weight : int
        Maximum weight of a partition, see :data:`MAX_WEIGHT`; the memory use does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler whose workers write the partitions; without one this process does.
    progress : callable
        Called with the number of partitions to write; returns a context for reporting each.

    Raises
    ------
    StartError
        When a package is missing, the target is not this archive's, the scheduler is unreachable, or
        another export runs.
    NotAdoptedError
        When a copy of the database made the export.
    DamagedError, UnavailableError
        The partitions written so far stay, and the next export continues from there.
    """
    _require_packages(scheduler)
    with services.catalogue.task_lock(EXPORT) as require_lock:
        if require_lock is None:
            raise StartError("Another export of this archive is running.")
        planned = _plan(services, principal, target, layout, max_weight)
        existing = target.partitions()
        stale = [tile for tile, mark in planned.items() if tile not in existing or existing[tile].fingerprint != mark]
        written: dict[Tile, WrittenPartition] = {}
        with _executor(scheduler) as (executor, width), progress(len(stale)) as advance:
            for tile, partition in _write_partitions(services, principal, target, layout, stale, executor, width):
                require_lock()
                written[tile] = partition
                advance()
        rows = {tile: written[tile].rows if tile in written else existing[tile].rows for tile in planned}
        filled = {tile: count for tile, count in rows.items() if count}
        require_lock()
        describe(target, layout, filled)
        removed = [tile for tile in existing if tile not in filled]
        for tile in removed:
            target.remove(tile)
    return ExportResult(
        len(filled), sum(filled.values()), sum(partition.rows > 0 for partition in written.values()),
        sum(partition.series for partition in written.values()),
        sum(partition.measurements for partition in written.values()), len(removed),
    )  # fmt: skip


def _require_packages(scheduler: str | None) -> None:
    needed = ("hats", "pyarrow") if scheduler is None else ("hats", "pyarrow", "distributed")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise StartError(f"An export needs {' and '.join(missing)}: pip install 'photseries[server,hats]'.")


def _plan(services: Services, principal: Principal, target: Target, layout: Layout, max_weight: int) -> dict[Tile, int]:
    """Claim the target, and return the planned partitions with their fingerprints."""
    with services.catalogue.reading() as connection:
        target.claim(blobs.archive(connection), layout.signature)
        ownership = Ownership(target, services.catalogue, f"The export {target.url}", "photseries export hats --adopt")
        if target.adopted:
            ownership.adopt()
        ownership.advance()
        cells = partial(exporting.cells, connection, principal, by_source=layout.by_source)
        return {tile: cell.fingerprint for tile, cell in partitions(cells, max_weight)}


def _write_partitions(
    services: Services,
    principal: Principal,
    target: Target,
    layout: Layout,
    stale: list[Tile],
    executor: Executor,
    width: int,
) -> Iterator[tuple[Tile, WrittenPartition]]:
    """Submit partitions, with a limited number in flight, and yield each one that is written."""

    def submitted(tile: Tile) -> Future[WrittenPartition]:
        with services.catalogue.reading() as connection:
            members = exporting.members(connection, principal, *span(tile), by_source=layout.by_source)
        if not members:
            nothing: Future[WrittenPartition] = Future()
            nothing.set_result(WrittenPartition(0, 0, 0))
            return nothing
        return executor.submit(write, Partition(target, services.store, layout, tile, members))

    waiting = iter(stale)
    running: dict[Future[WrittenPartition], tuple[Tile, int]] = {}
    while True:
        for tile in islice(waiting, width - len(running)):
            running[submitted(tile)] = (tile, TRIES)
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            tile, tries = running.pop(future)
            try:
                yield tile, future.result()
            except DamagedError:
                if tries == 0:
                    raise
                running[submitted(tile)] = (tile, tries - 1)


@contextmanager
def _executor(scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """Yield the executor and the number of partitions to submit at a time: one is read while another is written."""
    if scheduler is None:
        with ThreadPoolExecutor(1) as executor:
            yield executor, 2
        return
    from distributed import Client

    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise StartError(f"There is no Dask scheduler at {scheduler}: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise StartError(f"The Dask scheduler at {scheduler} has no workers.") from None
        yield client.get_executor(pure=False), 2 * sum(client.nthreads().values())
