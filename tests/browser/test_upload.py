"""The page for uploads: what of a file is stored, and what is refused."""

import re

import pandas as pd
import pytest

from photseries.formats import READERS, read
from tests.browser.test_pages import sign_in
from tests.support import DATA, TESS, recipe_read

#: Each column as no other: digits, signs and points, gaps, words for what is missing, quotes, a comma, truths.
ODD = (
    "# seen from home\n"
    '\n mjd, mag,gaia_id,"a, ""b""",hex,count,id,clear,empty,far\r\n'
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
        fields = world.fields(series_name=name, ra=10, dec=-20, exp_time=30)
        for field in ("obj_id", "series_name", "series_obj_id", "ra", "dec", "exp_time", "filter"):
            page.get_by_label(re.compile(rf"^{field}\b")).fill(str(fields[field]))
        page.get_by_label("instrument_id").select_option("TESS")

    return filled


def choose(page, name, content):
    content = content if isinstance(content, bytes) else content.encode()
    page.locator("#file").set_input_files({"name": name, "mimeType": "", "buffer": content})


def looked_at(page):
    page.locator("#state").filter(has_text="Nothing is stored yet").wait_for()


def stored(page, admin):
    looked_at(page)
    page.get_by_role("button", name="Store").click()
    page.wait_for_url("**/series/*")
    answer = admin.get(f"/api/photometric_series/{page.url.rsplit('/', 1)[1]}/data")
    return recipe_read(answer.content)[0]


def test_text_is_stored_as_the_command_stores_it(page, form, admin, tmp_path):
    form("odd text")
    path = tmp_path / "odd.csv"
    path.write_text(ODD, encoding="utf-8-sig", newline="")
    page.locator("#file").set_input_files(path)
    frame = stored(page, admin)
    pd.testing.assert_frame_equal(frame, read(path).frame, check_exact=True)
    assert frame["gaia_id"].tolist() == [5853498713190525696, 5853498713190525697, -(2**63)]


def test_names_may_stand_in_a_comment(page, form, admin, tmp_path):
    form("spaced")
    path = tmp_path / "macho.mjd"
    path.write_text((DATA / "macho_1.3444.614.B.mjd").read_text().replace("#MJD Mag Err", "#mjd mag magerr"))
    page.locator("#file").set_input_files(path)
    pd.testing.assert_frame_equal(stored(page, admin), read(path).frame, check_exact=True)


def test_whole_numbers_that_would_lose_digits_are_kept_as_text(page, form, admin):
    form("long numbers")
    page.get_by_text("More fields").click()
    page.get_by_label("altdata").fill('{"gaia_id": 5853498713190525697}')
    choose(page, "a.csv", f"mjd,mag,gapped,long\n60000,18,5853498713190525697,{2**63}\n60001,18,,7\n")
    page.get_by_text("gapped is kept as text").wait_for()
    page.get_by_text("long is kept as text").wait_for()
    frame = stored(page, admin)
    assert frame["gapped"][0] == "5853498713190525697"
    assert frame["gapped"].isna()[1]
    assert frame["long"].tolist() == [str(2**63), "7"]
    fields = admin.get(f"/api/photometric_series/{page.url.rsplit('/', 1)[1]}?dataFormat=none").json()["data"]
    assert fields["altdata"] == {"gaia_id": 5853498713190525697}


REFUSED = {
    "ragged": ("a.csv", "mjd,mag\n60000,18\n60001\n", "Row 2 has 1 values, not 2"),
    "repeated": ("a.csv", "mjd,mag,mag\n60000,18,0.1\n", "Two columns are called mag"),
    "latin-1": ("a.csv", "mjd,mag,note\n60000,18,é\n".encode("latin-1"), "The file is no text in UTF-8"),
    "infinite": ("a.csv", "mjd,mag\n60000,18\n60001,-Infinity\n", "The column mag has the value -Infinity"),
    "beyond": ("a.csv", "mjd,mag\n60000,18\n60001,1e999\n", "The column mag has the value 1e999"),
    "nameless": ("a.dat", "60000 18\n60001 19\n", "No line names the columns"),
    "bare": ("a.csv", "mjd,mag\n", "The file has no rows"),
    "empty": ("a.csv", "\n", "There is no table in the file"),
    "fits": ("a.fits", "SIMPLE  =                    T", "a.fits is no HDF5, nor text by its name"),
    "not hdf5": ("a.h5", "SIMPLE  =                    T", "a.h5 is no HDF5, nor text by its name"),
}


def test_after_a_file_that_is_refused_nothing_of_the_one_before_is_left(page, form):
    form("refused")
    for name, content, why in REFUSED.values():
        choose(page, "good.csv", "mjd,mag\n60000,18\n")
        looked_at(page)
        assert page.locator("#preview").is_visible()
        assert page.locator("#notice").is_hidden()
        choose(page, name, content)
        page.locator("#notice").filter(has_text=why).wait_for()
        assert page.locator("#preview").is_hidden()
        assert page.get_by_role("button", name="Store").is_disabled()
        assert page.locator("#state").inner_text() == "Choose another file."


def test_files_are_known_by_the_names_that_the_command_knows(page, form):
    form("endings")
    endings = {one.name: one.suffixes for one in READERS.values() if one.name in ("hdf5", "csv", "tsv", "text")}
    accepted = page.locator("#file").get_attribute("accept").split(",")
    assert sorted(accepted) == sorted(suffix for suffixes in endings.values() for suffix in suffixes)
    for kind, separator in {"csv": ",", "tsv": "\t", "text": " "}.items():
        for suffix in endings[kind]:
            choose(page, f"A{suffix.upper()}", f"mjd{separator}mag\n60000{separator}18\n")
            looked_at(page)
            page.locator("#chosen").filter(has_text=f"A{suffix.upper()}").wait_for()
    page.locator("#file").set_input_files({"name": "nameless", "mimeType": "", "buffer": TESS.read_bytes()})
    page.get_by_text("399 of 18,699 rows have no brightness").wait_for()
