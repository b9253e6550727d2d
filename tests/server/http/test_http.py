"""HTTP conformance: HEAD, OPTIONS, CORS, compression, Basic, and answers that are not read."""

import gzip
import http.client
import time
from base64 import b64encode
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import httpx
import pytest
import zstandard

from photseries.server.principal import ADMIN
from photseries.text import file_name
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.server.http.test_series import post, post_long
from tests.support import PATIENCE
from tests.world import World

PATH = "/api/photometric_series"
IDENTITY = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def series(admin, world):
    return post(admin, world, series_name="http")


@pytest.fixture(scope="module")
def long(admin, world):
    return post_long(admin, world)


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize(
    "path",
    [
        "{0}",
        "{0}?dataFormat=none",
        "{1}",
        "{0}.h5",
        "{0}/data?format=csv",
        "{0}/history",
        "",
        "?dataFormat=json",
        "/no",
    ],
)
def test_head_has_the_headers_of_get(admin, series, long, path, encoding):
    path = PATH + (f"/{path.format(series, long)}" if "{" in path else path)
    headers = {"Accept-Encoding": encoding}
    get, head = admin.get(path, headers=headers), admin.head(path, headers=headers)
    assert (head.status_code, head.content) == (get.status_code, b"")
    personal = {"date", "x-request-id", "transfer-encoding"}
    assert {k: v for k, v in head.headers.items() if k not in personal} == {
        k: v for k, v in get.headers.items() if k not in personal
    }


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/api/openapi.json", "/docs/", "/docs/http", "/sign-in", "/metrics", "/vo/scs?RA=1&DEC=1&SR=0.1"],
)
def test_head_works_on_other_routes(admin, path):
    assert admin.head(path).status_code == admin.get(path).status_code == 200


def test_head_of_post_only_routes_gives_405(admin):
    answer = admin.head(f"{PATH}/query")
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST, OPTIONS", b"")


def test_options_name_the_methods_and_need_no_token(service):
    answer = httpx.options(f"{service.url}{PATH}/1", headers={"Origin": "https://example.org"})
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, PATCH, DELETE, HEAD, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_scripts_of_named_origins_may_read(tmp_path, archive_url):
    settings = {"database__url": archive_url, "server__cors_origins": "[https://example.org]"}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "PATCH"}
        preflight = httpx.options(f"{service.url}{PATH}/1", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://example.org"
        assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"].split(", ")
        for path, status in ((PATH, 200), (f"{PATH}/99999", 404)):
            answer = admin.get(path, headers={"Origin": "https://example.org"})
            assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (
                status,
                "https://example.org",
            )
            assert "Origin" in answer.headers["Vary"].split(", ")
            assert "Access-Control-Allow-Credentials" not in answer.headers
            other = admin.get(path, headers={"Origin": "https://evil.example"})
            assert "Access-Control-Allow-Origin" not in other.headers
            assert "Origin" in other.headers["Vary"].split(", ")
        assert "Access-Control-Allow-Origin" not in admin.get("/sign-in", headers=asked).headers


def raw(service, path, **headers):
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
    with closing(connection):
        connection.request("GET", path, headers={"Authorization": f"token {service.token}", **headers})
        answer = connection.getresponse()
        return answer, answer.read()


UNPACKED = {
    "gzip": gzip.decompress,
    "zstd": lambda packed: zstandard.ZstdDecompressor().decompressobj().decompress(packed),
}


@pytest.mark.parametrize("encoding", UNPACKED)
@pytest.mark.parametrize("path", ["{}", "{}/data?format=csv", "", "?dataFormat=json"])
def test_answers_are_compressed_for_those_who_accept_it(service, admin, long, encoding, path):
    path = PATH + (f"/{path.format(long)}" if "{" in path else path)
    answer, packed = raw(service, path, **{"Accept-Encoding": f"br, {encoding};q=0.5"})
    plain, content = raw(service, path)
    assert UNPACKED[encoding](packed) == content
    assert len(packed) < len(content)
    assert answer.getheader("Content-Encoding") == encoding
    assert plain.getheader("Content-Encoding") is None
    for one in (answer, plain):
        assert "Accept-Encoding" in one.getheader("Vary").split(", ")
    if tag := plain.getheader("ETag"):
        assert answer.getheader("ETag") == f'{tag[:-1]}+{encoding}"'
        for known in (tag, answer.getheader("ETag")):
            assert raw(service, path, **{"If-None-Match": known})[0].status == 304


def test_a_tag_of_a_compressed_answer_names_its_revision(admin, series):
    tag = admin.get(f"{PATH}/{series}", headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    assert tag.endswith('+gzip"')
    changed = admin.patch(f"{PATH}/{series}", json={"altdata": {"a": 1}}, headers={"If-Match": tag})
    assert changed.status_code == 200
    again = admin.patch(f"{PATH}/{series}", json={"altdata": {"a": 2}}, headers={"If-Match": tag})
    check_error(again, 412, "precondition_failed")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("{}.h5", {}),
        ("{}/data?format=csv", {"Range": "bytes=0-99999"}),
        ("{}?dataFormat=none", {"Accept-Encoding": "gzip;q=0, zstd;q=0"}),
        ("{}", {"Accept-Encoding": "identity, gzip;q=0.5"}),
    ],
)
def test_compressed_formats_are_not_compressed_again(service, long, path, headers):
    answer, _ = raw(service, f"{PATH}/{path.format(long)}", **{"Accept-Encoding": "gzip, zstd", **headers})
    assert answer.status in (200, 206)
    assert answer.getheader("Content-Encoding") is None


def test_pages_with_secrets_are_not_compressed(service):
    with httpx.Client(base_url=service.url) as browser:
        assert browser.post("/sign-in", data={"token": service.token}).status_code == 303
        page = browser.get("/", headers={"Accept-Encoding": "gzip, zstd"})
        assert page.status_code == 200
        assert "Content-Encoding" not in page.headers


def basic(token, name="anyone"):
    return {"Authorization": "Basic " + b64encode(f"{name}:{token}".encode()).decode()}


@pytest.mark.parametrize("name", ["anyone", "", "é"])
def test_the_token_may_be_a_password(service, name):
    assert httpx.get(f"{service.url}/api/whoami", headers=basic(service.token, name)).status_code == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic bm8gY29sb24=", "Basic /w=="])
def test_invalid_password_is_refused(service, header):
    check_error(httpx.get(f"{service.url}/api/whoami", headers={"Authorization": header}), 401, "unauthorized")


@pytest.mark.parametrize("sign", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_no_page_of_another_site_changes_anything_by_a_password(service, world, sign):
    body = {"id": f"forged {sign}", "ra": 1, "dec": 1}
    forged = httpx.post(f"{service.url}/api/sources", json=body, headers={**basic(service.token), **sign})
    check_error(forged, 403, "forbidden")
    own = {**basic(service.token), "Origin": service.url, "Sec-Fetch-Site": "same-origin"}
    assert httpx.post(f"{service.url}/api/sources", json=body, headers=own).status_code == 200


def test_browsers_open_no_dialog_over_a_page_of_ours(service):
    def challenge(**headers):
        return httpx.get(f"{service.url}/api/whoami", headers=headers).headers["WWW-Authenticate"]

    assert challenge().startswith("Basic ")
    assert "Bearer" in challenge()
    for headers in ({"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "same-origin"}):
        assert "Basic" not in challenge(**headers)
    with httpx.Client(base_url=service.url, cookies={"photseries": "x"}) as browser:
        ended = browser.get("/api/whoami", headers={"X-CSRF-Token": "x"})
        assert "Basic" not in ended.headers.get("WWW-Authenticate", "")


def unread(service, path, token):
    """Ask for an answer and leave it unread."""
    connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
    connection.request("GET", path, headers={"Authorization": f"token {token}"})
    connection.getresponse()
    return connection


@pytest.mark.slow
def test_unread_answers_cost_only_the_client_that_leaves_them(tmp_path, archive_url):
    settings = {"database__url": archive_url, "server__unsent": 50_000_000, "server__body_timeout": 60.0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin, ExitStack() as stack:
        world = World(admin)
        path = f"{PATH}/{post_long(admin, world)}"  # 21 MB of JSON
        other = world.token("olga", ADMIN)
        for _ in range(2):
            stack.enter_context(closing(unread(service, path, service.token)))
        time.sleep(1.0)
        refused = admin.get(path, headers=IDENTITY)
        check_error(refused, 503, "unavailable")
        assert "Retry-After" in refused.headers
        with service.client(other) as olga:
            assert len(olga.get(path, headers=IDENTITY).content) > 20_000_000


@pytest.mark.parametrize(
    ("source", "plain", "encoded"),
    [
        ("MACHO 1.3444.614", "MACHO_1.3444.614_ztfg_night_1_{}.h5", "MACHO%201.3444.614_ztfg_night%2F1_{}.h5"),
        ('é "x" /; y', "x_y_ztfg_night_1_{}.h5", "%C3%A9%20%22x%22%20%2F%3B%20y_ztfg_night%2F1_{}.h5"),
    ],
)
def test_files_are_named_after_source_filter_and_series(admin, world, source, plain, encoded):
    world.make("sources", id=source, ra=1, dec=1)
    series = post(admin, world, obj_id=source, series_name="night/1")
    named = admin.get(f"{PATH}/{series}.h5").headers["Content-Disposition"]
    plain, encoded = plain.format(series), encoded.format(series)
    assert named == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["{}?dataFormat=json", "{}/data?format=csv", "?dataFormat=json"])
def test_every_long_answer_is_cut_when_its_client_takes_nothing(tmp_path, archive_url, path):
    settings = {"database__url": archive_url, "server__body_timeout": 1.0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        series = post_long(admin, World(admin))
        path = PATH + (f"/{path.format(series)}" if "{" in path else path)
        whole = len(admin.get(path, headers=IDENTITY).content)
        with closing(unread(service, path, service.token)) as connection:
            deadline = time.monotonic() + PATIENCE
            while "photseries_in_flight 1.0" not in admin.get("/metrics").text:  # that of the metrics
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert sum(iter(lambda: len(connection.sock.recv(2**20)), 0)) < whole


@pytest.mark.slow
def test_a_client_that_reads_slowly_gets_all_of_it(tmp_path, archive_url):
    settings = {"database__url": archive_url, "server__body_timeout": 1.0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        path = f"{PATH}/{post_long(admin, World(admin))}"
        length = len(admin.get(path, headers=IDENTITY).content)
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
        with closing(connection):
            connection.request("GET", path, headers={"Authorization": f"token {service.token}"})
            answer, taken, begun = connection.getresponse(), 0, time.monotonic()
            while piece := answer.read(3_000_000):
                taken += len(piece)
                time.sleep(0.4)
        assert taken == length
        assert time.monotonic() - begun > 2.0  # longer than the timeout, which is on progress


def test_the_link_to_the_documentation_leads_to_what_there_is(admin):
    is_built = "not built" not in admin.get("/docs/").text
    page = admin.get("/docs", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/docs/" if is_built else "/docs/http")


@pytest.mark.parametrize(
    ("obj_id", "name"),
    [
        ("-rf", "rf_ztfg_night_7.h5"),
        ("../.. x", "x_ztfg_night_7.h5"),
        ("é", "ztfg_night_7.h5"),
        ("-" * 180 + "a" * 20 + "-" * 10, "a" * 20 + "-" * 10 + "_ztfg_night_7.h5"),
    ],
)
def test_a_file_name_is_no_option_of_a_command(obj_id, name):
    assert file_name({"obj_id": obj_id, "filter": "ztfg", "series_name": "night", "id": 7}, ".h5") == name
