"""Files written by the service: their metadata, and the column notes that make round trips lossless.

Formats may have fewer types or characters, or no missing text. Readers that do not know a note see the column as the
format represents it; :func:`restored` restores the stored column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.fields import IN_FILE
from photseries.formats.columns import Array, OutputColumn
from photseries.formats.options import invalid
from photseries.hdf5.limits import Limits
from photseries.hdf5.metadata import from_json
from photseries.lightcurve.table import BRIGHTNESS, TIME, first_present

__all__ = [
    "Note",
    "column_notes",
    "distinct",
    "fields_in",
    "is_stored",
    "names_series",
    "note_of_text",
    "noted_texts",
    "notes_in",
    "restored",
]

#: Fields that every file of the service has, and hardly any other file.
_ALWAYS: Final = ("obj_id", "instrument_id", "series_name", "series_obj_id")
_OWNER: Final = "owner_id"

#: The keys of a note on a column: ``name`` and ``type`` if the format changes them, ``index`` for the index,
#: ``escaped`` for text written as in a Python literal, ``missing`` if empty text stands for null.
Note = dict[str, Any]

#: Represents empty text if empty stands for null; it is escaped, so no text of a series contains this character.
_EMPTY: Final = "\0"

_NUMBERS: Final = {
    np.dtype(code).name for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
}
_NANOSECONDS: Final = 10**9  # in a second


def names_series(metadata: Mapping[str, object]) -> bool:
    """Return whether metadata describe a series, and not something else with some of the keys."""
    return all(metadata.get(name) is not None for name in _ALWAYS)


def is_stored(file_metadata: Mapping[str, object], frame: pd.DataFrame) -> bool:
    """Return whether the service stored a table (only it writes an owner); its columns then have their final names.

    A file of a pipeline may have all other fields, and call its errors ``flux_err``.
    """
    has_columns = all(first_present(frame, names) is not None for names in (TIME, BRIGHTNESS))
    return has_columns and names_series(file_metadata) and _OWNER in file_metadata


def fields_in(document: str | bytes | Mapping[str, object] | None) -> dict[str, object]:
    """Return the fields of a series from JSON or a mapping in a file of the service.

    Raises
    ------
    UnreadableFileError
        When the text is not a JSON object.
    """
    if document is None:
        return {}
    fields = document if isinstance(document, Mapping) else _object(document)
    return {name: value for name, value in fields.items() if name in IN_FILE and value is not None}


def notes_in(document: str | bytes | None) -> dict[str, Note]:
    """Return the notes from JSON in a file of the service, by the names of columns in the file.

    Raises
    ------
    InvalidError
        When they are not notes.
    UnreadableFileError
        When the text is not a JSON object.
    """
    notes = {} if document is None else _object(document)
    if not all(isinstance(note, dict) for note in notes.values()):
        raise invalid("its descriptions of columns are damaged")
    return notes


def column_notes(
    columns: Sequence[OutputColumn], names: Sequence[str], lost: Callable[[OutputColumn], Note]
) -> dict[str, Note]:
    """Return notes on what a format cannot express.

    Parameters
    ----------
    names : sequence of str
        Their names in the file, all different.
    lost : callable
        Returns the note about the values of a column; empty if nothing is lost.

    Returns
    -------
    dict
        By name in the file. Columns that lose nothing are left out.
    """
    notes = {name: _note(column, name, lost(column)) for column, name in zip(columns, names, strict=True)}
    return {name: note for name, note in notes.items() if note}


def _note(column: OutputColumn, name: str, lost: Note) -> Note:
    if column.index is not None:
        return {"index": True, "name": column.index.name, **lost}
    return lost if name == column.name else {"name": column.name, **lost}


def distinct(names: Iterable[str], normalise: Callable[[str], str] = str) -> list[str]:
    """Make names distinct: append ``_`` to repeated names.

    Parameters
    ----------
    normalise : callable
        Two names are the same in the format when this maps them to one text.
    """
    unique: dict[str, str] = {}
    latest: dict[str, str] = {}  # so that many equal names do not repeat the search
    for name in names:
        plain = name or "_"
        free = latest.get(plain, plain)
        while normalise(free) in unique:
            free += "_"
        latest[plain] = unique[normalise(free)] = free
    return list(unique.values())


def note_of_text(values: Array, changed: re.Pattern[str] | None = None) -> Note:
    """Return the note on text for a format without null.

    Parameters
    ----------
    values : ndarray of object, shape (n,)
        Text, None where it is missing.
    changed : pattern, optional
        Matches texts that the format changes.
    """
    texts = [text for text in values.tolist() if text is not None]
    has_null = len(texts) < len(values)
    is_escaped = (has_null and "" in texts) or (changed is not None and any(map(changed.search, texts)))
    return {word: True for word, holds in (("escaped", is_escaped), ("missing", has_null)) if holds}


def noted_texts(values: Array, note: Note) -> list[str]:
    """Return texts as written, given the note on their column.

    Escaped texts are written as in a Python literal, including their trailing spaces.
    """
    texts = ["" if text is None else text for text in values.tolist()]
    if "escaped" not in note:
        return texts
    if "missing" in note:
        texts = [_EMPTY if text == "" else text or "" for text in values.tolist()]
    return [_escaped(text) for text in texts]


def _escaped(text: str) -> str:
    plain = text.rstrip(" ")
    return plain.encode("unicode_escape").decode("ascii") + r"\x20" * (len(text) - len(plain))


def restored(frame: pd.DataFrame, notes: Mapping[str, Note]) -> pd.DataFrame:
    """Restore a stored table from its representation in a format and the notes.

    Columns that were removed or changed since are left unchanged.

    Raises
    ------
    ValueError
        When a note is damaged.
    """
    here = {name: note for name, note in notes.items() if name in frame.columns}
    if not here:
        return frame
    frame = frame.assign(**{name: _values(frame[name], note) for name, note in here.items()})
    for name in [name for name, note in here.items() if note.get("index") is True][:1]:
        frame = frame.set_index(name).rename_axis(here.pop(name).get("name"))
    return frame.rename(
        columns={name: note["name"] for name, note in here.items() if isinstance(note.get("name"), str)}
    )


def _values(column: pd.Series, note: Note) -> npt.NDArray[np.generic]:
    values = column.to_numpy()
    if values.dtype.kind == "O":
        texts = [text if isinstance(text, str) else None for text in values.tolist()]
        if note.get("escaped") is True:
            texts = [None if text is None else text.encode().decode("unicode_escape") for text in texts]
        if note.get("missing") is True:
            texts = [text or None for text in texts]
        values = np.array(["" if text == _EMPTY else text for text in texts], object)
    return _restore_type(values, note.get("type"))


def _restore_type(values: npt.NDArray[np.generic], name: object) -> npt.NDArray[np.generic]:
    """Cast values to their stored type, unless they no longer fit."""
    kind = values.dtype.kind
    if name == "datetime64[ns]" and kind == "O":
        return np.array(["NaT" if text is None else text for text in values.tolist()], "M8[ns]")
    if name == "timedelta64[ns]" and kind == "f":
        is_finite = np.isfinite(values)
        fraction, seconds = np.modf(np.where(is_finite, values, 0))  # their product has more digits than a float
        counts = seconds.astype(np.int64) * _NANOSECONDS + np.rint(fraction * _NANOSECONDS).astype(np.int64)
        return np.where(is_finite, counts.view("m8[ns]"), np.timedelta64("NaT", "ns"))
    if name == "uint64" and kind == "O":
        return np.array([int(text) for text in values.tolist()], np.uint64)
    if name in _NUMBERS and kind in "biuf":
        with np.errstate(all="ignore"):
            cast = values.astype(name)
            return cast if np.array_equal(cast.astype(values.dtype), values, equal_nan=kind == "f") else values
    return values


def _object(document: str | bytes) -> dict[str, Any]:
    return from_json(document.encode() if isinstance(document, str) else document, Limits())
