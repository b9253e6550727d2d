"""The pages, as somebody uses them in a browser."""

import re
from urllib.parse import quote

import httpx
import pandas as pd
import pytest

from tests.browser.watch import barriers
from tests.support import TESS, columns, recipe_read

pytestmark = pytest.mark.slow

HOSTILE = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def series(admin, world):
    """The real TESS file, of a source whose name is an attack, and a short series with a hostile column."""
    assert admin.post("/api/sources", json={"id": HOSTILE, "ra": 359.9882, "dec": -22.0806}).status_code == 200
    answer = admin.post(
        "/api/photometric_series",
        params={"obj_id": HOSTILE, "instrument_id": "7"},
        content=TESS.read_bytes(),
        headers={"Content-Type": "application/x-hdf5"},
    )
    table = columns(rows=30) | {"$$x$$ <img src=x onerror=alert(1)>": [0, 1, 2] * 10}
    short = admin.post("/api/photometric_series", json=world.fields(series_name="short", data=table))
    return answer.json()["data"]["id"], short.json()["data"]["id"]


def sign_in(page, token, path="/"):
    page.goto(path)
    page.get_by_label("Token").fill(token)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{path}")


def told(page, pattern):
    """Wait for the sentence under a plot."""
    page.locator("#told").filter(has_text=re.compile(pattern)).wait_for()


def test_controls_wait_for_their_script(browse, service, series):
    """Else a click that comes before the script is lost, on a slow line or a busy machine."""
    inert = {}
    for enabled in (False, True):
        page = browse(service.url, java_script_enabled=enabled)
        sign_in(page, service.token, f"/series/{series[0]}")
        inert[enabled] = page.locator("#controls[inert], section:has(#delete)[inert]").count()
        assert page.locator("noscript p").is_visible() is not enabled
    assert inert == {False: 2, True: 0}


def test_a_wrong_token_shows_an_error(page, watch):
    watch.expect("status of 401")
    page.goto("/sign-in")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("This token is not valid").wait_for()
    assert barriers(page) == {}


def test_an_empty_archive_shows_the_next_steps(page, service, admin, world):
    token = world.token("olga")
    sign_in(page, token)
    page.get_by_text("No series is shared with you yet").wait_for()
    page.wait_for_load_state("networkidle")  # a request that is under way would be refused after the sign-out
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, world.tokens["olga"])
    page.get_by_role("link", name="Upload a light curve").click()
    page.get_by_role("heading", name="Upload light curves").wait_for()
    assert barriers(page) == {}


def test_series_is_found_opened_and_zoomed(page, service, series):
    sign_in(page, service.token)
    page.locator(".spark path").first.wait_for()
    page.get_by_text("2 series of 2 sources").wait_for()
    assert barriers(page) == {}
    page.get_by_role("searchbox", name="Name or position").fill("owned")
    page.keyboard.press("Enter")
    page.get_by_text("1 series of 1 source").wait_for()
    assert page.url.endswith("/?q=owned"), "the address can be shared, and has no empty parameters"
    page.get_by_role("link", name="Exposures").click()
    page.wait_for_url("**/?q=owned&sortBy=num_exp&sortOrder=asc")
    page.get_by_role("link", name=HOSTILE).click()
    told(page, "18,300 points, drawn as the minimum, median and maximum of each column of pixels")
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    assert page.title() == f"{HOSTILE} in tess::red · photseries"
    assert barriers(page) == {}
    with page.expect_request(lambda request: "mjdMin" in request.url) as asked:
        for _ in range(4):
            page.locator("#curve").press("+")
    assert asked.value.headers["x-csrf-token"]
    told(page, r": [0-9,]+ points($|;)")
    with page.expect_download() as download:
        page.get_by_role("link", name="hdf5").click()
    assert download.value.path().read_bytes()[:4] == b"\x89HDF"


def test_column_names_are_escaped(page, service, series):
    sign_in(page, service.token, f"/series/{series[1]}")
    told(page, ": 30 points")
    page.get_by_label("Below").select_option(index=1)
    page.locator("#other canvas").wait_for()
    page.get_by_label("Flagged where").select_option(index=1)
    page.get_by_text("Flagged 20").wait_for()
    page.get_by_text("Magnitude", exact=True).click()
    page.get_by_text("Date", exact=True).click()
    told(page, ": 30 points")


def test_both_plots_share_the_time_axis(page, service, admin, world):
    table = columns(rows=30) | {"sky": [1.25e6, 2.5e6, 1e7] * 10}
    made = admin.post("/api/photometric_series", json=world.fields(series_name="sky", data=table)).json()["data"]["id"]
    sign_in(page, service.token, f"/series/{made}")
    told(page, ": 30 points")
    page.get_by_label("Below").select_option("sky")
    for way in ("MJD", "Date"):
        page.get_by_text(way, exact=True).click()
        page.wait_for_function(
            """() => {
                const [one, other] = ["curve", "other"].map((id) => document.getElementById(id).chart?.frame);
                return other && one.right > one.left && one.left === other.left && one.right === other.right;
            }"""
        )


def test_zooming_and_panning_never_leave_the_data(page, service, series):
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "18,300 points")
    curve = page.locator("#curve")
    for key in ("+", "+", "+", *["ArrowRight"] * 30):
        curve.press(key)
    window = "() => (({ xs, whole }) => [xs.start, xs.end, ...whole])(document.getElementById('curve').chart)"
    start, end, least, most = page.evaluate(window)
    assert (start > least, end) == (True, pytest.approx(most))
    for _ in range(6):
        curve.press("-")
    assert page.evaluate(window)[:2] == [least, most]
    told(page, "18,300 points")


def test_source_with_an_odd_name_and_one_point_is_shown(page, service, admin, world):
    assert admin.post("/api/sources", json={"id": "..", "ra": 1, "dec": 1}).status_code == 200
    one = world.fields(obj_id="..", series_name="alone", data={"mjd": [60000], "mag": [18]})
    made = admin.post("/api/photometric_series", json=one).json()["data"]["id"]
    sign_in(page, service.token, f"/series/{made}")
    told(page, ": 1 point$")
    page.get_by_text("· 1 exposure ·").wait_for()
    page.get_by_role("link", name="All series of ..").click()
    told(page, ": 1 point$")
    assert page.get_by_role("heading", level=1).inner_text() == ".."
    page.goto("/?objectID=..")
    page.get_by_role("cell", name="18.000", exact=True).wait_for()
    page.goto("/?objectID=..&pageNumber=99")
    page.get_by_role("heading", name="There is no page 99").wait_for()
    page.get_by_role("link", name="Go to the first page").click()
    page.get_by_text("1 series of 1 source").wait_for()
    assert page.url.endswith("/?objectID=..")


def test_the_error_of_a_criterion_appears_next_to_it(page, service, watch):
    watch.expect("status of 400")
    sign_in(page, service.token)
    page.get_by_text("More criteria").click()
    page.get_by_text("Source and position", exact=True).click()
    page.get_by_label("Radius").fill("wide")
    page.get_by_label("Exposures at least").fill("minMad")
    page.keyboard.press("Enter")
    why = page.locator("#no-radius")
    why.filter(has_text='Invalid “Radius”: "wide". It must be an angle above 0').wait_for()
    wrong = 'Invalid “Exposures at least”: "minMad". It must be an integer'
    assert page.get_by_role("alert").filter(has_text="“Radius”").filter(has_text=wrong).is_visible()
    assert page.get_by_label("Radius").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Radius").get_attribute("aria-describedby") == "no-radius"


def test_the_error_of_a_list_of_choices_belongs_to_it(page, service, watch):
    watch.expect("status of 400")
    sign_in(page, service.token)
    page.goto("/?instrumentID=none")
    described = page.get_by_label("Instrument").get_attribute("aria-describedby")
    assert page.locator(f"#{described}").inner_text().startswith('Invalid “Instrument”: "none".')
    assert barriers(page) == {}


def test_an_error_of_a_change_appears_next_to_its_field(page, service, series, watch):
    watch.expect("status of 400")
    sign_in(page, service.token, f"/series/{series[1]}")
    page.locator("section:has(#delete):not([inert])").wait_for()
    page.locator("#edit").locator("xpath=..").locator("summary").click()
    for value, why in (
        ("400", "Must be in [0, 360) deg."),
        ('"x"', "Could not cast “RA” to"),
        ("1,5", "Enter a number"),
    ):
        page.locator("#e-ra").fill(value)
        page.get_by_role("button", name="Save", exact=True).click()
        page.locator("#edit .why").filter(has_text=why).wait_for()
        described = page.locator("#e-ra[aria-invalid=true]").get_attribute("aria-describedby")
        assert why in page.locator(f"#{described}").inner_text()
        assert page.evaluate("document.activeElement.id") == "e-ra"
        assert not page.locator("#notice").is_visible()
    assert barriers(page) == {}


def test_a_refused_search_shows_the_refusal(page, service, watch):
    """The results became the text null."""
    watch.expect("status of 431|favicon.ico")
    sign_in(page, service.token)
    page.locator("#in-filter").fill("x" * 70_000)
    page.keyboard.press("Enter")
    page.get_by_text("head_too_large").wait_for()


def fill_in(page, world, name):
    """Type the fields of a series of this name."""
    for field, value in world.fields(series_name=name, ra=10, dec=-20, exp_time=30).items():
        if field == "instrument_id":
            page.locator("#f-instrument_id").select_option("TESS")
        else:
            page.locator(f"#f-{field}").fill(str(value))


def test_file_is_inspected_corrected_and_stored(page, world, admin):
    sign_in(page, world.tokens["anna"], "/upload")
    page.locator("#file").set_input_files(TESS)
    page.get_by_text("Missing: Source, Instrument.").wait_for()
    assert page.locator("[aria-invalid]").count() == 0
    assert page.get_by_label("Series", exact=True).input_value() == "TESS_2_1_2"
    page.get_by_label("Source", exact=True).fill("star")
    page.get_by_label("Instrument", exact=True).select_option("TESS")
    page.get_by_text("399 of 18,699 rows have no brightness").wait_for()
    page.locator("#curve canvas").wait_for()
    page.get_by_label("Series", exact=True).fill("corrected")
    page.get_by_text("Nothing is stored yet").wait_for()
    assert barriers(page) == {}
    page.get_by_role("button", name="Store").click()
    page.wait_for_url("**/series/*")
    told(page, "points")
    number = page.url.rsplit("/", 1)[1]
    fields = admin.get(f"/api/photometric_series/{number}?dataFormat=none").json()["data"]
    assert (fields["series_name"], fields["series_obj_id"], fields["num_exp"]) == ("corrected", "114807149", 18699)
    with page.expect_download() as download:
        page.get_by_role("link", name="hdf5").click()
    stored, _ = recipe_read(download.value.path().read_bytes())
    sent, _ = recipe_read(TESS.read_bytes())
    pd.testing.assert_frame_equal(stored, sent, check_exact=True)


def test_a_text_file_becomes_columns(page, world, admin):
    sign_in(page, world.tokens["anna"], "/upload")
    fill_in(page, world, "typed")
    content = b"# a comment\nmjd,mag,magerr,note\n59000.5,18.25,0.01,a\n59001.5,,0.02,b\n"
    page.locator("#file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    page.get_by_text("Nothing is stored yet").wait_for()
    page.get_by_role("button", name="Store").click()
    page.wait_for_url("**/series/*")
    data = admin.get(f"/api/photometric_series/{page.url.rsplit('/', 1)[1]}").json()["data"]["data"]
    assert data == {"mjd": [59000.5, 59001.5], "mag": [18.25, None], "magerr": [0.01, 0.02], "note": ["a", "b"]}


def test_storing_is_not_interrupted_by_a_dry_run(page, world):
    sign_in(page, world.tokens["anna"], "/upload")
    fill_in(page, world, "typed at the last moment")
    page.locator("#file").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": b"mjd,mag\n59000.5,18\n"})
    page.get_by_text("Nothing is stored yet").wait_for()
    page.wait_for_timeout(1000)
    held = []
    page.route("**/api/photometric_series**", lambda route: held.append(route))
    page.get_by_label("Exposure time").fill("60")
    page.get_by_role("button", name="Store").click()
    page.wait_for_timeout(1000)
    assert ["dryRun" in route.request.url for route in held] == [False]
    held[0].continue_()
    page.wait_for_url("**/series/*")


def test_an_unreachable_service_and_an_expired_session_show_errors(page, service, series, watch):
    watch.expect("ERR_FAILED|status of 401")
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "18,300 points")
    page.route("**/api/**", lambda route: route.abort())
    page.locator("#curve").press("+")
    page.get_by_text("The service does not answer").wait_for()
    page.unroute("**/api/**")
    with httpx.Client(base_url=service.url) as other:
        (cookie,) = (one for one in page.context.cookies() if one["name"] == "photseries")
        other.cookies["photseries"] = cookie["value"]
        csrf = page.locator("html").get_attribute("data-csrf")
        assert other.post("/sign-out", data={"csrf": csrf}).status_code == 303
    page.locator("#curve").press("+")
    page.get_by_role("alert").get_by_role("link", name="Sign in").click()
    page.get_by_label("Token").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone(browse, service, series, scheme):
    page = browse(service.url, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    sign_in(page, service.token, f"/series/{series[1]}")
    told(page, "points")
    for path in (f"/series/{series[1]}", "/", "/upload"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert barriers(page) == {}, path


def test_a_long_name_neither_widens_a_page_nor_hides_columns(browse, service, admin, world, series):
    name = "x" * 200
    long = admin.post("/api/photometric_series", json=world.fields(series_name=name, data=columns()))
    page = browse(service.url, viewport={"width": 390, "height": 844})
    sign_in(page, service.token)
    number = long.json()["data"]["id"]
    for path in ("/", f"/series/{number}", f"/series/{number}/period", f"/sources/{world.source}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        for cell in page.get_by_role("cell", name=name).all() + page.get_by_role("rowheader", name=name).all():
            assert cell.bounding_box()["width"] < 400, path


def test_axis_includes_real_variation(browse, demo):
    page = browse(demo.url)
    sign_in(page, demo.token)
    shown = {}
    for star in ("Demo RR Lyrae", "Demo transit", "Demo supernova"):
        page.goto(f"/?objectID={quote(star)}")
        page.get_by_role("link", name=star).first.click()
        told(page, "point")
        entries = [entry.inner_text().split() for entry in page.locator("#legend label").all() if entry.is_visible()]
        shown[star] = {kind: int(count[-1].replace(",", "")) for kind, *count in entries}
    rr_lyrae, transit, supernova = shown.values()
    assert set(rr_lyrae) == set(transit) == {"Detections", "Flagged"}
    assert sum(rr_lyrae.values()) == 292
    assert sum(transit.values()) > 18_000
    assert set(supernova) == {"Detections", "Non-detections", "Flagged"}
    assert supernova["Non-detections"] > 40


def test_pages_state_units_and_systems_without_mixing_them(page, service, admin, world):
    assert admin.post("/api/sources", json={"id": "mixed", "ra": 1, "dec": 1}).status_code == 200
    flux = columns(rows=20)
    mags = {"mjd": flux["mjd"], "mag": [15.0, 15.5] * 10, "magerr": [0.01] * 20}
    ids = {}
    for name, fields in {
        "plain": {"data": flux},
        "counts": {"data": flux, "flux_unit": "electron/s"},
        "vega": {"data": mags, "magsys": "vega"},
    }.items():
        body = world.fields(obj_id="mixed", series_name=name, **fields)
        ids[name] = admin.post("/api/photometric_series", json=body).json()["data"]["id"]

    def shows(expected):
        labels = "[...document.querySelectorAll('.plot')].map((host) => host.chart.labels.yLabel)"
        page.wait_for_function(f"(expected) => {labels}.includes(expected)", arg=expected)

    sign_in(page, service.token, f"/series/{ids['counts']}")
    told(page, ": 20 points")
    shows("flux [electron/s]")
    assert page.get_by_label("Magnitude", exact=True).is_disabled()
    page.get_by_text("electron/s", exact=True).first.wait_for()
    page.goto(f"/series/{ids['counts']}/period")
    page.locator("#folded-told").filter(has_text="20 points").wait_for()
    shows("flux [electron/s]")

    page.goto(f"/series/{ids['vega']}")
    told(page, ": 20 points$")
    shows("Vega magnitude")
    assert page.get_by_label("Flux", exact=True).is_disabled()

    page.goto("/sources/mixed")
    told(page, ": 20 points; 2 series in another unit or system$")
    shows("AB magnitude")
    for choice, expected in (
        ("Vega magnitude", "Vega magnitude"),
        ("Flux", "flux [µJy]"),
        ("flux [electron/s]", "flux [electron/s]"),
    ):
        page.get_by_text(choice, exact=True).click()
        shows(expected)
        told(page, ": 20 points; 2 series in another unit or system$")

    page.goto("/?objectID=mixed")
    page.get_by_role("cell", name="15.250 Vega", exact=True).wait_for()
    for number in ids.values():
        page.locator(f'td[data-series="{number}"] path').wait_for()


def test_deleted_and_changed_series_are_restored(page, service, admin, world, watch):
    watch.expect("status of 404")
    body = world.fields(series_name="restore", data=columns(20), channel="first")
    path = f"/series/{admin.post('/api/photometric_series', json=body).json()['data']['id']}"
    admin.patch(f"/api/photometric_series/{path[8:]}", json={"channel": "second"}).raise_for_status()
    sign_in(page, service.token, path)
    assert barriers(page) == {}
    page.get_by_role("button", name="Restore this revision").click()
    page.get_by_text("restore of channel, revision").wait_for()
    page.get_by_text("revision 3").first.wait_for()
    admin.delete(f"/api/photometric_series/{path[8:]}").raise_for_status()
    page.goto(path)
    page.get_by_role("heading", name="was deleted").wait_for()
    assert barriers(page) == {}
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_role("heading", name="star").wait_for()
    assert admin.get(f"/api/photometric_series/{path[8:]}").json()["data"]["channel"] == "first"
