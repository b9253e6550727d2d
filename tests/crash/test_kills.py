"""The kill table: after a kill at any step the invariant holds, and the client can repeat its request."""

import signal
from typing import Any

import httpx
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from photseries.errors import NotAdoptedError
from photseries.server.catalogue import migrations
from tests.conftest import database
from tests.crash.conftest import ALL
from tests.crash.kills import CASES, PATH, RESTORES, SAMPLE, SETTINGS, VERBS
from tests.crash.place import Place
from tests.forked import ForkedService
from tests.support import PATIENCE, columns

pytestmark = pytest.mark.slow


def cases(table=CASES, sample=SAMPLE, *, requests=False, verb=None):
    """The cases of one verb, or of all that are requests."""
    return [
        pytest.param(case, id=str(case))
        for case in table
        if (ALL or (case.verb, case.point) in sample) and (case.verb in VERBS if requests else case.verb == verb)
    ]


def was_killed(service):
    """Wait for the end of a service that kills itself."""
    try:
        return service.process.wait(PATIENCE) == -signal.SIGKILL
    finally:
        service.kill()


@pytest.mark.parametrize("case", cases(requests=True))
def test_killed_request_leaves_a_consistent_archive(case, place, admin, world, record_property):
    record_property("killed", (case.verb, case.point))
    check_killed_request(case, place, admin, world)


def check_killed_request(case, place, admin, world):
    verb = VERBS[case.verb](admin, world, f"{case.verb} {case.point}".replace(",", ""))
    place.unlink_earlier(3600)
    more: dict[str, Any] = {**place.store_settings, "database__url": place.url, "fault": f"kill@{case.point}"}
    more |= SETTINGS.get(case.verb, {})
    doomed = ForkedService(place.directory, **more)
    with doomed.client() as client, pytest.raises(httpx.TransportError):
        verb.send(client)
    assert was_killed(doomed)

    place.check_invariant()
    verb.check(admin, case.committed)
    place.check_swept()
    verb.check(admin, case.committed)
    verb.repeat(admin, case.committed)
    verb.check(admin, True)
    place.check_invariant()
    place.check_swept()


@pytest.mark.parametrize("case", [case for verb in RESTORES for case in cases(verb=verb)])
def test_killed_restore_leaves_a_consistent_archive(case, place, admin, world, record_property):
    """Like every other request, but without the sweep in between, which would remove the file to restore."""
    record_property("killed", (case.verb, case.point))
    verb = RESTORES[case.verb](admin, world, f"{case.verb} {case.point}")
    doomed = ForkedService(place.directory, **place.store_settings, database__url=place.url, fault=f"kill@{case.point}")
    with doomed.client() as client, pytest.raises(httpx.TransportError):
        verb.send(client)
    assert was_killed(doomed)

    place.check_invariant()
    verb.check(admin, case.committed)
    verb.repeat(admin, case.committed)
    verb.check(admin, True)
    place.check_swept()
    verb.check(admin, True)


@pytest.mark.parametrize("case", cases(verb="sweep"))
def test_killed_sweep_leaves_a_consistent_archive(case, place, admin, world, record_property):
    record_property("killed", (case.verb, case.point))
    place.store.create("orphans/orphan.h5", b"nobody names me")
    (place.root / ".partial").mkdir(exist_ok=True)
    (place.root / ".partial" / ("0" * 32)).write_bytes(b"left by a killed writer")
    check_killed_sweep(case, place, admin, world)


def check_killed_sweep(case, place, admin, world, **more):
    kept = VERBS["update"](admin, world, f"kept {case.point}")
    kept.send(admin)
    for number in range(2):
        gone = VERBS["delete"](admin, world, f"gone {number} {case.point}")
        assert gone.send(admin).status_code == 200
    place.age()

    assert place.killed("sweep", fault=f"kill@{case.point}", **more)
    place.check_invariant()
    kept.check(admin, True)
    assert place.upkeep.sweep() is not None
    assert place.files() - place.named() <= partial_of_the_killed(place), "young left-overs wait for the next sweep"
    place.check_swept()
    kept.check(admin, True)


@pytest.mark.parametrize("case", cases(verb="adopt"))
def test_killed_adoption_leaves_a_consistent_store(case, place, admin, world, record_property):
    """The store has no owner until the command is repeated, and nothing is removed."""
    record_property("killed", (case.verb, case.point))
    kept = VERBS["create"](admin, world, f"kept {case.point}")
    assert kept.send(admin).status_code == 200
    assert place.killed("adopt-store", "--yes", fault=f"kill@{case.point}")
    place.check_invariant()
    with pytest.raises(NotAdoptedError):
        place.upkeep.sweep()
    assert place.command("adopt-store", "--yes").exit_code == 0
    kept.check(admin, True)
    place.check_swept()


def partial_of_the_killed(place):
    return {name for name in place.files() if name.startswith(".partial/") and name != f".partial/{'0' * 32}"}


@pytest.mark.parametrize("before", [None, "first"] if ALL else ["first"])
@pytest.mark.parametrize("case", cases(verb="migrate"))
def test_killed_migration_can_be_repeated(case, before, server, tmp_path, record_property):
    record_property("killed", (case.verb, case.point))
    with database(server) as url, Place(tmp_path / "data", url) as place:
        old = started_at(place.catalogue, before)
        assert place.killed("migrate", fault=f"kill@{case.point}")
        if not case.committed:
            assert revision(place.catalogue) == old
        migrations.upgrade(place.catalogue.engine)
        migrations.check(place.catalogue.engine)
        place.check_swept()


def started_at(catalogue, before):
    """Bring an empty database to the first revision, or leave it empty."""
    if before is not None:
        configuration = migrations._configuration()
        (base,) = ScriptDirectory.from_config(configuration).get_bases()
        with catalogue.engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, base)
    return revision(catalogue)


def revision(catalogue):
    with catalogue.engine.connect() as connection:
        return migrations._revision(connection)


def test_after_all_kills_a_service_starts_and_the_commands_agree(place, world):
    check_all_is_well(place, world)


def check_all_is_well(place, world):
    with (
        ForkedService(place.directory, database__url=place.url, **place.store_settings) as service,
        service.client() as client,
    ):
        body = world.fields(series_name="after all kills", data=columns())
        assert client.post(PATH, json=body).status_code == 200
        assert client.get("/readyz").status_code == 200
    assert place.command("sweep").exit_code == 0
    outcome = place.command("verify")
    assert outcome.exit_code == 0, outcome.stdout
    assert "damaged=0" in outcome.stdout
