"""The plots: what is drawn, what it is called, and how it moves; on what a browser paints."""

import base64
import io
import itertools
import operator
import re

import numpy as np
import pytest
from matplotlib.image import imread

from tests.browser.conftest import PHONE
from tests.browser.test_pages import sign_in, told
from tests.browser.watch import barriers

pytestmark = pytest.mark.slow

#: The colours of the layers in the light style.
COLOURS = {"Detections": "1f5fa8", "Non-detections": "5b6470", "S/N unknown": "b4501e", "Flagged": "8a3ea8"}


def pixels(locator):
    """Return the picture of a plot as it is drawn, in bytes per colour."""
    data = locator.locator("canvas").evaluate("(canvas) => canvas.toDataURL('image/png')")
    return (imread(io.BytesIO(base64.b64decode(data.partition(",")[2])))[..., :3] * 255).round().astype(int)


def marks(locator, colour):
    """Count the pixels of a colour, also where it is thin: nearer to it than to white, with its hue."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)])
    seen = pixels(locator)[8:-50, 70:-16]
    toward = (255 - seen) @ (255 - wanted) / ((255 - wanted) @ (255 - wanted))
    apart = np.abs(255 - seen - toward[..., None] * (255 - wanted)).max(axis=-1)
    return int(((toward > 0.3) & (apart < 24)).sum())


def painted(page):
    """Wait until what was asked for is on the canvas."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture(scope="module")
def series(admin, world):
    """A short series with points of every kind, and the same 100 times as long; times at the barycentre."""

    def make(name, repeated):
        rows = 60 * repeated
        noise = np.random.default_rng(22)
        flux = np.where(
            np.arange(rows) % 3 == 0, noise.normal(0, 5, rows), 300 + 30 * np.sin(np.arange(rows) / repeated / 4)
        )
        error = np.where(np.arange(rows) % 7 == 0, np.nan, 5.0)
        table = {
            "mjd": (59000 + np.arange(rows) / 24 / repeated).tolist(),
            "flux": (flux + noise.normal(0, 5, rows)).tolist(),
            "fluxerr": [None if one != one else one for one in error.tolist()],
            "quality": (np.arange(rows) % 11 == 0).astype(int).tolist(),
        }
        frame = {"time_scale": "tdb", "time_refpos": "barycenter"} if repeated == 1 else {"time_scale": "utc"}
        body = world.fields(series_name=name, data=table, **frame)
        return admin.post("/api/photometric_series", json=body).json()["data"]["id"]

    return make("kinds", 1), make("many", 200)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("unit", ["Flux", "Magnitude", "Normalised flux"])
def test_each_selected_entry_is_drawn(page, service, series, number, unit):
    sign_in(page, service.token, f"/series/{series[number]}")
    page.get_by_text(unit, exact=True).click()
    told(page, "points")
    legend = page.get_by_role("group", name="What is shown")
    plot = page.get_by_role("group", name=re.compile("light curve"))
    page.wait_for_function(
        "(label) => document.getElementById('curve').chart.labels.yLabel.includes(label)",
        arg={"Flux": "flux [", "Magnitude": "mag", "Normalised flux": "median"}[unit],
    )
    entries = {}
    for entry in legend.locator("label:visible").all():
        kind = entry.locator(".name").inner_text().split(" (")[0]
        entries[kind] = page.locator(f"#{entry.get_attribute('id')} input")
    assert entries.keys() >= {"Detections", "Non-detections", "Flagged"}
    for kind, box in entries.items():
        for other in entries.values():
            other.uncheck()
        painted(page)
        assert marks(plot, COLOURS[kind]) == 0, kind
        box.check()
        painted(page)
        assert marks(plot, COLOURS[kind]) >= 8, kind


def test_a_plot_describes_its_axes_and_visible_range(page, service, series):
    sign_in(page, service.token, f"/series/{series[0]}")
    plot = page.get_by_role("group", name="light curve")
    told(page, "points")
    description = """(element) => element.getAttribute("aria-describedby").split(" ")
        .map((id) => document.getElementById(id).textContent).join(" ")"""
    assert re.search(r"BJD \(TDB\) − 2400000\.5 59000\.\d+ to 59002\.\d+: \d+ points", plot.evaluate(description))
    assert page.evaluate("document.getElementById('curve').chart.labels") == {
        "xLabel": "BJD (TDB) − 2400000.5 [d]",
        "yLabel": "flux [µJy]",
    }
    page.get_by_text("Date", exact=True).click()
    assert page.evaluate("document.getElementById('curve').chart.labels.xLabel") == "date (TDB)"
    page.goto(f"/series/{series[1]}")
    told(page, r"MJD \(UTC\) 59000\.\d+ to 59002\.\d+: 10,909 points|12,000 points")
    plot.press("+")
    told(page, r"MJD \(UTC\) 59000\.[3-9]\d* to 5900")


def test_axis_excludes_outliers_until_the_full_range_is_requested(page, service, admin, world):
    flux = np.full(400, 100.0) + np.random.default_rng(1).normal(0, 1, 400)
    flux[200] = 10_000
    table = {"mjd": (59000 + np.arange(400.0)).tolist(), "flux": flux.tolist(), "fluxerr": [1.0] * 400}
    made = admin.post("/api/photometric_series", json=world.fields(series_name="outlier", data=table)).json()["data"][
        "id"
    ]
    sign_in(page, service.token, f"/series/{made}")
    told(page, "400 points")
    axis = "() => { const { ys } = document.getElementById('curve').chart; return Math.max(ys.start, ys.end); }"
    assert page.evaluate(axis) < 120
    page.get_by_role("button", name="Full range").click()
    assert page.evaluate(axis) > 10_000
    assert "full=1" in page.url


@pytest.mark.parametrize(
    ("flux", "error", "ends"),
    [
        ([100, 110], [8, 8], (92, 118)),  # the bars in whole
        ([100, 110], [8, 1000], (90, 120)),  # at most as far out as the points are apart
        ([100], [30], (70, 130)),
        ([100, 110], [None, None], (100, 110)),
    ],
)
def test_the_axis_of_a_few_points_includes_their_error_bars(page, service, admin, world, flux, error, ends):
    table = {"mjd": [59000.0 + row for row in range(len(flux))], "flux": flux, "fluxerr": error}
    body = world.fields(series_name=f"bars {ends}", data=table)
    made = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    sign_in(page, service.token, f"/series/{made}?unit=flux")
    told(page, r"\d points?")
    margin = 0.07 * (ends[1] - ends[0])
    drawn = page.evaluate("() => { const { ys } = document.getElementById('curve').chart; return [ys.start, ys.end]; }")
    assert drawn == pytest.approx([ends[0] - margin, ends[1] + margin])


def test_small_light_curves_show_a_few_points(page, service, admin, world):
    admin.post("/api/sources", json={"id": "one point", "ra": 10.0, "dec": 10.0})
    table = {"mjd": [59000.0], "flux": [100.0], "fluxerr": [5.0]}
    body = world.fields(obj_id="one point", series_name="one", data=table)
    admin.post("/api/photometric_series", json=body).raise_for_status()
    sign_in(page, service.token)
    page.goto("/?q=one+point")
    point = page.locator(".spark path")
    assert point.get_attribute("d") == "M60.0 16h0"  # the middle of 120 by 32 pixels
    assert float(point.evaluate("(one) => parseFloat(getComputedStyle(one).strokeWidth)")) >= 3


@pytest.mark.parametrize(
    ("kind", "start", "end", "labels"),
    [
        ("number", 59999, 60049.9, ["60000", "60020", "60040"]),
        ("number", 60001, 60101, ["60050", "60100"]),
        ("number", -0.04, 2.04, ["0", "1", "2"]),
        ("log", 6, 70, ["10", "20", "50"]),
        ("date", 60676.9, 60705.1, ["2025-01-05", "2025-01-15", "2025-01-25"]),
        ("date", 60676, 60676 + 0.9 / 86400, ["00:00:00.000\n2025-01-01", "00:00:00.500"]),
    ],
)
def test_a_narrow_axis_has_at_least_two_labels(page, service, series, kind, start, end, labels):
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "points")
    script = """([kind, start, end]) => {
        const { xs } = document.getElementById("curve").chart;
        Object.assign(xs, { kind, start, end, from: 0, to: 225, offset: 0, grouped: false });
        return xs.ticks(kind === "date" ? 92 : 84).map(({ text }) => text);
    }"""
    assert page.evaluate(script, [kind, start, end]) == labels


def test_the_labels_of_close_lines_do_not_overlap(page, service, series):
    """Neither a line out of view nor the edge of the plot may make two texts share a place."""
    sign_in(page, service.token, f"/series/{series[1]}")
    texts = page.evaluate("""async () => {
        const { src } = document.querySelector("script[src*=series]");
        const { paintLines } = await import(src.replace("series.js", "draw.js"));
        const found = [];
        const pen = document.createElement("canvas").getContext("2d");
        pen.fillText = (text, x, y) => found.push([text, x, x + pen.measureText(text).width, y]);
        const lines = [-50, 5, 6, 7, 8, 9, 120, 187, 188, 190].map((x, i) => ({ x, text: `${i}/d` }));
        paintLines(pen, lines, { start: 0, end: 200, pixel: (x) => x }, { left: 0, right: 200, top: 0, bottom: 100 });
        return found;
    }""")
    assert [text for text, *_ in texts] == ["1/d", "2/d", "3/d", "4/d", "5/d", "6/d", "7/d", "8/d", "9/d"]
    assert all(0 <= start < end <= 200 for _, start, end, _ in texts)
    pairs = list(itertools.combinations(texts, 2))
    assert [(one[0], two[0]) for one, two in pairs if one[3] == two[3] and two[1] < one[2] and one[1] < two[2]] == []
    assert texts[5][3] == texts[0][3], "a label with room around it is in the first row"


@pytest.mark.parametrize("of", ["series", "sources"])
def test_a_plot_has_no_axes_before_its_data(page, service, admin, series, watch, of):
    watch.expect("ERR_FAILED")
    name = admin.get(f"/api/photometric_series/{series[1]}").json()["data"]["obj_id"]
    held = []
    answer = held.append
    page.route("**/envelope?**", lambda route: answer(route))
    sign_in(page, service.token, f"/{of}/{series[1] if of == 'series' else name}")
    told(page, "^Loading…$")
    painted(page)
    assert np.ptp(pixels(page.locator("#curve")), axis=(0, 1)).tolist() == [0, 0, 0]
    answer = operator.methodcaller("abort")
    for route in held:
        route.abort()
    page.get_by_role("alert").filter(has_text="The service does not answer.").wait_for()
    assert page.locator("#told").inner_text() == ""
    painted(page)
    assert np.ptp(pixels(page.locator("#curve")), axis=(0, 1)).tolist() == [0, 0, 0]
    page.unroute("**/envelope?**")
    page.reload()
    told(page, "points")
    painted(page)
    assert min(np.ptp(pixels(page.locator("#curve")), axis=(0, 1))) > 100


def test_the_wheel_scrolls_the_page_unless_the_plot_has_the_focus(page, service, series):
    sign_in(page, service.token, f"/series/{series[1]}")
    told(page, "points")
    plot = page.locator("#curve")
    width = "() => { const { xs } = document.getElementById('curve').chart; return xs.end - xs.start; }"
    before = page.evaluate(width)
    plot.hover()
    page.mouse.wheel(0, -100)
    page.mouse.wheel(0, 100)
    page.wait_for_function("() => scrollY > 0")
    assert page.evaluate(width) == before
    plot.focus()
    plot.hover()
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"(before) => ({width})() < before", arg=before)


def test_the_url_preserves_the_view(page, service, series):
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "points")
    page.get_by_text("Magnitude", exact=True).click()
    page.get_by_text("Date", exact=True).click()
    page.get_by_role("checkbox", name="Flagged").uncheck()
    page.locator("#curve").press("+")
    page.wait_for_url(re.compile("from="))
    sentence = page.locator("#told").inner_text()
    page.reload()
    told(page, re.escape(sentence[:40]))
    assert not page.get_by_role("checkbox", name="Flagged").is_checked()
    assert page.evaluate("document.getElementById('curve').chart.labels.xLabel") == "date (TDB)"


@pytest.mark.parametrize("query", ["unit=foo&time=bar", "from=abc&to=59001", "from=59002&to=59001", "from=59000"])
def test_a_damaged_url_shows_the_whole_light_curve(page, service, series, query):
    sign_in(page, service.token)
    for path in (f"/series/{series[0]}", "/sources/star"):
        page.goto(f"{path}?{query}")
        told(page, r"MJD|BJD \(TDB\) .* points")
        assert page.locator("#notice").is_hidden(), path
        assert page.locator("#controls input[name=time]:checked").get_attribute("value") == "mjd", path
        assert page.locator("#controls input[name=unit]:checked").count() == 1, path
        window = "() => (({ xs, whole }) => [[xs.start, xs.end], whole])(document.getElementById('curve').chart)"
        shown, whole = page.evaluate(window)
        assert shown == whole, path


def test_figures_are_saved(page, service, series):
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "points")
    for kind, begin in (("PNG", b"\x89PNG"), ("SVG", b"<svg xmlns"), ("PDF", b"%PDF")):
        with page.expect_download() as download:
            page.get_by_text(kind, exact=True).click()
        content = download.value.path().read_bytes()
        assert content.startswith(begin)
        assert download.value.suggested_filename == f"star.{kind.lower()}"
        if kind == "SVG":
            assert "BJD (TDB)" in content.decode()


def test_a_printed_page_has_no_controls(page, service, series):
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "points")
    page.emulate_media(media="print")
    assert (
        page.locator(":is(nav, form, button, select, details, h2:text-is('Change'))").filter(visible=True).count() == 0
    )
    for shown in ("#curve canvas", "#told", "text=Metadata", "text=Exposure time"):
        assert page.locator(shown).first.is_visible(), shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_plot_without_scrolling(browse, service, series, scheme):
    page = browse(service.url, viewport=PHONE, color_scheme=scheme, has_touch=True)
    sign_in(page, service.token, f"/series/{series[0]}")
    told(page, "points")
    for path in (f"/series/{series[0]}", "/sources/star"):
        page.goto(path)
        told(page, "points")
        box = page.locator("#curve").bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"], path
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert page.locator("#curve").evaluate("(one) => getComputedStyle(one).touchAction") == "pan-y"
        assert barriers(page) == {}, path


def test_a_phone_shows_long_names_without_scrolling(browse, service, admin, world):
    admin.post("/api/sources", json={"id": "L" * 100, "ra": 10.0, "dec": 10.0})
    table = {"mjd": [59000.0, 59001.0], "flux": [100.0, 101.0], "fluxerr": [5.0, 5.0]}
    for origin in ("O" * 60, "P" * 60):
        body = world.fields(obj_id="L" * 100, series_name="N" * 100, origin=origin, data=table)
        admin.post("/api/photometric_series", json=body).raise_for_status()
    page = browse(service.url, viewport={"width": 360, "height": 780})
    sign_in(page, service.token)
    for path in (f"/?q={'L' * 100}", f"/sources/{'L' * 100}"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
    assert page.locator("#legend .entry").count() == 3  # a filter and two origins


def test_long_series_takes_few_bytes(page, service, admin, world):
    rows = 200_000
    noise = np.random.default_rng(3)
    table = {
        "mjd": (59000 + np.arange(rows) * 20 / 86400).tolist(),
        "flux": (1000 + noise.normal(0, 10, rows)).tolist(),
        "fluxerr": [10.0] * rows,
    }
    made = admin.post("/api/photometric_series", json=world.fields(series_name="long", data=table)).json()["data"]["id"]
    sizes = {}
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    urls = {}
    session.on("Network.responseReceived", lambda event: urls.update({event["requestId"]: event["response"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({urls.get(event["requestId"], ""): event["encodedDataLength"]}),
    )
    sign_in(page, service.token, f"/series/{made}")
    told(page, "200,000 points")
    for _ in range(12):
        page.locator("#curve").press("+")
    told(page, r": [0-9,]+ points?;?")
    scripts = sum(size for url, size in sizes.items() if url.endswith(".js"))
    assert 0 < scripts < 400_000
    assert sum(size for url, size in sizes.items() if "/envelope" in url) < 400_000


@pytest.fixture(scope="module")
def crowd(admin, world):
    """A source with 20 series in 20 filters; those of odd number have no errors."""
    admin.post("/api/sources", json={"id": "crowd", "ra": 30.0, "dec": 30.0}).raise_for_status()
    names = [f"lsst{one}" for one in "ugrizy"] + [f"sdss{one}" for one in "ugriz"] + [f"des{one}" for one in "ugrizy"]
    for number, name in enumerate([*names, "ztfg", "ztfr", "ztfi"]):
        table = {"mjd": [59000.0, 59001.0, 59002.0], "mag": [18.0, 18.2, 18.1], "magerr": [0.1, 0.1, 0.2]}
        if number % 2:
            del table["magerr"]
        body = world.fields(obj_id="crowd", series_name=name, filter=name, data=table)
        admin.post("/api/photometric_series", json=body).raise_for_status()


def test_filters_of_one_colour_have_different_markers(page, service, crowd):
    sign_in(page, service.token, "/sources/crowd")
    told(page, "60 points$")
    layers = "() => document.getElementById('curve').chart.drawn.map(({ colour, marker }) => `${colour} ${marker}`)"
    assert len(set(page.evaluate(layers))) == 20
    signs = page.get_by_role("group", name="What is shown").locator("label:not(:has-text('S/N'), :has-text('Flagged'))")
    looks = [
        (sign.evaluate("(one) => getComputedStyle(one).getPropertyValue('--band')"), sign.inner_text())
        for sign in signs.locator(".dot, .symbol").all()
    ]
    assert len(looks) == len(set(looks)) == 20


def test_a_source_with_many_series_is_drawn_while_they_load(page, service, crowd):
    held = []
    asked = itertools.count()
    page.route("**/envelope?**", lambda route: held.append(route) if next(asked) in (16, 17) else route.continue_())
    sign_in(page, service.token, "/sources/crowd")
    told(page, "48 points; loading 4 more series")
    for route in held:
        route.continue_()
    told(page, "60 points$")


def test_a_colour_has_an_error_where_both_filters_have_one(page, service, crowd):
    """A plot of no pairs is empty, also if there were pairs before."""
    sign_in(page, service.token, "/sources/crowd")
    told(page, "60 points$")
    drawn = "() => document.getElementById('colours').chart.drawn[0].high.map(Number.isFinite)"
    for first, second, expected in (("lsstu", "lsstr", True), ("lsstu", "lsstg", False)):
        page.locator("#first").select_option(first)
        page.locator("#second").select_option(second)
        page.get_by_role("button", name="Show", exact=True).click()
        page.locator("#colour-told").filter(has_text=f"{first} − {second}: 3 pairs").wait_for()
        assert page.evaluate(drawn) == [expected] * 3
    assert page.locator("#colours").is_visible()
    page.locator("#tolerance").fill("-1")
    page.locator("#colour").evaluate("(form) => { form.noValidate = true; }")
    page.get_by_role("button", name="Show", exact=True).click()
    page.locator("#colour-told").filter(has_text="0 pairs").wait_for()
    assert not page.locator("#colours").is_visible()


def test_the_url_keeps_hidden_entries_with_commas(page, service, admin, world):
    admin.post("/api/sources", json={"id": "two cameras", "ra": 31.0, "dec": 31.0}).raise_for_status()
    for number, name in ((71, "Camera, north"), (72, "Camera")):
        admin.post("/api/instrument", json={"name": name, "id": number}).raise_for_status()
        table = {"mjd": [59000.0, 59001.0], "mag": [18.0, 18.2], "magerr": [0.1, 0.1]}
        body = world.fields(obj_id="two cameras", series_name=name, instrument_id=number, data=table)
        admin.post("/api/photometric_series", json=body).raise_for_status()
    sign_in(page, service.token, "/sources/two%20cameras")
    told(page, "4 points")
    page.get_by_role("checkbox", name="Camera, north").uncheck()
    told(page, "2 points")
    page.reload()
    told(page, "2 points")
    assert not page.get_by_role("checkbox", name="Camera, north").is_checked()
    assert page.get_by_role("checkbox", name="Camera", exact=True).is_checked()
    page.goto("/sources/two%20cameras?hide=ztfg,Camera")  # as links were before
    told(page, "0 points")
    page.get_by_role("checkbox", name="ztfg").check()
    told(page, "2 points")


def test_a_dark_page_is_printed_in_light_colours_and_in_full(browse, service, crowd):
    page = browse(service.url, viewport={"width": 718, "height": 1000}, color_scheme="dark")
    cut = """() => [...document.querySelectorAll("td, th")].filter((cell) =>
        cell.offsetWidth && cell.getBoundingClientRect().right > innerWidth).map(({ textContent }) => textContent)"""
    sign_in(page, service.token, "/sources/crowd")
    told(page, "60 points$")
    painted(page)
    curve = page.locator("#curve")
    assert max(pixels(curve)[0, 0]) < 60
    page.emulate_media(media="print")
    painted(page)
    assert pixels(curve)[0, 0].tolist() == [255, 255, 255]
    assert pixels(curve).shape[1] == curve.evaluate("(host) => host.clientWidth")
    assert page.evaluate(cut) == []
    page.emulate_media(media="screen")
    painted(page)
    assert max(pixels(curve)[0, 0]) < 60
    page.goto("/?q=crowd")
    page.get_by_text("20 series of 1 source").wait_for()
    page.emulate_media(media="print")
    assert page.evaluate(cut) == []
