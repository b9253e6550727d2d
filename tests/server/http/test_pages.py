"""The pages' own weight."""

import re

import pytest

from photseries.server.http.pages import assets

KILO = 1000
TEMPLATES = assets._OWN.parent / "templates"


def used(text):
    """The own assets that a template or a script names, and those that these name."""
    names = set(re.findall(r"""["'](?:\./)?([a-z-]+\.(?:js|css|svg))["']""", text))
    return names.union(*(used((assets._OWN / name).read_text()) for name in names))


@pytest.mark.parametrize("page", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_a_page_is_light(page):
    parts = [TEMPLATES / page, TEMPLATES / "base.html"]
    parts += [TEMPLATES / name for name in re.findall(r'{% include "([^"]+)" %}', parts[0].read_text())]
    parts += [assets._OWN / name for name in used("".join(part.read_text() for part in parts))]
    assert sum(part.stat().st_size for part in parts) < 110 * KILO
