"""The page for uploads: what it shows of a file before anything is typed, what is stored, and what is refused."""

import gzip

import pandas as pd
import pytest

from photseries.formats import READERS, read
from tests.browser.conftest import PHONE
from tests.browser.test_pages import fill_in, sign_in
from tests.browser.watch import barriers
from tests.support import DATA, TESS, recipe_read

pytestmark = pytest.mark.slow

CASES = DATA / "cases"

#: Each column as no other: digits, signs and points, gaps, words for what is missing, quotes, a comma, truths.
ODD = (
    "# seen from home\n"
    '\n mjd, mag,transit_id,"a, ""b""",hex,count,id,clear,empty,far\r\n'
    '60000.5,18.,5853498713190525696,"x, ""y""",0x10,+1,007,True,,1.5\n'
    "\n"
    '60001.5, 1.825e+1 ,5853498713190525697,"two\nlines",16,,0,FALSE,NA,100000000000000000000\n'
    "60002.5,NaN,-9223372036854775808,#good,NA,3,-2,true,nan,2"
)


@pytest.fixture
def form(page, world):
    """The page for uploads, all its fields filled in; call it with the name of the series."""

    def filled(name):
        sign_in(page, world.tokens["anna"], "/upload")
        fill_in(page, world, name)

    return filled


def choose(page, *files):
    """Choose files: pairs of name and content."""
    contents = [(name, content if isinstance(content, bytes) else content.encode()) for name, content in files]
    page.locator("#file").set_input_files(
        [{"name": name, "mimeType": "", "buffer": content} for name, content in contents]
    )


def looked_at(page):
    page.locator("#state").filter(has_text="Nothing is stored yet").wait_for()


def store(page):
    looked_at(page)
    page.get_by_role("button", name="Store").click()


def stored(page, admin):
    store(page)
    page.wait_for_url("**/series/*")
    answer = admin.get(f"/api/photometric_series/{page.url.rsplit('/', 1)[1]}/data")
    return recipe_read(answer.content)[0]


def facts(page):
    rows = page.locator("#facts > div").all()
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows}


def roles(page):
    """What each role is taken for: what is grey in the form."""
    found = {
        one.get_attribute("name"): one.get_attribute("placeholder") for one in page.locator("[data-role] input").all()
    }
    return {name: column for name, column in found.items() if column}


def test_file_is_described_before_any_input(page, world):
    sign_in(page, world.tokens["anna"], "/upload")
    choose(page, ("v.csv", "JD,Vmag,e_Vmag,Band\n2460001.5,12.1,0.01,V\n2460002.5,12.3,0.02,V\n"))
    page.get_by_text("Missing: Source").wait_for()
    shown = facts(page)
    assert (shown["First time"], shown["Last time"]) == ("2023-02-26 00:00:00", "2023-02-27 00:00:00")
    assert shown["Filters in the file"] == "V (2)"
    assert roles(page) == {"time_col": "JD", "mag_col": "Vmag", "magerr_col": "e_Vmag"}
    assert "Julian date" in page.locator("[data-role=mjd] .from").inner_text()
    assert "perhaps bessellv" in page.locator("[data-field=filter] .from").inner_text()
    page.locator("#curve canvas").wait_for()
    assert page.locator("[aria-invalid]").count() == 0
    assert page.get_by_role("button", name="Store").is_disabled()
    assert barriers(page) == {}


def test_fields_are_filled_from_the_file(page, world):
    sign_in(page, world.tokens["anna"], "/upload")
    page.locator("#file").set_input_files(CASES / "fits/qlp.fits")
    page.get_by_text("Missing: ").wait_for()
    assert page.locator("#f-series_name").input_value().startswith("TESS/sector-")
    assert page.locator("#f-filter").input_value() == "tess::red"
    assert page.locator("#f-obj_id").input_value().startswith("TIC")
    assert page.locator("[data-field=filter] .from").inner_text() == "from the file"
    assert facts(page)["Survey"] == "QLP"


def test_a_role_can_be_changed(page, form, admin):
    form("another role")
    choose(page, ("a.csv", "mjd,mag,mag_psf\n60000,15,16\n60001,15.5,16.5\n"))
    looked_at(page)
    page.get_by_label("Magnitude", exact=True).fill("mag_psf")
    page.locator("[data-role=mag] input[placeholder=mag_psf]").wait_for()
    assert stored(page, admin)["mag"].tolist() == [16, 16.5]


def test_an_unreadable_file_can_be_fixed_on_the_page(page, form, admin, watch):
    watch.expect("status of 400")
    form("named by hand")
    choose(page, ("a.dat", "60000.5 18 0.1\n60001.5 19 0.1\n"))
    page.locator("#notice").filter(has_text="no line names its columns").wait_for()
    page.get_by_text("More options").click()
    page.get_by_label("Names of the columns").fill("mjd,mag,magerr")
    assert stored(page, admin)["mag"].tolist() == [18, 19]


def test_a_file_of_several_filters_becomes_several_series(page, world, admin):
    sign_in(page, world.tokens["anna"], "/upload")
    page.locator("#file").set_input_files(CASES / "csv/ztf_irsa.csv")
    page.get_by_text("Missing: ").wait_for()
    rows = page.locator("#files tr")
    assert [row.locator("td").first.inner_text() for row in rows.all()] == ["zg", "zr"]
    fill_in(page, world, "both filters")
    page.locator("#f-filter").fill("")
    store(page)
    page.get_by_text("All 2 series are stored.").wait_for()
    found = admin.get("/api/photometric_series", params={"seriesName": "both filters"}).json()["data"]["series"]
    assert sorted(one["filter"] for one in found) == ["ztfg", "ztfr"]
    assert page.locator("#files a").count() == 2


def test_several_files_are_uploaded_in_turn(page, form, admin, watch):
    watch.expect("status of 400")
    form("several files")
    texts = [(f"{n}.csv", f"mjd,mag,filter\n{60000 + n},15,ztf{band}\n") for n, band in enumerate("gri")]
    page.locator("#f-filter").fill("")
    choose(page, *texts, ("damaged.fits", "SIMPLE  = T"))
    page.locator("#notice").filter(has_text="damaged.fits").wait_for()
    assert page.locator("#files tr").count() == 4
    store(page)
    page.get_by_text("All 3 series are stored.").wait_for()
    assert page.locator("#progress").get_attribute("value") == "3"
    found = admin.get("/api/photometric_series", params={"seriesName": "several files"}).json()["data"]["series"]
    assert sorted(one["filter"] for one in found) == ["ztfg", "ztfi", "ztfr"]


def test_missing_source_is_created_on_the_upload_page(page, form, admin, watch):
    watch.expect("status of 400")
    form("made in place")
    choose(page, ("a.csv", "mjd,mag\n60000,15\n"))
    page.locator("#f-obj_id").fill("new star")
    page.get_by_text("Some fields are missing or invalid").wait_for()  # it moves the box
    page.get_by_label("Create missing sources").check()
    page.get_by_text("The source will be created").wait_for()
    page.get_by_role("button", name="Store").click()
    page.wait_for_url("**/series/*")
    assert admin.get("/api/sources/new star").json()["data"]["ra"] == 10


def test_the_page_fits_a_phone(browse, service, world):
    page = browse(service.url, viewport=PHONE)
    sign_in(page, world.tokens["anna"], "/upload")
    page.locator("#file").set_input_files(CASES / "csv/ztf_irsa.csv")
    page.get_by_text("Missing: ").wait_for()
    size = (CASES / "csv/ztf_irsa.csv").stat().st_size / 1024
    assert page.locator("#chosen").inner_text() == f"ztf_irsa.csv, {size:.3g} KiB"
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_label("Exposure time [s]").wait_for()
    sources = page.locator("label:has(#make-sources)").bounding_box()
    assert sources["height"] < 50, "a box beside two lines of text"
    assert barriers(page) == {}


def test_page_and_command_store_equal_text(page, form, admin, tmp_path):
    form("odd text")
    path = tmp_path / "odd.csv"
    path.write_text(ODD, encoding="utf-8-sig", newline="")
    page.locator("#file").set_input_files(path)
    frame = stored(page, admin)
    pd.testing.assert_frame_equal(frame, read(path).frame, check_exact=True)
    assert frame["transit_id"].tolist() == [5853498713190525696, 5853498713190525697, -(2**63)]


def test_fields_of_json_keep_their_digits(page, form, admin):
    form("long numbers")
    page.get_by_text("More fields").click()
    page.get_by_label("Further data").fill('{"gaia_id": 5853498713190525697}')
    choose(page, ("a.csv.gz", gzip.compress(b"mjd,mag\n60000,18\n60001,18\n")))
    stored(page, admin)
    fields = admin.get(f"/api/photometric_series/{page.url.rsplit('/', 1)[1]}?dataFormat=none").json()["data"]
    assert fields["altdata"] == {"gaia_id": 5853498713190525697}


REFUSED = {
    "ragged": ("a.csv", "mjd,mag\n60000,18\n60001\n", "line 3 has 1 cells"),
    "infinite": ("a.csv", "mjd,mag\n,18\n", "time"),
    "nameless": ("a.dat", "60000 18\n60001 19\n", "no line names its columns"),
    "bare": ("a.csv", "mjd,mag\n", "The table has no rows"),
    "empty": ("a.csv", "\n", "there is no table in it"),
    "fits": ("a.fits", "SIMPLE  =                    T", "a.fits"),
    "workbook": ("a.xlsx", b"PK\x03\x04", "photseries upload"),
}


def test_refused_file_clears_the_previous_file(page, form, watch):
    watch.expect("status of 400")
    form("refused")
    for name, content, why in REFUSED.values():
        choose(page, ("good.csv", "mjd,mag\n60000,18\n"))
        looked_at(page)
        assert page.locator("#preview").is_visible()
        assert page.locator("#notice").is_hidden()
        choose(page, (name, content))
        page.locator("#notice").filter(has_text=why).wait_for()
        assert page.locator("#preview").is_hidden()
        assert page.get_by_role("button", name="Store").is_disabled()
        assert page.locator("#state").inner_text() == "Change the reading options, or choose another file."


def test_page_and_command_accept_the_same_suffixes(page, form):
    form("endings")
    endings = {one.name: one.suffixes for one in READERS.values() if one.name != "excel"}
    accepted = page.locator("#file").get_attribute("accept").split(",")
    assert {suffix for suffixes in endings.values() for suffix in suffixes} <= set(accepted)
    for kind, separator in {"csv": ",", "tsv": "\t", "text": " "}.items():
        for suffix in endings[kind]:
            choose(page, (f"A{suffix.upper()}", f"mjd{separator}mag\n60000{separator}18\n"))
            looked_at(page)
            page.locator("#chosen").filter(has_text=f"A{suffix.upper()}").wait_for()
    page.locator("#file").set_input_files({"name": "nameless", "mimeType": "", "buffer": TESS.read_bytes()})
    page.get_by_text("399 of 18,699 rows have no brightness").wait_for()
