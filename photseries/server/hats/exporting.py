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
from photseries.server.hats.partition import Partition, Written, write
from photseries.server.hats.planning import partitions, span
from photseries.server.hats.target import Target, Tile
from photseries.server.principal import Principal
from photseries.server.services import Services

__all__ = ["MOST", "Exported", "export"]

#: What a partition may weigh: the measurements of its series, and 32 more for the metadata of each.
MOST = 1_000_000

#: Advisory lock of the exporting process.
EXPORT = 7_302_003
#: How often a partition is tried again when series were changed, and their old files removed, meanwhile.
TRIES = 3
#: How long a scheduler may take to answer, and a worker to come [s].
PATIENCE = 10


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes
    ----------
    partitions, rows : int
        That the export now has.
    written, series, measurements : int
        Partitions that were written now, and what is in them.
    removed : int
        Partitions that were there and are no longer.
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
    most: int = MOST,
    scheduler: str | None = None,
    progress: Callable[[int], AbstractContextManager[Callable[[], None]]] = lambda total: nullcontext(lambda: None),
) -> Exported:
    """Export what a principal may see as a HATS catalogue, or bring such an export up to date.

    Parameters
    ----------
    most : int
        What a partition may weigh, see :data:`MOST`; the memory that is needed does not depend on it.
    scheduler : str, optional
        Address of a Dask scheduler whose workers write the partitions; without one this process does.
    progress : callable
        Called with the number of partitions that are to be written; gives a context in which to tell of each.

    Raises
    ------
    StartError
        When a package is missing, the target is not this archive's, the scheduler is not there, or
        another export runs.
    NotAdoptedError
        When a copy of the database made the export.
    DamagedError, UnavailableError
        What was exported until then stays, and the next export continues from there.
    """
    _require_packages(scheduler)
    with services.catalogue.elected(EXPORT) as won:
        if not won:
            raise StartError("Another export of this archive is running.")
        planned = _plan(services, principal, target, layout, most)
        there = target.partitions()
        stale = [tile for tile, mark in planned.items() if tile not in there or there[tile].fingerprint != mark]
        written: dict[Tile, Written] = {}
        with _executor(scheduler) as (executor, width), progress(len(stale)) as advance:
            for tile, one in _written(services, principal, target, layout, stale, executor, width):
                written[tile] = one
                advance()
        rows = {tile: written[tile].rows if tile in written else there[tile].rows for tile in planned}
        kept = {tile: count for tile, count in rows.items() if count}
        describe(target, layout, kept)
        gone = [tile for tile in there if tile not in kept]
        for tile in gone:
            target.remove(tile)
    return Exported(
        len(kept), sum(kept.values()), sum(one.rows > 0 for one in written.values()),
        sum(one.series for one in written.values()), sum(one.measurements for one in written.values()), len(gone),
    )  # fmt: skip


def _require_packages(scheduler: str | None) -> None:
    needed = ("hats", "pyarrow") if scheduler is None else ("hats", "pyarrow", "distributed")
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise StartError(f"An export needs {' and '.join(missing)}: pip install 'photseries[server,hats]'.")


def _plan(services: Services, principal: Principal, target: Target, layout: Layout, most: int) -> dict[Tile, int]:
    """Claim the target, and give the partitions that it is to have, with their fingerprints."""
    with services.catalogue.reading() as connection:
        target.claim(blobs.archive(connection), layout.about)
        ownership = Ownership(target, services.catalogue, f"The export {target.url}", "photseries export hats --adopt")
        if target.adopted:
            ownership.adopt()
        ownership.advance()
        cells = partial(exporting.cells, connection, principal, by_source=layout.by_source)
        return {tile: cell.fingerprint for tile, cell in partitions(cells, most)}


def _written(
    services: Services,
    principal: Principal,
    target: Target,
    layout: Layout,
    stale: list[Tile],
    executor: Executor,
    width: int,
) -> Iterator[tuple[Tile, Written]]:
    """Have partitions written, as many at a time as there is room for, and give each that is."""

    def submitted(tile: Tile) -> Future[Written]:
        with services.catalogue.reading() as connection:
            found = exporting.members(connection, principal, *span(tile), by_source=layout.by_source)
        if not found:
            nothing: Future[Written] = Future()
            nothing.set_result(Written(0, 0, 0))
            return nothing
        return executor.submit(write, Partition(target, services.store, layout, tile, found))

    waiting = iter(stale)
    running: dict[Future[Written], tuple[Tile, int]] = {}
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
    """Yield what writes partitions, and how many to ask for at a time: one is read while another is written."""
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
