"""Fixtures of the client's tests: a client with the admin's token, and names that no other series has."""

import itertools

import pytest

import photseries

_numbers = itertools.count()


@pytest.fixture(scope="module")
def client(service):
    with photseries.Client(service.url, service.token) as made:
        yield made


@pytest.fixture
def fields(world):
    """Fields of a series that there is not yet."""
    return world.fields(series_name=f"client/{next(_numbers)}")
