"""What counts as text everywhere: in names, queries, metadata and columns."""

from __future__ import annotations

__all__ = ["is_unicode"]


def is_unicode(text: str) -> bool:
    """Tell whether a text can be written as UTF-8: JSON and Python let halves of surrogate pairs stand alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
