"""STILTS, the reader of TOPCAT, against a running service. ``make test-vo`` runs these: Java is slow to start."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
import requests
from astropy.table import Table

from photseries.server.vo.registry import RECORDS
from photseries.server.vo.tables import TABLES
from tests.debian import program

pytestmark = pytest.mark.skipif(os.environ.get("VO_TESTS") != "all", reason="make test-vo runs them")

HERE = Path(__file__).parent
SPACES = "http://www.ivoa.net/xml"


@pytest.fixture(scope="module")
def stilts():
    path = program("stilts", "stilts")

    def run(*words):
        outcome = subprocess.run(["nice", path, *words], capture_output=True, text=True, timeout=500)
        return outcome.stdout + outcome.stderr

    return run


def test_taplint_finds_no_error(stilts, service, series):
    # LOC is about tables of planned observations, which an archive has not.
    stages = "TMV TME TMS TMC CPV CAP AVV QGE QPO QAS UWS MDQ OBS UPL EXA"
    text = stilts("taplint", f"tapurl={service.url}/vo/tap", f"stages={stages}", "report=EWFS")
    problems = [line for line in text.splitlines() if line[:2] in ("E-", "F-")]
    assert problems == []
    # This version of STILTS knows ADQL 2.0, which has no INTERVAL-free circles, no WITH and no COALESCE.
    assert {line[:10] for line in text.splitlines() if line.startswith("W-")} <= {"W-EXA-EXVL"}
    assert "Errors: 0" in text.replace("Totals: ", "") or "Errors" not in text.splitlines()[-2]
    for stage in stages.split():
        assert f"Section {stage}:" in text


def test_votlint_finds_nothing_in_any_votable(stilts, service, series, tmp_path):
    one = series[1]["id"]
    urls = {
        "scs": "/vo/scs?RA=10&DEC=-20&SR=1&VERB=3",
        "scs_error": "/vo/scs?RA=x&DEC=-20&SR=1",
        "datalink": f"/vo/datalink?ID={one}&ID=99999",
        "series": f"/api/photometric_series/{one}.vot",
        "soda": f"/vo/soda?ID={one}&TIME=-Inf+60000&COLUMN=mjd,flux",
        "error": "/vo/tap/sync?QUERY=nonsense",
        **{
            f"{name}_{form.replace('/', '_')}": f"/vo/tap/sync?QUERY=SELECT+*+FROM+{name}&RESPONSEFORMAT={form}"
            for name in TABLES
            for form in ("votable", "votable/b2")
        },
    }
    for name, url in urls.items():
        file = tmp_path / f"{name}.vot"
        file.write_bytes(requests.get(service.url + url, timeout=60).content)
        said = [line for line in stilts("votlint", f"votable={file}").splitlines() if line.strip()]
        # Simple Cone Search 1.03 prescribes UCDs of before UCD1+.
        assert [line for line in said if "UCD1" not in line and "_MAIN" not in line] == [], name


def test_tapquery_and_cone_find_the_same(stilts, service, public, tmp_path):
    table, adql = (
        tmp_path / "found.csv",
        "SELECT id, ra, dec FROM photseries.series WHERE 1=CONTAINS(POINT('ICRS', ra, dec), ",
    )
    stilts(
        "tapquery",
        f"tapurl={service.url}/vo/tap",
        f"adql={adql}CIRCLE('ICRS', 10, -20, 0.05))",
        "sync=true",
        f"out={table}",
    )
    found = Table.read(table, format="ascii.csv")
    assert 3 < len(found) < len(public)
    cone = tmp_path / "cone.csv"
    words = ("serviceurl=" + f"{service.url}/vo/scs", "lon=10", "lat=-20", "radius=0.05", "skysys=icrs", f"out={cone}")
    stilts("cone", *words)
    assert sorted(found["id"]) == sorted(Table.read(cone, format="ascii.csv")["id"])


def test_tapquery_uploads(stilts, service, public, tmp_path):
    mine, table = tmp_path / "mine.csv", tmp_path / "found.csv"
    Table({"name": ["here"], "ra": [10.0], "dec": [-20.0]}).write(mine, format="ascii.csv")
    adql = """SELECT u.name, COUNT(*) AS n FROM TAP_UPLOAD.mine AS u JOIN photseries.series AS s
        ON 1=CONTAINS(POINT(s.ra, s.dec), CIRCLE(u.ra, u.dec, 1)) GROUP BY u.name"""
    for sync in ("true", "false"):
        words = (
            "nupload=1",
            f"upload1={mine}",
            "ufmt1=csv",
            "upname1=mine",
            f"adql={adql}",
            f"sync={sync}",
            f"out={table}",
        )
        stilts("tapquery", f"tapurl={service.url}/vo/tap", *words)
        (row,) = Table.read(table, format="ascii.csv")
        assert tuple(row) == ("here", len(public))


@pytest.fixture(scope="module")
def schemas(stilts, tmp_path_factory):
    """The schemas that come with STILTS, and two that do not."""
    folder = tmp_path_factory.mktemp("schemas")
    with zipfile.ZipFile("/usr/share/java/starlink-ttools.jar") as jar:
        for name in jar.namelist():
            if name.endswith(".xsd"):
                (folder / Path(name).name).write_bytes(jar.read(name))
    files = {
        "VOResource/v1.0": folder / "VOResource-v1.1.xsd",
        "VODataService/v1.1": folder / "VODataService-v1.2.xsd",
        "TAPRegExt/v1.0": folder / "TAPRegExt-v1.0-Erratum1.xsd",
        "STC/stc-v1.30.xsd": folder / "stc-v1.30.xsd",
        "RegistryInterface/v1.0": HERE / "RegistryInterface-v1.0.xsd",
        "ConeSearch/v1.0": HERE / "ConeSearch-v1.0.xsd",
    }
    return [f"schemaloc={SPACES}/{name}={file}" for name, file in files.items()] + [
        f"schemaloc=http://www.w3.org/1999/xlink={folder / 'xlink.xsd'}",
        f"schemaloc=http://www.w3.org/XML/1998/namespace={folder / 'xmlnamespace.xsd'}",
    ]


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_valid(stilts, schemas, service, name):
    text = stilts("xsdvalidate", *schemas, f"doc={service.url}/vo/registry/{name}.xml")
    assert [line for line in text.splitlines() if not line.startswith("WARNING: Unused")] == []


def test_invalid_record_is_reported(stilts, schemas, service, tmp_path):
    wrong = requests.get(f"{service.url}/vo/registry/tap.xml", timeout=60).text.replace(
        "<identifier>ivo:", "<identifier>"
    )
    file = tmp_path / "wrong.xml"
    file.write_text(wrong)
    assert "Validation failed" in stilts("xsdvalidate", *schemas, f"doc={file}")
