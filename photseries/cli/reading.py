"""Options of the commands that send tables: finding and reading files."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from photseries.cli.sections import CheckedParamType, option
from photseries.errors import InvalidError
from photseries.formats import READERS, TIME_FORMATS, ZERO_POINTS, ReadOptions
from photseries.formats.decoding import SUFFIXES
from photseries.formats.options import OPTIONS, SHARED
from photseries.formats.times import time_format

__all__ = ["found_files", "given_reading", "in_options", "reading_options"]


def _zero_point(text: str) -> float | str:
    """Read a number; the name of a published zero point or of a column stays."""
    try:
        return float(text)
    except ValueError:
        return text


def _time_format(text: str) -> str:
    """Refuse unknown time formats; a format may have an offset."""
    try:
        time_format(text)
    except InvalidError as error:
        raise ValueError(error.message) from error
    return text


_KINDS: Mapping[str, click.ParamType[object] | type] = {
    "format": click.Choice(list(READERS)),
    "time_format": CheckedParamType("format", _time_format),
    "zero_point": CheckedParamType("magnitude", _zero_point),
    "limit": click.Choice(("keep", "drop")),
}

#: The extensions of known formats.
_SUFFIXES = [suffix for one in READERS.values() for suffix in one.suffixes]

#: Continuations of the sentences about options.
_MORE: Mapping[str, str] = {
    "time_format": f": {', '.join(TIME_FORMATS)}, jd-2450000 and the like.",
    "zero_point": f", or {', '.join(ZERO_POINTS)}.",
}

_NAMED = re.compile(rf"(?<!\w)({'|'.join(name for name in (*OPTIONS, 'flux_unit') if '_' in name)})(?!\w)=?")
_PLAIN = re.compile(r"(?<=\()(names|where|table|limit|format)(?=\))|(?<![\w-])(where)(?==)")


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of :class:`~photseries.formats.ReadOptions` to a command."""
    for name, sentence in reversed(list(OPTIONS.items())):
        extra = {"multiple": True} if name == "where" else {}
        kind, help_text = _KINDS.get(name, str), f"{sentence}{_MORE.get(name, '')}"
        command = option("Reading", f"--{name.replace('_', '-')}", name, type=kind, help=help_text, **extra)(command)
    return command


def given_reading(options: dict[str, Any], *, reads: bool = True) -> ReadOptions:
    """Remove the read options from those of a command, and return them; ``reads``: whether it reads a table."""
    values = {name: options.pop(name) for name in OPTIONS}
    values |= {name: options.pop(name) for name in SHARED if options.get(name) is not None} if reads else {}
    options |= {name: None for name in SHARED if name not in options}
    return ReadOptions(**{name: value for name, value in values.items() if value not in (None, ())})


def in_options(text: str) -> str:
    """Write the options that a reader's message names as the command line has them: ``--time-col`` for ``time_col``."""
    dashed = _NAMED.sub(lambda match: f"--{match[0].replace('_', '-').replace('=', ' ')}", text)
    return _PLAIN.sub(lambda match: f"--{match[0]}", dashed).replace("--where=", "--where ")


def found_files(names: Iterable[str], any_ending: bool) -> list[Path]:
    """Return the files that match names, each once: names of files or folders (searched recursively), or patterns.

    Parameters
    ----------
    names : iterable of str
    any_ending : bool
        Whether to include every file of a folder, not only those with a known extension.

    Raises
    ------
    click.UsageError
        When a name matches no file.
    """
    files_by_path: dict[Path, None] = {}
    for name in names:
        paths = (
            [Path(name)]
            if name and Path(name).exists()
            else [Path(match) for match in sorted(glob.glob(name, recursive=True))]
        )
        files = [file for path in paths for file in (_files_in(path, any_ending) if path.is_dir() else [path])]
        if not files:
            problem = f"contains no file with a known extension ({' '.join(_SUFFIXES)}). Name the format with --format."
            raise click.UsageError(f"{name} {problem}" if paths else f"There is no file {name or repr(name)}.")
        files_by_path.update(dict.fromkeys(files))
    return list(files_by_path)


def _files_in(folder: Path, any_ending: bool) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        last = path.with_suffix("") if path.suffix in SUFFIXES else path
        if path.is_file() and not path.name.startswith(".") and (any_ending or last.suffix.lower() in _SUFFIXES):
            yield path
