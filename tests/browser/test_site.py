"""The documentation site in a browser: no error, no request elsewhere, at three widths; search works."""

import pytest

from tests.site import built_site
from tests.support import PATIENCE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(5 * PATIENCE)]

WIDTHS = {"phone": 390, "tablet": 820, "desk": 1440}


@pytest.fixture(scope="module", autouse=True)
def _site():
    built_site()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("path", ["", "client.html", "api.html", "reference/http.html", "reference/errors.html"])
def test_a_page_fits_the_window(browse, service, path, width):
    page = browse(service.url, viewport={"width": width, "height": 900})
    page.goto(f"/docs/{path}")
    assert page.locator("h1").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.body.dataset.theme") == "auto", "the script of the theme has run"


def test_search_finds_a_page(browse, service):
    page = browse(service.url)
    page.goto("/docs/")
    page.get_by_placeholder("Search").fill("periodogram")
    page.get_by_placeholder("Search").press("Enter")
    page.locator("#search-results li a").first.wait_for()
    assert "periodogram" in page.locator("#search-results").inner_text().lower()
