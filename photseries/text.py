"""What counts as text everywhere: in names, queries, metadata and columns."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["is_unicode", "one_line"]


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: JSON and Python let halves of surrogate pairs stand alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str) -> str:
    """Make a text that a client chose fit for a line of the log: no spaces, nothing unprintable, not endless."""
    return quote(text[:200], safe="/:@+,=-._~")
