"""The Virtual Observatory's own readers against a running service, which lets the public read."""

import io
import re
import sys
import warnings

import httpx
import numpy as np
import pytest
import pyvo
import requests
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse, validate
from astropy.time import Time

from photseries.formats import WRITERS
from photseries.server.vo import conesearch
from photseries.server.vo.observations import COLUMNS
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, TESS, columns
from tests.test_docs import TOP, blocks, run

PATH = "/api/photometric_series"
REQUIRED = ("ID_MAIN", "POS_EQ_RA_MAIN", "POS_EQ_DEC_MAIN")
HERE = SkyCoord(10.0, -20.0, unit="deg")


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    with ForkedService(directory, database__url=database_url, access__anonymous_reads_public="true") as running:
        yield running


@pytest.fixture(scope="module")
def series(admin, world):
    """Series near one position: TESS for the crew, and one more for everybody."""
    fields = world.fields(series_name="tess/sector29", group_ids=world.crew, time_scale="tdb", time_refpos="barycenter")
    params = {name: str(fields[name]) for name in fields if name not in ("exp_time", "filter", "ra", "dec")}
    params |= {"ra": "10.001", "dec": "-20"}
    answer = admin.post(PATH, params=params, content=TESS.read_bytes(), headers={"Content-Type": "application/x-hdf5"})
    assert answer.status_code == 200, answer.text
    made = {"crew": answer.json()["data"]["id"]}
    for name, ra, groups in (("everybody", 10.0, "all"), ("far", 20.0, "all")):
        body = world.fields(
            series_name=name, ra=ra, group_ids=groups, data=columns(), obj_id="other star", time_scale="tt"
        )
        answer = admin.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
        made[name] = answer.json()["data"]["id"]
    return made


def session(token=None):
    made = requests.Session()
    if token:
        made.headers["Authorization"] = f"token {token}"
    return made


def search(service, token=None, radius=0.01, **more):
    found = pyvo.dal.SCSService(f"{service.url}/vo/scs", session=session(token)).search(HERE, radius, **more)
    assert found.resultstable is not None
    return found


def test_pyvo_finds_what_the_api_finds(service, admin, series):
    found = search(service, service.token)
    page = admin.get(PATH, params={"ra": 10, "dec": -20, "radius": 0.01, "sortBy": "separation"}).json()["data"][
        "series"
    ]
    assert [record["id"] for record in found] == [str(one["id"]) for one in page] == [
        str(series["everybody"]), str(series["crew"]),
    ]  # fmt: skip
    for record, one in zip(found, page, strict=True):
        assert record.pos.separation(SkyCoord(one["ra"], one["dec"], unit="deg")).arcsec < 1e-6
        assert record["target_name"] == one["obj_id"]
        assert record["obs_collection"] == one["series_name"]
        assert (record["t_min"], record["t_max"]) == (one["mjd_first"], one["mjd_last"])
        assert (record["s_ra"], record["s_dec"]) == (one["ra"], one["dec"])
        assert record["t_exptime"] == pytest.approx(one["exp_time"] * one["num_exp"])
        assert record["instrument_name"] == "TESS"
        assert record["access_format"] == "application/x-votable+xml"
        assert record["separation"] == pytest.approx(one["separation"])


def test_astropy_opens_the_linked_light_curve_with_its_times(service, admin, series):
    record = next(record for record in search(service, service.token) if record["id"] == str(series["crew"]))
    content = session(service.token).get(record["access_url"], timeout=60).content
    votable = parse(io.BytesIO(content), verify="exception")
    (system,) = votable.resources[0].time_systems
    assert (system.timeorigin, system.refposition) == ("MJD-origin", "BARYCENTER")
    table = votable.get_first_table().to_table()
    times = Time(table["mjd"], format="mjd", scale=system.timescale.lower())
    assert times.scale == "tdb"
    stored = admin.get(f"{PATH}/{series['crew']}").json()["data"]
    assert np.array_equal(times.mjd, stored["data"]["mjd"])
    assert times.min().mjd == pytest.approx(record["t_min"])


@pytest.mark.parametrize("verbosity", [1, 2, 3])
def test_the_answers_are_valid(service, series, verbosity):
    params = {"RA": 10, "DEC": -20, "SR": 0.01, "VERB": verbosity}
    content = session(service.token).get(f"{service.url}/vo/scs", params=params, timeout=60).content
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = parse(io.BytesIO(content), verify="warn").get_first_table()
    # What Simple Cone Search 1.03 prescribes is older than the UCDs of today; everything else is in order.
    assert sorted(re.search(r"Invalid UCD '(\w+)'", str(one.message))[1] for one in caught) == sorted(REQUIRED)
    assert [field.name for field in table.fields] == [one.column.name for one in COLUMNS if one.verbosity <= verbosity]
    ucds = [field.ucd for field in table.fields]
    for ucd in REQUIRED:
        assert ucds.count(ucd) == 1
    assert len(table.array) == 2


def test_overflow_is_marked(service, series):
    for most, status in ((1, ["OK", "OVERFLOW"]), (3, ["OK"])):
        params = {"RA": 10, "DEC": -20, "SR": 20, "MAXREC": most}
        content = session(service.token).get(f"{service.url}/vo/scs", params=params, timeout=60).content
        (results, _) = parse(io.BytesIO(content)).resources
        assert [info.value for info in results.infos if info.name == "QUERY_STATUS"] == status
        assert len(results.tables[0].array) == most


def test_pyvo_raises_the_error_of_the_service(service):
    with pytest.raises(pyvo.dal.DALQueryError, match="Invalid MAXREC"):
        search(service, maxrec=-1)


def test_maxrec_0_returns_only_columns(service, series):
    for params in ({"SR": 0}, {"SR": 1, "MAXREC": 0}):
        answer = session().get(f"{service.url}/vo/scs", params={"RA": 10, "DEC": -20, **params}, timeout=60)
        table = parse(io.BytesIO(answer.content)).get_first_table()
        assert len(table.fields) > 20
        assert len(table.array) == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"DEC": "-20", "SR": "1"}, "RA is missing"),
        ({"RA": "as3f", "DEC": "-20", "SR": "1"}, 'Invalid RA: "as3f"'),
        ({"RA": "10", "DEC": "-91", "SR": "1"}, "Invalid DEC"),
        ({"RA": "10", "DEC": "-20", "SR": "181"}, "Invalid SR"),
        ({"RA": "10", "DEC": "-20", "SR": "1", "VERB": "4"}, "Invalid VERB"),
        ({"RA": "10", "DEC": "-20", "SR": "<nan>"}, 'Invalid SR: "<nan>"'),
    ],
)
def test_errors_are_as_the_standard_says(service, params, message):
    answer = session().get(f"{service.url}/vo/scs", params=params, timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-votable+xml")
    (info,) = parse(io.BytesIO(answer.content)).infos
    assert info.name == "Error"
    assert message in info.value
    assert validate(io.BytesIO(answer.content), output=io.StringIO())


def test_parameters_in_small_letters_and_unknown_ones(service, series):
    params = {"ra": 10, "Dec": -20, "sr": 0.01, "RUNID": "x"}
    answer = session().get(f"{service.url}/vo/scs", params=params, timeout=60)
    assert len(parse(io.BytesIO(answer.content)).get_first_table().array) == 1


def test_links_of_a_series(service, series):
    found = search(service, service.token)
    links = {record["id"]: list(record.getdatalink()) for record in found}[str(series["crew"])]
    kinds = [(link["semantics"], link["content_type"]) for link in links]
    files = ["votable", *(name for name in WRITERS if name != "votable")]
    assert kinds[: len(WRITERS)] == [("#this", WRITERS[name].plain_type) for name in files]
    assert kinds[len(WRITERS) :] == [
        ("#preview", "image/png"), ("#documentation", "application/json"),
        ("#cutout", "application/x-votable+xml"), ("#proc", "application/json"), ("#proc", "application/json"),
    ]  # fmt: skip
    for link in links:
        if link["service_def"]:
            continue
        answer = session(service.token).get(link["access_url"], timeout=60)
        assert answer.status_code == 200, link
        assert answer.headers["Content-Type"].startswith(link["content_type"])


def test_pyvo_goes_through_the_links_of_all_that_it_found(service, series):
    for token, expected in ((None, ["everybody"]), (service.token, ["everybody", "crew"])):
        found = [[link["ID"] for link in links] for links in search(service, token).iter_datalinks()]
        assert {frozenset(ids) for ids in found} == {frozenset([str(series[name])]) for name in expected}
        assert all(len(ids) == len(WRITERS) + 5 for ids in found)


def test_a_form_asks_what_a_query_does(service, series):
    for path, params in (("scs", {"RA": 10, "DEC": -20, "SR": 0.01}), ("datalink", {"ID": [*series.values(), "é&"]})):
        url = f"{service.url}/vo/{path}"
        by_query = session().get(url, params=params, timeout=60)
        assert by_query.status_code == 200
        assert session().post(url, data=params, timeout=60).content == by_query.content
        assert session().post(url, params=params, timeout=60).content == by_query.content
        refused = check_error(session().post(url, json={"ID": "1"}, timeout=60), 415)
        assert "application/x-www-form-urlencoded" in refused["message"]
        check_error(session().post(url, data={"ID": "1" * 70_000}, timeout=60), 413)
        check_error(session("wrong").post(url, data=params, timeout=60), 401)
    check_error(session().post(f"{service.url}/vo/datalink", data={"ID": ["1"] * 501}, timeout=60), 400)


def test_links_of_many_series_are_those_of_each(service, series):
    url, ids = f"{service.url}/vo/datalink", [str(series["crew"]), "999999", str(series["everybody"])]
    together = session().post(url, data={"ID": ids * 166 + ["1" * 18, "x"]}, timeout=60).content
    rows = [tuple(row) for row in parse(io.BytesIO(together)).get_first_table().array]
    each = [session().post(url, data={"ID": name}, timeout=60).content for name in ids]
    expected = [tuple(row) for content in each for row in parse(io.BytesIO(content)).get_first_table().array]
    assert str(rows[: len(expected)]) == str(expected)
    assert len(rows) == 166 * len(expected) + 2
    assert "No photometric series with ID 999999" in str(expected)
    assert f"No photometric series with ID {series['crew']}" in str(expected)


def test_links_of_missing_series_are_errors(service, series):
    url = f"{service.url}/vo/datalink"
    params = {"ID": [str(series["everybody"]), "999999", "<x>"]}
    content = session(service.token).get(url, params=params, timeout=60).content
    assert validate(io.BytesIO(content), output=io.StringIO()), content
    table = parse(io.BytesIO(content)).get_first_table().array
    faults = {row["ID"]: row["error_message"] for row in table if row["error_message"]}
    assert set(faults) == {"999999", "<x>"}
    assert all(text.startswith("NotFoundFault: No photometric series") for text in faults.values())
    assert len(table) == len(faults) + len(list(table)) - 2
    check_error(session().get(url, params={"ID": ["1"] * 501}, timeout=60), 400)


def test_the_public_sees_what_everybody_sees(service, series, admin):
    everybody, crew = f"{service.url}{PATH}/{series['everybody']}", f"{service.url}{PATH}/{series['crew']}"
    nobody = session()
    assert [record["id"] for record in search(service)] == [str(series["everybody"])]
    page = nobody.get(f"{service.url}{PATH}", timeout=60).json()["data"]
    assert {one["id"] for one in page["series"]} == {series["everybody"], series["far"]}
    (group,) = page["series"][0]["groups"]
    assert group["name"] == "Sitewide Group"
    for url in (
        everybody,
        f"{everybody}?revision=1",
        f"{everybody}.csv",
        f"{everybody}/data",
        f"{everybody}/plot.png",
        f"{service.url}{PATH}/summary",
    ):
        assert nobody.get(url, timeout=60).status_code == 200
    for url in (crew, f"{crew}.csv", f"{crew}/data", f"{crew}?revision=1", f"{everybody}?revision=2"):
        check_error(nobody.get(url, timeout=60), 404)
    for kind in ("users", "tokens", "groups", "streams"):
        check_error(nobody.get(f"{service.url}/api/{kind}", timeout=60), 401)
    for url in (f"{everybody}/history", f"{service.url}/api/whoami"):
        check_error(nobody.get(url, timeout=60), 401)
    check_error(nobody.get(everybody, headers={"Authorization": "token wrong"}, timeout=60), 401)
    check_error(nobody.delete(everybody, timeout=60), 401)
    check_error(nobody.patch(everybody, json={"origin": "x"}, timeout=60), 401)
    check_error(nobody.post(f"{service.url}{PATH}", json={}, timeout=60), 401)


@pytest.fixture
def nobody(service):
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as client:
        yield client


def test_the_public_sees_the_sources_and_instruments_of_public_series_alone(series, admin, world, nobody):
    secret = world.make("sources", id="secret star", ra=10.0, dec=-20.0)
    spare = world.make("instrument", name="spare")
    body = world.fields(
        obj_id=secret, instrument_id=spare, group_ids=world.crew, series_name="secret", filter="sdssu", data=columns()
    )
    hidden = admin.post(PATH, json=body).json()["data"]["id"]

    def listed():
        found = {}
        for kind in ("sources", "instrument"):
            page = nobody.get(f"/api/{kind}", params={"numPerPage": 100}).json()["data"]
            found[kind] = {one["id"] for one in page[kind]}
            assert page["totalMatches"] == len(found[kind])
            for entry in admin.get(f"/api/{kind}", params={"numPerPage": 100}).json()["data"][kind]:
                status = 200 if entry["id"] in found[kind] else 404
                assert nobody.get(f"/api/{kind}/{entry['id']}").status_code == status
                assert nobody.head(f"/api/{kind}/{entry['id']}").status_code == status
        return found

    assert listed() == {"sources": {"other star"}, "instrument": {7}}
    for params in ({"objectID": "sec"}, {"objectID": "secret star"}, {"instrumentID": spare}, {"filter": "sdssu"}):
        assert nobody.get(PATH, params=params).json()["data"]["totalMatches"] == 0
    assert "secret" not in nobody.get(f"{PATH}/summary").text
    for path in ("/vo/scs?RA=10&DEC=-20&SR=0.01&VERB=3", f"/vo/datalink?ID={hidden}"):
        assert not {"secret", "spare", "sdssu"} & set(re.findall(r"\w+", nobody.get(path).text))
    around = {"positions": [[10.0, -20.0]], "radius": 0.01}
    check_error(nobody.post(f"{PATH}/query", json=around), 401)
    assert admin.patch(f"{PATH}/{hidden}", json={"group_ids": "all"}).status_code == 200
    assert listed() == {"sources": {"other star", secret}, "instrument": {7, spare}}
    assert admin.delete(f"{PATH}/{hidden}").status_code == 200
    assert listed() == {"sources": {"other star"}, "instrument": {7}}


def test_the_public_learns_no_names_of_users(series, admin, nobody):
    owners = admin.get(f"{PATH}/summary").json()["data"]["owner_id"]
    assert [one["name"] for one in owners] == ["admin"]
    seen = nobody.get(f"{PATH}/summary").json()["data"]
    assert seen["owner_id"] == [{"owner_id": owners[0]["owner_id"], "series": 2}]
    assert seen["instrument_id"] == [{"instrument_id": 7, "name": "TESS", "series": 2}]


def test_the_maximum_number_of_rows():
    query, verbosity, most = conesearch.parse({"RA": ["1"], "DEC": ["2"], "SR": ["3"], "MAXREC": ["99999999"]})
    assert (query.cone, verbosity, most) == ((1.0, 2.0, 3.0), 2, conesearch.MAX_RECORDS)


def test_the_page_runs_as_written(service, series):
    environment = {"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}
    tap, cone = (
        run([sys.executable, "-W", "error", "-c", code], (TOP, environment)) for code in blocks("docs/vo.md", "python")
    )
    assert "mine" in tap
    assert "/vo/datalink?ID=" in tap
    assert "other star ztfg 59000.0" in cone
    assert "application/fits" in cone
