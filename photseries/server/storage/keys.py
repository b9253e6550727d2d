"""The keys of blobs: readable, unique for any name of a series, and safe as paths."""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata

__all__ = ["MARK", "PARTIAL", "check_key", "check_listed", "new_key"]

SUFFIX = ".h5"
PARTIAL = ".partial"  # the folder of what is in the making, and of probes; no key can begin with it
MARK = ".photseries-mark"  # where the mark of a place is; no key either
LONGEST_KEY = 200  # [bytes]
LONGEST_SEGMENT = 100  # [bytes]
LONGEST_FOLDERS = LONGEST_KEY - LONGEST_SEGMENT - 1  # [bytes]
LONGEST_PART = 40  # [bytes]

# Folders have no dot and files have one, so no blob can stand where another one's folder has to be.
_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*", re.ASCII)
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+-]*(\.[A-Za-z0-9_+-]+)+", re.ASCII)
_PARTIAL_NAME = re.compile(r"[0-9a-f]{32}")
_COMBINING = re.compile(r"[\u0300-\u036f]")


def new_key(
    series_name: str,
    series_obj_id: str,
    instrument_id: int,
    filter: str,
    channel: str | None,
    origin: str | None,
) -> str:
    """Make a key that was never used before.

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
        between slashes. The names are shortened and simplified for the eye; the random tail tells series apart.
    """
    folders = ""
    for name in series_name.split("/"):
        folder = _slug(name, dots=False)
        if folder and len(folders) + len(folder) + 1 <= LONGEST_FOLDERS:
            folders += f"{folder}/"
    parts = [series_obj_id, f"inst{instrument_id}", filter, channel or "", origin or ""]
    tail = f"_{secrets.token_hex(8)}{SUFFIX}"
    slugs = [_slug(part, dots=True) for part in parts]
    stem = "_".join(slug for slug in slugs if slug)
    return f"{folders or 'series/'}{stem[: LONGEST_SEGMENT - len(tail)]}{tail}"


def check_key(key: str) -> tuple[list[str], str]:
    """Split a key into its folders and its file name.

    Raises
    ------
    ValueError
        When it is no key: it might lead out of the store, or to a file that is not ours.
    """
    *folders, name = key.split("/")
    if len(key) > LONGEST_KEY or not all(map(_FOLDER.fullmatch, folders)) or not _FILE.fullmatch(name):
        raise ValueError(f"{key!r} is not a key of the store")
    return folders, name


def check_listed(key: str) -> tuple[list[str], str]:
    """Split a key, or the name of a left-over, into its folders and its file name.

    Raises
    ------
    ValueError
        When it is neither.
    """
    folder, _, name = key.partition("/")
    if folder == PARTIAL and _PARTIAL_NAME.fullmatch(name):
        return [folder], name
    return check_key(key)


@functools.lru_cache(maxsize=256)
def _slug(text: str, *, dots: bool) -> str:
    """Keep the letters and digits of a text that file names can have anywhere; accents go, the rest becomes ``_``."""
    plain = _COMBINING.sub("", unicodedata.normalize("NFKD", text))
    allowed = re.sub(r"[^A-Za-z0-9.+-]+" if dots else r"[^A-Za-z0-9+-]+", "_", plain)
    return re.sub(r"\.{2,}", ".", allowed).strip("._+-")[:LONGEST_PART].rstrip("._+-")
