"""The pages of sources and of periods, on the stars of the demo."""

import re
from urllib.parse import quote

import pytest

from photseries.server.demo import STARS
from tests.browser.test_pages import sign_in
from tests.browser.watch import barriers

pytestmark = pytest.mark.slow

STAR = next(star for star in STARS if star.obj_id == "Demo RR Lyrae")
PERIOD = STAR.truth["period"]


@pytest.fixture
def page(browse, demo):
    """The page of the source, signed in."""
    page = browse(demo.url)
    sign_in(page, demo.token, f"/sources/{quote(STAR.obj_id)}")
    page.locator("#told").filter(has_text=re.compile(r": [0-9,]+ points")).wait_for()
    return page


def period_of(page):
    return float(page.get_by_label("Period [d]").input_value())


def folded(page, period):
    """Wait until the light curve is folded on a period."""
    page.locator("#folded-told").filter(has_text=f"Period {period}").wait_for()


def test_plot_of_a_source_contains_all_its_series(page):
    assert barriers(page) == {}
    rows = page.get_by_role("region", name="The series of this source").get_by_role("row")
    assert [row.split("\t")[1].strip() for row in rows.all_inner_texts()[1:]] == list(STAR.bands), "from blue to red"
    for name in STAR.bands:
        page.get_by_role("checkbox", name=name).uncheck()
    page.get_by_role("checkbox", name="ztfr").check()
    page.get_by_text("Flux", exact=True).click()
    page.get_by_text("Date").click()
    page.locator("#curve").press("+")
    assert page.locator("#notice").is_hidden()


def test_light_curve_is_folded_on_the_highest_peak(page):
    page.get_by_label(re.compile("Find the period of .* in ztfr")).click()
    peaks = page.get_by_role("region", name="The highest peaks").get_by_role("button")
    peaks.first.wait_for()
    assert float(peaks.first.inner_text()) == pytest.approx(PERIOD, rel=1e-4)
    folded(page, peaks.first.inner_text())
    assert barriers(page) == {}

    peaks.nth(2).click()
    folded(page, peaks.nth(2).inner_text())
    assert peaks.nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_label("Period [d]").fill(str(PERIOD))
    page.keyboard.press("Enter")
    folded(page, PERIOD)
    page.get_by_role("button", name="Twice the period").click()
    folded(page, 2 * PERIOD)
    page.get_by_role("button", name="Half the period").click()
    folded(page, PERIOD)
    assert period_of(page) == PERIOD
    assert f"period={PERIOD}" in page.url

    page.reload()
    folded(page, PERIOD)


#: Where a point of a plot is on the page.
PLACE = """([host, x, y]) => {
    const element = document.querySelector(host);
    const box = element.getBoundingClientRect();
    return [box.left + element.chart.xs.pixel(x), box.top + element.chart.ys.pixel(y)];
}"""


def test_clicking_a_peak_selects_its_period(page):
    page.get_by_label(re.compile("Find the period of .* in ztfg")).click()
    peaks = page.get_by_role("region", name="The highest peaks").get_by_role("row")
    peaks.nth(2).get_by_role("button").click()
    folded(page, peaks.nth(2).get_by_role("button").inner_text())
    period, error, frequency, power, _ = peaks.nth(1).get_by_role("cell").all_inner_texts()
    assert 0 < float(error) < 1e-4
    page.locator("#periodogram").scroll_into_view_if_needed()
    page.mouse.click(*page.evaluate(PLACE, ["#periodogram", 1 / float(frequency), float(power)]))
    folded(page, period)


def test_a_peak_at_the_edge_and_a_truncated_range_are_reported(page):
    page.get_by_label(re.compile("Find the period of .* in ztfg")).click()
    page.locator("#folded-told").filter(has_text="Period").wait_for()
    warnings = page.locator("#search-warnings")
    assert warnings.is_hidden()

    def answer(route):
        response = route.fetch()
        body = response.json()
        body["data"] |= {"limited": True, "warnings": ["The default search needs more."]}
        route.fulfill(response=response, json=body)

    page.route("**/periodogram?**", answer)
    page.get_by_label("From [d]").fill(str(PERIOD * 1.0001))
    page.get_by_label("to [d]").fill(str(PERIOD * 1.5))
    page.get_by_role("button", name="Search").click()
    warnings.get_by_text("The default search needs more.").wait_for()
    first = page.get_by_role("region", name="The highest peaks").get_by_role("row").nth(1)
    first.get_by_text("edge of the range").wait_for()
    assert barriers(page) == {}


def test_an_invalid_period_shows_an_error(page, watch):
    watch.expect("status of 400")
    page.get_by_label(re.compile("Find the period of .* in ztfi")).click()
    page.locator("#folded-told").filter(has_text="Period").wait_for()
    for wrong in ("0", "-1", "soon", ""):
        page.get_by_label("Period [d]").fill(wrong)
        page.get_by_role("button", name="Fold", exact=True).click()
        page.get_by_role("alert").filter(has_text="It must be a positive number of days").wait_for()
        page.get_by_label("Period [d]").fill(str(PERIOD))
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for(state="hidden")
    page.get_by_label("From [d]").fill("1e-7")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("alert").filter(has_text="frequencies, and 2,000,000 are allowed").wait_for()


def test_a_lost_connection_shows_an_error(page, watch):
    watch.expect("ERR_INTERNET_DISCONNECTED")
    page.get_by_label(re.compile("Find the period of .* in ztfi")).click()
    page.locator("#folded-told").filter(has_text="Period").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Twice the period").click()
    page.get_by_role("alert").filter(has_text="The service does not answer").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Twice the period").click()
    page.get_by_role("alert").wait_for(state="hidden")


def test_missing_source_or_series_gives_an_error_page(page, watch):
    watch.expect("status of 404")
    for path, message in (
        ("/sources/nobody", "No source with ID nobody"),
        ("/series/999/period", "No photometric series"),
    ):
        assert page.goto(path).status == 404
        assert message in page.get_by_role("main").inner_text()
        assert barriers(page) == {}
