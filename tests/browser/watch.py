"""What no page may do: write errors to the console, raise, or ask another host for anything."""

import re
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe


class Watch:
    """Notes what the pages of some contexts did wrong; the fixture of this name fails the test for it.

    A test that provokes an error says so before: ``watch.expect("status of 404")``.
    """

    def __init__(self):
        self._noted = []
        self._expected = []

    def over(self, context, url):
        """Watch the pages of a context, which may only talk to the host of a URL."""
        here = urlsplit(url).netloc

        def asked(request):
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob", "about") and parts.netloc != here:
                self._noted.append(f"request to another host: {request.url}")

        def said(message):
            if message.type in ("error", "warning"):
                self._noted.append(f"console {message.type}: {message.text} {message.location.get('url', '')}")

        context.on("request", asked)
        context.on("console", said)
        context.on("weberror", lambda error: self._noted.append(f"uncaught: {error.error}"))

    def expect(self, pattern):
        """Let what matches pass."""
        self._expected.append(pattern)

    def unexpected(self):
        """Give what was done wrong without being expected."""
        return [text for text in self._noted if not any(re.search(pattern, text) for pattern in self._expected)]


def barriers(page):
    """Give what axe finds that keeps people from using a page: rule, and the elements that break it."""
    found = Axe().run(page).response["violations"]
    return {rule["id"]: [node["target"] for node in rule["nodes"]] for rule in found}
