"""Nothing is overwritten unseen: revisions, conditional requests, history, and what was before."""

import base64
import re

import pytest

from tests.server.http.test_errors import check_error
from tests.server.http.test_series import get, patch, post
from tests.support import columns, recipe_read


def path(series):
    return f"/api/photometric_series/{series}"


def test_matching_etag_gives_304(admin, world):
    series = post(admin, world)
    for data_format in ("json", "hdf5", "none"):
        first = admin.get(path(series), params={"dataFormat": data_format})
        tag = first.headers["ETag"]
        assert re.fullmatch(rf'"{series}\.1\.{data_format}\.[0-9a-f]{{8}}(\+zstd)?"', tag)
        again = admin.get(path(series), params={"dataFormat": data_format}, headers={"If-None-Match": f'"x", W/{tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert admin.get(first.url, headers={"If-None-Match": "*"}).status_code == 304
    patch(admin, series, group_ids=[world.crew])
    changed = admin.get(first.url, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"].startswith(f'"{series}.2.none.')


def test_changed_name_invalidates_the_etag(service, admin, world):
    """What is not the series' own shows in no revision: the groups that one may see, and their names."""
    group = world.make("groups", name="old name", user_ids=[world.users["anna"]])
    series = post(admin, world, group_ids=[world.crew, group])
    with service.client(world.tokens["ben"]) as ben:

        def shown(tag):
            answer = ben.get(path(series), params={"dataFormat": "none"}, headers={"If-None-Match": tag})
            assert answer.status_code == 200
            return answer.headers["ETag"], [one["name"] for one in answer.json()["data"]["groups"]]

        tag, names = shown('"1"')
        assert names == ["crew"]
        admin.patch(f"/api/groups/{group}", json={"user_ids": [world.users["ben"]]}).raise_for_status()
        tag, names = shown(tag)
        assert names == ["crew", "old name"]
        admin.patch(f"/api/groups/{group}", json={"name": "new name"}).raise_for_status()
        assert shown(tag)[1] == ["crew", "new name"]


def test_visibility_comes_before_the_etag(service, admin, world):
    series = post(admin, world)
    with service.client(world.tokens["olga"]) as olga:
        check_error(olga.get(path(series), headers={"If-None-Match": f'"{series}.1.json"'}), 404)


@pytest.mark.parametrize("verb", ["PATCH", "DELETE"])
def test_a_change_from_another_revision_is_refused(admin, world, verb):
    series = post(admin, world)
    patch(admin, series, channel="b")
    before = get(admin, series)
    body = {"origin": "x"} if verb == "PATCH" else None
    for tag in (f'"{series}.1.json"', f'"{series + 1}.2.json"', '"garbage"', "garbage", ""):
        answer = admin.request(verb, path(series), json=body, headers={"If-Match": tag})
        check_error(answer, 412, "precondition_failed")
    assert get(admin, series) == before
    answer = admin.request(verb, path(series), json=body, headers={"If-Match": f'"{series}.1.json", "{series}.2.hdf5"'})
    assert answer.status_code == 200


def test_if_match_star_accepts_any_revision(admin, world):
    series = post(admin, world)
    assert admin.patch(path(series), json={"origin": "x"}, headers={"If-Match": "*"}).status_code == 200


def test_history_records_users_and_actions(service, admin, world):
    with service.client(world.tokens["anna"]) as anna:
        series = post(anna, world, group_ids=[world.crew], channel="a")
        first = get(anna, series)
        patch(anna, series, channel="b", exp_time=60)
        with service.client(world.tokens["ben manages"]) as ben:
            patch(ben, series, data=columns(seed=5))
        patch(anna, series, group_ids=[], stream_ids=[world.feed])
        events = anna.get(f"{path(series)}/history").json()["data"]["history"]
        whole = admin.get(f"{path(series)}/history").json()["data"]["history"]
    assert [(event["revision"], event["username"], event["action"]) for event in events] == [
        (1, "anna", "create"), (2, "anna", "update"), (3, "ben", "update"), (4, "anna", "share"),
    ]  # fmt: skip
    assert events[1]["changed"] == {"channel": {"from": "a", "to": "b"}, "exp_time": {"from": 120.0, "to": 60.0}}
    assert list(events[2]["changed"]) == ["data"]
    assert events[2]["changed"]["data"]["from"] == first["content_hash"]
    assert events[0]["hash"] == first["hash"]
    assert events[1]["hash"] != first["hash"]
    assert events[3]["hash"] == events[2]["hash"]
    assert whole[3]["changed"]["stream_ids"] == {"from": [], "to": [world.feed]}
    assert world.crew in whole[3]["changed"]["group_ids"]["from"]


def test_the_history_names_only_groups_that_one_sees(service, admin, world):
    with service.client(world.tokens["anna"]) as anna:
        series = post(anna, world)
        patch(anna, series, group_ids=[world.crew], stream_ids=[world.feed])
    with service.client(world.tokens["sam manages"]) as sam:
        event = sam.get(f"{path(series)}/history").json()["data"]["history"][1]
    assert "group_ids" not in event["changed"], "which tells of none that one may not see"
    assert event["changed"]["stream_ids"] == {"from": [], "to": [world.feed]}


def test_owner_reads_replaced_and_deleted_revisions(service, admin, world):
    with service.client(world.tokens["anna"]) as anna, service.client(world.tokens["ben manages"]) as ben:
        series = post(anna, world, group_ids=[world.crew], channel="a")
        patch(anna, series, data=columns(seed=7), channel="b")
        anna.delete(path(series))
        check_error(anna.get(path(series)), 404)
        for who in (anna, admin):
            old = who.get(path(series), params={"revision": 1}).json()["data"]
            assert (old["revision"], old["channel"], old["data"]) == (1, "a", columns())
            later = who.get(path(series), params={"revision": 2, "dataFormat": "hdf5"}).json()["data"]
            frame, metadata = recipe_read(base64.b64decode(later["data"]))
            assert frame.to_dict("list") == columns(seed=7)
            assert metadata["channel"] == "b"
            check_error(who.get(path(series), params={"revision": 3}), 404)
            events = who.get(f"{path(series)}/history").json()["data"]["history"]
            assert [event["action"] for event in events] == ["create", "update", "delete"]
        check_error(ben.get(path(series), params={"revision": 1}), 404)
        check_error(ben.get(f"{path(series)}/history"), 404)
        check_error(anna.get(path(series), params={"revision": "x"}), 400)


@pytest.fixture
def declassified(service, world):
    """A series of anna's whose first revision her group could not see, and what must not be seen of that."""
    with service.client(world.tokens["anna"]) as anna:
        series = post(anna, world, altdata={"note": "EMBARGOED"}, channel="secret", data=columns(seed=3))
        hidden = get(anna, series)
        patch(anna, series, altdata=None, channel="open", data=columns(seed=4), group_ids=[world.crew])
    return series, ("EMBARGOED", "secret", hidden["hash"], hidden["content_hash"], hidden["filename"])


def test_readers_see_no_values_of_the_past(service, declassified, world):
    """A user who is given access later does not learn what the series said before, by any way of asking."""
    series, secrets = declassified
    with service.client(world.tokens["ben"]) as ben:
        answers = [ben.get(f"{path(series)}/history")]
        events = answers[0].json()["data"]["history"]
        assert [list(event) for event in events] == [["revision", "at", "action"]] * 2
        assert [event["action"] for event in events] == ["create", "update"]
        assert "anna" not in answers[0].text
        for form in ("json", "hdf5", "none"):
            for headers in ({}, {"If-None-Match": f'"{series}.1.{form}"'}, {"If-None-Match": "*"}):
                past = ben.get(path(series), params={"revision": 1, "dataFormat": form}, headers=headers)
                check_error(past, 403, "forbidden")
                assert "ETag" not in past.headers
                answers.append(past)
        assert ben.head(path(series), params={"revision": 1}).status_code == 403
        for end, status in ((".h5", 403), (".csv", 403), ("/data", 403), ("/plot.png", 400), ("/periodogram", 400)):
            for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-99"}):
                answers.append(ben.get(f"{path(series)}{end}", params={"revision": 1}, headers=headers))
                check_error(answers[-1], status)
        answers.append(ben.get("/vo/datalink", params={"ID": series}))
        ben.post("/sign-in", data={"token": world.tokens["ben"]})
        page = ben.get(f"/series/{series}")
        assert '<li value="2">' in page.text
        assert not [secret for secret in secrets for one in (*answers, page) if secret in one.text]


def test_readers_may_ask_for_the_current_revision(service, admin, declassified, world):
    series, _ = declassified
    with service.client(world.tokens["ben"]) as ben:
        now = get(ben, series, revision=2)
        assert (now["channel"], now["data"]) == ("open", columns(seed=4))
        check_error(ben.get(path(series), params={"revision": 3}), 404)
        patch(admin, series, channel="newer")
        check_error(ben.get(path(series), params={"revision": 2}), 403)


def test_owner_and_managers_see_the_values_of_the_past(service, declassified, world):
    series, _ = declassified
    for name in ("anna reads", "ben manages"):
        with service.client(world.tokens[name]) as insider:
            events = insider.get(f"{path(series)}/history").json()["data"]["history"]
            assert events[0]["username"] == "anna"
            assert events[1]["changed"]["altdata"] == {"from": {"note": "EMBARGOED"}, "to": None}
            assert get(insider, series, revision=1)["channel"] == "secret"
    with service.client(world.tokens["olga"]) as olga:
        check_error(olga.get(path(series), params={"revision": 2}), 404)
        check_error(olga.get(f"{path(series)}/history"), 404)


def test_a_purged_history_holds_no_values(service, declassified, world, directory):
    series, secrets = declassified
    stored = directory / "store"
    with service.client(world.tokens["anna"]) as anna:
        for name, status in (("ben", 403), ("anna reads", 403), ("olga", 404)):
            with service.client(world.tokens[name]) as other:
                check_error(other.delete(f"{path(series)}/history"), status)
        stale = anna.delete(f"{path(series)}/history", headers={"If-Match": f'"{series}.1.json"'})
        check_error(stale, 412)
        assert (stored / secrets[-1]).exists()
        before = get(anna, series)
        assert anna.delete(f"{path(series)}/history").json()["data"] is None
        assert not (stored / secrets[-1]).exists()
        after = get(anna, series)
        assert {name for name in after if after[name] != before[name]} == {"revision", "modified"}
        assert get(anna, series, revision=3)["data"] == before["data"]
        for lost in (1, 2):
            check_error(anna.get(path(series), params={"revision": lost}), 404)
        answer = anna.get(f"{path(series)}/history")
        assert not [secret for secret in secrets if secret in answer.text]
        events = answer.json()["data"]["history"]
        assert [(event["username"], event["action"]) for event in events] == [
            ("anna", "create"), ("anna", "update"), ("anna", "purge"),
        ]  # fmt: skip
        assert [event["changed"] for event in events] == [{}, {}, {}]


def test_the_owner_purges_the_history_of_a_deleted_series(service, admin, declassified, world, directory):
    series, secrets = declassified
    with service.client(world.tokens["anna"]) as anna, service.client(world.tokens["ben manages"]) as ben:
        filename = get(anna, series)["filename"]
        anna.delete(path(series))
        check_error(ben.delete(f"{path(series)}/history"), 404)
        assert (directory / "store" / filename).exists()
        assert anna.delete(f"{path(series)}/history").status_code == 200
        assert not (directory / "store" / filename).exists()
        assert not (directory / "store" / secrets[-1]).exists()
        events = anna.get(f"{path(series)}/history").json()["data"]["history"]
        assert [(event["action"], event["changed"]) for event in events] == [
            ("create", {}),
            ("update", {}),
            ("delete", {}),
        ]
    assert admin.delete(f"{path(series)}/history").status_code == 200
    check_error(admin.delete(f"{path(999999)}/history"), 404)


def test_removed_revision_is_not_found(admin, world, directory):
    series = post(admin, world)
    filename = get(admin, series)["filename"]
    patch(admin, series, channel="b")
    (directory / "store" / filename).unlink()
    error = check_error(admin.get(path(series), params={"revision": 1}), 404)
    assert "no longer kept" in error["message"]


def test_missing_series_has_no_history(admin):
    check_error(admin.get("/api/photometric_series/999999/history"), 404)
    check_error(admin.get("/api/photometric_series/x/history"), 404)
