"""The keys of blobs: readable, unique for any name of a series, and safe as paths."""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata

__all__ = ["MARK", "PARTIAL", "check_key", "check_listed", "new_key"]

SUFFIX = ".h5"
PARTIAL = ".partial"  # the folder of partial files and probes; no key can begin with it
MARK = ".photseries-mark"  # the name of the mark of a place; no key either
MAX_KEY_LENGTH = 200  # [bytes]
MAX_SEGMENT_LENGTH = 100  # [bytes]
MAX_FOLDERS_LENGTH = MAX_KEY_LENGTH - MAX_SEGMENT_LENGTH - 1  # [bytes]
MAX_PART_LENGTH = 40  # [bytes]

# Folders have no dot and files have one, so a blob cannot have the path of another blob's folder.
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*(\.[A-Za-z0-9_+-]+)+", re.ASCII)
_PARTIAL_NAME = re.compile(r"[0-9a-f]{32}")
_COMBINING = re.compile(r"[\u0300-\u036f]")


def new_key(
    series_name: str, series_obj_id: str, instrument_id: int, filter: str, channel: str | None, origin: str | None
) -> str:
    """Return a new, unique key.

    Parameters
    ----------
    series_name : str
        ``/`` makes folders.
    series_obj_id, filter : str
    instrument_id : int
    channel, origin : str or None

    Returns
    -------
    str
        For example ``tess/sector_5/TIC_12345_inst1_tess-red_1f0c9e7a5b3d2846.h5``: at most 200 ASCII characters, 100
        between slashes. The names are shortened and simplified for readability; the random suffix makes the key unique.
    """
    folders = ""
    for name in series_name.split("/"):
        folder = _slug(name, dots=False)
        if folder and len(folders) + len(folder) + 1 <= MAX_FOLDERS_LENGTH:
            folders += f"{folder}/"
    parts = [series_obj_id, f"inst{instrument_id}", filter, channel or "", origin or ""]
    tail = f"_{secrets.token_hex(8)}{SUFFIX}"
    slugs = [_slug(part, dots=True) for part in parts]
    stem = "_".join(slug for slug in slugs if slug)
    return f"{folders or 'series/'}{stem[: MAX_SEGMENT_LENGTH - len(tail)]}{tail}"


def check_key(key: str) -> tuple[list[str], str]:
    """Split a key into its folders and its file name.

    Raises
    ------
    ValueError
        When it is not a key: it could name a path outside the store, or a foreign file.
    """
    *folders, name = key.split("/")
    if len(key) > MAX_KEY_LENGTH or not all(map(_FOLDER.fullmatch, folders)) or not _FILE.fullmatch(name):
        raise ValueError(f"{key!r} is not a key of the store")
    return folders, name


def check_listed(key: str) -> tuple[list[str], str]:
    """Split a key, or the name of a left-over, into its folders and its file name.

    Raises
    ------
    ValueError
        When it is neither a key nor a left-over.
    """
    folder, _, name = key.partition("/")
    if folder == PARTIAL and _PARTIAL_NAME.fullmatch(name):
        return [folder], name
    return check_key(key)


@functools.lru_cache(maxsize=256)
def _slug(text: str, *, dots: bool) -> str:
    """Keep the ASCII letters and digits of a text; strip accents and replace the rest by ``_``."""
    plain = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
    allowed = re.sub(r"[^A-Za-z0-9.+-]+" if dots else r"[^A-Za-z0-9+-]+", "_", plain)
    return re.sub(r"\.{2,}", ".", allowed).strip("._+-")[:MAX_PART_LENGTH].rstrip("._+-")
