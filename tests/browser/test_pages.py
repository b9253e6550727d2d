"""The pages, as somebody uses them in a browser."""

import pytest

from tests.browser.watch import barriers
from tests.support import TESS

HOSTILE = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def series(admin):
    """The real TESS file, and a source whose name is an attack."""
    for kind, body in (
        ("sources", {"id": HOSTILE, "ra": 359.9882, "dec": -22.0806}),
        ("instrument", {"id": 7, "name": "TESS <b>"}),
    ):
        assert admin.post(f"/api/{kind}", json=body).status_code == 200
    answer = admin.post(
        "/api/photometric_series",
        params={"obj_id": HOSTILE, "instrument_id": "7"},
        content=TESS.read_bytes(),
        headers={"Content-Type": "application/x-hdf5"},
    )
    return answer.json()["data"]["id"]


def sign_in(page, token, path="/"):
    page.goto(path)
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")


def drawn(page):
    """Wait for a light curve."""
    page.locator("#curve canvas").first.wait_for(state="attached")
    page.get_by_text("points", exact=False).last.wait_for()


def test_a_wrong_token_is_told(page, watch):
    watch.expect("status of 401")
    page.goto("/sign-in")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This token is not valid").wait_for()
    assert barriers(page) == {}


def test_a_light_curve_is_shown_and_zoomed_into(page, service, series):
    sign_in(page, service.token, f"/series/{series}")
    drawn(page)
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert "owned" not in page.title().replace(HOSTILE, "")
    assert barriers(page) == {}
    before = page.locator("#told").inner_text()
    with page.expect_request(lambda request: "mjdMin" in request.url) as asked:
        page.get_by_role("button", name="Zoom in").click()
    assert asked.value.headers["x-csrf-token"]
    page.locator("#told").filter(has_not_text=before).wait_for()
    with page.expect_request(lambda request: "mjdMin" in request.url):
        page.locator("#curve").press("+")
