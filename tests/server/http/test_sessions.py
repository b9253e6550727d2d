"""Signing in on the pages: cookies that only a browser of ours can use, ended when they should be, on every process."""

import http.cookies
import re

import httpx
import psycopg2
import pytest

from tests.forked import ForkedService
from tests.support import PATIENCE

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    proxies = '["127.0.0.1"]'
    with ForkedService(directory, database__url=database_url, server__trusted_proxies=proxies) as running:
        yield running


@pytest.fixture
def browser(service):
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
        yield client


def sign_in(browser, token, **more):
    return browser.post("/sign-in", data={"token": token, **more})


def csrf_of(page):
    return re.search(r'data-csrf="([0-9a-f]{64})"', page.text)[1]


@pytest.fixture
def signed_in(browser, service):
    assert sign_in(browser, service.token).status_code == 303
    browser.csrf = csrf_of(browser.get("/"))
    return browser


def whoami(browser, **headers):
    return browser.get("/api/whoami", headers=headers)


def test_anonymous_user_signs_in_and_returns_to_the_page(browser, service):
    answer = browser.get("/series/5?a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fseries%2F5%3Fa%3Db")
    page = browser.get(answer.headers["location"])
    assert 'name="next" value="/series/5?a=b"' in page.text
    assert sign_in(browser, service.token, next="/series/5?a=b").headers["location"] == "/series/5?a=b"


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example/", "/\\evil.example", "", "x", "/a\r\nB: c"])
def test_sign_in_redirects_only_within_the_site(browser, service, next_):
    assert sign_in(browser, service.token, next=next_).headers["location"] == "/"


def test_the_cookie_is_kept_from_scripts_and_other_sites(browser, service):
    plain = sign_in(browser, service.token).headers["set-cookie"]
    cookie = http.cookies.SimpleCookie(plain)["photseries"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"], cookie["path"]) == (True, "Lax", "", "/")
    assert cookie["max-age"] == "86400"
    secure = browser.post("/sign-in", data={"token": service.token}, headers={"X-Forwarded-Proto": "https"})
    cookie = http.cookies.SimpleCookie(secure.headers["set-cookie"])["__Host-photseries"]
    assert (cookie["httponly"], cookie["secure"], cookie["domain"]) == (True, True, "")


def test_only_a_hash_is_in_the_database(signed_in, database_url):
    secret = signed_in.cookies["photseries"].encode()
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM sessions")
        digests = [bytes(digest) for (digest,) in cursor.fetchall()]
    assert digests
    assert all(len(digest) == 32 and secret not in digest for digest in digests)


def test_the_api_takes_the_cookie_only_with_the_csrf_token(signed_in):
    assert whoami(signed_in).status_code == 403
    assert whoami(signed_in, **{"X-CSRF-Token": "0" * 64}).status_code == 403
    answer = whoami(signed_in, **{"X-CSRF-Token": signed_in.csrf})
    assert answer.json()["data"]["username"] == "admin"
    body = {"id": "star", "ra": 1, "dec": 2}
    assert signed_in.post("/api/sources", json=body).status_code == 403
    assert signed_in.get("/api/sources/star", headers={"X-CSRF-Token": signed_in.csrf}).status_code == 404
    assert signed_in.post("/api/sources", json=body, headers={"X-CSRF-Token": signed_in.csrf}).status_code == 200


def test_the_csrf_token_of_another_session_does_not_count(signed_in, service):
    with httpx.Client(base_url=service.url) as other:
        sign_in(other, service.token)
        assert whoami(other, **{"X-CSRF-Token": signed_in.csrf}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
    ],
)
def test_other_sites_cannot_sign_a_user_in(browser, service, headers):
    answer = browser.post("/sign-in", data={"token": service.token}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_an_origin_that_is_no_address_is_another_site(browser, service):
    """It was answered with 500."""
    answer = browser.post("/sign-in", data={"token": service.token}, headers={"Origin": "http://[::1"})
    assert answer.status_code == 403


def test_account_shows_what_is_of_an_admin_alone_in_a_large_archive(signed_in, admin, database_url):
    """The page searched the first 500 tokens and groups of the archive, which an admin sees."""
    user = admin.post("/api/users", json={"username": "late admin"}).json()["data"]["id"]
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tokens (user_id, prefix, digest, name, permissions) "
            "SELECT 1, n::text, sha256(n::text::bytea), 'of another', '{}' FROM generate_series(1, 500) n"
        )
        cursor.execute("INSERT INTO groups (name) SELECT 'another ' || n FROM generate_series(1, 500) n")
    permissions = ["System admin", "Upload data"]
    admin.post("/api/groups", json={"name": "late group", "user_ids": [user]}).raise_for_status()
    made = admin.post("/api/tokens", json={"user_id": user, "permissions": permissions, "name": "late token"})
    assert sign_in(signed_in, made.json()["data"]["token"]).status_code == 303
    page = signed_in.get("/account").text
    assert "late token" in page
    assert "late group" in page
    assert "of another" not in page
    page = signed_in.get("/upload").text
    assert "late group" in page
    assert "another 1" not in page


def test_signing_out_ends_the_session_and_needs_the_csrf_token(signed_in):
    session = signed_in.cookies["photseries"]
    assert signed_in.post("/sign-out").status_code == 403
    assert signed_in.get("/").status_code == 200
    assert signed_in.post("/sign-out", data={"csrf": signed_in.csrf}).status_code == 303
    assert "photseries" not in signed_in.cookies
    signed_in.cookies["photseries"] = session
    assert signed_in.get("/").headers["location"].endswith("ended=1")
    assert "Your session has ended" in signed_in.get("/sign-in?ended=1").text


@pytest.mark.parametrize("how", ["token", "user"])
def test_a_session_ends_with_its_token_or_its_user(browser, admin, how):
    user = admin.post("/api/users", json={"username": f"ends by {how}"}).json()["data"]["id"]
    token = admin.post("/api/tokens", json={"user_id": user}).json()["data"]
    assert sign_in(browser, token["token"]).status_code == 303
    assert browser.get("/").status_code == 200
    path = f"/api/tokens/{token['id']}" if how == "token" else f"/api/users/{user}"
    assert admin.delete(path).status_code == 200
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize("column", ["sessions.expires_at", "tokens.expires_at"])
def test_session_expires(browser, admin, database_url, column):
    user = admin.post("/api/users", json={"username": column}).json()["data"]["id"]
    token = admin.post("/api/tokens", json={"user_id": user}).json()["data"]
    sign_in(browser, token["token"])
    assert browser.get("/").status_code == 200
    table, name = column.split(".")
    mine = {"sessions": "token_id", "tokens": "id"}[table]
    with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {name} = now() WHERE {mine} = %s", [token["id"]])
        assert cursor.rowcount == 1
    assert browser.get("/").status_code == 303


def test_a_session_is_valid_on_every_process(signed_in, database_url, directory):
    with ForkedService(directory, database__url=database_url) as other:
        session = {"photseries": signed_in.cookies["photseries"]}
        assert httpx.get(other.url + "/", cookies=session).status_code == 200


def test_wrong_token_is_reported_and_counted(browser):
    answer = sign_in(browser, "wrong")
    assert answer.status_code == 401
    assert "This token is not valid" in answer.text
    assert "set-cookie" not in answer.headers


def test_long_form_is_refused(browser):
    assert sign_in(browser, "x" * 20_000).status_code == 413


def test_pages_say_what_a_browser_may_do_with_them(browser, signed_in):
    for path in ("/sign-in", "/", "/series/999"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/photometric_series", "/api/photometric_series/summary", "/api/tokens"])
def test_no_cache_between_keeps_what_a_user_sees(browser, signed_in, path):
    """A cache knows from Authorization that an answer is for one user alone, but not from a cookie."""
    csrf = csrf_of(browser.get("/"))
    for headers, status in (({"X-CSRF-Token": csrf}, 200), ({}, 403)):
        answer = browser.get(path, headers=headers)
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")


def test_only_assets_are_served_and_cached_permanently(browser):
    page = browser.get("/sign-in").text
    path = re.search(r'href="(/static/[0-9a-f]+/style.css)"', page)[1]
    answer = browser.get(path)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    again = browser.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert browser.get("/static/0/style.css").headers["cache-control"] == "no-cache"
    plain = browser.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    listed = f'"another", W/{plain.headers["etag"]}'
    assert browser.get(path, headers={"Accept-Encoding": "identity", "If-None-Match": listed}).status_code == 304
    for name in ("page.py", "..%2fpage.py", "nothing.js"):
        assert browser.get(f"/static/0/{name}").status_code == 404


def test_errors_are_pages(signed_in):
    answer = signed_in.get("/series/999")
    assert answer.status_code == 404
    assert "<h1>No photometric series with ID 999.</h1>" in answer.text


def test_a_path_that_is_none_keeps_the_navigation_of_the_user(signed_in):
    def shown():
        page = signed_in.get("/nowhere", headers={"Accept": "text/html"})
        return page.status_code, re.findall(r'<a href="[^"]*"[^>]*>(Find|Account|Sign in)</a>', page.text)

    assert shown() == (404, ["Find", "Account"])
    session = signed_in.cookies["photseries"]
    signed_in.post("/sign-out", data={"csrf": signed_in.csrf})
    signed_in.cookies.set("photseries", session)  # of a session that has ended
    assert shown() == (404, ["Sign in"])
    signed_in.cookies.clear()
    assert shown() == (404, ["Sign in"])


def test_the_sign_in_page_states_where_the_first_token_is(browser, service):
    page = browser.get("/sign-in").text
    assert "<code>cat data/admin-token</code>" in page
    assert (service.directory / "admin-token").read_text().strip() == service.token


def test_a_path_that_is_none_is_a_page_to_people_and_json_to_programs(browser):
    html = {"Accept": "text/html,*/*;q=0.8"}
    page = browser.get("/nowhere/<b>", headers=html)
    assert page.status_code == 404
    assert "<h1>There is nothing at /nowhere/" in page.text
    assert "<b>" not in page.text
    for path, headers in (("/nowhere", {}), ("/api/nowhere", html)):
        answer = browser.get(path, headers=headers)
        assert (answer.status_code, answer.json()["data"]["code"]) == (404, "not_found")
