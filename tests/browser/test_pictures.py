"""The screenshots of the documentation are up to date; ``PICTURES=write`` renews them."""

import os

import pytest

from tests.browser.test_pages import sign_in
from tests.tutorials import PICTURES

pytestmark = pytest.mark.slow

#: Screenshots by name: the path of the page in a demo.
SCREENSHOTS = {"page-of-a-series.png": "/series/1", "find.png": "/"}


def test_the_screenshots_show_the_pages_of_a_demo(browse, demo, tmp_path):
    page = browse(demo.url, viewport={"width": 1100, "height": 700})
    sign_in(page, demo.token)
    for name, path in SCREENSHOTS.items():
        page.goto(path)
        page.locator("canvas, svg, img").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=(PICTURES if os.environ.get("PICTURES") == "write" else tmp_path) / name)
        assert (PICTURES / name).exists(), f"docs/pages.md shows {name}"
