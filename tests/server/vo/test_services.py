"""Cut-outs, service descriptors, the coverage map, and the records for registries."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
import pyvo
import requests
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import Table

from photseries.lightcurve.sky import ORDER, pixel
from photseries.server.vo import moc
from photseries.server.vo.observations import COLUMNS, Observation
from photseries.server.vo.registry import RECORDS
from tests.server.vo.conftest import PATH


def get(service, path, **params):
    return requests.get(f"{service.url}{path}", params=params, timeout=60)


def test_a_cut_out_is_a_part_of_the_table(service, admin, public):
    one = public[0]
    data = admin.get(f"{PATH}/{one['id']}").json()["data"]["data"]
    low, high = data["mjd"][2], data["mjd"][6]
    for identity in (one["id"], f"ivo://photseries.example/photseries?{one['id']}"):
        answer = get(service, "/vo/soda", ID=identity, TIME=f"{low!r} {high!r}", COLUMN="mjd,flux")
        table = parse(io.BytesIO(answer.content)).get_first_table().to_table()
        assert table.colnames == ["mjd", "flux"]
        assert list(table["mjd"]) == data["mjd"][2:7]
        assert list(table["flux"]) == data["flux"][2:7]
    answer = get(service, "/vo/soda", ID=one["id"], TIME=f"{high!r} +Inf", RESPONSEFORMAT="csv")
    assert list(Table.read(answer.text, format="ascii.csv")["mjd"]) == data["mjd"][6:]
    for nothing in ("+Inf +Inf", "-Inf -Inf"):
        answer = get(service, "/vo/soda", ID=one["id"], TIME=nothing, RESPONSEFORMAT="csv")
        assert (answer.status_code, answer.content, answer.headers.get("Content-Type")) == (204, b"", None)


@pytest.mark.parametrize(
    ("params", "status", "fault"),
    [
        ({}, 400, "UsageError"), ({"TIME": "1"}, 400, "UsageError"), ({"TIME": "2 1"}, 400, "UsageError"),
        ({"TIME": "a b"}, 400, "UsageError"), ({"COLUMN": "nothing"}, 400, "UsageError"),
        ({"RESPONSEFORMAT": "xls"}, 400, "UsageError"), ({"ID": "99999"}, 404, "UsageError"),
        ({"ID": "x"}, 404, "UsageError"), ({"ID": ["1", "2"]}, 400, "MultiValuedParamNotSupported"),
        ({"TIME": ["1 2", "3 4"]}, 400, "MultiValuedParamNotSupported"),
    ],
)  # fmt: skip
def test_invalid_cut_outs_are_refused(service, public, params, status, fault):
    """The words are those of SODA 1.0, section 5.2."""
    given = {"ID": public[0]["id"], **params} if params else {}
    answer = get(service, "/vo/soda", **given)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith(f"{fault}: ")


def test_pyvo_shows_the_error_of_a_cut_out(service, public):
    query = pyvo.dal.DALQuery(f"{service.url}/vo/soda", ID=public[0]["id"], TIME="2 1")
    with pytest.raises(pyvo.dal.DALServiceError, match="UsageError: TIME '2 1'"):
        query.execute()


def test_a_cut_out_with_a_wrong_token_is_an_authentication_error(service, public):
    answer = requests.get(
        f"{service.url}/vo/soda?ID={public[0]['id']}", headers={"Authorization": "token x"}, timeout=60
    )
    assert (answer.status_code, answer.text.partition(":")[0]) == (401, "AuthenticationError")


def test_a_plus_in_a_media_type_need_not_be_escaped(service, public):
    query = f"ID={public[0]['id']}&COLUMN=mjd&RESPONSEFORMAT=application/x-votable+xml"
    for path in (f"/vo/soda?{query}", f"/vo/tap/sync?LANG=ADQL&QUERY=SELECT+1&{query}"):
        answer = requests.get(f"{service.url}{path}", timeout=60)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-votable+xml")


def test_hidden_series_have_no_cut_outs(service, series, public):
    hidden = next(one for one in series if one not in public)
    for path in ("/vo/soda", "/vo/periodogram"):
        assert get(service, path, ID=hidden["id"]).status_code == 404
    assert get(service, "/vo/folded", ID=hidden["id"], period=0.1).status_code == 404


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"mean_mag": 14.0, "flux_unit": "uJy", "magsys": "ab"}, 2),
        ({"mean_mag": None, "flux_unit": "mJy", "magsys": "ab"}, 2),
        ({"mean_mag": 14.0, "flux_unit": "electron/s", "magsys": "vega"}, 2),
        ({"mean_mag": 14.0, "flux_unit": "uJy", "magsys": "instrumental"}, 1),
        ({"mean_mag": None, "flux_unit": "electron/s", "magsys": "ab"}, 1),
    ],
)
def test_a_cone_search_has_the_calibration_level_of_obscore(fields, level):
    (column,) = (one for one in COLUMNS if one.column.name == "calib_level")
    assert column.value(Observation(fields, 1, {}, "")) == level


@pytest.mark.usefixtures("pyvo_connections")
def test_pyvo_calls_the_services_of_a_series(service, public):
    url = f"{service.url}/vo/datalink"
    links = pyvo.dal.adhoc.DatalinkResults.from_result_url(f"{url}?ID={public[0]['id']}")
    assert [link["service_def"] for link in links if link["semantics"] == "#cutout"] == ["cutout"]
    (soda,) = [one for one in links.iter_adhocservices() if one.ID == "cutout"]
    assert {param.name: param.value for param in soda.params}["accessURL"] == f"{service.url}/vo/soda"
    names = [param.name for group in soda.groups for param in group.entries]
    assert names == ["ID", "TIME", "COLUMN", "RESPONSEFORMAT"]
    assert get(service, "/vo/folded", ID=public[0]["id"], period=0.1).json()["status"] == "success"
    assert get(service, "/vo/periodogram", ID=public[0]["id"], minPeriod="").json()["status"] == "success"
    assert get(service, "/vo/periodogram").status_code == 400


def test_coverage_map_contains_visible_series(service, public, series):
    for order in (6, 10, 13):
        expected = {int(pixel(one["ra"], one["dec"])) >> 2 * (ORDER - order) for one in public}
        cells = get(service, "/vo/moc", ORDER=order, FORMAT="json").json()
        assert flat(cells, order) == expected
        text = get(service, "/vo/moc", ORDER=order).text
        assert flat(from_ascii(text), order) == expected
        content = get(service, "/vo/moc", ORDER=order, FORMAT="fits").content
        with fits.open(io.BytesIO(content)) as file:
            numbers = file[1].data["UNIQ"].tolist()
            assert file[1].header["MOCORD_S"] == order
        unique = {}
        for number in numbers:
            level = (number.bit_length() - 3) // 2
            unique.setdefault(str(level), []).append(number - 4 * 4**level)
        assert flat(unique, order) == expected
    for params in ({"ORDER": "14"}, {"ORDER": "x"}, {"FORMAT": "xls"}):
        assert get(service, "/vo/moc", **params).status_code == 400


def from_ascii(text):
    cells = {}
    for part in text.split():
        level, _, numbers = part.partition("/")
        for one in filter(None, numbers.split(",")):
            first, _, last = one.partition("-")
            cells.setdefault(level, []).extend(range(int(first), int(last or first) + 1))
    return cells


def flat(cells, order):
    return {
        number * 4 ** (order - int(level)) + child
        for level, numbers in cells.items()
        for number in numbers
        for child in range(4 ** (order - int(level)))
    }


def test_complete_cells_become_one():
    whole = list(range(16, 32))
    assert moc.cells_of([*whole, 40], 3) == {1: [1], 3: [40]}
    assert moc.write({1: [1], 3: [40, 41, 43]}, "ascii", 3) == b"1/1 3/40-41,43\n"
    assert moc.cells_of([], 4) == {}
    assert moc.cells_of(np.arange(12 * 16).tolist(), 2) == {0: list(range(12))}


@pytest.mark.parametrize("name", RECORDS)
def test_records_come_from_the_settings(service, name):
    root = ElementTree.fromstring(get(service, f"/vo/registry/{name}.xml").content)  # noqa: S314  (our own)
    assert root.findtext("identifier").startswith("ivo://photseries.example/")
    assert root.findtext("title").startswith("Photometric series")
    assert [one.text for one in root.iter("subject")] == ["light-curves", "time-domain-astronomy", "photometry"]
    assert get(service, "/vo/registry/nothing.xml").status_code == 404
