"""Text tables: CSV and similar with pandas; IPAC, CDS, AAS and fixed-width tables with astropy.

Separator and header line are detected from the content. A row whose number of cells differs from the number of names is
refused with its line number, because the missing cell is unknown.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.extras import needs
from photseries.formats.astropy_tables import table_of
from photseries.formats.decoding import decode_text
from photseries.formats.limits import number_of
from photseries.formats.numpy_types import EXACT
from photseries.formats.options import MAX_COLUMNS, ReadOptions, invalid, list_names, names_of, numbered
from photseries.formats.reading import Table
from photseries.formats.roles import usual_time
from photseries.formats.units import known_unit
from photseries.lightcurve.table import is_text

__all__ = ["looks_like_text", "read"]

#: Before pandas 3.1 decimals are exact only with this option.
_EXACT: Final[dict[str, Any]] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)

#: Missing values in addition to those of pandas.
_NULLS: Final = ("INDEF", "na", "Null", "none", "NONE", "-", "--", "---", "...", "*", "masked", "nodata")

_NUMBER: Final = re.compile(r"[<>]?=?[+-]?(\d+(?:[.,]\d*)?|[.,]\d+)([eEdD][+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_DECIMAL_POINT: Final = re.compile(r"[+-]?\d*\.\d+")
#: The first line of some Excel files, which states the separator.
_EXCELS: Final = re.compile(r"sep=(.)", re.IGNORECASE)
#: A cell of a line below the names that is not a value: dashes, or a type of RDB such as 10N.
_DASHES: Final = re.compile(r"(?=.*--)[-=+|:]+|\d*[NS]")
_OPENED: Final = re.compile(r'(?:^|[,;|\t]) *"')
_SPACES: Final = r"\s+"
#: Possible separators, the least ambiguous first.
_SEPARATORS: Final = ("\t", ";", ",", "|", _SPACES)
_COMMENT: Final = re.compile(r"\s*(?:[#@%!\\]|//)")
#: The cells of columns without a unit in a separate line of units, in lower case.
_NO_UNIT: Final = ("", "-", "--", "none")
#: The cells of such a line, beside units of fluxes, which include s, d and deg.
_UNITS: Final = (
    *_NO_UNIT, "days", "hours", "minutes", "sec", "seconds", "jd", "mjd", "bjd", "hjd", "btjd", "mag",
    "mmag", "jy", "mjy", "ujy", "µjy", "njy", "e-/s", "hourangle",
)  # fmt: skip
#: An observation record of the Minor Planet Center: the date is in columns 16 to 32.
_MPC: Final = re.compile(r".{15}\d{4} \d\d \d\d\.\d{1,6} *[-+\d ]{12}")
#: The line with the column names of a SNANA file.
_SNANA: Final = re.compile(r"VAR(?:LIST|NAMES):")
#: The columns of an ALCDEF file, and its delimiters.
_ALCDEF: Final = ("JD", "MAG", "MAGERR", "MAGBAND", "MTYPE", "OBJECTNAME")
_DELIMITERS: Final = {"TAB": "\t", "COMMA": ",", "SEMICOLON": ";", "PIPE": "|"}
_SAMPLE: Final = 50  # rows sampled to detect the separator
_MAX_LINE: Final = 2**20  # [characters]; a longer line is not a row of a table
_MAX_LINES: Final = 10_000  # in a quoted cell
#: The beginning of a JSON document with columns or rows.
_JSON: Final = re.compile(r"\s*(?:\{|\[\s*[\[{])")


class _Line(NamedTuple):
    number: int
    text: str


def looks_like_text(content: bytes) -> bool:
    """Return whether the beginning of a file may be a text table."""
    start = content[:1024]
    return bool(start.strip()) and (b"\0" not in start or start[:2] in (b"\xff\xfe", b"\xfe\xff"))


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of text.

    Raises
    ------
    InvalidError
        When there is no table or header line, or a row has more or fewer cells than names; the message has the line.
    """
    text, warnings = decode_text(content)
    layout = _known_layout(text)
    if layout is not None:
        needs("astropy")
        return _read_with_astropy(text, layout, warnings)
    comments, rows = _comments_and_rows(text)
    header = {**_keywords(comments), "COMMENTS": "\n".join(line.text for line in comments)}
    rows, keys = _read_alcdef(rows) if rows[0].text.strip() == "STARTMETADATA" else _read_snana(rows)
    header |= keys
    if keys.get("LTCAPP", "NONE") != "NONE":
        warnings = (*warnings, "The times are corrected for the light time from the asteroid (LTCAPP).")
    separator_line = _EXCELS.fullmatch(rows[0].text.strip())
    if separator_line is not None and len(rows) > 1:
        rows, header["DELIM"] = rows[1:], separator_line[1]
    separator = _separator(rows, names_of(options.names), header.get("DELIM"))
    first = _split(rows[:1], separator)[0]
    names, rows = _column_names(rows, comments, first, separator, options)
    rows, units = _without_units(rows, names, separator)
    if not rows:
        raise invalid("The table has no rows.")
    units = units or _units_above(rows, comments, names, separator)
    names, width = _require_even_rows(names, rows, separator)
    frame = _parsed(names, width, rows, separator)
    return Table(frame=frame, header=header, units=units, warnings=warnings, uses=("names",) if options.names else ())


def _comments_and_rows(text: str) -> tuple[list[_Line], list[_Line]]:
    """Separate the comments of a file from its other lines; refuse files without a table."""
    if _JSON.match(text):
        raise invalid("it is JSON, which is not read from a file: upload its columns as a dict, or convert it to CSV.")
    comments: list[_Line] = []
    rows: list[_Line] = []
    is_comment = _COMMENT.match
    for line in _lines(text):
        (comments if is_comment(line.text) else rows).append(line)
    if not rows:
        raise invalid("there is no table in it: no line has cells.")
    longest = max(rows[: _SAMPLE + 1], key=lambda line: len(line.text))
    if len(longest.text) > _MAX_LINE:
        raise invalid(f"line {longest.number} has {len(longest.text):,} characters, so it is not a row of a table.")
    if _MPC.match(rows[0].text):
        raise invalid("its lines are records of the MPC in 80 columns, which are not read: convert them to ADES (PSV).")
    return comments, rows


def _lines(text: str) -> Iterator[_Line]:
    """Yield the non-empty lines; a quoted cell may contain line breaks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if '"' not in text:  # the loop below takes twice as long
        yield from (_Line(number, line) for number, line in enumerate(lines, 1) if line and not line.isspace())
        return
    waiting: list[str] = []
    first = 0
    for number, line in enumerate(lines, 1):
        is_odd = '"' in line and line.count('"') % 2 == 1
        if waiting:
            if len(waiting) > _MAX_LINES:
                break
            waiting.append(line)
            if is_odd:
                yield _Line(first, "\n".join(waiting))
                waiting = []
        elif is_odd and _OPENED.search(line) and not _COMMENT.match(line):
            waiting, first = [line], number
        elif line and not line.isspace():
            yield _Line(number, line)
    if waiting:
        raise invalid(f"line {first} has a quote that is not closed.")


def _known_layout(text: str) -> str | None:
    """Return astropy's format for a layout without separators."""
    if "\nByte-by-byte Description of file" in text:
        sections = re.split(r"\n(?:---|===)", text.partition("\nByte-by-byte Description of file")[2], maxsplit=3)
        if len(sections) > 2 and sections[2].count("\n") > MAX_COLUMNS:  # quadratic in astropy
            raise invalid(f"the description of its columns has more than {MAX_COLUMNS:,} lines.")
        return "ascii.cds"
    lines = [line for line in islice(text.splitlines(), 2000) if line.strip() and line[0] not in "\\#"]
    bars = [line.lstrip().startswith("|") for line in lines[:5]]
    if not bars or not bars[0]:
        return None
    return "ascii.ipac" if len(bars) > 1 and bars[1] and not bars[-1] else "ascii.fixed_width"


def _require_aligned(text: str) -> None:
    """Refuse rows whose cells are not aligned with the bars of the header: they would be truncated."""
    lines = [_Line(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] not in "\\#"]
    bars = [position for position, letter in enumerate(lines[0].text) if letter == "|"]
    for line in lines:
        here = {line.text[position : position + 1] for position in bars}
        if not here <= {"|", ""} and not here <= {" ", ""}:
            raise invalid(f"the cells of line {line.number} are not aligned with the bars of the header.")


def _read_with_astropy(text: str, form: str, warnings: tuple[str, ...]) -> Table:
    from astropy.io.ascii import InconsistentTableError
    from astropy.table import Table as AstropyTable

    if form != "ascii.cds":
        _require_aligned(text)
    try:
        table = AstropyTable.read(text.splitlines(), format=form, guess=False)
    except (InconsistentTableError, ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise invalid(f"its table of the layout {form.removeprefix('ascii.')} is damaged: {error}") from error
    header = _keywords(_Line(0, line) for line in text.splitlines() if line[:1] == "\\")
    return table_of(table, header=header, warnings=warnings)


def _keywords(comments: Iterable[_Line]) -> dict[str, str]:
    r"""Return the keywords of comments: ``#KEY=VALUE``, ``# KEY: VALUE``, ``@KEY value`` and ``\KEY='VALUE'``."""
    matches = (re.match(r"\s*(?:[#\\]\s*(\w+)\s*[=:]|@(\w+)\s)(.*)", line.text) for line in comments)
    return {(match[1] or match[2]).upper(): match[3].strip().strip("'\"") for match in matches if match}


def _read_snana(rows: list[_Line]) -> tuple[list[_Line], dict[str, str]]:
    """Return the names and rows of a SNANA file, and its keywords; other lines unchanged."""
    if not any(map(_SNANA.match, (line.text for line in rows))):
        return rows, {}
    parts = [(line.text.partition(":")[0].strip(), line) for line in rows]
    inside = ("VARLIST", "VARNAMES", "OBS")
    table = [_Line(line.number, line.text.partition(":")[2].strip()) for key, line in parts if key in inside]
    return table, {key: line.text.partition(":")[2].strip() for key, line in parts if key not in inside}


def _read_alcdef(rows: list[_Line]) -> tuple[list[_Line], dict[str, str]]:
    """Return the data of an ALCDEF file with the band, type and object of each block, and the keywords."""
    keys: dict[str, str] = {}
    corrected: dict[str, str] = {}
    table = [_Line(rows[0].number, "\t".join(_ALCDEF))]
    for line in rows:
        key, _, value = (part.strip() for part in line.text.partition("="))
        if key == "DATA":
            is_apparent = keys.get("DIFFERMAGS", "FALSE") == "FALSE" and keys.get("REDUCEDMAGS", "NONE") == "NONE"
            block = (keys.get("MAGBAND", ""), "STD" if is_apparent else "DIF", keys.get("OBJECTNAME", ""))
            cells = [*value.split(_DELIMITERS.get(keys.get("DELIMITER", ""), "|")), "", ""][:3]
            table.append(_Line(line.number, "\t".join([*cells, *block])))
        elif key == "STARTMETADATA":
            keys = {}
        elif key.isupper():
            keys[key] = value
            if key == "LTCAPP" and value != "NONE":
                corrected = {key: value}
    return table, {**keys, **corrected, "DELIM": "tab"}


def _separator(rows: Sequence[_Line], names: Sequence[str], stated: str | None) -> str:
    """Detect the separator: it gives the sampled rows as many cells as their first line, or as names."""
    words = {"comma": ",", "tab": "\t", "semicolon": ";", "space": _SPACES}
    if stated is not None and (stated_separator := words.get(stated.lower(), stated)) in _SEPARATORS:
        return stated_separator
    sample = rows[: _SAMPLE + 1]
    best, best_score = _SPACES, 0.0
    for separator in _SEPARATORS:
        try:
            counts = [len(cells) for cells in _split(sample, separator)]
        except InvalidError:  # a line break in a cell that is quoted with another separator
            continue
        row_counts = counts[1:] or counts
        named = len(names) or counts[0]
        column_count = named if named in row_counts else max(set(row_counts), key=row_counts.count)
        if column_count < 2:
            continue
        score = row_counts.count(column_count) / len(row_counts) + (named == column_count)
        if score > best_score:
            best, best_score = separator, score
    return best


def _split(lines: Iterable[_Line], separator: str) -> list[list[str]]:
    """Split lines into cells without surrounding spaces; quoted cells may contain separators."""
    texts = (line.text for line in lines)
    if separator == _SPACES:
        reader = csv.reader((text.replace("\t", " ").strip() for text in texts), delimiter=" ", skipinitialspace=True)
    else:
        reader = csv.reader(texts, delimiter=separator, skipinitialspace=separator != "\t")
    try:
        return [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise invalid(f"its cells cannot be separated: {error}.") from error


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _column_names(
    rows: list[_Line], comments: list[_Line], first: list[str], separator: str, options: ReadOptions
) -> tuple[list[str], list[_Line]]:
    """Return the names of the columns, and the rows below them."""
    is_header = not any(map(_is_number, first))
    if options.names:
        return names_of(options.names), rows[1:] if is_header else rows
    if is_header:
        return _without_commas(first), rows[1:]
    counts: list[int] = []
    units: list[str] | None = None
    for cells in _cells_above(rows[0], comments, separator):
        counts.append(len(cells))
        if len(cells) == len(first) and not any(map(_is_number, cells)):
            if _are_names(cells, units):
                return cells, rows
            units = units or cells
    if units is not None:
        return units, rows
    last = f", and the comment before it {counts[0]}" if counts else ""
    raise invalid(
        f"no line names its columns: line {rows[0].number} has {len(first)} cells{last}. Give their names (names)."
    )


def _are_names(cells: list[str], units: list[str] | None) -> bool:
    """Return whether cells are names, and not units or a title above them; JD and mag may be both."""
    if all(map(_is_unit, cells)):
        return usual_time(cells) is not None and "mag" in map(str.lower, cells) and len(set(cells)) == len(cells)
    return units is None or usual_time(cells) is not None or usual_time(units) is None


def _cells_above(row: _Line, comments: Sequence[_Line], separator: str) -> Iterator[list[str]]:
    """Yield the cells of the comments above a row, as each possible separator splits them; the last comment first."""
    for line in reversed(comments):
        if line.number < row.number and len(line.text) <= _MAX_LINE:
            bare = _Line(line.number, line.text.strip().lstrip("#%!/@ ").strip())
            for split_at in dict.fromkeys((separator, ",", _SPACES)):
                with contextlib.suppress(InvalidError):  # a cell that is too long for the csv module
                    yield _without_commas(*(_split([bare], split_at) or [[]]))


def _units_above(rows: list[_Line], comments: list[_Line], names: Sequence[str], separator: str) -> dict[str, str]:
    """Return the units in a comment that has one for each column."""
    for cells in islice(_cells_above(rows[0], comments, separator), _SAMPLE):
        lower = [cell.lower() for cell in cells]
        is_other = lower != [name.lower() for name in names] and not {*lower} <= {*_NO_UNIT}
        if is_other and len(cells) == len(names) and all(map(_is_unit, cells)):
            return {name: unit for name, cell in zip(names, cells, strict=True) if (unit := cell.strip("()[]"))}
    return {}


def _without_commas(names: list[str]) -> list[str]:
    """Return space-separated names without trailing commas."""
    commas = len(names) > 1 and all(name.endswith(",") for name in names[:-1])
    return [name.rstrip(",") for name in names] if commas else names


def _without_units(rows: list[_Line], names: Sequence[str], separator: str) -> tuple[list[_Line], dict[str, str]]:
    """Remove lines of units and dashes above the rows."""
    top = _split(rows[:4], separator)
    dashes = next((n for n, cells in enumerate(top) if _are_dashes(cells)), -1)
    is_units = bool(top) and len(top[0]) == len(names) and all(map(_is_unit, top[0]))
    written = [column for column, cell in enumerate(top[0] if top else ()) if cell.strip("-")]
    below = [cell for cells in top[1:] for n, cell in enumerate(cells) if n in written and cell not in _NULLS]
    if any(cell[:1].isalpha() for cell in below) and not any(map(_is_number, below)):
        is_units = False  # such as the band g, in a row without values
    units = {}
    if top and len(top[0]) == len(names) and (dashes > 0 or is_units):
        units = {name: unit.strip("()[]") for name, unit in zip(names, top[0], strict=True) if unit}
    return rows[max(dashes, 0 if is_units else -1) + 1 :], units


def _is_unit(cell: str) -> bool:
    text = cell.strip("()[]")
    return text.lower() in _UNITS or known_unit(text.lower()) is not None or known_unit(text) is not None


def _are_dashes(cells: list[str]) -> bool:
    """Return whether a line is a rule of dashes; a column of one character has one dash."""
    long = [cell for cell in cells if cell != "-"]
    return bool(long) and all(map(_DASHES.fullmatch, long))


def _require_even_rows(names: list[str], rows: list[_Line], separator: str) -> tuple[list[str], int]:
    """Refuse rows with more or fewer cells than names; return the names, and the maximum number of cells.

    Trailing empty cells do not count.
    """
    counts = _counts(rows, separator)
    if len(counts) != len(rows):
        raise invalid("its cells cannot be separated: a quote is not closed.")
    if names and not names[-1] and len(names) - 1 in counts:  # the header has a trailing separator, the rows have none
        names = names[:-1]
    many = len(names)
    for line, count in zip(rows, counts, strict=True):
        if count != many and (count < many or separator == _SPACES or any(_split([line], separator)[0][many:])):
            raise invalid(f"line {line.number} has {count} cells, but there are {many} names: {list_names(names)}.")
    return numbered(names), max(counts)


def _counts(rows: Sequence[_Line], separator: str) -> list[int]:
    """Return the number of cells of each row."""
    if any('"' in line.text for line in rows):
        return [len(cells) for cells in _split(rows, separator)]
    if separator == _SPACES:
        return [len(line.text.split()) for line in rows]
    return [line.text.count(separator) + 1 for line in rows]


def _parsed(names: list[str], width: int, rows: list[_Line], separator: str) -> pd.DataFrame:
    sample = [cell for cells in _split(rows[:_SAMPLE], separator) for cell in cells]
    has_points = any(map(_DECIMAL_POINT.fullmatch, sample))
    commas = [] if has_points else list(filter(_DECIMAL_COMMA.fullmatch, sample))
    decimal = "," if commas else "."
    if commas and separator == "," and all(map(_THOUSANDS.fullmatch, commas)):
        raise invalid(f"the comma in {commas[0]!r:.40} may separate thousands or decimals: write numbers without it.")
    text = "\n".join(line.text.strip() if separator == _SPACES else line.text for line in rows)
    frame = _read_with_pandas(text, names, width, separator, decimal)
    if len(frame) != len(rows):
        raise invalid(f"its {len(rows):,} rows cannot be separated: {len(frame):,} were read.")
    changed = {
        str(name): plain
        for name, column in frame.items()
        if is_text(column) and (plain := _cells(column, decimal)) is not column
    }
    frame = frame.assign(**changed) if changed else frame
    rounded = [str(name) for name, column in frame.items() if _may_be_rounded(column)]
    if rounded:
        cells = _read_with_pandas(text, names, width, separator, decimal, dtype=str)
        frame = frame.assign(**{name: _integers(cells[name], frame[name]) for name in rounded})
    return frame


def _read_with_pandas(
    text: str, names: list[str], width: int, separator: str, decimal: str, dtype: type[str] | None = None
) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        names=[*names, *(f"beyond {n}" for n in range(width - len(names)))],
        usecols=range(len(names)),
        header=None,
        index_col=False,
        skipinitialspace=True,
        na_values=list(_NULLS),
        decimal=decimal,
        low_memory=False,
        **_EXACT,
        dtype=dtype,
    )
    return frame


def _cells(column: pd.Series, decimal: str) -> pd.Series:
    """Strip text; if all of it is numbers, write decimal points and parse Fortran's exponents, as in 0.59D+05."""
    given = column.tolist()  # much faster than the methods of pandas in a table with many columns
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in given]
    numbers = [cell for cell in cells if isinstance(cell, str) and _is_number(cell)]
    if numbers and len(numbers) == column.count():
        if decimal == ",":
            cells = [cell.replace(",", ".") if isinstance(cell, str) else cell for cell in cells]
        text = "".join(numbers)
        if "d" in text.lower() and not any(mark in text for mark in "<>="):
            return pd.Series([number_of(cell) if isinstance(cell, str) else np.nan for cell in cells])
    return column if cells == given else pd.Series(cells, dtype=column.dtype)


def _may_be_rounded(column: pd.Series) -> bool:
    """Return whether these may have been written as integers: where a cell is empty, pandas reads them as float64."""
    return column.dtype == np.float64 and bool(column.isna().any() and (column.abs() >= EXACT).any())


def _integers(cells: pd.Series, numbers: pd.Series) -> pd.Series:
    """Convert cells to integers and null, unless some were not written as integers."""
    present = cells.notna()
    if not cells[present].str.fullmatch("[+-]?[0-9]+").all():
        return numbers
    return pd.Series(
        pd.array([int(cell) if has_value else None for cell, has_value in zip(cells, present, strict=True)], "Int64")
    )
