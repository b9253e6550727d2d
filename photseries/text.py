"""Valid text in names, queries and metadata, and the texts that messages share."""

from __future__ import annotations

import difflib
import functools
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote

__all__ = [
    "closest_names",
    "escape_unprintable",
    "file_name",
    "file_stem",
    "first_names",
    "is_unicode",
    "new_batch",
    "one_line",
    "some_of",
    "suggestion",
]

#: Maximum number of a client's names in a message, and their maximum length [characters].
_MAX_NAMES, _MAX_NAME_LENGTH = 10, 60

#: Maximum length of a file name without its suffix; file systems allow 255 bytes.
_MAX_STEM_LENGTH = 200


def is_unicode(text: str) -> bool:
    """Return whether a text can be encoded as UTF-8; JSON and Python allow unpaired surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str) -> str:
    """Escape and truncate an untrusted text for a line of the log."""
    return quote(text[:200], safe="/:@+,&=-._~")


def escape_unprintable(text: str) -> str:
    """Return a text with backslash escapes for unprintable characters, line ends included."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def file_stem(fields: Mapping[str, object]) -> str:
    """Return the name of a file of a series without its suffix: the source, the filter, the series and its id."""
    return "_".join(str(fields[field]) for field in ("obj_id", "filter", "series_name", "id"))


def file_name(fields: Mapping[str, object], suffix: str) -> str:
    """Return the name of a file of a series, in the letters that file systems and headers allow.

    Parameters
    ----------
    fields : mapping
        With ``obj_id``, ``filter``, ``series_name`` and ``id``.
    suffix : str
        With its dot.
    """
    stem = re.sub(r"[^A-Za-z0-9.+-]+", "_", file_stem(fields)).rstrip("_.")
    return f"{stem[-_MAX_STEM_LENGTH:].lstrip('_.-')}{suffix}"  # a leading - would be an option of a command


def new_batch() -> str:
    """Return a name for an upload run that no other run has: the time (UTC) and a random part."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def first_names(names: Sequence[str]) -> list[str]:
    """Return the first 10 names, each cut to 60 characters."""
    return [name[:_MAX_NAME_LENGTH] for name in names[:_MAX_NAMES]]


def suggestion(name: str, candidates: Iterable[str]) -> str:
    """Return " Did you mean NAME?" with the closest known name, or an empty text if none is close."""
    close = closest_names(name, candidates, 1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def closest_names(name: str, candidates: Iterable[str], number: int, *, cutoff: float = 0.0) -> list[str]:
    """Return the known names that are closest to a name, in any case, the closest first."""
    return [*_closest_names(name.lower()[:_MAX_NAME_LENGTH], tuple(candidates), number, cutoff)]


@functools.lru_cache(256)  # takes milliseconds, and many series have the same mistake
def _closest_names(name: str, candidates: tuple[str, ...], number: int, cutoff: float) -> tuple[str, ...]:
    spellings = {spelling.lower(): spelling for spelling in candidates}
    return tuple(spellings[spelling] for spelling in difflib.get_close_matches(name, spellings, number, cutoff))


def some_of(names: Sequence[str]) -> str:
    """List names in a message; of many, the first ten and their number."""
    listed = ", ".join(first_names(names))
    return listed if len(names) <= _MAX_NAMES else f"{listed}, ... ({len(names)} in all)"
