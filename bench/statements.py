"""How many statements a request sends to the database, COMMIT included."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from bench.client import MARK
from bench.samples import Sample
from photseries import parameters
from photseries.formats import json_columns
from photseries.server import settings
from photseries.server.principal import Principal
from photseries.server.services import Services, opened

__all__ = ["counted"]


def counted(directory: Path, sample: Sample, listed: tuple[int, ...]) -> dict[str, int]:
    """Count, for one request of each operation, what the service's own functions send in this process."""
    with opened(settings.load(None, {}, {"data.directory": str(directory)})) as services:
        services.sandbox.start()
        archive, reader, token = services.archive, services.reader, services.token_file.read_text().strip()
        numbers = (b"statements %d" % number for number in itertools.count())

        def post(principal: Principal, container: str = "json") -> int:
            body = sample.body(container).replace(MARK, next(numbers))
            return archive.create(principal, json_columns.parse(body, services.config.limits)).id

        def get(principal: Principal, data_format: str) -> None:
            reader.document(principal, reader.get(principal, series_id), data_format)

        series_id = post(services.accounts.authenticate(token))
        acts: dict[str, Callable[[Principal], Any]] = {
            "POST json": post,
            "POST hdf5": lambda principal: post(principal, "hdf5"),
            "GET none": lambda principal: get(principal, "none"),
            "GET json": lambda principal: get(principal, "json"),
            "GET hdf5": lambda principal: get(principal, "hdf5"),
            "PATCH": lambda principal: archive.update(principal, series_id, {"altdata": {"number": 1}}),
        }
        for count in listed:
            query = parameters.parse({"numPerPage": [str(count)]})
            acts[f"list of {count}"] = lambda principal, query=query: reader.find(principal, query)
        return {name: _statements(services, token, act) for name, act in acts.items()}


def _statements(services: Services, token: str, act: Callable[[Principal], Any]) -> int:
    with _collected(services) as sent:
        act(services.accounts.authenticate(token))
    return len(sent)


@contextmanager
def _collected(services: Services) -> Iterator[list[str]]:
    sent: list[str] = []
    engine = services.catalogue.engine

    def execute(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    def commit(_: Any) -> None:
        sent.append("COMMIT")

    event.listen(engine, "before_cursor_execute", execute)
    event.listen(engine, "commit", commit)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", execute)
        event.remove(engine, "commit", commit)
