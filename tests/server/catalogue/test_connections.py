"""The connections of the catalogue."""

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from photseries.errors import DatabaseAwayError


@pytest.fixture
def closed(services):
    """How many more connections are closed when they are taken from the pool: at first two."""
    left = [2]

    def close(*_):
        if left[0]:
            left[0] -= 1
            raise DisconnectionError

    event.listen(services.catalogue.engine, "checkout", close)
    yield left
    event.remove(services.catalogue.engine, "checkout", close)


def test_two_closed_connections_in_a_row_are_an_error_of_the_database(services, closed):
    """SQLAlchemy's pool then raises InvalidRequestError, which was answered with 500."""
    with pytest.raises(DatabaseAwayError, match="not available"):
        services.catalogue.ping()
    assert closed == [0]
    assert services.catalogue.connections_in_use() == 0


def test_work_is_repeated_after_two_closed_connections(services, closed):
    services.catalogue.with_retries(services.catalogue.ping)
    assert closed == [0]
