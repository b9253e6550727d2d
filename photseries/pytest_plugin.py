"""Pytest fixtures, which pytest finds through the entry point ``pytest11``.

Their dependencies are imported when a test uses a fixture, so that other test suites are not slowed down.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from photseries.client import Client
    from photseries.testing import RunningService

__all__ = ["photseries_client", "photseries_service"]


@pytest.fixture(scope="session")
def photseries_service() -> Iterator[RunningService]:
    """Run a photseries service for all tests of the session; has ``url`` and ``token``."""
    from photseries.testing.running import run_service

    with run_service() as running:
        yield running


@pytest.fixture
def photseries_client(photseries_service: RunningService) -> Iterator[Client]:
    """Connect a client with an admin's token to ``photseries_service``; tests share its archive."""
    from photseries.client import Client

    with Client(photseries_service.url, photseries_service.token) as client:
        yield client
