"""The browser is real, and the watch over it sees."""

import pytest

from tests.browser.conftest import path_of_chromium
from tests.browser.watch import barriers

pytestmark = pytest.mark.slow


@pytest.fixture
def page(page, watch):
    watch.expect("favicon.ico")  # an answer in JSON names no icon
    return page


def test_harness_opens_a_page_of_the_service(page):
    assert page.goto("/healthz").ok
    assert '"alive":true' in page.content()


@pytest.mark.parametrize(
    ("deed", "noted"),
    [
        ("console.error('it broke')", "console error: it broke"),
        ("setTimeout(() => { throw new Error('nobody caught me') })", "nobody caught me"),
        ("new Image().src = 'http://elsewhere.invalid/x.png'", "request to another host: http://elsewhere.invalid/"),
    ],
)
def test_page_errors_are_recorded(page, watch, deed, noted):
    page.goto("/healthz")
    page.evaluate(f"() => {{ {deed} }}")
    page.wait_for_timeout(50)
    assert any(noted in text for text in watch.unexpected())
    watch.expect("it broke|nobody caught|elsewhere|ERR_NAME_NOT_RESOLVED")


def test_accessibility_violations_are_found(page):
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><input></main>")
    assert barriers(page) == {"label": [["input"]]}


@pytest.mark.parametrize(("told", "outcome"), [("", pytest.skip.Exception), ("required", pytest.fail.Exception)])
def test_missing_browser_skips_or_fails_as_configured(tmp_path, told, outcome):
    for tool in ("bash", "id"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    with pytest.raises(outcome, match="install chromium"):
        path_of_chromium({"PATH": str(tmp_path), "BROWSER_TESTS": told})
