"""Analyses of one series through HTTP: periodogram, folded light curve, plot."""

import io
import threading

import matplotlib.image
import numpy as np
import pytest

from photseries.client import Client
from photseries.server.demo import STARS
from photseries.server.demo.stars import tables
from tests.forked import ForkedService
from tests.support import data

ANALYSES = ("periodogram", "folded?period=0.5", "plot.png")
STAR = next(star for star in STARS if star.obj_id == "Demo RR Lyrae")


def put(client, world, name, obj_id="star", **data):
    body = world.fields(series_name=name, obj_id=obj_id, data=data)
    answer = client.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text
    return f"/api/photometric_series/{answer.json()['data']['id']}"


@pytest.fixture(scope="module")
def star(admin, world):
    world.make("sources", id="$x_{$ <b>", ra=1, dec=1)  # neither mathematics nor markup
    return put(admin, world, "pulsation", "$x_{$ <b>", **next(tables(STAR))[1])


def test_the_highest_peak_is_the_period(admin, star):
    found = data(admin.get(f"{star}/periodogram", params={"quality": "quality", "peaks": 3, "maxPoints": 100}))
    assert found["peaks"][0]["period"] == pytest.approx(STAR.truth["period"], rel=1e-4)
    assert found["peaks"][0]["false_alarm"] < 1e-20
    assert len(found["peaks"]) == 3
    assert len(found["frequency"]) == len(found["power"]) <= 100
    best = found["peaks"][0]
    assert best["power"] * 0.9 < max(found["power"]) < best["power"], "what is left out for the plot is no peak"
    assert abs(best["period"] - STAR.truth["period"]) < 5 * best["period_error"] < 1e-4
    assert not best["at_edge"]
    assert (found["limited"], found["warnings"]) == (False, [])
    assert found["weighted"]
    assert found["brightness"] == "flux"


def test_a_range_of_periods_and_of_times(admin, star):
    asked = {"minPeriod": 0.6, "maxPeriod": 0.7, "mjdMax": 59300, "brightness": "mag", "samplesPerPeak": 10}
    found = data(admin.get(f"{star}/periodogram", params=asked))
    assert found["brightness"] == "mag"
    assert found["num_points"] < 200
    assert all(0.6 <= peak["period"] <= 0.7 for peak in found["peaks"])
    assert 1 / 0.7 <= found["frequency"][0] <= found["frequency"][-1] <= 1 / 0.6


def test_a_trend_is_the_highest_peak_at_the_edge(admin, world):
    mjd = 59000 + np.arange(300) / 3
    series = put(admin, world, "trend", mjd=mjd.tolist(), mag=(15 + np.sin(2 * np.pi * mjd / 100)).tolist())
    best = data(admin.get(f"{series}/periodogram"))["peaks"][0]
    assert best["at_edge"]
    assert best["period_error"] is None
    assert best["period"] == pytest.approx(mjd[-1] - mjd[0])


@pytest.mark.slow
def test_truncated_default_range_is_reported(admin, world):
    mjd = [59000, 59000.00001, 59000.00002, 59000.00003, 59000.00004, 60000]  # to 0.00002 d: 250 million frequencies
    series = put(admin, world, "bursts", mjd=mjd, flux=[1, 2, 4, 2, 1, 3])
    found = data(admin.get(f"{series}/periodogram"))
    assert found["limited"]
    (warning,) = found["warnings"]
    assert "frequencies, and 2,000,000 are allowed. Periods below 0.0025 d were not searched" in warning
    assert found["num_frequencies"] == 2_000_000
    asked = data(admin.get(f"{series}/periodogram?minPeriod=0.1"))
    assert (asked["limited"], asked["warnings"]) == (False, [])


def test_the_light_curve_folds(admin, star):
    asked = {"period": STAR.truth["period"], "epoch": 59000, "bins": 20, "brightness": "mag", "quality": "quality"}
    folded = data(admin.get(f"{star}/folded", params=asked))
    bins = folded["bins"]
    assert sum(bins["count"]) == len(folded["phase"]) == folded["num_points"]
    assert np.ptp(bins["mean"]) > 0.8, "it pulsates"
    assert np.median(bins["error"]) < 0.05, "in step with the period"
    few = data(admin.get(f"{star}/folded", params={**asked, "maxPoints": 7}))
    assert len(few["phase"]) == len(few["value"]) == len(few["error"]) <= 7
    assert few["bins"] == bins


def test_a_series_without_errors_and_with_an_empty_bin(admin, world):
    series = put(admin, world, "plain", mjd=[1, 2, 3, None, 4], flux=[1, 2, 3, 4, None])
    folded = data(admin.get(f"{series}/folded?period=10&bins=2"))
    assert folded["error"] is None
    assert folded["bins"]["mean"] == [2, None]
    assert admin.get(f"{series}/periodogram").status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("folded?period=0", 400, 'Invalid period: "0". It must be a positive number of days'),
        ("folded?period=-1", 400, "Invalid period"),
        ("folded?period=nan", 400, "Invalid period"),
        ("folded", 400, "Missing parameter 'period' (days)"),
        ("folded?period=1&bins=0", 400, "an integer from 1 to 1,000"),
        ("periodogram?minPeriod=0", 400, "Invalid minPeriod"),
        ("periodogram?minPeriod=0.00000001", 400, "frequencies, and 2,000,000 are allowed"),
        ("periodogram?minPeriod=5&maxPeriod=4", 400, "must be below"),
        ("periodogram?quality=mist", 400, "no column of numbers 'mist'"),
        ("periodogram?mjdMin=70000", 400, "No row of this series"),
        ("periodogram?peak=1", 400, "Did you mean peaks?"),
        ("plot.png?width=100000", 400, "an integer from 200 to 2,400"),
        ("plot.png?theme=pink", 400, "one of light, dark"),
        ("plot.svg", 404, "There is nothing at"),
    ],
)
def test_invalid_parameters_are_refused(admin, star, path, status, message):
    answer = admin.get(f"{star}/{path}")
    assert answer.status_code == status
    assert message in answer.json()["message"]


@pytest.mark.parametrize("analysis", ANALYSES)
def test_invisible_series_has_no_analysis(service, admin, world, star, analysis):
    with service.client(world.tokens["olga"]) as olga:
        assert olga.get(f"{star}/{analysis}").status_code == 404
    assert admin.get(f"/api/photometric_series/x/{analysis}").status_code == 404
    with service.client("nobody") as nobody:
        assert nobody.get(f"{star}/{analysis}").status_code == 401


@pytest.mark.parametrize("analysis", ANALYSES)
def test_cached_analysis_is_not_recomputed(admin, world, analysis):
    series = put(admin, world, f"grows {ANALYSES.index(analysis)}", **next(tables(STAR))[1])
    first = admin.get(f"{series}/{analysis}")
    tag = {"If-None-Match": first.headers["ETag"]}
    again = admin.get(f"{series}/{analysis}", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert admin.patch(series, json={"data": {"mjd": list(range(20)), "mag": list(range(20))}}).status_code == 200
    changed = admin.get(f"{series}/{analysis}", headers=tag)
    assert changed.status_code == 200
    assert changed.content != first.content


def test_an_analysis_with_other_settings_is_computed_anew(admin, star, directory, database_url):
    """A browser kept the plot with the former detection threshold."""
    path = f"{star}/envelope?maxPoints=5000"
    first = admin.get(path)
    _, columns = next(tables(STAR))
    snr = np.array(columns["flux"], float) / np.array(columns["fluxerr"], float)
    threshold = float(np.nanmedian(snr))
    settings = {"database__url": database_url, "photometry__detection_threshold": threshold}
    with ForkedService(directory, **settings) as other, other.client() as client:
        second = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert data(first)["envelope"]["counts"]["detected"] == np.count_nonzero(snr > 3)
    assert data(second)["envelope"]["counts"]["detected"] == np.count_nonzero(snr > threshold)


def plot(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "image/png"
    return matplotlib.image.imread(io.BytesIO(answer.content), format="png")


def test_a_picture_has_its_size_and_its_colours(admin, star):
    light = plot(admin.get(f"{star}/plot.png"))
    assert light.shape[:2] == (480, 900)
    assert light[2, 2, :3].tolist() == [1, 1, 1]
    dark = plot(admin.get(f"{star}/plot.png?width=300&height=200&theme=dark&time=date&brightness=mag"))
    assert dark.shape[:2] == (200, 300)
    assert dark[2, 2, :3].max() < 0.2
    assert admin.get(f"{star}/plot.png").content == admin.get(f"{star}/plot.png").content


def test_the_axis_of_magnitudes_is_inverted(admin, world):
    times = list(range(1, 41))
    series = put(admin, world, "step", mjd=times, mag=[10] * 20 + [12] * 20)
    for unit in ("mag", "flux"):
        drawn = plot(admin.get(f"{series}/plot.png?brightness={unit}"))[:, :, 0]
        left, right = drawn[40:430, 150:420], drawn[40:430, 550:820]
        assert left.min(axis=1).argmin() < right.min(axis=1).argmin(), "the brighter half is higher"


def test_the_axis_of_magnitudes_is_that_of_what_is_detected(admin, world):
    times = list(range(1, 42))
    flux = [1000.0, 900.0] * 20
    drawn = {}
    for name, last in {"detected": 1e-3, "faint": 1.0}.items():
        data = {"mjd": times, "flux": [*flux, 0.01], "fluxerr": [1.0] * 40 + [last]}
        series = put(admin, world, f"axis {name}", **data)
        drawn[name] = plot(admin.get(f"{series}/plot.png?brightness=mag"))[40:420, 100:700, 0]
    rows = {name: np.flatnonzero((found < 0.6).sum(axis=1) > 50) for name, found in drawn.items()}
    assert np.ptp(rows["detected"]) < 30, "a point 12 mag fainter has its place"
    assert np.ptp(rows["faint"]) > 200, "a point of S/N 0.01 has none"


def test_picture_of_distant_times_is_refused(admin, world):
    later = put(admin, world, "later", mjd=[59000, 59001, 1e7], mag=[10, 12, 11])
    plot(admin.get(f"{later}/plot.png"))
    brighter = put(admin, world, "brighter", mjd=[1, 2], flux=[-1e308, 1e308])
    for path, message in {
        f"{later}/plot.png?time=date": "use time=mjd",
        f"{brighter}/plot.png": "The fluxes",
    }.items():
        answer = admin.get(path)
        assert answer.status_code == 400
        assert message in answer.json()["message"]


def test_concurrent_requests_get_their_own_answers(admin, star):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(admin.get(f"{star}/plot.png"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


@pytest.fixture(scope="module")
def transiting(admin, world):
    """A star that a planet crosses every 2.2 d, in magnitudes."""
    mjd = 59000 + np.arange(0, 20, 0.01)
    mag = 12 + 0.01 * ((mjd - 59000.3) / 2.2 % 1 < 0.05) + np.random.default_rng(1).normal(0, 0.003, len(mjd))
    return put(admin, world, "transits", mjd=mjd.tolist(), mag=mag.tolist(), magerr=np.full(len(mjd), 0.003).tolist())


def test_a_box_has_a_depth_and_a_duration(admin, transiting):
    found = data(admin.get(f"{transiting}/periodogram", params={"method": "bls", "peaks": 2}))
    best = found["peaks"][0]
    assert (found["method"], found["brightness"], len(found["peaks"])) == ("bls", "mag", 2)
    assert best["period"] == pytest.approx(2.2, rel=1e-3)
    assert best["depth"] == pytest.approx(0.01, rel=0.2)
    assert best["duration"] == pytest.approx(0.11, rel=0.5)
    assert best["false_alarm"] is best["period_error"] is None


@pytest.mark.parametrize("method", ["harmonics", "pdm", "lomb_scargle"])
def test_other_methods_find_the_pulsation(admin, star, method):
    asked = {"method": method, "quality": "quality", "minPeriod": 0.4, "maxPeriod": 0.9}
    found = data(admin.get(f"{star}/periodogram", params=asked))
    assert found["peaks"][0]["period"] == pytest.approx(STAR.truth["period"], rel=1e-3)
    assert (found["peaks"][0]["false_alarm"] is not None) is (method == "lomb_scargle")
    assert found["weighted"] is (method != "pdm")


def test_the_window_is_of_the_times(admin, transiting):
    asked = {"method": "window", "minPeriod": 0.008, "maxPeriod": 0.015}
    assert data(admin.get(f"{transiting}/periodogram", params=asked))["peaks"][0]["period"] == pytest.approx(
        0.01, rel=1e-3
    )


def few(level, amplitude, seed, period=0.6173):
    """Twelve points of a sinusoid, too few to find it."""
    random = np.random.default_rng(seed)
    mjd = np.sort(random.uniform(59000, 59030, 12))
    mag = level + amplitude * np.sin(2 * np.pi * mjd / period) + random.normal(0, 0.03, 12)
    return {"mjd": mjd.tolist(), "mag": mag.tolist(), "magerr": [0.03] * 12}


def test_the_series_of_a_source_find_a_period_together(service, admin, world):
    world.make("sources", id="few/points", ra=1, dec=1)
    numbers = []
    for seed, (name, level, amplitude) in enumerate([("ztfg", 15, 0.5), ("ztfr", 14.5, 0.3), ("ztfi", 14.2, 0.2)]):
        body = world.fields(
            series_name="bands", obj_id="few/points", filter=name, data=few(level, amplitude, seed), group_ids=[]
        )
        numbers.append(data(admin.post("/api/photometric_series", json=body))["id"])
    path = "/api/sources/few%2Fpoints/periodogram"
    found = data(admin.get(path, params={"minPeriod": 0.1, "maxPeriod": 5, "peaks": 2, "maxPoints": 50}))
    assert found["peaks"][0]["period"] == pytest.approx(0.6173, rel=1e-3)
    assert (sorted(found["series"]), found["num_points"], len(found["peaks"])) == (numbers, 36, 2)
    assert len(found["frequency"]) == len(found["power"]) <= 50
    with Client(service.url, service.token) as client:
        asked = {"min_period": 0.1, "max_period": 5}
        assert client.source_periodogram("few/points", **asked)["peaks"][0] == found["peaks"][0]
        alone = client.periodogram(numbers[0], "pdm", **asked)
        assert (alone["method"], alone["num_points"]) == ("pdm", 12)
    with service.client(world.tokens["olga"]) as olga:
        assert olga.get(path).status_code == 400, "she sees none of its series"
    assert admin.get("/api/sources/absent/periodogram").status_code == 404
    assert admin.get(path, params={"method": "pdm"}).status_code == 400
