"""From a position to a source, its folded light curve, and the Python that reproduces its period; tokens on the way."""

import re
import subprocess
import sys

import pytest

from photseries.lightcurve.positions import sexagesimal
from tests.browser.test_pages import sign_in
from tests.browser.test_period import STAR, folded
from tests.browser.watch import barriers

pytestmark = pytest.mark.slow


def test_page_and_python_find_the_same_period(browse, demo, tmp_path):
    page = browse(demo.url)
    sign_in(page, demo.token)
    page.get_by_role("searchbox", name="Name or position").fill(f"{sexagesimal(STAR.ra, STAR.dec)} 2 arcsec")
    page.keyboard.press("Enter")
    page.get_by_text("3 series of 1 source").wait_for()
    rows = page.get_by_role("region", name="Series").get_by_role("row")
    rows.nth(1).locator("svg").wait_for()
    assert barriers(page) == {}
    page.get_by_role("link", name=STAR.obj_id).first.click()
    page.get_by_role("link", name="All series of").click()
    with page.expect_response("**/api/sources/*/periodogram*"):  # of all filters together
        page.get_by_role("button", name="Find the period").click()
    page.locator("#told").filter(has_text="Folded on").wait_for()
    found = page.get_by_label("Period [d]").input_value()
    assert float(found) == pytest.approx(STAR.truth["period"], rel=1e-4)
    assert barriers(page) == {}
    page.get_by_role("link", name="Details").click()
    folded(page, found)
    page.get_by_label("From [d]").fill("0.2")
    with page.expect_response("**/periodogram?*minPeriod=0.2*"):
        page.get_by_role("button", name="Search").click()
    page.locator("#searched").filter(has_text="periods from 0.2 to").wait_for()
    page.get_by_text("Copy as Python, curl").click()
    script = tmp_path / "period.py"
    script.write_text(page.locator(".snippets code").first.inner_text())
    environment = {"PHOTSERIES_TOKEN": demo.token, "PATH": "", "HOME": str(tmp_path)}
    made = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=240)
    assert made.returncode == 0, made.stderr
    shown = page.get_by_role("region", name="The highest peaks").get_by_role("button").first.inner_text()
    assert float(made.stdout) == pytest.approx(float(shown), rel=1e-8)


def test_an_empty_position_shows_the_nearest_series(browse, demo):
    page = browse(demo.url)
    sign_in(page, demo.token)
    box = page.get_by_role("searchbox", name="Name or position")
    box.fill(f"{STAR.ra} {STAR.dec + 0.2}")
    box.press("Enter")
    page.get_by_text("nearest 12' away").wait_for()
    assert barriers(page) == {}
    page.get_by_role("link", name=STAR.obj_id).click()
    page.get_by_role("heading", name=STAR.obj_id, level=1).wait_for()


def test_names_are_suggested(browse, demo):
    page = browse(demo.url)
    sign_in(page, demo.token)
    box = page.get_by_role("searchbox", name="Name or position")
    box.press_sequentially("rrlyr")
    page.locator("#names a").get_by_text(STAR.obj_id).wait_for()
    box.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_text("3 series of 1 source").wait_for()


def test_source_plot_has_colours_and_offsets(browse, demo):
    page = browse(demo.url)
    sign_in(page, demo.token, "/sources/Demo%20RR%20Lyrae")
    told = page.locator("#told")
    told.filter(has_text="916 points").wait_for()
    legend = page.get_by_role("group", name="What is shown")
    assert [one.inner_text().strip() for one in legend.locator("label").all()] == ["ztfg", "ztfr", "ztfi", "Flagged"]
    axis = "() => { const { ys } = document.getElementById('curve').chart; return Math.abs(ys.end - ys.start); }"
    narrow = page.evaluate(axis)
    page.get_by_label("Offset between filters").fill("2")
    page.keyboard.press("Tab")
    page.wait_for_function(f"(narrow) => ({axis})() > narrow + 3", arg=narrow)
    page.get_by_label("Normalise each series").check()
    page.wait_for_function("() => document.getElementById('curve').chart.labels.yLabel === 'flux / median flux'")
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("#colour-told").filter(has_text=re.compile(r"ztfg − ztfr: [1-9]\d* pairs? within 0.5 d")).wait_for()
    for name in ("SIMBAD", "VSX", "Aladin", "ESASky", "MAST", "Gaia", "TNS"):
        assert page.get_by_role("link", name=name).get_attribute("href").startswith("https://")
    assert barriers(page) == {}


def answer(page, *, accept):
    """Answer the next question of a page; return the list to which it is added."""
    asked = []

    def reply(dialog):
        asked.append(dialog.message)
        dialog.accept() if accept else dialog.dismiss()

    page.once("dialog", reply)
    return asked


def test_token_is_created_shown_once_and_revoked(browse, demo):
    page = browse(demo.url)
    sign_in(page, demo.token)
    page.get_by_role("link", name="Account").click()
    page.get_by_label("Name", exact=True).fill("laptop")
    page.get_by_label("Upload data").check()
    page.get_by_role("button", name="Create token").click()
    secret = page.locator("#secret")
    secret.filter(has_text=re.compile(r"\S{40}")).wait_for()
    with demo.client(secret.inner_text()) as client:
        assert client.get("/api/whoami").json()["data"]["permissions"] == ["Upload data"]
        row = page.get_by_role("row").filter(has_text="laptop")
        row.wait_for()
        assert barriers(page) == {}
        page.reload()
        assert page.get_by_text(secret.inner_text()).count() == 0 or not secret.is_visible()
        asked = answer(page, accept=False)
        row.get_by_role("button", name="Revoke").click()
        assert asked == ["Revoke laptop? Programs that use this token will be refused."]
        assert client.get("/api/whoami").status_code == 200
        answer(page, accept=True)
        row.get_by_role("button", name="Revoke").click()
        row.wait_for(state="detached")
        assert client.get("/api/whoami").status_code == 401


def test_a_series_is_changed_shared_deleted_and_restored(page, service, admin, world, watch):
    watch.expect("status of 404")
    body = world.fields(series_name="to change", data={"mjd": [60000, 60001], "mag": [18, 19]})
    number = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    sign_in(page, service.token, f"/series/{number}")
    page.get_by_text("Metadata", exact=True).last.click()
    page.locator("#e-channel").fill("blue")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("revision 2").first.wait_for()
    page.get_by_text("Sharing", exact=True).click()
    page.get_by_label("crew").check()
    assert barriers(page) == {}
    page.get_by_role("button", name="Save sharing").click()
    page.get_by_text("revision 3").first.wait_for()
    fields = admin.get(f"/api/photometric_series/{number}?dataFormat=none").json()["data"]
    assert fields["channel"] == "blue"
    assert world.crew in fields["group_ids"]
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Keep it").click()
    assert admin.get(f"/api/photometric_series/{number}?dataFormat=none").status_code == 200
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name=f"Delete series {number}").click()
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_role("heading", name="star").wait_for()


def test_admins_see_why_the_service_is_not_ready(page, service, watch):
    watch.expect("status of 503")
    sign_in(page, service.token)
    page.route("**/readyz", lambda route: route.fulfill(status=503, json={"message": "Not ready: store."}))
    page.goto("/admin")
    page.get_by_text("Health: Not ready: store.").wait_for()
    page.unroute("**/readyz")
    page.reload()
    page.get_by_text("Health: ready").wait_for()
    page.wait_for_load_state("networkidle")  # an answer that nobody reads never ends


def test_admins_create_users_groups_and_tokens(page, service, admin, world):
    sign_in(page, service.token, "/admin")
    page.get_by_text("Health: ready").wait_for()
    assert barriers(page) == {}
    page.get_by_label("Username").fill("vera")
    page.locator("#users").get_by_role("button", name="Create").click()
    page.get_by_role("region", name="Users").get_by_role("row").filter(has_text="vera").wait_for()
    groups = page.locator("#groups")
    groups.get_by_label("User").select_option("vera")
    groups.get_by_label("in", exact=True).select_option("crew")
    groups.get_by_role("button", name="Add").click()
    page.get_by_role("region", name="Groups").get_by_role("row").filter(has_text=re.compile("crew.*vera")).wait_for()
    tokens = page.locator("#tokens")
    tokens.get_by_label("For").select_option("vera")
    tokens.get_by_label("Name", exact=True).fill("first")
    tokens.get_by_role("button", name="Create token").click()
    secret = page.locator("#secret")
    secret.filter(has_text=re.compile(r"\S{40}")).wait_for()
    with service.client(secret.inner_text()) as client:
        assert client.get("/api/whoami").json()["data"]["username"] == "vera"
    users = page.get_by_role("region", name="Users").get_by_role("row").filter(has_text="vera")
    asked = answer(page, accept=False)
    users.get_by_role("button", name="Deactivate vera").click()
    assert asked == ["Deactivate vera?"]
    answer(page, accept=True)
    users.get_by_role("button", name="Deactivate vera").click()
    users.get_by_role("button", name="Activate vera", exact=True).wait_for()
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", users.inner_text())
    page.get_by_role("columnheader", name="Longitude [°]").wait_for()


def test_only_admins_see_the_page_of_admins(page, world, watch):
    watch.expect("status of 403")
    sign_in(page, world.tokens["anna"])
    assert page.get_by_role("link", name="Admin").count() == 0
    assert page.goto("/admin").status == 403
