"""Several services on one database and one object store, behind nginx.

``make test-scale`` (SCALE=all) runs what takes long. Programs of Debian that are missing are installed when that is
allowed; without them the tests are skipped, unless ``DEPLOY_TESTS=required`` (as in CI).
"""

import os

import pytest

from tests.debian import program

ALL = os.environ.get("SCALE") == "all"


@pytest.fixture(scope="session")
def nginx():
    return program("nginx", "nginx-light")


def pytest_terminal_summary(terminalreporter):
    """Print what clients saw through the balancer."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, lines in report.user_properties:
                if name == "seen":
                    terminalreporter.section("what clients saw through the balancer")
                    for line in lines:
                        terminalreporter.write_line(line)
