"""A SkyPortal with a few hundred series and one of each of its wrong results: taken over, killed, resumed, read."""

import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from photseries.server.accounts import OPERATOR, Accounts
from photseries.server.catalogue.engine import Catalogue
from photseries.server.principal import ADMIN, UPLOAD
from photseries.server.settings import DatabaseSettings
from tests.conftest import database
from tests.forked import ForkedService
from tests.server.importers.peer import CREW, FEED, OWN, PUBLIC, USERS, Peer, plain
from tests.support import PATIENCE, TESS, recipe_read

pytestmark = pytest.mark.slow

PLAIN = 175
#: The numbers of the series that are not plain.
(
    UNSORTED, DESCENDING, REPEATED, NULL_TIME, SINGLE, BAD_ERRORS, NOISE, CONSTANT, ONE_ROW, OF_TIMES, SHARED_SINCE,
    ANOTHER_TABLE, TEXT_NONE, UNCERTAIN, STREAMED, NAMED, REFERENCED, ALONE, REAL, IMPOSSIBLE, BACKSLASH, HOSTILE,
    MISSING, DAMAGED, SENTINELS, AROUND_ZERO, BTJD, LAST,
) = range(1001, 1029)  # fmt: skip
FAILED = {IMPOSSIBLE: "refused", HOSTILE: "unreadable", MISSING: "missing", DAMAGED: "unreadable"}


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def filled(peer):
    peer.people()
    fill_with_tables(peer)
    fill_with_metadata(peer)
    fill_with_faults(peer)
    peer.series(LAST, plain())


def fill_with_tables(peer):
    for number in range(1, PLAIN + 1):
        peer.series(number, plain(seed=number))
    peer.series(UNSORTED, plain().sample(frac=1, random_state=1).reset_index(drop=True))
    peer.series(DESCENDING, plain()[::-1].reset_index(drop=True))
    peer.series(REPEATED, plain().assign(mjd=59000 + np.arange(30) // 2 / 48))
    peer.series(NULL_TIME, plain().assign(mjd=[np.nan, *plain()["mjd"][1:]]))
    single = plain().astype("float32")
    peer.series(SINGLE, single.assign(mjd=single["mjd"] + np.arange(30, dtype="float32")))
    peer.series(BAD_ERRORS, plain().assign(fluxerr=[0.0, -1.0, np.nan, *[1.5] * 27]))
    peer.series(NOISE, plain(rows=2000, level=0.0)[["mjd", "flux"]] * [1, 10])
    peer.series(CONSTANT, plain().assign(flux=7.1)[["mjd", "flux"]])
    one = {"frame_rate": np.nan}
    peer.series(ONE_ROW, plain(rows=1), stored=one)
    times = {name: float(getattr(plain()["mjd"], how)()) for name, how in (("medians", "median"), ("minima", "min"))}
    of_times = {kind: dict.fromkeys(plain().columns, value) for kind, value in times.items()}
    peer.series(OF_TIMES, plain(), stored=of_times)


def fill_with_metadata(peer):
    file = peer.series(SHARED_SINCE, plain(), groups=[CREW, OWN[12]])
    peer.cursor.execute("DELETE FROM group_photometric_series WHERE group_id = %s", [OWN[12]])
    peer.cursor.execute("UPDATE photometric_series SET hash = 'of another time' WHERE id = %s", [SHARED_SINCE])
    assert file.exists()
    peer.series(ANOTHER_TABLE, plain(), stored={"num_exp": 29, "mean_mag": 1.0})
    peer.cursor.execute("UPDATE photometric_series SET hash = 'of another table' WHERE id = %s", [ANOTHER_TABLE])
    peer.series(TEXT_NONE, plain(), channel="None", origin="pipeline 2")
    peer.series(UNCERTAIN, plain(), ra_unc=0.36, dec_unc=0.72)
    peer.series(STREAMED, plain(), groups=[], streams=[FEED])
    peer.series(NAMED, plain(), obj_id="nowhere", ra=33.0, dec=44.0)
    references = {"followup_request_id": 900, "assignment_id": 901, "ref_flux": 100.0, "ref_fluxerr": 5.0}
    peer.series(REFERENCED, plain(), altdata={"nested": {"a": [1, None]}}, limiting_mag=20.5, **references)
    peer.series(ALONE, plain(), groups=[], owner_id=14)
    peer.series(REAL, recipe_read(TESS.read_bytes())[0], filter="tess::red")


def fill_with_faults(peer):
    peer.series(IMPOSSIBLE, plain(), ra=1000.0, dec=500.0, exp_time=-5.0)
    peer.series(BACKSLASH, plain(), series_name="night\\1")
    peer.series(HOSTILE, plain(), altdata=Evil(peer.marker), stored={"altdata": {}})
    peer.series(MISSING, plain()).unlink()
    damaged = peer.series(DAMAGED, plain())
    damaged.write_bytes(damaged.read_bytes()[:3000])
    peer.series(SENTINELS, plain()[["mjd"]].assign(mag=[99.999, 18.0, -99.0, *[18.5, 18.6, 18.7] * 9]))
    peer.series(AROUND_ZERO, plain().assign(ra=[359.9, 0.2, 0.1] * 10))
    peer.series(BTJD, plain().assign(mjd=plain()["mjd"] - 56999.5, filter=["ztfg", "ztfr"] * 15))


@pytest.fixture(scope="module")
def peer(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    with database(server) as url:
        made = Peer(url, folder / "files")
        filled(made)
        yield made
        made.connection.close()


@pytest.fixture(scope="module")
def import_(peer, database_url, directory):
    """Run the command, with options, on the module's database."""
    directory.mkdir()

    def run(*options, fault=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PHOTSERIES_")}
        environment |= {"PHOTSERIES_DATABASE__URL": database_url} | ({"PHOTSERIES_FAULT": fault} if fault else {})
        words = ["import", "skyportal", "--files", str(peer.folder), "--database", peer.url, "--data", str(directory)]
        words += ["--position-unc-unit", "arcsec"]
        return subprocess.run(
            [sys.executable, "-m", "photseries", *words, *options],
            env=environment,
            cwd=directory.parent,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    return run


@pytest.fixture(scope="module")
def killed(import_):
    """An import that was killed in the middle."""
    outcome = import_(fault="kill@write: before COMMIT@80")
    assert outcome.returncode == -signal.SIGKILL, outcome.stderr


@pytest.fixture(scope="module")
def resumed(killed, import_):
    """What the import says that goes on."""
    outcome = import_("--json", "--report", "resumed")
    assert outcome.returncode == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    return json.loads(outcome.stdout)


@pytest.fixture(scope="module")
def repeated(resumed, import_):
    """What the same import prints once more."""
    outcome = import_("--report", "again")
    assert outcome.returncode == 1, outcome.stderr
    return outcome.stdout.splitlines()


@pytest.fixture(scope="module")
def service(repeated, database_url, directory):
    with ForkedService(directory, database__url=database_url) as running:
        yield running


@pytest.fixture(scope="module")
def clients(service, database_url):
    """An HTTP client for every user, and one for an admin."""
    catalogue = Catalogue(database_url, DatabaseSettings())
    accounts, opened = Accounts(catalogue), {}
    for name, permission in (*((name, UPLOAD) for name in USERS.values()), ("admin", ADMIN)):
        user = accounts.id_of("users", "anna" if name == "admin" else name)
        made = accounts.create(OPERATOR, "tokens", {"user_id": user, "permissions": [permission]})
        opened[name] = service.client(made["token"])
    catalogue.close()
    yield opened
    for client in opened.values():
        client.close()


@pytest.fixture(scope="module")
def report(repeated, directory):
    whole = json.loads((directory.parent / "again.json").read_text())
    return {series["id"]: series for series in whole["series"]}


def shown(client, number, **query):
    answer = client.get(f"/api/photometric_series/{number}", params={"dataFormat": "none", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def reasons(report, number):
    found = {}
    for difference in report[number]["differences"]:
        for reason in difference["reasons"]:
            found.setdefault(reason, set()).add(difference["field"])
    return found


# The first tests bring the module to where the others look, in steps that are short each.


def test_fixture_contains_the_skyportal_rows(peer):
    assert len(peer.rows) == PLAIN + LAST - UNSORTED + 1


def test_a_killed_import_leaves_no_report(killed, directory):
    assert not (directory.parent / "photseries-import.json").exists()


def test_killed_import_continues(resumed, peer):
    counts = resumed["counts"]
    assert counts["taken"] + counts["there"] == len(peer.rows) - len(FAILED)
    assert 70 <= counts["there"] <= 83
    assert [counts[status] for status in ("missing", "unreadable", "refused")] == [1, 2, 1]
    assert resumed["registries"]["sources"] == {"new": 0, "there": 6}
    assert any("no place" in note for note in resumed["notes"])
    assert any("1 series have ra_unc or dec_unc, which were read in arcsec" in note for note in resumed["notes"])


def test_repeated_import_stores_nothing(repeated, peer):
    assert any(f"{len(peer.rows) - len(FAILED)}  already in the archive" in line for line in repeated)
    assert sum(line.startswith(("missing: ", "unreadable: ", "refused: ")) for line in repeated) == len(FAILED)


def test_imported_files_execute_nothing(repeated, peer):
    assert not peer.marker.exists()


def test_skipped_series_are_named(report, clients):
    for number, status in FAILED.items():
        assert report[number]["status"] == status
        assert report[number]["message"]
        assert clients["admin"].get(f"/api/photometric_series/{number}").status_code == 404


def test_visibility_is_preserved(peer, clients):
    visible = set(peer.rows) - set(FAILED)
    expected = {
        "anna": visible - {ALONE},
        "ben": visible - {ALONE, STREAMED},
        "sam": {STREAMED},
        "olga": {ALONE},
        "admin": visible,
    }
    for name, numbers in expected.items():
        answer = clients[name].get("/api/photometric_series", params={"numPerPage": 500}).json()["data"]
        assert {series["id"] for series in answer["series"]} == numbers, name
        assert answer["totalMatches"] == len(numbers)


def test_ids_dates_and_fields_are_kept(peer, clients):
    for number in (1, REFERENCED, REAL, NAMED, STREAMED):
        row, found = peer.rows[number], shown(clients["admin"], number)
        assert found["id"] == number
        assert found["created_at"].startswith("2023-04-05T06:07:08.901234")
        assert found["modified"].startswith("2024-01-02T03:04:05")
        for name in ("obj_id", "series_name", "series_obj_id", "filter", "ra", "dec", "exp_time", "owner_id"):
            assert found[name] == row[name], name
        assert (found["channel"], found["origin"]) == (None, None)
        for name in ("followup_request_id", "assignment_id", "altdata", "ref_flux", "ref_fluxerr"):
            assert found[name] == row[name], name
    assert shown(clients["admin"], 1)["group_ids"] == [CREW, OWN[11]]
    assert shown(clients["admin"], STREAMED)["stream_ids"] == [FEED]
    assert shown(clients["admin"], REFERENCED)["limiting_mag"] == 20.5
    assert shown(clients["admin"], REFERENCED)["magref"] == pytest.approx(18.9)
    uncertain = shown(clients["admin"], UNCERTAIN)
    assert (uncertain["ra_unc"], uncertain["dec_unc"]) == pytest.approx((1e-4, 2e-4))
    assert shown(clients["admin"], BACKSLASH)["series_name"] == "night/1"


def test_tables_are_kept(clients):
    data = shown(clients["ben"], UNSORTED, dataFormat="json")["data"]
    pd.testing.assert_frame_equal(
        pd.DataFrame(data), plain().sample(frac=1, random_state=1).reset_index(drop=True), check_exact=True
    )
    content = clients["anna"].get(f"/api/photometric_series/{REAL}/data").content
    expected = recipe_read(TESS.read_bytes())[0]
    pd.testing.assert_frame_equal(recipe_read(content)[0], expected, check_exact=True)


def test_the_registries_are_kept(clients):
    admin = clients["admin"]
    instrument = admin.get("/api/instrument/77").json()["data"]
    assert (instrument["name"], instrument["telescope"]) == ("ZTF", "Siding Spring")
    assert instrument["filters"] == ["ztfg", "ztfr"]
    assert [instrument[name] for name in ("longitude", "latitude", "height")] == [149.07, -31.2733, 1165]
    groups = {group["id"]: group for group in admin.get("/api/groups").json()["data"]["groups"]}
    assert groups[CREW]["user_ids"] == [11, 12]
    assert groups[PUBLIC]["name"] == "Sitewide Group"
    assert {number: groups[own]["single_user_id"] for number, own in OWN.items()} == {n: n for n in OWN}
    assert admin.get("/api/sources/nowhere").json()["data"]["ra"] == 33.0
    assert admin.get("/api/followup_request/900").json()["data"]["obj_id"] == "star 1"
    assert admin.get("/api/sources/star 1").json()["data"]["created_at"].startswith("2023-04-05T06:07:08")


def test_nights_are_those_of_the_telescope(clients):
    table = recipe_read(TESS.read_bytes())[0]
    flux = next(table[name] for name in ("flux", "fluxes") if name in table)
    mjd = table["mjd"].to_numpy()[np.isfinite(flux)]

    def per_night(longitude):
        return len(mjd) / len(np.unique(np.floor(mjd + longitude / 360 - 0.5)))

    assert shown(clients["anna"], REAL)["points_per_night"] == pytest.approx(per_night(149.07), rel=1e-12)
    assert per_night(149.07) != per_night(0)


def test_new_ids_come_after_those_that_were_taken(clients):
    columns = {"mjd": [59000.0], "flux": [1.0]}
    fields = {"obj_id": "star 1", "instrument_id": 77, "series_name": "new", "series_obj_id": "1", "ra": 1, "dec": 1}
    body = {**fields, "exp_time": 1, "filter": "ztfg", "data": columns}
    assert clients["anna"].post("/api/photometric_series", json=body).json()["data"]["id"] == LAST + 1
    made = clients["admin"].post("/api/users", json={"username": "new"}).json()["data"]
    assert (made["id"], made["single_user_group_id"]) == (16, 116)  # 15 is the admin of the first start
    assert clients["admin"].post("/api/instrument", json={"name": "new"}).json()["data"]["id"] == 78


def test_plain_series_do_not_differ(report):
    assert not set(range(1, PLAIN + 1)) & set(report)


def test_a_reason_is_named_for_what_it_explains_alone(report):
    assert set(reasons(report, DESCENDING)) == {"unsorted rows"}
    assert set(reasons(report, AROUND_ZERO)) == {"right ascensions around zero"}
    assert set(reasons(report, NOISE)) == {"S/N definition", "positive fluxes only"}


PICKLED = "the metadata in the file, which the MD5 covers, differ from the database row: group_ids"
SNR = {"median_snr", "best_snr", "worst_snr"}


@pytest.mark.parametrize(
    ("number", "reason", "fields"),
    [
        (UNSORTED, "unsorted rows", {"mjd_first", "mjd_mid", "mag_first", "frame_rate"}),
        (DESCENDING, "unsorted rows", {"mjd_first", "mjd_last", "mag_first", "mag_last", "frame_rate"}),
        (REPEATED, "repeated times", {"frame_rate"}),
        (NULL_TIME, "rows without a time", {"mjd_first", "mjd_mid", "mag_first"}),
        (SINGLE, "single precision", {"mean_mag"}),
        (BAD_ERRORS, "bad errors", {"median_snr", "best_snr"}),
        (NOISE, "positive fluxes only", {"mean_flux"}),
        (NOISE, "S/N definition", {"best_snr", "median_snr"}),
        (SENTINELS, "magnitudes that mean 'not measured'", {"mean_mag", "rms_mag", "best_snr", "minima", "stds"}),
        (AROUND_ZERO, "right ascensions around zero", {"medians"}),
        (CONSTANT, "constant brightness", SNR | {"is_detected"}),
        (OF_TIMES, "statistics of the times", {"medians", "minima"}),
        (ANOTHER_TABLE, "not computed from this file", {"num_exp", "mean_mag"}),
        (ANOTHER_TABLE, "the file contains another table than the database row describes", {"md5"}),
        (SHARED_SINCE, PICKLED, {"md5"}),
        (TEXT_NONE, "probably null: SkyPortal's PATCH stores null as the text None", {"channel"}),
    ],
)  # fmt: skip
def test_wrong_results_are_named_with_the_reason(report, number, reason, fields):
    assert fields <= reasons(report, number)[reason]


def test_series_that_an_upload_refuses_are_stored_and_reported(report, clients):
    assert report[BTJD]["status"] == "there"
    message = report[BTJD]["message"]
    assert "The times in the column 'mjd' are not MJD: their median is 2,000.8" in message
    assert "'filter' has 'ztfg' (15 rows), 'ztfr' (15 rows)" in message
    assert shown(clients["admin"], BTJD)["mjd_first"] == 2000.5
    assert "arcsec from ra=10.500000; that was given and is used." in report[AROUND_ZERO]["message"]


def test_statistics_are_corrected(clients):
    admin = clients["admin"]
    truth = shown(admin, DESCENDING)
    assert (truth["mjd_first"], truth["mjd_last"]) == (59000.0, plain()["mjd"].max())
    assert truth["frame_rate"] == pytest.approx(48 / 86400)
    noise = shown(admin, NOISE)
    assert noise["best_snr"] < 7
    assert abs(noise["mean_flux"]) < 1
    assert noise["mean_mag"] < 22.5
    assert shown(admin, CONSTANT)["best_snr"] is None
    assert shown(admin, ONE_ROW)["frame_rate"] is None
    assert shown(admin, NULL_TIME)["mjd_first"] == plain()["mjd"][1]


def test_history_explains_recomputed_statistics(clients):
    (event,) = clients["anna"].get(f"/api/photometric_series/{DESCENDING}/history").json()["data"]["history"]
    assert event["action"] == "import"
    assert event["changed"]["mjd_first"]["to"] == 59000.0
    assert event["changed"]["mjd_first"]["reasons"] == ["unsorted rows"]


def test_the_csv_has_a_line_for_each_difference(report, directory):
    with (directory.parent / "again.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    differences = sum(len(series["differences"]) for series in report.values())
    messages = sum(series["message"] is not None for series in report.values())
    assert len(lines) == differences + messages
    (line,) = (line for line in lines if line["id"] == str(DESCENDING) and line["field"] == "mjd_first")
    assert (line["ours"], line["reason"]) == ("59000.0", "unsorted rows")


def test_reports_of_a_resumed_and_a_repeated_import_say_the_same(report, directory):
    resumed = json.loads((directory.parent / "resumed.json").read_text())["series"]
    strip = [{**series, "status": None} for series in resumed]
    assert strip == [{**series, "status": None} for series in report.values()]
