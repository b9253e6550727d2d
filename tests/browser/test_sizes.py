"""Every page at three sizes, light and dark: nothing sticks out, nothing keeps people out, and a picture to look at.

The pictures are kept in the folder that the environment variable ``SCREENS`` names, else in pytest's own.
"""

import os
from pathlib import Path

import pytest

from tests.browser.test_pages import sign_in
from tests.browser.watch import barriers

pytestmark = pytest.mark.slow

SIZES = {"wide": (1440, 900), "middle": (1024, 768), "phone": (360, 780)}
PAGES = {
    "find": ("/", ".spark svg"),
    "source": ("/sources/Demo%20RR%20Lyrae", "#told:has-text('points')"),
    "folded": ("/sources/Demo%20RR%20Lyrae?fold=1&period=0.5493217", "#told:has-text('Folded on')"),
    "series": ("/series/{}", "#told:has-text('points')"),
    "period": ("/series/{}/period?period=3.4852", "#folded-told:has-text('Period')"),
    "account": ("/account", "#tokens"),
    "admin": ("/admin", "#health:has-text('ready')"),
    "nothing": ("/?q=10+80", "text=nearest"),
}


#: Returns the placeholders that are wider than their inputs.
CUT = """() => [...document.querySelectorAll("input")].filter((input) => {
    const style = getComputedStyle(input);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    const room = input.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return input.clientWidth && pen.measureText(input.placeholder).width > room;
}).map(({ placeholder }) => placeholder)"""

#: Returns the inputs that stick out of their panels.
OUTSIDE = """() => [...document.querySelectorAll(".panel :is(input, select, button, label)")].filter((one) =>
    one.offsetWidth && one.getBoundingClientRect().right > one.closest(".panel").getBoundingClientRect().right
    && !one.closest(".scroll")).map(({ outerHTML }) => outerHTML)"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    named = os.environ.get("SCREENS")
    made = Path(named) if named else tmp_path_factory.mktemp("pictures")
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_the_window_and_are_accessible(browse, demo, folder, size, scheme):
    width, height = SIZES[size]
    page = browse(demo.url, viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto("/sign-in")
    page.screenshot(path=folder / f"sign-in-{size}-{scheme}.png")
    with demo.client() as client:
        query = {"objectID": "Demo transit"}
        number = client.get("/api/photometric_series", params=query).json()["data"]["series"][0]["id"]
    sign_in(page, demo.token)
    for name, (path, shown) in PAGES.items():
        page.goto(path.format(number))
        page.locator(shown).first.wait_for()
        page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate(CUT) == [], name
        assert page.evaluate(OUTSIDE) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if (size, scheme) in (("wide", "light"), ("phone", "dark")):
            assert barriers(page) == {}, name
