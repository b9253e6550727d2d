"""The registries: create with and without an id, list, get, change, remove; and what a series refers to stays."""

import functools
from concurrent.futures import ThreadPoolExecutor

import pytest

from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import registries
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, columns, wait_for_locks


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("users", {"username": "dora"}),
        ("groups", {"name": "readers"}),
        ("streams", {"name": "alerts"}),
        ("sources", {"id": "M 31 / a?b", "ra": 10.68, "dec": 41.27}),
        ("instrument", {"name": "ULTRACAM", "telescope": "NTT", "filters": ["sdssg"]}),
        ("followup_request", {"obj_id": "star"}),
        ("assignment", {}),
        ("tokens", {"user_id": 1, "permissions": ["Upload data"], "name": "nightly"}),
    ],
)
def test_create_get_list_remove(admin, world, kind, body):
    made = admin.post(f"/api/{kind}", json=body)
    assert made.status_code == 200, made.text
    identity = made.json()["data"]["id"]
    path = f"/api/{kind}/" + str(identity).replace("?", "%3F").replace(" ", "%20")
    entry = admin.get(path).json()["data"]
    assert {name: entry[name] for name in body} == body
    assert "digest" not in entry
    listed = admin.get(f"/api/{kind}", params={"numPerPage": 500}).json()["data"]
    assert entry in listed[kind]
    assert listed["totalMatches"] == len(listed[kind])
    assert admin.delete(path).status_code == 200
    if kind == "users":
        assert admin.get(path).json()["data"]["active"] is False
    else:
        check_error(admin.get(path), 404, "not_found")
        check_error(admin.delete(path), 404, "not_found")


@pytest.mark.parametrize("kind", ["users", "groups", "streams", "instrument", "followup_request", "assignment"])
def test_an_explicit_id_moves_the_sequence(admin, kind):
    named = {"users": "username", "groups": "name", "streams": "name", "instrument": "name"}.get(kind)

    def make(text, **more):
        return admin.post(f"/api/{kind}", json={**({named: f"{kind} {text}"} if named else {}), **more})

    assert make("a", id=40_000).json()["data"]["id"] == 40_000
    # A user's own group takes an id of the groups, so theirs may have moved on.
    following = make("b").json()["data"]["id"]
    assert following >= 40_001
    check_error(make("c", id=40_000), 409, "duplicate")
    assert make("d", id=300).json()["data"]["id"] == 300
    assert make("e").json()["data"]["id"] > following


def test_names_are_unique(admin, world):
    error = check_error(admin.post("/api/groups", json={"name": "crew"}), 409, "duplicate")
    assert error["data"]["fields"] == {"name": ["Already taken."]}


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        ("users", {}, "username"),
        ("users", {"username": ""}, "username"),
        ("users", {"username": "x", "colour": "red"}, "colour"),
        ("groups", {"name": "x", "user_ids": "all"}, "user_ids"),
        ("groups", {"name": "x", "user_ids": [99999]}, "user_id"),
        ("groups", {"name": "x", "user_ids": [2**31]}, "user_ids"),
        ("streams", {"name": "x", "id": 2**31 - 1}, "id"),
        ("users", {"username": "x", "single_user_group_id": 2**31 - 1}, "single_user_group_id"),
        ("sources", {"id": "x", "ra": 360, "dec": 0}, "ra"),
        ("sources", {"id": "x", "ra": 0, "dec": 91}, "dec"),
        ("sources", {"id": "x\0", "ra": 0, "dec": 1}, "id"),
        ("sources", {"id": "two\nlines", "ra": 0, "dec": 1}, "id"),
        ("users", {"username": "\u202eanna"}, "username"),
        ("users", {"username": "\u2066anna"}, "username"),
        ("groups", {"name": "c1\x85"}, "name"),
        ("streams", {"name": "line\u2028separator"}, "name"),
        ("instrument", {"name": "x", "telescope": "\x1b[31m"}, "telescope"),
        ("instrument", {"name": "x", "filters": ["\x7f"]}, "filters"),
        ("tokens", {"user_id": 1, "name": "a\tb"}, "name"),
        ("instrument", {"name": "x", "id": "many"}, "id"),
        ("instrument", {"name": "x", "id": -1}, "id"),
        ("followup_request", {"obj_id": "nobody"}, "obj_id"),
        ("tokens", {"user_id": 1, "permissions": ["root"]}, "permissions"),
        ("tokens", {"user_id": 99999}, "user_id"),
        ("tokens", {"user_id": 1, "expires_at": "soon"}, "expires_at"),
        ("tokens", {"user_id": 1, "expires_at": "9999-12-31T23:59:59-05:00"}, "expires_at"),
        ("tokens", {"user_id": 1, "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ("tokens", {"user_id": 1, "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_invalid_entries_are_refused(admin, world, kind, body, field):
    error = check_error(admin.post(f"/api/{kind}", json=body), 400, "invalid")
    assert set(error["data"]["fields"]) == {field}


def test_names_in_all_scripts_are_accepted(admin, world):
    for name in ("\u05d0\u05d1 \u200fx", "\u0645\u06cc\u200c\u062e", "\u3000\u6771", "V\u00a0838 Mon"):
        assert admin.get(f"/api/groups/{world.make('groups', name=name)}").json()["data"]["name"] == name


def test_referenced_entries_cannot_be_deleted(admin, world):
    group = world.make("groups", name="referred", user_ids=[1])
    stream = world.make("streams", name="referred", user_ids=[1])
    followup = world.make("followup_request")
    assignment = world.make("assignment")
    source = world.make("sources", id="referred", ra=1, dec=1)
    instrument = world.make("instrument", name="referred")
    body = world.fields(
        data=columns(), series_name="refers", obj_id=source, instrument_id=instrument, group_ids=[group],
        stream_ids=[stream], followup_request_id=followup, assignment_id=assignment,
    )  # fmt: skip
    series = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    entries = [
        ("groups", group), ("streams", stream), ("sources", source), ("instrument", instrument),
        ("followup_request", followup), ("assignment", assignment),
    ]  # fmt: skip
    for kind, identity in entries:
        error = check_error(admin.delete(f"/api/{kind}/{identity}"), 409, "in_use")
        assert error["data"]["references"] == {"photometric_series": 1}
        assert "1 photometric series" in error["message"]
    assert admin.delete(f"/api/photometric_series/{series}").status_code == 200
    for kind, identity in entries:
        assert admin.delete(f"/api/{kind}/{identity}").status_code == 200


def test_members_are_replaced(service, admin, world):
    group = world.make("groups", name="changing", user_ids=[world.users["anna"]])
    path = f"/api/groups/{group}"
    with service.client(world.tokens["ben"]) as ben:
        assert ben.get(path).status_code == 404
        assert admin.patch(path, json={"user_ids": [world.users["ben"]], "name": "changed"}).status_code == 200
        assert ben.get(path).json()["data"]["user_ids"] == [world.users["ben"]]
    with service.client(world.tokens["anna"]) as anna:
        assert anna.get(path).status_code == 404
    assert admin.get(path).json()["data"]["name"] == "changed"


@pytest.mark.parametrize("kind", ["groups", "streams"])
def test_concurrent_member_changes_are_serialised(services, kind):
    """The second waits for the first, and takes out whom that has put in."""
    users = [services.accounts.create(OPERATOR, "users", {"username": name})["id"] for name in "abc"]
    entry = services.accounts.create(OPERATOR, kind, {"name": "contested"})["id"]
    change = functools.partial(services.accounts.change, OPERATOR, kind, str(entry))
    catalogue = services.catalogue
    with ThreadPoolExecutor(1) as pool:
        with catalogue.transaction() as connection:
            registries.lock(connection, kind, entry)
            registries.replace_members(connection, kind, entry, users[:2])
            other = pool.submit(change, {"user_ids": users[2:]})
            wait_for_locks(services, 1)
        other.result(PATIENCE)
    assert services.accounts.get(OPERATOR, kind, str(entry))["user_ids"] == users[2:]


def test_a_token_created_during_the_deactivation_is_revoked(services):
    user = services.accounts.create(OPERATOR, "users", {"username": "leaving"})["id"]
    with ThreadPoolExecutor(1) as pool:
        with services.catalogue.transaction() as connection:
            registries.require_active(connection, user)
            left = pool.submit(services.accounts.change, OPERATOR, "users", str(user), {"active": False})
            wait_for_locks(services, 1)
            token = {"user_id": user, "name": "late", "permissions": [], "prefix": "x" * 8, "digest": b"x" * 32}
            registries.create(connection, "tokens", token)
        left.result(PATIENCE)
    tokens, _ = services.accounts.find(OPERATOR, "tokens", 1, 10)
    assert user not in {token["user_id"] for token in tokens}


def test_deactivated_users_get_no_token(admin, world):
    user = world.make("users", username="gone")
    assert admin.delete(f"/api/users/{user}").status_code == 200
    error = check_error(admin.post("/api/tokens", json={"user_id": user}), 400, "invalid")
    assert "is deactivated" in error["message"]


def test_the_systems_own_groups_cannot_be_changed(admin, world):
    own = next(
        group["id"]
        for group in admin.get("/api/groups", params={"numPerPage": 500}).json()["data"]["groups"]
        if group["single_user_id"] == world.users["anna"]
    )
    for identity in (1, own):
        check_error(admin.patch(f"/api/groups/{identity}", json={"user_ids": []}), 400)
        check_error(admin.delete(f"/api/groups/{identity}"), 400)


def test_a_token_makes_lists_and_removes_tokens_of_its_user(service, world):
    with service.client(world.tokens["ben"]) as ben:
        made = ben.post("/api/tokens", json={"name": "laptop"})
        assert made.status_code == 200, made.text
        identity = made.json()["data"]["id"]
        shown = ben.get(f"/api/tokens/{identity}").json()["data"]
        assert (shown["user_id"], shown["name"], shown["permissions"]) == (world.users["ben"], "laptop", [])
        assert not {"token", "digest"} & set(shown)
        check_error(ben.post("/api/tokens", json={"permissions": ["System admin"]}), 403, "forbidden")
        check_error(ben.post("/api/tokens", json={"user_id": world.users["anna"]}), 403, "forbidden")
        with service.client(world.tokens["anna"]) as anna:
            check_error(anna.delete(f"/api/tokens/{identity}"), 404, "not_found")
            check_error(anna.get("/api/audit"), 403, "forbidden")
        assert ben.delete(f"/api/tokens/{identity}").status_code == 200
        with service.client(made.json()["data"]["token"]) as ended:
            check_error(ended.get("/api/whoami"), 401, "unauthorized")


def test_an_admin_reads_the_audit_and_changes_users(admin):
    user = admin.post("/api/users", json={"username": "audited"}).json()["data"]["id"]
    for active in (False, True):
        assert admin.patch(f"/api/users/{user}", json={"active": active}).status_code == 200
        assert admin.get(f"/api/users/{user}").json()["data"]["active"] is active
    check_error(admin.patch(f"/api/users/{user}", json={"active": "perhaps"}), 400, "invalid")
    check_error(admin.delete("/api/users/1"), 409, "in_use")
    page = admin.get("/api/audit", params={"numPerPage": 2}).json()["data"]
    assert [event["details"] for event in page["events"]] == [{"active": True}, {"active": False}]
    assert {event["entry"] for event in page["events"]} == {str(user)}
    assert page["totalMatches"] > 2


def test_a_token_lists_no_others_tokens(service, world):
    with service.client(world.tokens["ben"]) as ben:
        tokens = ben.get("/api/tokens").json()["data"]["tokens"]
    assert {token["user_id"] for token in tokens} == {world.users["ben"]}
    assert not {"token", "digest"} & set(tokens[0])


def test_group_ids_of_a_source_have_no_effect_and_the_answer_says_so(admin):
    answer = admin.post("/api/sources", json={"id": "grouped", "ra": 1, "dec": 2, "group_ids": [1]})
    assert "no effect" in answer.json()["data"]["warnings"][0]
