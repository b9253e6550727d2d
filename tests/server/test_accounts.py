"""Accounts: who may make and remove what, what is noted, and what an operator can put right."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import orjson
import pytest

from photseries.errors import ForbiddenError, InUseError, InvalidError, NotFoundError, UnauthorizedError
from photseries.hdf5 import stored_file
from photseries.permissions import ADMIN, MANAGE, UPLOAD
from photseries.server.accounts import OPERATOR, Accounts
from photseries.server.archive.handover import Handover
from photseries.server.catalogue import registries, series
from tests.server.archive.test_order import body
from tests.support import PATIENCE, until


@pytest.fixture
def accounts(services):
    return services.accounts


@pytest.fixture
def person(accounts):
    """A function that makes a user with a token, and gives id, secret and principal."""

    def make(name, *permissions, **more):
        user = accounts.create(OPERATOR, "users", {"username": name})["id"]
        values = {"user_id": user, "permissions": list(permissions), **more}
        secret = accounts.create(OPERATOR, "tokens", values)["token"]
        return user, secret, accounts.authenticate(secret)

    return make


def tokens_of(accounts, user):
    return [token for token in accounts.find(OPERATOR, "tokens", 1, 100)[0] if token["user_id"] == user]


def test_a_user_can_be_active_again(accounts, person, principal):
    user, secret, _ = person("anna", UPLOAD)
    accounts.change(principal, "users", str(user), {"active": False})
    with pytest.raises(UnauthorizedError):
        accounts.authenticate(secret)
    accounts.change(principal, "users", str(user), {"active": True})
    with pytest.raises(UnauthorizedError):
        accounts.authenticate(secret)
    new = accounts.create(principal, "tokens", {"user_id": user})["token"]
    assert accounts.authenticate(new).user_id == user


def test_the_last_admin_stays(accounts, person, principal):
    (token,) = tokens_of(accounts, principal.user_id)
    changes = (
        lambda: accounts.remove(principal, "users", str(principal.user_id)),
        lambda: accounts.change(principal, "users", str(principal.user_id), {"active": False}),
        lambda: accounts.remove(principal, "tokens", str(token["id"])),
        lambda: accounts.remove_token(principal, str(token["id"])),
    )
    for change in changes:
        with pytest.raises(InUseError, match="This is the last System admin"):
            change()
    person("short", ADMIN, expires_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    user, _, other = person("second", ADMIN)
    accounts.remove(principal, "users", str(user))
    with pytest.raises(NotFoundError):
        accounts.remove(principal, "tokens", "9999")
    user, _, other = person("third", ADMIN)
    accounts.remove(other, "users", str(principal.user_id))
    assert accounts.get(other, "users", str(principal.user_id))["active"] is False


def after_lock(services, function, statement):
    """Call a function that waits for the lock of admins, while its holder runs a statement; return its future."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with ThreadPoolExecutor(1) as pool:
        with services.catalogue.transaction() as connection:
            registries.lock_for_bootstrap(connection)
            future = pool.submit(function)
            until(lambda: future.done() or connection.exec_driver_sql(waiting).scalar_one())
            assert not future.done(), "it did not wait"
            connection.exec_driver_sql(statement)
        future.exception(PATIENCE)
        return future


def test_of_the_last_two_admins_one_stays(services, accounts, person, principal):
    user, _, _ = person("second", ADMIN)
    remove = partial(accounts.remove, principal, "users", str(user))
    future = after_lock(services, remove, f"DELETE FROM tokens WHERE user_id = {principal.user_id}")
    with pytest.raises(InUseError, match="This is the last System admin"):
        future.result()


def test_two_first_starts_make_one_admin(services, tmp_path):
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM tokens")
        connection.exec_driver_sql("UPDATE users SET username = 'somebody'")
    bootstrap = partial(services.accounts.bootstrap, tmp_path / "token")
    assert after_lock(services, bootstrap, "UPDATE users SET username = 'admin'").result() is None
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("secret", ["a\0b", "\udcff", "", "x" * 1000])
def test_a_secret_of_any_text_is_refused(accounts, secret):
    for use in (
        accounts.authenticate,
        accounts.recognize,
        partial(accounts.sign_in, lifetime=1.0),
        partial(accounts.make_sign_in_link, lifetime=1.0),
        partial(accounts.follow_sign_in_link, lifetime=1.0),
    ):
        with pytest.raises(UnauthorizedError):
            use(secret)


def test_the_operator_may_end_the_last_admin(accounts, principal):
    accounts.remove(OPERATOR, "users", str(principal.user_id))


def test_a_token_makes_tokens_with_no_more_rights(accounts, person):
    end = datetime.now(UTC) + timedelta(days=3)
    user, _, anna = person("anna", UPLOAD, expires_at=end.isoformat())
    made = accounts.create_token(anna, {"name": "laptop", "permissions": [UPLOAD]})
    who = accounts.authenticate(made["token"])
    assert (who.user_id, who.permissions, who.expires_at) == (user, {UPLOAD}, end)
    sooner = end - timedelta(days=1)
    made = accounts.create_token(anna, {"expires_at": sooner.isoformat()})
    who = accounts.authenticate(made["token"])
    assert (who.permissions, who.expires_at) == (set(), sooner)
    with pytest.raises(ForbiddenError, match="System admin"):
        accounts.create_token(anna, {"permissions": [ADMIN]})
    with pytest.raises(InvalidError, match="Must not be later than your token expires"):
        accounts.create_token(anna, {"expires_at": (end + timedelta(seconds=1)).isoformat()})
    with pytest.raises(ForbiddenError):
        accounts.create_token(anna, {"user_id": 1})
    with pytest.raises(ForbiddenError):
        accounts.create_token(who, {"permissions": [UPLOAD]})


def test_users_remove_their_own_tokens(accounts, person):
    user, secret, anna = person("anna", UPLOAD)
    _, _, ben = person("ben", UPLOAD)
    (token,) = tokens_of(accounts, user)
    with pytest.raises(NotFoundError):
        accounts.remove_token(ben, str(token["id"]))
    accounts.remove_token(anna, str(token["id"]))
    with pytest.raises(UnauthorizedError):
        accounts.authenticate(secret)


def test_a_token_removes_no_token_with_more_rights(accounts, person, principal):
    user, _, anna = person("anna", UPLOAD, MANAGE)
    reading = accounts.authenticate(accounts.create_token(anna, {"name": "notebook"})["token"])
    uploading = accounts.authenticate(accounts.create_token(anna, {"permissions": [UPLOAD]})["token"])
    strong, weak, middle = (str(token["id"]) for token in tokens_of(accounts, user))
    for remover, identity in ((reading, strong), (reading, middle), (uploading, strong)):
        with pytest.raises(ForbiddenError, match="Your token does not have the permission"):
            accounts.remove_token(remover, identity)
    accounts.remove_token(uploading, weak)
    accounts.remove_token(uploading, middle)  # itself
    accounts.remove_token(principal, strong)
    assert tokens_of(accounts, user) == []


def test_tokens_have_the_default_lifetime(services, person):
    user, _, anna = person("anna", UPLOAD)
    assert anna.expires_at is None
    accounts = Accounts(services.catalogue, token_lifetime=3600.0)
    begun = datetime.now(UTC)
    for make in (
        lambda **more: accounts.create(OPERATOR, "tokens", {"user_id": user, **more}),
        lambda **more: accounts.create_token(anna, more),
    ):
        end = accounts.authenticate(make()["token"]).expires_at
        assert timedelta(minutes=59) < end - begun < timedelta(minutes=61)
        later = (begun + timedelta(days=9)).isoformat()
        assert accounts.authenticate(make(expires_at=later)["token"]).expires_at.isoformat() == later
    short = (begun + timedelta(minutes=5)).isoformat()
    secret = accounts.create(OPERATOR, "tokens", {"user_id": user, "expires_at": short})["token"]
    own = accounts.create_token(accounts.authenticate(secret), {})["token"]
    assert accounts.authenticate(own).expires_at.isoformat() == short


@pytest.mark.parametrize("offset", ["+23:59", "-23:59", "+15:59:59"])
def test_an_expiry_has_any_offset(accounts, person, offset):
    user, _, _ = person("anna", UPLOAD)
    made = accounts.create(OPERATOR, "tokens", {"user_id": user, "expires_at": f"2100-01-02T00:00:00{offset}"})
    expected = {"+23:59": "2100-01-01T00:01:00", "-23:59": "2100-01-02T23:59:00", "+15:59:59": "2100-01-01T08:00:01"}
    assert accounts.authenticate(made["token"]).expires_at.isoformat() == f"{expected[offset]}+00:00"


def test_the_use_of_a_token_is_noted_now_and_then(services, accounts, person):
    user, secret, _ = person("anna")
    first = tokens_of(accounts, user)[0]["last_used_at"]
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=4)
    accounts.authenticate(secret)
    assert tokens_of(accounts, user)[0]["last_used_at"] == first
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE tokens SET last_used_at = last_used_at - interval '6 minutes'")
    accounts.recognize(accounts.sign_in(secret, 60.0))
    assert tokens_of(accounts, user)[0]["last_used_at"] >= first


def test_a_database_that_only_reads_knows_tokens(services, accounts, person):
    _, secret, _ = person("anna")
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE tokens SET last_used_at = NULL")
        name = connection.engine.url.database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    services.catalogue.engine.dispose()
    assert accounts.authenticate(secret).username == "anna"


def test_members_are_added_and_removed(accounts, person, principal):
    users = [person(name)[0] for name in ("anna", "ben", "carla")]
    group = str(accounts.create(principal, "groups", {"name": "crew", "user_ids": users[:1]})["id"])
    for change, members in (
        ({"add_user_ids": users[1:]}, users),
        ({"add_user_ids": users[:1], "remove_user_ids": users[2:]}, users[:2]),
        ({"user_ids": users[2:], "add_user_ids": users[:1]}, [users[0], users[2]]),
        ({"remove_user_ids": users}, []),
    ):
        accounts.change(principal, "groups", group, change)
        assert accounts.get(principal, "groups", group)["user_ids"] == members
    with pytest.raises(InvalidError, match="user_id"):
        accounts.change(principal, "groups", group, {"add_user_ids": [9999]})


def test_the_admin_is_made_though_there_are_users(services, archive_url, tmp_path):
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM tokens")
        connection.exec_driver_sql("UPDATE users SET username = 'anna'")
        connection.exec_driver_sql("UPDATE groups SET name = 'anna' WHERE name = 'admin'")
    token = services.accounts.bootstrap(tmp_path / "token")
    assert services.accounts.authenticate(token).username == "admin"
    assert services.accounts.authenticate(token).is_admin
    assert services.accounts.bootstrap(tmp_path / "token") is None
    services.accounts.remove(OPERATOR, "users", str(services.accounts.id_of("users", "admin")))
    assert services.accounts.bootstrap(tmp_path / "token") is None, "an admin who was removed does not come back"


def test_no_admin_is_created_if_one_exists(services, person, tmp_path):
    person("boss", ADMIN)
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE users SET username = 'somebody' WHERE username = 'admin'")
    assert services.accounts.bootstrap(tmp_path / "token") is None


def test_series_are_handed_over(services, accounts, person):
    anna, _, as_anna = person("anna", UPLOAD)
    ben, _, as_ben = person("ben", UPLOAD)
    first = services.archive.create(as_anna, body(altdata={"a": 1})).id
    second = services.archive.create(as_anna, body(series_obj_id="2", group_ids="all")).id
    kept = services.archive.create(as_ben, body(series_obj_id="3")).id
    handover = Handover(services.catalogue, services.store, services.config)
    assert handover.total(anna) == 2
    assert list(handover.run(OPERATOR, anna, ben)) == [first, second]
    assert list(handover.run(OPERATOR, anna, ben)) == []
    with pytest.raises(NotFoundError):
        services.reader.get(as_anna, first)
    found = services.reader.get(as_ben, first)
    assert (found.revision, services.reader.get(as_ben, kept).revision) == (2, 1)
    assert services.reader.get(as_anna, second).revision == 2, "everybody sees it"
    services.archive.update(as_ben, second, {"origin": "of ben"})
    with pytest.raises(ForbiddenError):
        services.archive.update(as_anna, second, {"origin": "of anna"})
    with services.catalogue.reading() as connection:
        rows = connection.exec_driver_sql("SELECT filename, owner_id, content_hash FROM photometric_series").all()
    assert {owner for _, owner, _ in rows} == {ben}
    metadata = [stored_file.decode(services.store.read(name)).metadata for name, _, _ in rows]
    assert {one["owner_id"] for one in metadata} == {ben}
    assert {"a": 1} in [one.get("altdata") for one in metadata]
    assert list(services.upkeep.verify()) == []
    event, _ = (event for event in accounts.audit(OPERATOR, 1, 100)[0] if event["action"] == "hand over")
    assert (event["username"], event["entry"], event["details"]) == ("operator", str(anna), {"to": ben})
    shares = [event for event in accounts.audit(OPERATOR, 1, 100)[0] if event["action"] == "share"]
    assert {(event["username"], event["user_id"]) for event in shares} == {("operator", None)}
    assert {event["entry"] for event in shares} == {str(first), str(second)}
    assert [event["username"] for event in services.reader.history(as_ben, first)] == ["anna", "anna"]


def test_the_old_owner_of_a_series_keeps_no_right(services, person):
    anna, _, as_anna = person("anna", UPLOAD)
    ben, _, as_ben = person("ben", UPLOAD)
    gone, kept = (services.archive.create(as_anna, body(series_obj_id=name, batch="b")).id for name in "12")
    for series_id in (gone, kept):
        services.archive.update(as_anna, series_id, {"origin": "earlier"})
    list(Handover(services.catalogue, services.store, services.config).run(OPERATOR, anna, ben))
    services.archive.delete(as_ben, gone)
    used = {one.owner_id: one.kept_bytes for one in services.reader.usage(OPERATOR)}
    assert used[anna] == 0 < used[ben]
    for series_id in (gone, kept):
        for refused in (
            partial(services.archive.purge, as_anna, series_id),
            partial(services.restorer.restore, as_anna, series_id, 1),
            partial(services.reader.history, as_anna, series_id),
            partial(services.reader.past, as_anna, series_id, 1),
            partial(services.batch_undo.undo, as_anna, "b"),
        ):
            with pytest.raises(NotFoundError):
                refused()
        assert services.reader.past(as_ben, series_id, 1).fields.get("origin") is None
        assert services.restorer.restore(as_ben, series_id, 2) == {gone: 5, kept: 4}[series_id]
        assert services.reader.get(as_ben, series_id).fields["origin"] == "earlier"
        services.archive.purge(as_ben, series_id)


def test_a_file_that_a_change_replaced_does_not_stop_the_handover(services, person, monkeypatch):
    """Without a grace, a change removes the file that it replaces: the series is read again."""
    anna, _, as_anna = person("anna", UPLOAD)
    ben = person("ben", UPLOAD)[0]
    numbers = [services.archive.create(as_anna, body(series_obj_id=name)).id for name in "12"]
    for_change = series.for_change

    def change_first(connection, operator, series_id):
        state = for_change(connection, operator, series_id)
        if operator == OPERATOR and state.revision == 1:
            services.archive.update(as_anna, series_id, {"origin": "changed"})
            services.store.delete(state.blob.filename)
        return state

    with monkeypatch.context() as patched:
        patched.setattr(series, "for_change", change_first)
        run = Handover(services.catalogue, services.store, services.config).run(OPERATOR, anna, ben)
        assert list(run) == numbers
    for number in numbers:
        found = services.reader.get(OPERATOR, number).fields
        assert (found["owner_id"], found["origin"], found["revision"]) == (ben, "changed", 3)


@pytest.mark.parametrize("case", ["nobody", "themselves", "deactivated"])
def test_hand_over_requires_an_active_user(services, accounts, person, case):
    anna, ben = person("anna", UPLOAD)[0], person("ben")[0]
    accounts.remove(OPERATOR, "users", str(ben))
    after = {"nobody": 9999, "themselves": anna, "deactivated": ben}[case]
    with pytest.raises(InvalidError, match="another user"):
        list(Handover(services.catalogue, services.store, services.config).run(OPERATOR, anna, after))


def test_audit_records_users_and_actions_without_secrets(services, accounts, person, principal):
    begun = accounts.audit(principal, 1, 1)[1]
    user, _, anna = person("anna", UPLOAD)
    made = accounts.create_token(anna, {"name": "laptop"})
    group = accounts.create(principal, "groups", {"name": "crew"})["id"]
    accounts.change(principal, "groups", str(group), {"add_user_ids": [user]})
    series = services.archive.create(anna, body()).id
    services.archive.update(principal, series, {"group_ids": [group]})
    services.archive.update(principal, series, {"altdata": {"not": "noted"}})
    accounts.remove_token(anna, str(made["id"]))
    accounts.create(principal, "sources", {"id": "not noted", "ra": 1, "dec": 2})
    events, total = accounts.audit(principal, 1, 100)
    assert [(event["username"], event["action"], event["kind"]) for event in events[: total - begun]] == [
        ("anna", "remove", "tokens"),
        ("admin", "share", "photometric_series"),
        ("admin", "change", "groups"),
        ("admin", "create", "groups"),
        ("anna", "create", "tokens"),
        ("operator", "create", "tokens"),
        ("operator", "create", "users"),
    ]
    assert events[1]["details"]["group_ids"]["to"] == sorted([group, anna.own_group_id])
    assert (events[1]["entry"], events[-1]["user_id"]) == (str(series), None)
    assert made["token"] not in orjson.dumps(events).decode()
    with pytest.raises(ForbiddenError):
        accounts.audit(anna, 1, 100)
    assert accounts.audit(principal, 2, 1)[0] == [events[1]]
