"""Real headless Chromium on a running service.

Package
    ``chromium``: the browser. Where there is none its tests are skipped, unless ``BROWSER_TESTS=required`` (as in CI).
    ``demo``: a running ``photseries demo``.
Test
    ``watch``: what pages may not do; see :class:`~tests.browser.watch.Watch`. ``browse``: opens pages of a service.
    ``page``: a page of ``service``.
"""

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.watch import Watch
from tests.forked import ForkedService
from tests.support import PATIENCE

FINDER = Path(__file__).parent.parent.parent / "tools" / "browser.sh"

#: No network but this machine's, nothing that Chromium does for its maker, and no sandbox of its own, which root lacks.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


def path_of_chromium(environment):
    """Give the path of the browser, or skip the test, or fail it, as the environment says."""
    found = subprocess.run([FINDER, "--find"], env=environment, capture_output=True, text=True, timeout=PATIENCE)
    if found.returncode:
        say = pytest.fail if environment.get("BROWSER_TESTS") == "required" else pytest.skip
        say(f"the pages are not tested: {found.stderr.strip()}")
    return found.stdout.strip()


@pytest.fixture(scope="package")
def chromium():
    path = path_of_chromium(os.environ)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def demo(tmp_path_factory):
    with ForkedService(tmp_path_factory.mktemp("demo") / "data", verb="demo") as running:
        yield running


@pytest.fixture
def watch():
    watching = Watch()
    yield watching
    assert watching.unexpected() == []


@pytest.fixture
def browse(chromium, watch):
    """Open a page in a new context, as in ``browse(url, viewport=PHONE, color_scheme="dark")``."""
    contexts = []

    def opened(url, viewport=WIDE, **options):
        context = chromium.new_context(base_url=url, viewport=viewport, **options)
        contexts.append(context)
        watch.over(context, url)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def page(browse, service):
    return browse(service.url)
