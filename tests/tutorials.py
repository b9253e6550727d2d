"""Run the tutorials: every block, in order, in a fresh folder beside a fresh service.

A block ``python`` or ``sh`` is run; a block ``text`` after it is what it prints, where ``...`` stands for anything. A
picture that a tutorial shows from ``../pictures`` is a file that one of its blocks writes.

``python -m tests.tutorials [NAME ...]`` writes the text and the pictures anew.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.support import PATIENCE, TOP, RunningService

FOLDER = TOP / "docs/tutorials"
PICTURES = TOP / "docs/pictures"

_BLOCK = re.compile(r"(?:<!-- not run: (?P<why>.+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)

#: What separates the outputs of blocks.
_MARK = "\x1e"

#: Runs the blocks in one process, so that they share their names as the cells of a notebook do.
_PROGRAM = f"""
import json, subprocess, sys, warnings
warnings.simplefilter("error")
warnings.simplefilter("ignore", ResourceWarning)
names = {{"__name__": "__main__"}}
for language, code in json.load(open(sys.argv[1])):
    if language == "python":
        exec(compile(code, "tutorial", "exec"), names)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True)
    print(end={_MARK!r}, flush=True)
"""


class Block(NamedTuple):
    """A block that is run, what it should print, and where that stands in the page."""

    language: str
    code: str
    expected: str | None
    span: tuple[int, int]


def blocks_of(text: str) -> list[Block]:
    """List the blocks of a page that are run."""
    found = []
    matches = list(_BLOCK.finditer(text))
    for match, after in zip(matches, [*matches[1:], None], strict=True):
        if match["language"] in ("python", "sh") and match["why"] is None:
            shown = after is not None and after["language"] == "text"
            has_output = shown and not text[match.end() : after.start()].strip()
            expected, span = (after["code"], after.span("code")) if has_output else (None, (0, 0))
            found.append(Block(match["language"], match["code"], expected, span))
    return found


def run(page: Path, folder: Path) -> list[str]:
    """Run a page in a folder with a service on ``folder/data``; return what each block prints."""
    import json

    program, cells = folder / ".run.py", folder / ".cells.json"
    program.write_text(_PROGRAM)
    cells.write_text(json.dumps([block[:2] for block in blocks_of(page.read_text("utf-8"))]))
    with RunningService(folder / "data") as service:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "MPLBACKEND": "agg",
            "COLUMNS": "100",
            "PHOTSERIES_URL": service.url,
            "PHOTSERIES_TOKEN": service.token,
        }
        command = [sys.executable, str(program), str(cells)]
        outcome = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert outcome.returncode == 0, f"{page.name}\n{outcome.stdout[-2000:]}\n{outcome.stderr[-3000:]}"
    return outcome.stdout.replace(service.url, "http://127.0.0.1:5000").split(_MARK)[:-1]


def fits(expected: str, printed: str) -> bool:
    """Return whether an output matches the expected one, ignoring spaces and text at ``...``."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_TRUE_FOR_1
    return doctest.OutputChecker().check_output(expected, printed, flags)


def pictures_of(text: str) -> list[str]:
    """List the pictures that a page shows and makes."""
    return re.findall(r"!\[[^\]]+\]\(\.\./pictures/([\w.-]+)\)", text)


def write(page: Path) -> None:
    """Rewrite the outputs and pictures of a page, except for outputs that match already."""
    text = page.read_text("utf-8")
    with tempfile.TemporaryDirectory() as name:
        printed = run(page, Path(name))
        for block, output in reversed(list(zip(blocks_of(text), printed, strict=True))):
            if block.expected is not None and not fits(block.expected, output):
                start, stop = block.span
                text = text[:start] + "\n".join(line.rstrip() for line in output.splitlines()) + "\n" + text[stop:]
        page.write_text(text, "utf-8")
        for picture in pictures_of(text):
            shutil.copy(Path(name) / picture, PICTURES / picture)


if __name__ == "__main__":
    for one in sorted(FOLDER.glob("*.md")):
        if not sys.argv[1:] or one.stem in sys.argv[1:]:
            print(one.name)
            write(one)
