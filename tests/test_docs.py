"""The documents are true: their tables are made from the code, their examples run as they are written."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from photseries.server import settings
from tests.forked import ForkedService
from tests.support import PATIENCE, command
from tools import reference

TOP = Path(__file__).parent.parent
PAGES = [
    *TOP.glob("*.md"),
    *(TOP / "docs").glob("*.md"),
    *(TOP / "docs/tutorials").glob("*.md"),
    TOP / "changelog.d/README.md",
]

#: Pages that `make docs-site` generates.
GENERATED = {f"{name}.md" for name in reference.PAGES}

#: An example is up to nine commands, each a process of its own.
pytestmark = pytest.mark.timeout(5 * PATIENCE)


def blocks(page, language):
    text = (TOP / page).read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A service on a fresh data directory, and the environment that the README tells its reader to set."""
    with served(tmp_path_factory.mktemp("reader")) as reader:
        yield reader


@contextlib.contextmanager
def served(folder):
    """Run a service on a fresh data directory in a folder."""
    with ForkedService(folder / "data") as service:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        yield folder, {"PATH": path, "PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}


def run(command, reader):
    folder, environment = reader
    outcome = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_the_readme_runs_as_written_and_fits_a_screen(reader):
    assert len((TOP / "README.md").read_text("utf-8").splitlines()) <= 60
    (setup,) = blocks("README.md", "sh setup")
    make, export = setup.splitlines()
    assert make.startswith("make run ")
    assert export.startswith("export PHOTSERIES_URL=http://127.0.0.1:5000 PHOTSERIES_TOKEN=$(cat data/admin-token) ")
    assert settings.Config().server.port == 5000
    (python,) = blocks("README.md", "python")
    printed = run([sys.executable, "-W", "error", "-c", python], reader)
    assert re.search(r"1 +ztfr +400 +17\.\d+", printed)
    assert "[400 rows x 3 columns]" in printed


@pytest.mark.slow
def test_the_example_of_the_testing_page_runs(reader):
    (python, _) = blocks("docs/testing.md", "python")
    printed = run([sys.executable, "-c", python], reader)
    assert printed == "['Sample constant', 'Sample pulsating', 'Sample pulsating', 'Sample transit']\n"


#: The blocks that tests run, by page and language; the test of a page runs all that are not marked.
RUN = {
    "README.md": {"sh setup", "python"},
    "docs/bulk.md": {"python"},
    "docs/cli.md": {"sh"},
    "docs/client.md": {"python"},
    "docs/formats.md": {"python"},
    "docs/hats.md": {"python"},
    "docs/import.md": {"yaml"},
    "docs/many.md": {"python"},
    "docs/operation.md": {"sh", "sh backup database", "sh backup store", "sh restore"},
    "docs/testing.md": {"python"},
    "docs/variability.md": {"python"},
    "docs/vo.md": {"python", "sql"},
} | {f"docs/tutorials/{path.name}": {"python", "sh"} for path in (TOP / "docs/tutorials").glob("*.md")}


def test_a_block_is_run_or_marked_with_the_reason():
    for page in PAGES:
        name = str(page.relative_to(TOP))
        fences = re.findall(r"([^\n]*\n)^```([^`\n]*)\n.*?^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
        for before, language in fences:
            if language == "text" or language.startswith("{") or language in RUN.get(name, ()):
                continue
            assert re.fullmatch(r"<!-- not run: \S.* -->\n", before), f"{name}: a block {language!r} is not run"


def test_the_commands_of_the_operation_page_run(reader):
    commands = blocks("docs/operation.md", "sh")
    assert len(commands) == 2
    folder, _ = reader
    printed = []
    for line in "".join(commands).splitlines():
        name, *words = shlex.split(line)
        outcome = command(*words, cwd=folder)
        assert (name, outcome.exit_code) == ("photseries", 0), (line, outcome.output)
        printed.append(outcome.stdout)
    assert "token=" in "".join(printed)
    assert "damaged=0" in printed[-1]


@pytest.mark.slow
def test_the_night_of_the_bulk_page_is_stored(reader):
    (python,) = blocks("docs/bulk.md", "python")
    printed = run([sys.executable, "-c", python], reader)
    assert "2000 series stored" in printed
    variable = re.findall(r"'star (\d+)'", printed)
    assert len(variable) == 10
    assert all(int(number) % 100 == 0 for number in variable)


def test_the_tables_are_made_from_the_code():
    outcome = subprocess.run([sys.executable, TOP / "tools" / "tables.py", "--check"], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr


def test_links_have_targets():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            is_generated = Path(target).parent.name == "reference" and Path(target).name in GENERATED
            assert target.startswith("https://") or is_generated or (page.parent / target).exists(), (page, target)


def test_tests_that_the_documents_name_exist():
    text = "".join(page.read_text("utf-8") for page in (TOP / "docs").glob("*.md"))
    named = re.findall(r"\[(test_\w+)\]\(\.\./(tests/[^)]+)\)", text)
    assert len(named) > 40
    for name, module in named:
        assert f"def {name}(" in (TOP / module).read_text("utf-8"), (name, module)


def test_every_one_of_the_peers_wrong_results_has_its_line():
    lines = re.findall(r"^\| ([0-9, ]+) \|", (TOP / "docs/compatibility.md").read_text("utf-8"), re.MULTILINE)
    numbers = sorted(int(number) for line in lines for number in line.split(","))
    assert numbers == list(range(1, 32))


def test_every_make_verb_of_the_documents_exists():
    makefile = (TOP / "Makefile").read_text()
    for page in PAGES:
        for verb in re.findall(r"(?:^|`)\s*make ([a-z-]+)", page.read_text("utf-8"), re.MULTILINE):
            assert f"\n{verb}:" in makefile, (page, verb)


@pytest.mark.slow
def test_the_example_of_variable_stars_finds_them(tmp_path):
    (python,) = blocks("docs/variability.md", "python")
    with served(tmp_path) as reader:  # a separate service, because the README stores a variable star, too
        printed = run([sys.executable, "-W", "error", "-c", python], reader).splitlines()
    assert sorted(line.split()[0] for line in printed[1:]) == ["0", "1", "2", "3", "4"]


@pytest.mark.slow
def test_the_night_of_many_stars(reader):
    """With fewer stars than the page has."""
    (python,) = blocks("docs/many.md", "python")
    assert "STARS, ASKED = 2_000, 500\n" in python
    python = python.replace("2_000, 500", "96, 88").replace("% 40", "% 8")
    printed = run([sys.executable, "-W", "error", "-c", python], reader).splitlines()
    assert printed[0] == f"88 series; missing: {[f'ghost {number}' for number in range(5)]}"
    found = {int(word) for word in printed[1].removeprefix("most variable: ").replace("star ", "").split()}
    assert len(found) == 10
    assert all(number % 8 == 0 for number in found)
    assert (reader[0] / "variable.png").read_bytes()[:4] == b"\x89PNG"
