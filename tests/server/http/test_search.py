"""Search through HTTP: cones, lists of positions, cursors, the summary, the series of a source."""

import itertools
import time

import httpx
import pytest

from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, columns

STARS = {"north": (10.0, 89.9999), "meridian": (359.99999, 0.0), "beside": (0.00001, 0.0), "south": (200.0, -45.0)}


@pytest.fixture(scope="module")
def sky(admin, world):
    """A series at every star, another of one of them in another filter."""
    ids = {}
    for name, (ra, dec) in STARS.items():
        world.make("sources", id=name, ra=ra, dec=dec)
        body = world.fields(data=columns(), obj_id=name, series_name="sky", ra=ra, dec=dec)
        ids[name] = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    body = world.fields(data=columns(), obj_id="south", series_name="sky", ra=200.0, dec=-45.0, filter="ztfr")
    ids["south in red"] = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    return ids


def search(admin, **params):
    answer = admin.get("/api/photometric_series", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def ask(admin, **body):
    answer = admin.post("/api/photometric_series/query", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_cone_across_the_meridian(admin, sky):
    data = search(admin, ra=0, dec=0, radius=0.0001, sortBy="separation")
    assert {one["obj_id"] for one in data["series"]} == {"meridian", "beside"}
    assert [one["separation"] for one in data["series"]] == pytest.approx([0.036, 0.036], rel=1e-6)
    assert search(admin, ra=360, dec=0, radius=0.0001)["totalMatches"] == 2


def test_a_cone_over_the_pole(admin, sky):
    data = search(admin, ra=190, dec=89.9999, radius=0.0003)
    assert [one["obj_id"] for one in data["series"]] == ["north"]
    assert data["series"][0]["separation"] == pytest.approx(0.0002 * 3600, rel=1e-6)
    assert search(admin, ra=0, dec=-90, radius=180, seriesName="sky")["totalMatches"] == 5


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"ra": 1}, {"dec", "radius"}),
        ({"ra": 1, "dec": 1}, {"radius"}),
        ({"radius": 1}, {"ra", "dec"}),
        ({"ra": -1, "dec": 0, "radius": 1}, {"ra"}),
        ({"ra": 1, "dec": 91, "radius": 0}, {"dec", "radius"}),
        ({"ra": "nan", "dec": "inf", "radius": 181}, {"ra", "dec", "radius"}),
        ({"sortBy": "separation"}, {"sortBy"}),
        ({"cursor": "x"}, {"cursor"}),
        ({"cursor": "bnVsbA"}, {"cursor"}),
        ({"stat": "medians.bg"}, {"stat"}),
    ],
)
def test_invalid_searches_are_refused(admin, params, named):
    error = check_error(admin.get("/api/photometric_series", params=params), 400, "invalid")
    assert set(error["data"]["fields"]) == named


def test_cursor_visits_each_series_once(admin, sky):
    seen, cursor = [], None
    for _ in range(10):
        more = {} if cursor is None else {"cursor": cursor}
        data = search(
            admin, seriesName="sky", sortBy="dec", sortOrder="desc", numPerPage=2, includeTotal="false", **more
        )
        assert "totalMatches" not in data
        seen += [one["id"] for one in data["series"]]
        cursor = data["cursor"]
        if cursor is None:
            break
    names = ["north", "beside", "meridian", "south in red", "south"]
    assert seen == [sky[name] for name in names]


def test_a_statistic_of_a_column(admin, world):
    for level in (100, 500):
        table = {**columns(brightness=level), "odd <name>": [float(level)] * 10}
        body = world.fields(data=table, series_name="stat", channel=str(level))
        assert admin.post("/api/photometric_series", json=body).status_code == 200
    for stat, found in (
        ("medians.flux<300", ["100"]),
        ("medians.flux>=300", ["500"]),
        ('maxima."odd <name>" = 500', ["500"]),
        ("stds.nothing<1e9", []),
        (["medians.flux>50", "minima.flux<200"], ["100"]),
    ):
        data = search(admin, seriesName="stat", stat=stat)
        assert [one["channel"] for one in data["series"]] == found, stat


def test_positions_find_series_around_them(admin, sky):
    positions = [list(STARS["south"]), [0.0, 0.0], [100.0, 50.0], [0.0, 0.00001]]
    data = ask(admin, positions=positions, radius=0.0001, seriesName="sky")
    got = [(one["position"], one["obj_id"]) for one in data["series"]]
    assert sorted(got) == [(0, "south")] * 2 + [(1, "beside"), (1, "meridian"), (3, "beside"), (3, "meridian")]
    assert [position for position, _ in got] == sorted(position for position, _ in got)
    assert data["totalMatches"] == 6
    assert data["series"][0]["separation"] == pytest.approx(0, abs=1e-6)
    red = ask(admin, positions=positions, radius=0.0001, filter=["ztfr", "ztfi"], detected=True, includeTotal=False)
    assert [(one["position"], one["id"]) for one in red["series"]] == [(0, sky["south in red"])]


def test_a_walk_through_positions_by_cursor(admin, sky):
    positions = [[0.0, 0.0], list(STARS["south"]), [0.0, 0.00001]]
    whole = ask(admin, positions=positions, radius=0.0001, seriesName="sky")["series"]
    walked, cursor = [], {}
    for _ in range(20):
        data = ask(admin, positions=positions, radius=0.0001, seriesName="sky", numPerPage=1, **cursor)
        walked += data["series"]
        if data["cursor"] is None:
            break
        cursor = {"cursor": data["cursor"]}
    assert walked == whole
    by_page = [
        ask(admin, positions=positions, radius=0.0001, seriesName="sky", numPerPage=4, pageNumber=page)["series"]
        for page in (1, 2)
    ]
    assert list(itertools.chain(*by_page)) == whole


def test_ten_thousand_positions(admin, sky):
    positions = [[(number * 7.77) % 360, -80 + number * 0.016] for number in range(9_999)] + [list(STARS["south"])]
    data = ask(admin, positions=positions, radius=0.0002, seriesName="sky")
    assert [one["position"] for one in data["series"]] == [9_999, 9_999]
    check_error(admin.post("/api/photometric_series/query", json={"positions": [[0, 0]] * 10_001, "radius": 1}), 400)


@pytest.mark.parametrize(
    "body",
    [
        {"positions": [[0, 0]]},
        {"positions": [], "radius": 1},
        {"positions": "all", "radius": 1},
        {"positions": [[0]], "radius": 1},
        {"positions": [[0, 0, 0]], "radius": 1},
        {"positions": [[0, 91]], "radius": 1},
        {"positions": [[0, "x"]], "radius": 1},
        {"positions": [[0, None]], "radius": 1},
        {"positions": [[True, 0]], "radius": 1},
        {"positions": [{"ra": 0}], "radius": 1},
        {"positions": [[0, 0]], "radius": 1, "ra": 1, "dec": 1},
        {"positions": [[0, 0]], "radius": 1, "sortBy": "obj_id"},
        {"positions": [[0, 0]], "radius": 1, "sortOrder": "desc"},
        {"positions": [[0, 0]], "radius": 1, "cursor": "WyJzZXBhcmF0aW9uIixmYWxzZSxbOTksMC4wXSwxXQ"},
        {"filter": {"a": 1}},
        {"filter": None},
        {"colour": "red"},
    ],
)
def test_invalid_position_queries_are_refused(admin, body):
    check_error(admin.post("/api/photometric_series/query", json=body), 400, "invalid")


def test_a_query_without_positions_is_a_list(admin, sky):
    assert (
        ask(admin, seriesName="sky", numPerPage=2)["series"] == search(admin, seriesName="sky", numPerPage=2)["series"]
    )


def test_summary_counts_visible_series(admin, world, sky):
    answer = admin.get("/api/photometric_series/summary", params={"seriesName": "sky"})
    first = search(admin, seriesName="sky")["series"][0]
    assert answer.json()["data"] == {
        "series": 5,
        "sources": 4,
        "mjd_first": first["mjd_first"],
        "mjd_last": first["mjd_last"],
        "instrument_id": [{"instrument_id": world.instrument, "name": "TESS", "series": 5}],
        "filter": [{"filter": "ztfg", "series": 4}, {"filter": "ztfr", "series": 1}],
        "series_name": [{"series_name": "sky", "series": 5}],
        "owner_id": [{"owner_id": 1, "name": "admin", "series": 5}],
        "batch": [],
    }
    empty = admin.get("/api/photometric_series/summary", params={"seriesName": "nothing"}).json()["data"]
    assert (empty["series"], empty["sources"], empty["mjd_first"], empty["filter"]) == (0, 0, None, [])
    check_error(admin.get("/api/photometric_series/summary", params={"numPerPage": 1}), 400)


def test_the_series_of_a_source(admin, sky):
    answer = admin.get("/api/sources/south/photometric_series", params={"sortBy": "id"})
    assert [one["id"] for one in answer.json()["data"]["series"]] == [sky["south"], sky["south in red"]]
    answer = admin.get("/api/sources/south/photometric_series", params={"filter": "ztfr", "dataFormat": "json"})
    assert [list(one["data"]) for one in answer.json()["data"]["series"]] == [["mjd", "flux", "fluxerr"]]
    check_error(admin.get("/api/sources/nowhere/photometric_series"), 404)


def test_a_group_or_stream_that_one_does_not_see_matches_nothing(service, admin, world):
    body = world.fields(data=columns(), series_name="shared", group_ids=[world.crew, 1], stream_ids=[world.feed])
    with service.client(world.tokens["anna"]) as anna:
        series = anna.post("/api/photometric_series", json=body).json()["data"]["id"]
        assert [one["id"] for one in search(anna, groupID=world.crew, seriesName="shared")["series"]] == [series]
        assert [one["id"] for one in search(anna, streamID=world.feed, seriesName="shared")["series"]] == [series]
    with service.client(world.tokens["olga"]) as olga:
        assert search(olga, seriesName="shared")["totalMatches"] == 1
        assert search(olga, groupID=world.crew)["totalMatches"] == 0
        assert search(olga, streamID=world.feed)["totalMatches"] == 0
        assert search(olga, groupID="99999999999999999", seriesName="shared")["totalMatches"] == 0


def test_ids_that_no_id_can_be_match_nothing_of_their_own(admin, world):
    body = world.fields(data=columns(), series_name="large ids")
    series = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    for name, value in (("instrumentID", world.instrument), ("ownerID", 1)):
        found = search(admin, **{name: f"{value},-1,{10**17}"}, seriesName="large ids")
        assert [one["id"] for one in found["series"]] == [series]
    assert search(admin, followupRequestID=f"1,{10**17}", assignmentID="-1582,5627515155")["totalMatches"] == 0


def test_an_empty_answer_names_at_most_twenty_mistakes(admin):
    """The closest names of 500 filters took seconds."""
    body, begun = {"filter": [f"nowhere{number}" for number in range(500)]}, time.monotonic()
    answer = admin.post("/api/photometric_series/query", json=body).json()["data"]
    assert [text.split('"')[1] for text in answer["warnings"]] == [f"nowhere{number}" for number in range(20)]
    assert time.monotonic() - begun < 2


def test_an_empty_answer_says_what_is_probably_wrong(service, admin):
    params = {"filter": "ztfrr", "startAfter": "2459000.5"}
    answer = admin.get("/api/photometric_series", params=params).json()["data"]
    assert answer["series"] == []
    unknown, julian = answer["warnings"]
    assert unknown.startswith('This archive has no filter "ztfrr". The closest are ztfr, ')
    assert julian.endswith("MJD = JD - 2400000.5.")
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as browser:
        browser.post("/sign-in", data={"token": service.token})
        page = browser.get("/", params=params)
    assert page.status_code == 200
    assert "has no filter &quot;ztfrr&quot;" in page.text
    assert "looks like a Julian date" in page.text
