"""The kill table once more, with the files in object storage."""

import pytest

from tests.crash.kills import OBJECT_CASES, OBJECT_SAMPLE
from tests.crash.place import ObjectPlace
from tests.crash.test_kills import cases, check_all_is_well, check_killed_request, check_killed_sweep

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store_settings(object_server):
    assert object_server.make_bucket("kills")
    return object_server.settings("kills/archive")


@pytest.fixture(scope="module")
def place(service, directory, database_url, store_settings):
    with ObjectPlace(directory, database_url, **store_settings) as inspected:
        yield inspected


@pytest.mark.parametrize("case", cases(OBJECT_CASES, OBJECT_SAMPLE, requests=True))
def test_killed_request_leaves_a_consistent_store(case, place, admin, world, record_property):
    record_property("killed over object storage", (case.verb, case.point))
    check_killed_request(case, place, admin, world)


@pytest.mark.parametrize("case", cases(OBJECT_CASES, OBJECT_SAMPLE, verb="sweep"))
def test_killed_sweep_leaves_a_consistent_store(case, place, admin, world, record_property):
    record_property("killed over object storage", (case.verb, case.point))
    check_killed_sweep(case, place, admin, world, store__grace=0)


def test_after_all_kills_a_service_starts_and_the_commands_agree(place, world):
    check_all_is_well(place, world)
