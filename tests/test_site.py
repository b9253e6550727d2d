"""The documentation site is built without a warning, leads nowhere wrong, and is served by the service."""

import re

import httpx
import pytest

import photseries
from photseries import errors
from photseries.cli.commands import SECTIONS
from photseries.client.answers import _tree
from photseries.fields import ANSWERED
from photseries.server.http.openapi.document import path_of, verbs_of
from photseries.server.http.pages import site as served
from photseries.server.http.server import API
from photseries.server.settings import Config
from tests.site import built_site
from tests.support import PATIENCE
from tools import links

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5 * PATIENCE)]


@pytest.fixture(scope="module")
def site():
    return built_site()


def test_every_link_of_the_site_leads_somewhere_and_nothing_comes_from_elsewhere(site):
    assert list(links.problems_of(site)) == []
    assert len(list(site.rglob("*.html"))) > 25


def test_link_checker_finds_broken_links(tmp_path):
    page = '<a href="#no"></a><a href="b.html"></a><script src="https://example.org/a.js"></script><script>1</script>'
    (tmp_path / "a.html").write_text(f'{page}<p id="yes"><a href="#yes">x</a><a href="https://example.org">y</a>')
    assert list(links.problems_of(tmp_path)) == [
        "a.html: 1 scripts stand in the page, which the service does not allow",
        "a.html: loads https://example.org/a.js",
        "a.html: #no has no such anchor",
        "a.html: b.html does not exist",
    ]


def test_the_reference_is_complete(site):
    def text(name):
        return (site / f"reference/{name}.html").read_text("utf-8")

    codes = {kind.code for kind in _tree()}
    assert {code.replace("_", "-") for code in codes} <= set(re.findall(r'id="([a-z-]+)"', text("errors")))
    assert all(kind.remedy for kind in _tree())
    assert all(f">{name}<" in text("fields") for name in ANSWERED)
    for section in Config.__dataclass_fields__:
        assert f'id="{section}"' in text("configuration")
    commands = [name for names in SECTIONS.values() for name in names]
    assert all(f'id="photseries-{name}"' in text("commands") for name in commands)
    assert "photseries_uploads_total" in text("metrics")
    page = re.sub(r"<[^>]+>", "", text("http"))
    for path, handler, options in API:
        kind = options.get("kind")
        for verb, *_ in verbs_of(handler):
            assert f"{verb} {path_of(path).template}" in page, (path, kind)
    assert page.count("curl ") == page.count("httpx.request(") > 50
    assert 'id="photseries.Client.find"' in text("python")


def test_the_service_shows_the_site(site, service):
    with httpx.Client(base_url=service.url) as client:
        assert client.get("/docs", follow_redirects=True).url.path == "/docs/"
        answer = client.get("/docs/")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
        assert answer.content == (site / "index.html").read_bytes()
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        again = client.get("/docs/", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        script = client.get("/docs/_static/theme.js")
        assert script.headers["Content-Type"].startswith("text/javascript")
        for path in ("no.html", "../../pyproject.toml", "%2e%2e/%2e%2e/pyproject.toml", "_static", ".buildinfo"):
            assert client.get(f"/docs/{path}").status_code == 404, path


def test_an_error_leads_to_its_explanation(site, admin, service):
    answer = admin.get("/api/photometric_series/999999")
    target = re.fullmatch(r'<(/docs/reference/errors\.html)#not-found>; rel="help"', answer.headers["Link"])
    page = admin.get(target[1])
    assert 'id="not-found"' in page.text
    assert errors.NotFoundError.remedy in page.text
    with photseries.Client(service.url, service.token) as client, pytest.raises(errors.NotFoundError) as caught:
        client.get(999_999)
    assert caught.value.help == str(page.url.copy_with(fragment="not-found"))
    assert caught.value.__notes__ == [f"See {caught.value.help}"]


def test_a_service_without_the_site_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(served, "_folder", lambda: tmp_path)
    monkeypatch.setattr(served, "_found", {})
    for name in ("index.html", "reference/errors.html"):
        page = served._content(name).decode()
        assert "not built" in page
        assert 'href="/docs/http"' in page
    with pytest.raises(errors.NotFoundError):
        served._content("_static/furo.css")
    for name in ("index.html", "later.html", "searchindex.js"):
        (tmp_path / name).write_text("built while the service is running")
        assert served._content(name) == b"built while the service is running"
    (tmp_path / "other.html").write_text("not listed again once the site is complete")
    with pytest.raises(errors.NotFoundError):
        served._content("other.html")
