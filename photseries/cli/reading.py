"""How files are found and read: the options of the commands that send tables."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from photseries.cli.sections import option
from photseries.formats import READERS, TIME_FORMATS, ZERO_POINTS, ReadOptions

__all__ = ["found_files", "given_reading", "in_options", "reading_options"]

_FORMATS = click.Choice(list(READERS))


class _ZeroPoint(click.ParamType[float | str]):
    """A number, or the name of a published zero point."""

    name = "magnitude"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Read a number; a name stays."""
        try:
            return value if value in ZERO_POINTS else float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor one of {', '.join(ZERO_POINTS)}.", param, ctx)


_OPTIONS: Mapping[str, tuple[click.ParamType[Any] | type, str]] = {
    "format": (_FORMATS, "The format of the files, instead of the one that their names tell."),
    "time_col": (str, "The column with the times."),
    "flux_col": (str, "The column with the fluxes."),
    "fluxerr_col": (str, "The column with their errors."),
    "mag_col": (str, "The column with the magnitudes."),
    "magerr_col": (str, "The column with their errors."),
    "time_format": (click.Choice(list(TIME_FORMATS)), "How the times are written."),
    "zero_point": (
        _ZeroPoint(),
        f"The AB magnitude of one unit of flux, which becomes uJy by it; or {', '.join(ZERO_POINTS)}, as published.",
    ),
}


_NAMED = re.compile(rf"(?<!\w)({'|'.join(name for name in _OPTIONS if '_' in name)})(?!\w)")


def reading_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :class:`~photseries.formats.ReadOptions`."""
    for name, (kind, sentence) in reversed(list(_OPTIONS.items())):
        command = option("Reading", f"--{name.replace('_', '-')}", name, type=kind, help=sentence)(command)
    return command


def given_reading(options: dict[str, Any]) -> ReadOptions:
    """Take the options of reading out of the options of a command."""
    return ReadOptions(**{name: options.pop(name) for name in _OPTIONS})


def in_options(text: str) -> str:
    """Write the options that a reader's message names as the command line has them: ``--time-col`` for ``time_col``."""
    return _NAMED.sub(lambda found: f"--{found[0].replace('_', '-')}", text)


def found_files(names: Iterable[str], any_ending: bool) -> list[Path]:
    """Find the files that names stand for: files, patterns, and folders with all that they hold.

    Parameters
    ----------
    names : iterable of str
    any_ending : bool
        Whether every file of a folder counts, and not only those whose names tell a format.

    Returns
    -------
    list of Path
        Each once.

    Raises
    ------
    click.UsageError
        When one of the names stands for no file.
    """
    found: dict[Path, None] = {}
    for name in names:
        paths = [Path(name)] if Path(name).exists() else [Path(one) for one in sorted(glob.glob(name, recursive=True))]
        files = [file for path in paths for file in (_within(path, any_ending) if path.is_dir() else [path])]
        if not files:
            raise click.UsageError(_nothing(name, paths))
        found.update(dict.fromkeys(files))
    return list(found)


def _within(folder: Path, any_ending: bool) -> Iterator[Path]:
    endings = {suffix for one in READERS.values() for suffix in one.suffixes}
    for path in sorted(folder.rglob("*")):
        last = path.with_suffix("") if path.suffix == ".gz" else path
        if path.is_file() and not path.name.startswith(".") and (any_ending or last.suffix.lower() in endings):
            yield path


def _nothing(name: str, paths: list[Path]) -> str:
    if not paths:
        return f"There is no file {name}."
    known = " ".join(suffix for one in READERS.values() for suffix in one.suffixes)
    return f"{name} holds no file whose name tells a format ({known}); --format names it."
