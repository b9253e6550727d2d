"""``photseries find | show | get | download | delete | login | whoami`` against a running service."""

import csv
import io
import json
import re
import stat
import zipfile

import pandas as pd
import pytest
from astropy.table import Table

from photseries.formats import WRITERS
from tests.support import columns, recipe_read


@pytest.fixture(scope="module")
def series(admin, world):
    """Three series: two of the star, one of the other star without errors in its table."""
    bodies = [
        world.fields(series_name="a", data=columns(rows=50, brightness=100)),
        world.fields(series_name="b", data=columns(5, 1000), filter="ztfr", altdata={"note": "\x1b[2J"}),
        world.fields(series_name="a", data={"mjd": [59000.0], "mag": [18.0]}, obj_id="other star", ra=359.99, dec=89.0),
    ]
    answers = [admin.post("/api/photometric_series", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200] * 3, [answer.text for answer in answers]
    return [answer.json()["data"]["id"] for answer in answers]


def test_find_prints_a_table(run, series):
    head, *lines = run("find", "--sort-by", "id").stdout.splitlines()
    assert head.split()[:4] == ["id", "obj_id", "filter", "series_name"]
    assert [int(line.split()[0]) for line in lines] == series
    assert "other star" in lines[-1]


def test_find_takes_several_values_of_a_criterion(run, series, admin):
    names = [admin.get(f"/api/photometric_series/{number}").json()["data"]["series_name"] for number in series]
    expected = [number for number, name in zip(series, names, strict=True) if name == names[0]]
    for text in (f"{names[0]},none", f'none,"{names[0]}"', names[0]):
        lines = run("find", "--series-name", text, "--sort-by", "id").stdout.splitlines()[1:]
        assert [int(line.split()[0]) for line in lines] == expected


def test_find_fits_a_narrow_terminal(run, series, monkeypatch):
    monkeypatch.setattr("photseries.cli.find._width", lambda: 30)
    lines = run("find").stdout.splitlines()
    assert lines[0].split()[:2] == ["id", "obj_id"]
    assert max(map(len, lines)) <= 30


@pytest.mark.parametrize(
    ("words", "matching"),
    [
        (("--object-id", "other"), [2]),
        (("--filter", "ztfr,ztfg", "--min-num-exposures", "5"), [0, 1]),
        (("--ra", "10", "--dec", "-20", "--radius", "0.1"), [0, 1]),
        (("--stat", "medians.flux>500", "--stat", "medians.flux<5000"), [1]),
        (("--no-detected",), [2]),
        (("--start-after", "2020-05-31", "--end-before", "59000.0"), [2]),
        (("--mag-brighter-than", "16.5", "--use-robust-mag-and-rms"), [1]),
    ],
)
def test_find_by_criteria(run, series, words, matching):
    found = run.lines("find", *words, "--sort-by", "id")
    assert [one["id"] for one in found] == [series[index] for index in matching]


def test_find_reports_the_number_of_further_series(run, series):
    outcome = run("find", "--limit", 2, "--sort-by", "id", "--sort-order", "desc")
    assert len(outcome.stdout.splitlines()) == 3
    assert outcome.stderr == "2 of 3 series; --limit 0 prints all.\n"
    assert run("find", "--limit", 3).stderr == ""
    assert len(run.lines("find", "--limit", 0)) == 3
    assert run("find", "--object-id", "nowhere").stderr == "No series matches.\n"


def test_find_says_why_nothing_matches(run, series):
    unknown, nothing = run("find", "--filter", "ztf_r").stderr.splitlines()
    assert unknown.startswith('Warning: This archive has no filter "ztf_r". The closest are ztfr, ')
    assert nothing == "No series matches."
    # JD 2459000.5 is MJD 59000
    assert run("find", "--start-after", "2459000.5").stderr.startswith(
        "Warning: startAfter is compared with MJD, and 2459000.5 looks like a Julian date"
    )
    assert run("find", "--filter", "ztfr,ztf_r").stderr == ""


def test_find_prints_csv_and_selected_columns(run, series):
    rows = list(csv.DictReader(io.StringIO(run("find", "--csv", "--sort-by", "id").stdout)))
    assert [int(row["id"]) for row in rows] == series
    assert [row["altdata"] for row in rows] == ["", r'{"note":"\u001b[2J"}', ""]
    chosen = run("find", "--columns", "num_exp, id", "--sort-by", "id").stdout.splitlines()
    assert chosen[0].split() == ["num_exp", "id"]
    assert json.loads(run("find", "--columns", "id", "--json", "--limit", 1).stdout).keys() == {"id"}


def test_csv_without_rows_has_a_header(run, series):
    header = run("find", "--csv").stdout.partition("\n")[0]
    assert run("find", "--csv", "--obj-id", "nothing").stdout == f"{header}\n"
    assert run("find", "--csv", "--obj-id", "nothing", "--columns", "id, ra").stdout == "id,ra\n"


def test_a_refusal_is_reported_in_one_line(run, series):
    outcome = run("find", "--sort-by", "separation", status=2)
    assert re.fullmatch(r"photseries: sortBy=separation requires a cone.*\n", outcome.stderr)


def test_show_draws_and_lists_fields(run, series):
    shown = run("show", series[0], COLUMNS="70").stdout
    assert shown.startswith("flux [µJy]\n")
    drawing, facts = shown.split("\n\n", 1)
    assert len(drawing.splitlines()) == 22
    assert drawing.splitlines()[-1].strip() == "MJD (scale unknown) [d]"
    assert any(0x2800 < ord(character) < 0x2900 for character in drawing)
    assert re.search(r"^ra +10.00000 deg$", facts, re.MULTILINE)
    assert re.search(r"^num_exp +50$", facts, re.MULTILINE)
    assert re.search(r"^flux +uJy +\S+ +\S+ +\S+ +\S+$", facts, re.MULTILINE)
    assert run("show", series[0], "--mag", "--height", 8).stdout.startswith("AB magnitude\n")
    assert run("show", series[2]).stdout.startswith("AB magnitude\n")
    assert "\x1b" not in run("show", series[1], "--no-plot").stdout
    assert json.loads(run("show", series[1], "--json").stdout)["altdata"] == {"note": "\x1b[2J"}


@pytest.mark.parametrize("verb", ["show", "get"])
def test_missing_series_is_reported(run, series, verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run(verb, 999_999, status=2)
    assert re.fullmatch(r"photseries: .*999999.* See http://\S+/docs/reference/errors.html#not-found\n", outcome.stderr)
    assert list(tmp_path.iterdir()) == []


def test_get_writes_a_file(run, series, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"star_ztfg_a_{series[0]}.h5"
    assert run("get", series[0]).stdout == f"{name}\n"
    frame, _ = recipe_read((tmp_path / name).read_bytes())
    pd.testing.assert_frame_equal(frame, pd.DataFrame(columns(rows=50)))
    assert "exists already" in run("get", series[0], status=2).stderr
    run("get", series[0], "--force")
    lost = run("get", series[0], "-o", "a.csv").stderr
    assert lost.startswith("Warning: CSV contains only the columns of the table: no source, filter")
    pd.testing.assert_frame_equal(pd.read_csv("a.csv"), frame)
    assert run("get", series[0], "-o", "-", "--format", "csv").stdout == (tmp_path / "a.csv").read_text()
    assert run("get", series[0], "-o", "-").stdout_bytes == (tmp_path / name).read_bytes()
    assert "Cannot write nowhere/a.h5" in run("get", series[0], "-o", "nowhere/a.h5", status=2).stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", name]
    (tmp_path / "folder").mkdir()
    assert run("get", series[0], "-o", "folder").stdout == f"folder/{name}\n"


def test_get_writes_every_format(run, series, tmp_path):
    for form, known in WRITERS.items():
        run("get", series[0], "-o", tmp_path / f"a{known.suffixes[-1]}")
        named = run("get", series[0], "-o", tmp_path / "b.x", "--format", form, "--force")
        assert named.stdout == f"{tmp_path / 'b.x'}\n"
        content = (tmp_path / f"a{known.suffixes[-1]}").read_bytes()
        assert content == (tmp_path / "b.x").read_bytes()
        assert content[:4] == {"hdf5": b"\x89HDF", "fits": b"SIMP", "parquet": b"PAR1"}.get(form, content[:4])
    assert Table.read(tmp_path / "a.ecsv", format="ascii.ecsv")["flux"].unit == "uJy"


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.csv.gz", "a"])
def test_get_refuses_an_unknown_suffix(run, series, tmp_path, name):
    outcome = run("get", series[0], "-o", tmp_path / name, status=2)
    assert "does not identify a format: end it in one of .h5, .json, .csv, " in outcome.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [[], ["--csv"], ["--json"]])
def test_find_refuses_an_unknown_field(run, series, words):
    outcome = run("find", "--columns", "id,mean_mga", *words, status=2)
    assert outcome.stdout == ""
    assert outcome.stderr == "photseries: Series have no field 'mean_mga' (--columns). Did you mean mean_mag?\n"


def test_usage_counts_series_and_bytes(run, admin, series):
    (used,) = (one for one in json.loads(run("usage", "--json").stdout)["usage"] if one["username"] == "admin")
    total = admin.get("/api/photometric_series", params={"numPerPage": 1}).json()["data"]["totalMatches"]
    assert used["series"] == total
    assert f"username=admin  series={total}  bytes={used['bytes']}" in run("usage").stdout


def test_purge_asks_for_confirmation(run, admin, world):
    body = world.fields(series_name="purged", data=columns())
    series = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    path = f"/api/photometric_series/{series}"
    assert admin.patch(path, json={"origin": "secret"}).status_code == 200
    assert "--history" in run("purge", series, "--yes", status=2).stderr
    assert "--yes" in run("purge", series, "--history", status=2).stderr
    assert run.on_a_terminal("purge", series, "--history", typed="n\n")[0] == 1
    assert "secret" in admin.get(f"{path}/history").text
    assert run.on_a_terminal("purge", series, "--history", typed="y\n")[0] == 0
    assert "secret" not in admin.get(f"{path}/history").text
    assert admin.delete(path).status_code == 200


def test_delete_asks_for_confirmation(run, admin, world):
    body = world.fields(series_name="doomed", data=columns())
    doomed = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    assert "--yes" in run("delete", doomed, status=2).stderr
    assert run("delete", doomed, "--yes", "--if-match", 7, status=2).stderr.count("\n") == 1
    status, seen = run.on_a_terminal("delete", doomed, typed="n\n")
    assert status == 1
    assert f"Delete series {doomed} (star, ztfg, doomed, 1)?" in seen
    run("show", doomed, "--no-plot")
    assert run.on_a_terminal("delete", doomed, typed="y\n")[0] == 0
    run("show", doomed, "--no-plot", status=2)
    assert "photseries: " in run("delete", doomed, "--yes", status=2).stderr
    doomed = admin.post("/api/photometric_series", json=body).json()["data"]["id"]
    run("delete", doomed, "--yes")
    run("show", doomed, "--no-plot", status=2)


def test_whoami_prints_user_and_permissions(run, service):
    assert re.search(r"^username +admin$", run("whoami").stdout, re.MULTILINE)
    me = json.loads(run("whoami", "--json").stdout)
    assert (me["username"], me["url"]) == ("admin", service.url)
    assert "System admin" in me["permissions"]


def test_login_saves_only_valid_credentials(run, service, tmp_path):
    alone = {"PHOTSERIES_URL": "", "PHOTSERIES_TOKEN": "", "XDG_CONFIG_HOME": str(tmp_path)}
    assert "photseries login" in run("whoami", status=2, **alone).stderr
    asked = run("login", stdin=f"{service.url}/\n{service.token}\n", **alone)
    kept = tmp_path / "photseries" / "config.yaml"
    assert asked.stdout.splitlines()[-1] == f"admin at {service.url}, saved in {kept}."
    assert service.token not in asked.output
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "admin" in run("whoami", **alone).stdout
    before = kept.read_bytes()
    for words, stdin in (
        ((service.url, "--token-stdin"), "wrong\n"),
        (("http://127.0.0.1:1", "--token-stdin"), service.token),
        ((service.url, "--token-stdin"), ""),
    ):
        refused = run("login", *words, stdin=stdin, status=2, **alone)
        assert refused.stderr.count("\n") == 1
        assert kept.read_bytes() == before
    kept.unlink()
    kept.mkdir()
    refused = run("login", service.url, "--token-stdin", stdin=service.token, status=2, **alone)
    assert refused.stderr == f"photseries: Cannot write {kept}: Is a directory.\n"
    kept.rmdir()
    run("login", service.url, "--token-stdin", stdin=service.token, **alone)


def test_download_writes_all_matching_series(run, series, tmp_path):
    path = tmp_path / "long.parquet"
    words = ("--object-id", "star", "--derive", "snr", "--columns", "mjd,flux")
    assert run("download", path, *words).stdout == f"{path}\n"
    table = pd.read_parquet(path)
    assert table["series_id"].unique().tolist() == sorted(series)
    assert list(table)[-3:] == ["mjd", "flux", "snr"]
    assert "Replace it with --force" in run("download", path, status=2).stderr
    files = tmp_path / "files.zip"
    run("download", files, "--stat", "medians.flux>-1e9")
    run("download", files, "--force", "--min-num-exposures", 10**9)
    with zipfile.ZipFile(files) as archive:
        assert archive.namelist() == ["series.jsonl"]
    names = tmp_path / "names.txt"
    names.write_text("star\n\nnobody\n")
    listed = tmp_path / "list.ndjson"
    run("download", listed, "--list", names, "--columns", "mjd")
    assert listed.read_text().splitlines()[-1].startswith('{"manifest":{"asked":2,"found":{"0":[')
    names.write_text("1\ntwo\n")
    assert (
        "'two' in the list is not the id"
        in run("download", listed, "--force", "--list", names, "--by", "ids", status=2).stderr
    )
    assert "'colour': it must be one or more of" in run("download", path, "--derive", "colour", status=2).stderr
    assert "one of .h5" in run("download", tmp_path / "long.csv", status=2).stderr
    assert "Cannot write" in run("download", tmp_path / "nowhere" / "long.h5", status=2).stderr


def test_periods_are_printed_with_units(run, series):
    lines = run("periods", series[0], "--put", "0.25", "--method", "by eye").stdout.splitlines()
    assert re.split("  +", lines[0].strip()) == [
        "period [d]", "method", "preferred", "power", "false_alarm", "error [d]", "who", "when",
    ]  # fmt: skip
    assert re.split("  +", lines[1].strip())[:3] == ["0.250000", "by eye", "no"]
    assert run("periods", series[0], "--delete").stdout.splitlines() == [re.sub("  +", "  ", lines[0].strip())]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_may_begin_with_a_byte_order_mark(run, series, tmp_path, encoding):
    names = tmp_path / "names.txt"
    names.write_text("star\n", encoding)
    run("download", tmp_path / "found.parquet", "--list", names)
    assert set(pd.read_parquet(tmp_path / "found.parquet")["obj_id"]) == {"star"}


def test_a_list_in_another_encoding_is_refused(run, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("star\n", "utf-16")
    refused = run("download", tmp_path / "found.ndjson", "--list", names, status=2)
    assert refused.stderr.startswith("photseries: The list is not text in UTF-8: ")
