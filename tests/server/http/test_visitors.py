"""The pages for visitors: what is public needs no token; and links that sign in once."""

import re

import httpx
import pytest

from photseries.server.principal import EVERYONE
from tests.forked import ForkedService
from tests.support import PATIENCE, columns, until


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    told = {"pages__title": "Star vault", "pages__text": "Ten years of <stars>.", "pages__contact": "ask@example.org"}
    with ForkedService(directory, database__url=database_url, access__anonymous_reads_public=True, **told) as running:
        yield running


@pytest.fixture(scope="module")
def series(admin, world):
    """A public series, and one that is not."""
    ids = []
    for name, groups in (("public", "all"), ("private", [])):
        body = world.fields(series_name=name, data=columns(20), group_ids=groups, dec=-20 if groups else 50)
        ids.append(admin.post("/api/photometric_series", json=body).json()["data"]["id"])
    assert admin.post("/api/sources", json={"id": "V* RR-Lyr_b", "ra": 291, "dec": 42}).status_code == 200
    body = world.fields(
        obj_id="V* RR-Lyr_b", series_name="other", data=columns(20, seed=1), ra=291, dec=42, group_ids="all"
    )
    assert admin.post("/api/photometric_series", json=body).status_code == 200
    return ids


@pytest.fixture
def visitor(service):
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
        yield client


def test_visitors_see_only_public_series(visitor, series):
    public, private = series
    page = visitor.get("/")
    assert page.status_code == 200
    assert f"/series/{public}" in page.text
    assert f"/series/{private}" not in page.text
    assert '<a href="/sign-in?next=%2F">Sign in</a>' in page.text
    for path in (f"/series/{public}", f"/series/{public}/period", f"/series/{public}/data?format=csv", "/sources/star"):
        assert visitor.get(path).status_code == 200, path
    assert visitor.get(f"/api/photometric_series/{public}/envelope").json()["data"]["envelope"]["num_points"] == 20
    assert visitor.get(f"/series/{private}").status_code == 404
    for path in ("/account", "/upload"):
        assert visitor.get(path).headers["location"].startswith("/sign-in?next="), path
    assert visitor.post(f"/series/{public}").status_code in (403, 405)


def test_expired_session_still_shows_public_series(visitor, series):
    visitor.cookies.set("photseries", "gone", domain="127.0.0.1", path="/")
    answer = visitor.get(f"/series/{series[0]}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/series/{series[0]}")
    assert visitor.get(answer.headers["location"]).status_code == 200


def test_the_sign_in_page_speaks_of_this_installation(visitor):
    page = visitor.get("/sign-in").text
    assert "Sign in to Star vault" in page
    assert "Ten years of &lt;stars&gt;." in page
    assert '<a href="mailto:ask@example.org">ask@example.org</a>' in page


def found(visitor, **query):
    page = visitor.get("/", params=query)
    assert page.status_code == 200, page.text
    return re.findall(r'<th scope="row"[^>]*><a href="/series/\d+">([^<]*)</a>', page.text), page.text


@pytest.mark.parametrize("text", ["rrlyr", "RR LYR", "rr-lyr", "V*RRLyr", "r r l", "rr_lyrb"])
def test_names_are_found_without_regard_to_case_spaces_and_hyphens(visitor, series, text):
    assert found(visitor, q=text)[0] == ["V* RR-Lyr_b"]
    assert visitor.get("/find/names", params={"q": text}).json()["data"] == ["V* RR-Lyr_b"]


@pytest.mark.parametrize("text", [".*", "V+", "%", "_", "RR.Lyr", "(", "\\"])
def test_wildcards_in_names_are_plain_characters(visitor, series, text):
    assert found(visitor, q=text)[0] == []


@pytest.mark.parametrize(
    "text", ["10 -20", "00:40:00 -20:00:00", "0h40m00s -20d00m00s 3 arcmin", "10.0005, -20 5 arcsec"]
)
def test_positions_are_found(visitor, series, text):
    assert found(visitor, q=text)[0] == ["star"]
    assert visitor.get("/find/summary", params={"q": text}).json()["data"]["series"] == 1


def test_nearest_series_is_reported(visitor, series):
    names, page = found(visitor, q="10 -19.8")
    assert names == []
    assert (
        "No series at this position, nearest 12&#x27; away" in page
        or "No series at this position, nearest 12' away" in page.replace("&#39;", "'")
    )
    assert re.search(r'nearest: <a href="/sources/star">star</a>', page)
    assert 'nearest: <a href="/sources/V%2A%20RR-Lyr_b">' in found(visitor, q="RR Lyrae")[1]


def test_filters_have_usual_names(visitor, series):
    assert len(found(visitor, filter="g")[0]) == 2
    assert len(found(visitor, filter="ZTF g")[0]) == 2
    assert found(visitor, filter="r")[0] == []
    assert found(visitor, filter="nonsense")[0] == []


@pytest.mark.parametrize("text", ["x" * 201, "400 10"])
def test_unsearchable_text_is_reported(visitor, text):
    assert visitor.get("/", params={"q": text}).status_code == 400


def test_a_search_is_one_file(visitor, series):
    answer = visitor.get("/find/export", params={"q": "rr lyr", "format": "zip"})
    assert answer.content[:2] == b"PK"
    assert visitor.get("/find/export", params={"format": "exe"}).status_code == 400


def test_front_page_shows_archive_counts(visitor, admin, series):
    about = visitor.get("/find/archive").json()["data"]
    assert (about["series"], about["points"], about["sources"]) == (2, 40, 2)
    assert [count for _, _, count in about["sky"]] == [1, 1]
    assert sum(count for _, count in about["days"]) == 2
    everything = httpx.get(f"{admin.base_url}/find/archive", headers=admin.headers).json()["data"]
    assert everything["series"] == 3
    assert EVERYONE not in visitor.get("/").text


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["serve", "demo"])
def test_the_first_start_prints_a_link_that_signs_in_once(tmp_path, verb):
    with ForkedService(tmp_path / "data", verb=verb) as running, httpx.Client() as browser:
        until(lambda: "/sign-in?once=" in running.log.read_text())
        link = re.search(r"http://127\.0\.0\.1:\d+/sign-in\?once=[\w-]+", running.log.read_text())[0]
        assert httpx.head(link).status_code == 200, "a preview does not use it up"
        answer = browser.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert ">admin<" in browser.get(running.url).text
        again = httpx.get(link)
        assert again.status_code == 401
        assert "used already" in again.text
