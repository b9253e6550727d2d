"""What each further series costs an export: calls of Python and statements, which tell more than time would."""

import sys

import pytest

from photseries.formats import EXPORTS
from photseries.lightcurve.selection import Selection
from photseries.parameters import Query, parse_list_request
from tests.server.statements import sent_statements
from tests.support import columns

BODY = {
    "obj_id": "star", "instrument_id": 7, "series_name": "night", "ra": 1, "dec": 2, "exp_time": 1, "filter": "ztfg",
}  # fmt: skip
FEW, MANY = 10, 50

#: Calls of functions of Python for a series. Measured: 102, of a list or of all.
MAX_CALLS = 130


@pytest.fixture
def ids(services, principal):
    data = columns(30)
    return [
        services.archive.create(principal, {**BODY, "series_obj_id": str(number), "data": data}).id
        for number in range(MANY)
    ]


def cost(services, act):
    """The calls of Python and the statements of something."""
    calls = 0

    def profile(_frame, kind, _argument):
        nonlocal calls
        calls += kind == "call"

    with sent_statements() as statements:
        sys.setprofile(profile)
        try:
            size = sum(map(len, act()))
        finally:
            sys.setprofile(None)
    assert size
    return calls, len(statements)


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_export_of_a_list_has_bounded_calls_and_statements(services, principal, ids, form):
    def export(number):
        asked = parse_list_request({"ids": ids[:number], "format": form}, tuple(EXPORTS))
        return lambda: services.exporter.answer(principal, asked)

    cost(services, export(MANY))  # learns the kind of file, and compiles the statements
    few, many = cost(services, export(FEW)), cost(services, export(MANY))
    assert (many[0] - few[0]) / (MANY - FEW) < MAX_CALLS
    assert many[1] == few[1] <= 6


@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_export_of_all_series_has_bounded_calls_and_statements(services, principal, ids, form):
    def export():
        return services.exporter.export(principal, Query(), EXPORTS[form], Selection())

    cost(services, export)
    many = cost(services, export)
    for number in ids[FEW:]:
        services.archive.delete(principal, number)
    few = cost(services, export)
    assert (many[0] - few[0]) / (MANY - FEW) < MAX_CALLS
    assert many[1] == few[1] <= 6
