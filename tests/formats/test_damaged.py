"""Damaged files of every format are read, or refused in one line that begins with their names."""

import itertools
import json
import os
import random
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photseries.errors import InvalidError
from photseries.formats import FORMATS, READERS, ReadOptions, read_bytes
from photseries.formats.inspection import describe
from photseries.formats.reading import Table
from tests.formats.test_reading import write
from tests.support import DATA

FRAME = pd.DataFrame({"mjd": 59000 + np.arange(6.0), "flux": [1.5, np.nan, 3, 4, 5, 6], "note": list("abcdef")})
METADATA = {"obj_id": "star", "filter": "ztfg", "altdata": {"a": [1, None]}, "time_scale": "tdb", "flux_unit": "uJy"}
#: What the parsers of these formats give a meaning to.
TOKENS = (
    b"\n", b"\r", b"\0", b"\xff", b":", b"- ", b"{", b"[", b'"', b"'", b"#", b"!!python/name:os.system ", b"!!float x",
    b"&a ", b"*a ", b"<", b"</TABLE>", b"&#0;", b"nan", b"1e999", b"9" * 30, b"END", b"=", b"/", b" ", b",", b"~",
)  # fmt: skip
MUTATIONS = 150
#: How long each format is tried: ``make fuzz MINUTES=1`` takes a minute for each.
SECONDS = 60 * float(os.environ.get("FUZZ_MINUTES", "0"))

CASES = json.loads((DATA / "cases/cases.json").read_text())


def seeds(known, path):
    """Good files of a format with their options: of its writer, and those of the cases."""
    write(known.name, path)
    yield path.read_bytes(), {}
    if known.writer is not None:
        yield known.write(FRAME, METADATA), {}
    names = {field.name for field in fields(ReadOptions)}
    for case in CASES:
        if Path(case["file"]).suffix in known.suffixes:
            given = {name.replace("-", "_"): value for name, value in case["options"].items()}
            options = {name: value for name, value in given.items() if name in names}
            yield (DATA / "cases" / case["file"]).read_bytes(), options


def damaged(content, draw):
    """Change a few places of a file."""
    content = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 5))):
        at, size = draw.randrange(len(content) + 1), draw.choice((1, 1, 4, 20, 200))
        match draw.randrange(5):
            case 0:
                del content[at : at + size]
            case 1:
                content[at:at] = draw.choice(TOKENS)
            case 2:
                content[at : at + size] = draw.randbytes(min(size, 4))
            case 3:
                content[at : at + size] = content[(start := draw.randrange(len(content) + 1)) : start + size]
            case _:
                content[at : at + 1] = bytes([content[at] ^ 1 << draw.randrange(8)]) if at < len(content) else b""
    return bytes(content)


@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize("known", READERS.values(), ids=lambda known: known.name)
def test_a_damaged_file_is_read_or_refused_in_one_line(known, tmp_path):
    valid = list(seeds(known, tmp_path / "file"))
    draw = random.Random(known.name if not SECONDS else None)  # noqa: S311
    messages = []
    end = time.monotonic() + SECONDS
    for number in itertools.count():
        if number >= MUTATIONS and time.monotonic() >= end:
            break
        content, options = valid[number % len(valid)]
        try:
            for one in read_bytes(damaged(content, draw), "curve.x", ReadOptions(**{**options, "format": known.name})):
                describe(one)
        except InvalidError as error:
            messages.append(error.message)
    assert len(messages) > MUTATIONS / 10
    assert [text for text in messages if not (text.startswith("curve.x") and text.isprintable())] == []


ECSV = b"# %%ECSV 1.0\n# ---\n%b# schema: astropy-2.0\nmjd flux\n59000.5 1.5\n"
COLUMNS = b"# datatype:\n# - {name: mjd, datatype: float64}\n# - {name: flux, datatype: %b}\n"


@pytest.mark.parametrize(
    "head",
    [
        b"# datatype: [\n",
        b"# datatype: {a: b: c}\n",
        b"# datatype: 5\n",
        b"# - x\n",
        b"# datatype: !!python/name:os.system\n",
        COLUMNS % b"float64" + b"# meta: !!omap\n# - __serialized_columns__: 5\n",
        COLUMNS % b"[]",
        COLUMNS % b"float64, meta: x",
        COLUMNS % b"string, subtype: 'float64[2'",
    ],
)
def test_ecsv_with_a_damaged_header(head):
    with pytest.raises(InvalidError, match=r"^curve\.ecsv") as caught:
        read_bytes(ECSV % head, "curve.ecsv", ReadOptions())
    assert caught.value.message.isprintable()


def test_parser_warnings_become_warnings_of_the_reading():
    def read(content, options):
        warnings.warn("the parser\nhas doubts", UserWarning, stacklevel=1)
        return Table(frame=FRAME, warnings=("before",))

    known = replace(FORMATS["csv"], reader=replace(FORMATS["csv"].reader, read=read))
    assert known.read(b"", ReadOptions()).warnings == ("before", "the parser")


def test_warnings_of_files_that_are_read_at_the_same_time():
    """The filters of warnings are the process's: a thread that restored them early took the warnings of another."""
    known = replace(FORMATS["csv"], reader=replace(FORMATS["csv"].reader, read=warn_of_own_content))
    before, show = list(warnings.filters), warnings.showwarning
    with ThreadPoolExecutor(8) as threads:
        readings = list(threads.map(lambda number: known.read(b"%d" % number, ReadOptions()), range(32)))
    assert [reading.warnings for reading in readings] == [(str(number),) for number in range(32)]
    assert (warnings.filters, warnings.showwarning) == (before, show)


def warn_of_own_content(content, options):
    time.sleep(0.002)
    warnings.warn(content.decode(), UserWarning, stacklevel=1)
    return Table(frame=FRAME)
