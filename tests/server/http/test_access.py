"""Who may do what: principals x verbs, one table."""

import itertools

import httpx
import psycopg2
import pytest

from tests.support import columns

# anna owns the series; it is shared with the group crew (anna, ben) and the stream feed (anna, sam).
# Columns: GET, PATCH, DELETE.
MATRIX = {
    "admin": (200, 200, 200),
    "anna": (200, 200, 200),
    "anna reads": (200, 403, 403),
    "ben": (200, 403, 403),
    "ben manages": (200, 200, 200),
    "sam": (200, 403, 403),
    "sam manages": (200, 200, 200),
    "olga": (404, 404, 404),
    "olga manages": (404, 404, 404),
    "nobody": (401, 401, 401),
    "a stranger": (401, 401, 401),
}
VERBS = ("GET", "PATCH", "DELETE")
CASES = [(who, verb, MATRIX[who][column]) for who in MATRIX for column, verb in enumerate(VERBS)]

_names = itertools.count()


def client_of(service, world, who):
    match who:
        case "admin":
            return service.client()
        case "nobody":
            return httpx.Client(base_url=service.url)
        case "a stranger":
            return service.client("not-a-token-of-anybody")
        case _:
            return service.client(world.tokens[who])


def shared_series(service, world):
    body = world.fields(
        data=columns(), series_name=f"matrix/{next(_names)}", group_ids=[world.crew], stream_ids=[world.feed]
    )
    with service.client(world.tokens["anna"]) as anna:
        answer = anna.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


@pytest.mark.parametrize(("who", "verb", "status"), CASES)
def test_access_matrix_is_enforced(service, world, admin, who, verb, status):
    series = shared_series(service, world)
    path = f"/api/photometric_series/{series}"
    before = admin.get(path).json()["data"]
    with client_of(service, world, who) as client:
        answer = client.request(verb, path, json={"origin": who} if verb == "PATCH" else None)
        listed = client.get("/api/photometric_series", params={"seriesName": before["series_name"]})
    assert answer.status_code == status, answer.text

    after = admin.get(path)
    if verb == "DELETE" and status == 200:
        assert after.status_code == 404
    elif verb == "PATCH" and status == 200:
        assert after.json()["data"]["origin"] == who
    else:
        assert after.json()["data"] == before

    if status == 401:
        assert listed.status_code == 401
    elif verb == "GET":
        assert [one["id"] for one in listed.json()["data"]["series"]] == ([series] if status == 200 else [])
        assert listed.json()["data"]["totalMatches"] == (1 if status == 200 else 0)


@pytest.mark.parametrize(
    ("who", "status"), [("admin", 200), ("anna", 200), ("anna reads", 403), ("ben manages", 403), ("nobody", 401)]
)
def test_post_requires_upload_permission(service, world, who, status):
    body = world.fields(data=columns(), series_name=f"post/{who}")
    with client_of(service, world, who) as client:
        assert client.post("/api/photometric_series", json=body).status_code == status


@pytest.mark.parametrize("kind", ["users", "groups", "streams", "sources", "instrument", "assignment"])
@pytest.mark.parametrize(("verb", "path"), [("POST", ""), ("DELETE", "/1")])
def test_registries_are_the_admins_to_change(service, world, kind, verb, path):
    with service.client(world.tokens["ben manages"]) as client:
        assert client.request(verb, f"/api/{kind}{path}", json={}).status_code == 403


def test_uploaders_may_create_only_sources(service, world):
    with service.client(world.tokens["anna"]) as anna:
        assert anna.post("/api/sources", json={"id": "anna's star", "ra": 1, "dec": 1}).status_code == 200
        assert anna.post("/api/instrument", json={"name": "anna's telescope"}).status_code == 403
        assert anna.delete("/api/sources/anna's star").status_code == 403


def test_permissions_belong_to_the_token(service, world):
    """anna owns the series and has a token that may change it; the one presented may not."""
    series = shared_series(service, world)
    with service.client(world.tokens["anna reads"]) as client:
        answer = client.patch(f"/api/photometric_series/{series}", json={"origin": "x"})
    assert answer.status_code == 403
    assert world.tokens["anna reads"] not in answer.text


def test_peer_29_upload_and_read_is_not_enough_to_overwrite(service, world):
    series = shared_series(service, world)
    with service.client(world.tokens["ben"]) as ben:
        assert ben.get(f"/api/photometric_series/{series}").status_code == 200
        assert ben.patch(f"/api/photometric_series/{series}", json={"origin": "ben"}).status_code == 403


def test_peer_31_a_series_is_counted_once_however_it_is_shared(service, world, admin):
    group = world.make("groups", name="second", user_ids=[world.users["anna"], world.users["ben"]])
    body = world.fields(data=columns(), series_name="counted once", group_ids=[world.crew, group, 1])
    with service.client(world.tokens["anna"]) as anna:
        assert anna.post("/api/photometric_series", json=body).status_code == 200
    with service.client(world.tokens["ben"]) as ben:
        data = ben.get("/api/photometric_series", params={"seriesName": "counted once"}).json()["data"]
    assert data["totalMatches"] == len(data["series"]) == 1


def test_answers_name_only_groups_and_streams_that_the_caller_sees(service, world):
    series = shared_series(service, world)
    seen = {}
    for who in ("admin", "ben", "sam"):
        with client_of(service, world, who) as client:
            seen[who] = client.get(f"/api/photometric_series/{series}").json()["data"]
    assert seen["ben"]["group_ids"] == [world.crew]
    assert seen["ben"]["groups"] == [{"id": world.crew, "name": "crew", "single_user_group": False}]
    assert seen["ben"]["stream_ids"] == []
    assert seen["sam"]["group_ids"] == []
    assert seen["sam"]["streams"] == [{"id": world.feed, "name": "feed"}]
    assert len(seen["admin"]["group_ids"]) == 2


def test_sharing_requires_group_membership(service, world):
    for field, value, message in (
        ("group_ids", [world.crew], f"Invalid group ID: {world.crew}"),
        ("stream_ids", [world.feed], f"No stream with ID {world.feed}"),
    ):
        body = world.fields(data=columns(), series_name="intruder", **{field: value})
        with service.client(world.tokens["olga"]) as olga:
            answer = olga.post("/api/photometric_series", json=body)
        assert answer.status_code == 400
        assert message in answer.json()["message"]


def test_tokens_expire_and_can_be_revoked(service, world, admin, database_url):
    made = admin.post("/api/tokens", json={"user_id": world.users["ben"], "permissions": []}).json()["data"]
    late = {"user_id": world.users["ben"], "permissions": [], "expires_at": "2100-01-01T00:00:00Z"}
    expired = admin.post("/api/tokens", json=late).json()["data"]
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE tokens SET expires_at = now() WHERE id = %s", [expired["id"]])
    with service.client(made["token"]) as client, service.client(expired["token"]) as past:
        assert client.get("/api/enum_types").status_code == 200
        assert past.get("/api/enum_types").status_code == 401
        assert admin.delete(f"/api/tokens/{made['id']}").status_code == 200
        assert client.get("/api/enum_types").status_code == 401


def test_a_deactivated_user_has_no_tokens(service, world, admin):
    user = world.make("users", username="leaver")
    token = admin.post("/api/tokens", json={"user_id": user, "permissions": []}).json()["data"]["token"]
    with service.client(token) as client:
        assert client.get("/api/enum_types").status_code == 200
        assert admin.delete(f"/api/users/{user}").status_code == 200
        assert client.get("/api/enum_types").status_code == 401


def test_bearer_header_is_accepted(service):
    answer = httpx.get(f"{service.url}/api/enum_types", headers={"Authorization": f"Bearer {service.token}"})
    assert answer.status_code == 200


def test_a_token_is_stored_hashed(services):
    token = services.token_file.read_text().strip()
    with services.catalogue.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT t::text FROM tokens t").scalars().all()
    assert len(rows) == 1
    assert token not in rows[0]
    assert token[:10] in rows[0]
    assert services.token_file.stat().st_mode & 0o777 == 0o600


def test_whoami_describes_user_and_token(service, world):
    with service.client(world.tokens["anna"]) as anna:
        told = anna.get("/api/whoami").json()["data"]
    assert (told["username"], told["user_id"]) == ("anna", world.users["anna"])
    assert told["permissions"] == ["Upload data"]
    assert world.crew in told["group_ids"]
    assert told["stream_ids"] == [world.feed]
    with service.client("nobody's") as stranger:
        assert stranger.get("/api/whoami").status_code == 401
