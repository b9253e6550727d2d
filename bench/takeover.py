"""The import of a SkyPortal with TESS-sized series: how many a second, what bounds it, whether memory grows.

``python -m bench takeover`` makes a SkyPortal of links to the TESS file of the tests (so the files come from memory),
imports it as the command does, and then times the parts of one series by themselves.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.processes import Tree, timed
from photseries.server import settings
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.importers import Report, SkyPortalImport, rows
from photseries.server.importers.differences import compared, given
from photseries.server.importers.skyportal_schema import SkyPortal
from photseries.server.importers.storing import SeriesImporter
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.services import Services, opened
from tests.conftest import database
from tests.server.importers.peer import Peer
from tests.support import TESS, recipe_read

TARGET = 40  # series a second, on two cores
CORES = 2


def fill(peer: Peer, number: int) -> None:
    """Make a SkyPortal of one series, so many times."""
    peer.people()
    file = peer.series(1, recipe_read(TESS.read_bytes())[0], filter="tess::red")
    peer.cursor.execute("ALTER TABLE photometric_series DROP CONSTRAINT photometric_series_hash_key")
    row = peer.rows[1]
    own = {"id": "n", "series_obj_id": "'n' || n", "filename": f"replace('{row['filename']}', 'n1_', 'n' || n || '_')"}
    names = [*row, "created_at", "modified"]
    values = ", ".join(own.get(name, name) for name in names)
    peer.cursor.execute(
        f"INSERT INTO photometric_series ({', '.join(names)}) SELECT {values} "
        "FROM photometric_series, generate_series(2, %s) AS n",
        [number],
    )
    peer.cursor.execute(
        "INSERT INTO group_photometric_series (group_id, photometric_serie_id) SELECT 30, generate_series(2, %s)",
        [number],
    )
    for n in range(2, number + 1):
        os.link(file, file.with_name(file.name.replace("n1_", f"n{n}_")))


def parts(services: Services, source: SkyPortal, file: Path) -> dict[str, Callable[[], Any]]:
    """Give what is done for a series, each part by itself."""
    (series,) = source.series(0, 1)
    content = file.read_bytes()
    importer = SeriesImporter(services.catalogue, services.store, services.sandbox, services.config)
    with services.catalogue.reading() as connection:
        own = rows.own_groups(connection)[series.owner_id]
    fields = {**given(series, "deg"), "group_ids": [own], "stream_ids": [], "owner_id": series.owner_id}
    new, _ = importer.parse(content, fields)
    numbers = iter(range(10**6, 2 * 10**6))

    def take() -> None:
        number = next(numbers)
        values = {**new.values, "series_obj_id": f"again {number}"}
        kept = {"id": number, "created_at": series.created_at, "modified": series.modified}
        named = type(new)(new.frame, new.metadata, new.sharing, values, new.sources)
        importer.store(named, kept, [own], [], {"hash": {"from": series.hash}})

    return {
        "file read": file.read_bytes,
        "MD5 of it": lambda: hashlib.md5(content).digest(),
        "read in a worker": lambda: services.sandbox.decode(content),
        "the same, checked, summed up and hashed": lambda: importer.parse(content, fields),
        "compared": lambda: compared(series, new.frame, new.values),
        "encoded, stored, row committed": take,
    }


def run(services: Services, peer: Peer, url: str, folder: Path, number: int) -> None:
    tree = Tree(os.getpid())
    source = SkyPortal(url, services.config.database)
    work = SkyPortalImport(services, source, peer.folder)
    with Report(folder / "report") as report:
        begin = time.perf_counter()
        checked = work.check()
        took = time.perf_counter() - begin
        print(f"{checked.series:,} series, {checked.size / 2**20:,.0f} MiB; checked in {took:.2f} s")
        begin, used, memory = time.perf_counter(), tree.cpu(), []
        for done, outcome in enumerate(work.series(), 1):
            report.add(outcome)
            if done % max(1, number // 4) == 0:
                memory.append(tree.resident())
        wall, cpu = time.perf_counter() - begin, tree.cpu() - used
        report.finish({}, ())
    taken, rate = report.statuses["taken"], CORES * number / cpu
    print(f"{taken:,} taken in {wall:.1f} s: {number / wall:.1f} a second (target {TARGET} on {CORES} cores)")
    print(f"CPU {cpu / number * 1000:.1f} ms a series, PostgreSQL apart: {rate:.1f} a second on {CORES} idle cores")
    print(f"the largest process after each quarter: {', '.join(f'{size:.0f}' for size in memory)} MiB")
    print("| part | CPU of this process [ms] | wall [ms] |\n| --- | --- | --- |")
    for name, act in parts(services, source, next(peer.folder.rglob("*.h5"))).items():
        cost = timed(act, 1.0)
        print(f"| {name} | {cost.cpu:.1f} | {cost.wall:.1f} |")
    source.close()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench takeover")
    parser.add_argument("--series", type=int, default=400)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: the system's temporary one")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name, EmbeddedServer(Path(name) / "server") as embedded:
        folder, server = Path(name), embedded.start()
        with database(server) as theirs, database(server) as ours:
            catalogue = Catalogue(ours, settings.Database())
            migrations.upgrade(catalogue.engine)
            catalogue.close()
            peer = Peer(theirs, folder / "files")
            fill(peer, options.series)
            (folder / "data").mkdir()
            values = {"database.url": ours, "data.directory": str(folder / "data")}
            with opened(settings.load(None, {}, values)) as services:
                services.sandbox.start()
                run(services, peer, theirs, folder, options.series)
            peer.connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
