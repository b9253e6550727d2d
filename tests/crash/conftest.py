"""Kills, full disks and lost connections.

``make test`` runs a sample of the kill table, ``make crash`` (CRASH=all) all of it, and prints it.

Module
    ``place``: the data directory and database of ``service`` as an inspector sees them.
"""

import os

import pytest

from tests.crash.kills import OBJECT_POINTS, POINTS
from tests.crash.place import Place

ALL = os.environ.get("CRASH") == "all"


@pytest.fixture(scope="module")
def place(service, directory, database_url):
    with Place(directory, database_url) as inspected:
        yield inspected


def pytest_terminal_summary(terminalreporter):
    """Print the kill tables: a point a line, a verb a column."""
    if ALL:
        for name, points in {"killed": POINTS, "killed over object storage": OBJECT_POINTS}.items():
            write_table(terminalreporter, name, points)


def write_table(terminalreporter, property_name, table):
    outcomes = {
        tuple(value): "ok" if report.passed else "FAILED"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == property_name
    }
    if not outcomes:
        return
    points = list(dict.fromkeys(point for points in table.values() for point in points))
    width = max(map(len, points))
    terminalreporter.section(f"{property_name}, at a point, in a verb")
    terminalreporter.write_line(" " * width + "".join(f"  {verb:>9}" for verb in table))
    for point in points:
        cells = (outcomes.get((verb, point), "") for verb in table)
        line = "".join(f"  {cell:>{max(9, len(verb))}}" for cell, verb in zip(cells, table, strict=True))
        terminalreporter.write_line(f"{point:{width}}{line}")
    wrong = sum(outcome != "ok" for outcome in outcomes.values())
    terminalreporter.write_line(f"{len(outcomes)} kills, {wrong} wrong")
