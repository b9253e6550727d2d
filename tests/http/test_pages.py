"""The pages' own weight, and what a part of a table says of itself."""

from photseries.http.pages import assets

KILO = 1000


def test_a_page_is_light():
    own = {path.name: path.stat().st_size for path in assets._OWN.iterdir()}
    assert sum(own.values()) < 60 * KILO, own
