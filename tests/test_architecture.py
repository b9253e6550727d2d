"""The house stays the house: imports go downwards, facts stand once."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from tornado.web import RequestHandler

from photseries import __version__
from photseries.server import principal
from photseries.server.http.server import ROUTES

TOP = Path(__file__).parent.parent
MODULES = sorted((TOP / "photseries").rglob("*.py"))


def test_imports_go_downwards():
    command = [str(Path(sys.executable).parent / "lint-imports")]
    outcome = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=100)
    assert outcome.returncode == 0, outcome.stdout


def imported(module):
    tree = ast.parse(module.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_only_the_plain_reader_and_the_writers_import_h5py():
    using = {module.name for module in MODULES if "h5py" in {name.split(".")[0] for name in imported(module)}}
    assert using == {"plain_hdf5.py", "write_hdf5.py", "outline.py", "other_layouts.py"}


def test_nobody_unpickles_or_opens_files_with_pandas():
    for module in MODULES:
        tree = ast.parse(module.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & {
            "pickle.loads",
            "pickle.load",
            "pd.read_hdf",
            "pandas.read_hdf",
            "tables.open_file",
            "pd.read_pickle",
        }
        assert "pickle" not in set(imported(module))


def test_every_route_says_what_it_needs():
    for path, handler, _ in cast("list[Any]", ROUTES):
        assert handler.needs, path
        defined = {name.upper() for name in vars(handler) if name.upper() in handler.SUPPORTED_METHODS}
        assert defined <= set(handler.needs), path
        assert all(getattr(handler, verb.lower()) is not RequestHandler.get for verb in handler.needs), path
        for requirement in handler.needs.values():
            grants = () if requirement is None else requirement.grants
            assert {grant.permission for grant in grants} <= set(principal.PERMISSIONS)


def test_the_version_stands_in_the_project_too():
    assert f'version = "{__version__}"' in (TOP / "pyproject.toml").read_text()
