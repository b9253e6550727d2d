"""The table of fields is the only description of a field: a new field takes a line in it, and appears everywhere.

The same for permissions: a use case declares what it requires of a token; it refuses, and documents are made from that.
"""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import astropy.units
import pytest
from astropy.io.votable import ucd

from photseries.errors import ForbiddenError
from photseries.fields import FIELDS, OVERVIEW, STATISTICS
from photseries.lightcurve.statistics import ColumnSummary
from photseries.server.accounts import Accounts
from photseries.server.archive import Archive, BatchUndo, Restorer
from photseries.server.http import server
from photseries.server.http.openapi.document import document
from photseries.server.principal import ADMIN, MANAGE, UPLOAD, requirement_of
from tests.conftest import database
from tests.support import PATIENCE, TOP, columns
from tools import tables

FIELD = """
    _metadata(
        "air_pressure", "number", "Air pressure", "air pressure at the telescope", unit="hPa", digits=1,
        ucd="phys.pressure", verbosity=3, criteria=_min_max("AirPressure"),
    ),
"""
STATISTIC = """
    _statistic(
        "time_span", "number", "Time span", "mjd_last less mjd_first", unit="d", digits=3, ucd="time.duration",
        verbosity=3, criteria=_min_max("TimeSpan"),
    ),
"""
FUNCTION = """

@dataclass(frozen=True)
class WiderSummary(ColumnSummary):
    time_span: float | None = None


_narrow = summarize


def summarize(*arguments, **more):
    found = _narrow(*arguments, **more)
    known = {name: getattr(found, name) for name in ColumnSummary.__dataclass_fields__}
    return WiderSummary(**known, time_span=found.mjd_last - found.mjd_first)
"""

#: Run on the changed copy: stores two series, and tells where the new field and the new statistic are.
PROGRAM = """
import json, sys
from click.testing import CliRunner
from photseries import fields, parameters
from photseries.cli import main
from photseries.hdf5 import stored_file
from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.hats.layout import Layout
from photseries.server.http import server
from photseries.server.http.openapi.document import document
from photseries.server.http.pages import labels
from photseries.server.http.pages.find import FormInput
from photseries.server.services import open_services
from photseries.server.vo import conesearch
from photseries.server.vo.observations import Observation
from tools import tables

url, directory = sys.argv[1:]
catalogue = Catalogue(url, settings.DatabaseSettings())
migrations.upgrade(catalogue.engine)
catalogue.close()
config = settings.load(None, {}, {"database.url": url, "data.directory": directory})
told = {}
with open_services(config) as services:
    services.accounts.bootstrap(services.token_file)
    principal = services.accounts.authenticate(services.token_file.read_text().strip())
    services.accounts.create(OPERATOR, "sources", {"id": "star", "ra": 10, "dec": -20})
    services.accounts.create(OPERATOR, "instrument", {"name": "TESS", "id": 7})
    for name, pressure, last in (("low", "780.5", 59004.0), ("high", 1013.25, 59001.5)):
        services.archive.create(principal, {
            "obj_id": "star", "instrument_id": 7, "series_name": name, "series_obj_id": "1", "ra": 10.0, "dec": -20.0,
            "exp_time": 30.0, "filter": "ztfg", "air_pressure": pressure,
            "data": {"mjd": [59000.0, 59001.0, last], "flux": [9.0, 10.0, 11.0]},
        })

    def found(**arguments):
        query = parameters.parse({name: [text] for name, text in arguments.items()})
        return [one.fields["series_name"] for one in services.reader.find(principal, query)[0].records]

    told["criteria"] = [found(minAirPressure="900"), found(maxTimeSpan="2"), found(minTimeSpan="2")]
    told["sorted"] = [found(sortBy="air_pressure"), found(sortBy="time_span")]
    seen, content = services.reader.file(principal, services.reader.get(principal, 1))
    told["answer"] = {name: seen.fields[name] for name in ("air_pressure", "time_span")}
    stored = stored_file.decode(content).metadata
    told["file"] = [stored.get("air_pressure"), "time_span" in stored]
    told["page"] = [labels.field_rows(seen.fields, s) for s in (fields.Section.METADATA, fields.Section.STATISTIC)]
    with services.catalogue.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT air_pressure, time_span FROM photometric_series WHERE id = 1").one()
        told["columns"] = list(row)
    observation = Observation({**seen.fields, "separation": 0.0}, 1, {}, "http://service")
    told["vo"] = b"".join(conesearch.answer([observation], 3, 1, "http://service")).decode()
told["labels"] = [FormInput(known, [""], "").label for known in parameters.CRITERIA]
told["hats"] = {field.name: str(field.type) for field in Layout().schema()}
told["openapi"] = document(server.API, ["ztfg"])
told["docs"] = [tables.metadata(), tables.statistics(), tables.parameters(), tables.observations(), tables.fields()]
told["help"] = [CliRunner().invoke(main, [verb, "--help"]).output for verb in ("find", "upload")]
print(json.dumps(told, default=list))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package with a new field and a new statistic: two files are changed, and a migration is generated."""
    top = tmp_path_factory.mktemp("copy")
    for name in ("photseries", "migrations", "tools"):
        shutil.copytree(TOP / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    table = top / "photseries/fields/table.py"
    text = table.read_text("utf-8")
    for place, line in (('    _metadata("altdata",', FIELD), ('    _per_column("medians",', STATISTIC)):
        assert text.count(place) == 1
        text = text.replace(place, line.lstrip("\n") + place)
    table.write_text(text, "utf-8")
    with (top / "photseries/lightcurve/statistics.py").open("a") as function:
        function.write(FUNCTION)
    run(top, "tools/new_migration.py", "air pressure and time span")
    return top


def run(top, *words):
    environment = {**os.environ, "PYTHONPATH": str(top)}
    outcome = subprocess.run(
        [sys.executable, *words], cwd=top, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.fixture(scope="module")
def told(copy, server, tmp_path_factory):
    with database(server) as url:
        return json.loads(run(copy, "-c", PROGRAM, url, str(tmp_path_factory.mktemp("data"))))


def test_a_migration_is_generated(copy):
    new = {path.name for path in (copy / "migrations/versions").glob("*.py")}
    old = {path.name for path in (TOP / "migrations/versions").glob("*.py")}
    (name,) = new - old
    text = (copy / "migrations/versions" / name).read_text()
    added = [line.strip() for line in text.splitlines() if "op.add_column" in line]
    assert len(added) == 2
    assert '"air_pressure"' in text.replace("'", '"')
    assert '"time_span"' in text.replace("'", '"')


def test_a_new_field_is_stored_and_answered(told):
    assert told["columns"] == [780.5, 4.0]
    assert told["answer"] == {"air_pressure": 780.5, "time_span": 4.0}
    assert told["file"] == [780.5, False]


def test_a_new_field_has_criteria_and_sorts(told):
    assert told["criteria"] == [["high"], ["high"], ["low"]]
    assert told["sorted"] == [["low", "high"], ["high", "low"]]


def test_a_new_field_is_on_pages_and_on_the_command_line(told):
    metadata, statistics = told["page"]
    assert ["Air pressure", "780.5", "hPa"] in metadata
    assert ["Time span", "4.000", "d"] in statistics
    assert {"Air pressure at least", "Air pressure at most", "Time span at least"} <= set(told["labels"])
    find_help, upload_help = told["help"]
    assert "--min-air-pressure" in find_help
    assert "--max-time-span" in find_help
    assert "--air-pressure" in upload_help
    assert "time-span" not in upload_help


def test_a_new_field_is_in_the_openapi_document(told):
    schemas, parameters = (told["openapi"]["components"][name] for name in ("schemas", "parameters"))
    answered = schemas["Series"]["properties"]
    assert answered["air_pressure"] == {
        "type": ["number", "null"],
        "description": "air pressure at the telescope [hPa]",
    }
    assert answered["time_span"]["description"] == "mjd_last less mjd_first [d]"
    assert "air_pressure" in schemas["NewSeries"]["properties"]
    assert "time_span" not in schemas["NewSeries"]["properties"]
    assert "air_pressure" in schemas["PastSeries"]["properties"]
    assert "time_span" in schemas["Preview"]["properties"]["statistics"]["properties"]
    assert {"minAirPressure", "maxAirPressure", "minTimeSpan", "maxTimeSpan"} <= set(parameters)
    assert {"air_pressure", "time_span"} <= set(parameters["sortBy"]["schema"]["enum"])


def test_a_new_field_is_in_the_virtual_observatory_and_in_hats(told):
    for attributes in ('name="air_pressure"', 'unit="hPa"', 'ucd="phys.pressure"', 'name="time_span"'):
        assert attributes in told["vo"]
    assert "<TD>780.5</TD>" in told["vo"]
    assert told["hats"]["air_pressure"] == told["hats"]["time_span"] == "double"


def test_a_new_field_is_in_the_documents(told):
    metadata, statistics, parameters, observations, fields = told["docs"]
    assert "| `air_pressure` | air pressure at the telescope | hPa |  |" in metadata
    assert "| `time_span` | mjd_last less mjd_first | d |" in statistics
    assert "| `minAirPressure` | a finite number | Series whose air_pressure is at least this [hPa]. |" in parameters
    assert "| `time_span` | 3 | d | time.duration |" in observations
    assert "`air_pressure`" in fields
    assert "`time_span`" in fields


def test_the_statistics_are_those_that_are_computed():
    assert tuple(field.name for field in dataclasses.fields(ColumnSummary)) == STATISTICS


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_a_field_is_described(field):
    """Units and UCDs are those of the standards, as astropy knows them."""
    assert field.label[0].isupper()
    assert field.description
    assert not field.description.endswith(".")
    if field.unit is not None:
        astropy.units.Unit(field.unit, format="vounit")
    if field.ucd is not None:
        assert ucd.check_ucd(field.ucd, check_controlled_vocabulary=True)
    assert field.verbosity is None or field.ucd
    assert field.default is None or not field.values or field.default in field.values


def test_tables_show_known_fields():
    assert set(OVERVIEW) <= set(FIELDS)


def test_the_table_is_light():
    """The client wing reads it on every start."""
    heavy = ("numpy", "pandas", "marshmallow", "photseries.server", "photseries.lightcurve")
    program = f"import sys, photseries.fields.texts; sys.exit([name for name in {heavy} if name in sys.modules] or 0)"
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


#: What each use case requires, by hand: the permissions that may allow it.
USE_CASES = {
    Archive.create: {UPLOAD},
    Archive.preview: {UPLOAD},
    Archive.append: {UPLOAD, MANAGE},
    Archive.update: {UPLOAD, MANAGE},
    Archive.delete: {UPLOAD, MANAGE},
    Archive.purge: {UPLOAD, MANAGE},
    Restorer.restore: {UPLOAD, MANAGE},
    BatchUndo.undo: {UPLOAD, MANAGE},
    Accounts.create: {ADMIN},
    Accounts.create_source: {UPLOAD},
    Accounts.change: {ADMIN},
    Accounts.remove: {ADMIN},
    Accounts.get: set(),
    Accounts.find: set(),
}


@pytest.mark.parametrize(
    ("use_case", "permissions"), USE_CASES.items(), ids=lambda value: getattr(value, "__qualname__", "")
)
def test_use_case_declares_its_permissions(use_case, permissions):
    assert {grant.permission for grant in requirement_of(use_case).grants} == permissions


def test_a_use_case_refuses_by_itself(services, principal):
    """Without HTTP before it."""
    body = {
        "obj_id": "star", "instrument_id": 7, "series_name": "one", "series_obj_id": "1", "ra": 10.0, "dec": -20.0,
        "exp_time": 30.0, "filter": "ztfg", "group_ids": "all", "data": columns(),
    }  # fmt: skip
    archive, accounts = services.archive, services.accounts
    series = archive.create(principal, body).id
    other = accounts.create(principal, "users", {"username": "anna"})["id"]
    reader = dataclasses.replace(principal, user_id=other, permissions=frozenset())
    assert services.reader.get(reader, series)
    others = dataclasses.replace(reader, permissions=frozenset({UPLOAD}))
    for attempt in (
        lambda: archive.create(reader, body),
        lambda: archive.preview(reader, body),
        lambda: archive.update(reader, series, {"origin": "x"}),
        lambda: archive.delete(reader, series),
        lambda: archive.append(reader, series, {"data": columns()}),
        lambda: archive.update(others, series, {"origin": "x"}),
        lambda: archive.delete(others, series),
        lambda: accounts.create(others, "streams", {"name": "s"}),
        lambda: accounts.change(others, "groups", "1", {"name": "s"}),
        lambda: accounts.remove(others, "sources", "star"),
    ):
        with pytest.raises(ForbiddenError):
            attempt()
    archive.update(dataclasses.replace(reader, permissions=frozenset({MANAGE})), series, {"origin": "x"})
    with pytest.raises(ForbiddenError, match="'Upload data' for your own series, 'Manage photometry' for series that"):
        archive.delete(others, series)


def test_documents_list_required_permissions():
    paths = document(server.API, ["ztfg"])["paths"]
    series = paths["/api/photometric_series/{id}"]
    needs = "Needs `Upload data` for your own series, `Manage photometry` for series that you see, or `System admin`."
    assert series["patch"]["description"] == series["delete"]["description"] == needs
    assert paths["/api/photometric_series/{id}/append"]["post"]["description"] == needs
    assert paths["/api/photometric_series"]["post"]["description"] == "Needs the permission `Upload data`."
    assert paths["/api/sources"]["post"]["description"] == "Needs the permission `Upload data`."
    assert paths["/api/instrument"]["post"]["description"] == "Needs the permission `System admin`."
    assert series["get"]["description"] == "Needs any token."
    assert paths["/healthz"]["get"]["description"] == "Needs no token."
    (row,) = (line for line in tables.routes().splitlines() if line.startswith("| `DELETE /api/photometric_series/ID`"))
    assert needs.removeprefix("Needs ").removesuffix(".") in row


def test_documented_permissions_equal_the_code():
    history = document(server.API, ["ztfg"])["components"]["schemas"]["History"]
    actions = history["properties"]["history"]["items"]["properties"]["action"]["enum"]
    assert set(actions) == {"create", "update", "share", "delete", "restore", "import", "purge"}
