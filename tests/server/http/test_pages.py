"""The pages' own weight, and the code that they offer."""

import re
import shlex
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

import photseries
from photseries import parameters
from photseries.parameters import Query
from photseries.server.http.pages import assets
from photseries.server.http.pages.labels import dates_of, value_of
from photseries.server.http.pages.snippets import of_search, of_source
from tests.server.http.test_restore import execute
from tests.server.http.test_series import post
from tests.support import PATIENCE, columns

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


@pytest.mark.parametrize(
    ("name", "text", "literal"),
    [
        ("minNumExposures", "1000", "1000"),
        ("minMedianSNR", "1e1", "10.0"),
        ("detected", "yes", "True"),
        ("seriesObjID", "0012", "'0012'"),  # was 12, another name
        ("objectID", "1e5", "'1e5'"),  # was 100000.0
        ("channel", "true", "'true'"),
        ("instrumentID", "7", "7"),
        ("instrumentID", "7,8", "[7, 8]"),
        ("filter", "ztfg,ztfr", "['ztfg', 'ztfr']"),
        ("seriesName", '"night 1, red"', "'night 1, red'"),
        ("startAfter", "60000.5", "60000.5"),
        ("startAfter", "2020-01-01", "'2020-01-01'"),
    ],
)
def test_the_code_of_a_page_has_values_of_the_right_type(name, text, literal):
    code = of_search("http://x", Query(), {name: [text]}, None)["Python"]
    assert code.endswith(f"client.find({parameters.snake_case(name)}={literal})")


@pytest.mark.parametrize(
    ("last", "dates"), [(60000.9, "2023-02-25"), (60001.0, "2023-02-25 to 2023-02-26"), (1e9, "2023-02-25")]
)
def test_dates_of_a_single_night_are_one(last, dates):
    assert dates_of({"mjd_first": 60000.0, "mjd_last": last}) == dates


@pytest.fixture(scope="module")
def sources(admin, world):
    """The series of sources whose names contain one another, by name."""
    ids = {}
    for name in ("V1", "V10", 'V1, "b"'):
        admin.post("/api/sources", json={"id": name, "ra": 10.0, "dec": 10.0}).raise_for_status()
        body = world.fields(obj_id=name, series_name="code", ra=10.0, dec=10.0, data=columns())
        ids[name] = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    return ids


@pytest.mark.parametrize("names", [["V1"], ["V1", "V10"], ["V10", 'V1, "b"']])
def test_the_code_of_a_page_finds_only_its_sources(service, admin, sources, names, monkeypatch):
    monkeypatch.setenv("PHOTSERIES_TOKEN", service.token)
    codes = [of_search(service.url, Query(), {"minNumExposures": ["1"]}, names)]
    codes += [of_source(service.url, names[0])] * (len(names) == 1)
    for code in codes:
        script = code["Python"].partition("\ntables")[0] + "\nprint(sorted(found['id'].tolist()))"
        printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
        assert printed.stdout == f"{sorted(sources[name] for name in names)}\n", printed.stderr
        (url,) = (word for word in shlex.split(code["curl"]) if word.startswith("http"))
        query = parse_qs(urlsplit(url).query)
        found = admin.get("/api/photometric_series", params=query).json()["data"]["series"]
        assert sorted(one["id"] for one in found) == sorted(sources[name] for name in names)


def test_a_page_states_that_its_lists_are_cut(service, admin, world, database_url):
    """The current instrument of a series stays among the choices of its form."""
    execute(database_url, "INSERT INTO instruments (name) SELECT 'camera ' || i FROM generate_series(1, 1200) i")
    total = admin.get("/api/instrument", params={"numPerPage": 1}).json()["data"]["totalMatches"] + 1
    last = world.make("instrument", name="the last")
    with service.client(world.tokens["anna"]) as anna:
        number = post(anna, world, series_name="cut", instrument_id=last)
        anna.post("/sign-in", data={"token": world.tokens["anna"]})
        pages = {path: anna.get(path).text for path in ("/", "/upload", f"/series/{number}", "/account")}
    stated = f"This page lists the first 500 of {total:,} entries of /api/instrument."
    assert {path: stated in text for path, text in pages.items()} == {path: path != "/account" for path in pages}
    assert f'<option value="{last}" selected>the last</option>' in pages[f"/series/{number}"]


def test_only_moments_of_a_token_are_called_never(service, admin, world):
    """A token without a name or permissions has an empty cell there."""
    token = {"user_id": world.users["anna"], "permissions": []}
    number = admin.post("/api/tokens", json=token).json()["data"]["id"]
    with service.client() as browser:
        browser.post("/sign-in", data={"token": service.token})
        tokens = browser.get("/admin").text.partition('id="tokens"')[2]
    row = re.search(rf"<tr><td>{number}</td>(.*)", tokens)
    assert row is not None
    assert re.findall(r'<td class="text">(.*?)</td>', row[1]) == ["", "anna", "", "never", "never"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("period_error", 7.15474e-06, "7.2e-06"),
        ("period_error", 123.4, "120"),
        ("period_false_alarm", 5.73668e-46, "5.7e-46"),
        ("weighted_mean_error", 0.000677099, "0.00068"),
        ("median_cadence", 20 / 86400, "0.000231481"),  # 5 decimals are 2 digits of a cadence of 20 s
        ("e_magref", 0.01234, "0.0123"),
        ("ra", 211.7353, "211.73530"),
    ],
)
def test_values_have_the_digits_that_matter(name, value, text):
    assert value_of({name: value}, name) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("time_scale", "tdb", "TDB"),
        ("time_stamp_alignment", "middle", "mid-exposure"),
        ("time_refpos", "barycenter", "barycenter"),
        ("magsys", "ab", "AB"),
        ("magsys", "instrumental", "instrumental"),
        ("flux_unit", "uJy", "µJy"),
        ("flux_unit", "uJy/beam", "µJy/beam"),
        ("features_of", "mag", "magnitude"),
        ("period_method", "lomb_scargle", "Lomb-Scargle"),
        ("period_method", "by eye", "by eye"),
        ("series_name", "utc", "utc"),
    ],
)
def test_values_have_their_usual_form(name, value, text):
    assert value_of({name: value}, name) == text


def test_a_page_shows_values_in_their_usual_form_and_sends_those_of_the_api(service, admin, world):
    with service.client(world.tokens["anna"]) as anna:
        number = post(anna, world, series_name="usual", time_scale="tt", magsys="vega")
        anna.patch(f"/api/photometric_series/{number}", json={"exp_time": 60.0}).raise_for_status()
        anna.post("/sign-in", data={"token": world.tokens["anna"]})
        pages = [anna.get(path).text for path in (f"/series/{number}", "/upload")]
        stored = anna.get(f"/api/photometric_series/{number}").json()["data"]
    assert (stored["time_scale"], stored["magsys"]) == ("tt", "vega")
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)<span", pages[0]))
    assert (facts["Time scale"], facts["Magnitude system"], facts["Flux unit"]) == ("TT", "Vega", "µJy")
    assert "anna: update of Exposure time" in pages[0]
    scales = [("utc", "UTC"), ("tai", "TAI"), ("tt", "TT"), ("tdb", "TDB")]
    for page, letter, chosen in zip(pages, "ef", ("tt", None), strict=True):
        form = re.search(rf'<select id="{letter}-time_scale".*?</select>', page, re.DOTALL)
        assert form is not None
        options = re.findall(r'<option value="(.*?)"( selected)?>(.*?)</option>', form[0])
        assert [(value, label) for value, _, label in options if value] == scales
        assert [value for value, selected, _ in options if selected] == ([chosen] if chosen else [])


def test_a_page_of_more_series_than_it_shows_links_to_all(service, admin, world, monkeypatch):
    """The name of the source contains a comma, which separates sources in a query."""
    name = "many, of 501"
    admin.post("/api/sources", json={"id": name, "ra": 10.0, "dec": 10.0}).raise_for_status()
    monkeypatch.setenv("PHOTSERIES_TOKEN", service.token)
    fields = world.fields(obj_id=name, ra=10.0, dec=10.0)
    with photseries.Client(service.url) as client:
        table = pd.DataFrame(columns())
        outcomes = list(client.upload_many([(table, fields | {"series_name": f"{night}"}) for night in range(501)]))
    assert [outcome.error for outcome in outcomes] == [None] * 501
    with service.client() as browser:
        browser.post("/sign-in", data={"token": service.token})
        page = browser.get("/sources/many%2C%20of%20501").text
        stated = re.search(r'The first 500 of 501 series are shown\. <a href="(.*?)">List them all</a>', page)
        assert stated is not None
        listed = [browser.get(stated[1] + f"&numPerPage=300&pageNumber={number}").text for number in (1, 2, 3)]
    assert [len(set(re.findall(r'data-series="(\d+)"', text))) for text in listed] == [300, 201, 0]


def test_only_results_of_several_pages_are_numbered(service, admin, world):
    post(admin, world, series_name="pager 1")
    post(admin, world, series_name="pager 2")
    with service.client() as browser:
        browser.post("/sign-in", data={"token": service.token})
        pages = [browser.get(f"/?seriesName=pager+1,pager+2&numPerPage={number}").text for number in (2, 1)]
    assert ["Page 1" in page for page in pages] == [False, True]
