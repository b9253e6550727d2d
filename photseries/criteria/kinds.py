"""The kinds of values that query parameters have: each is read from text in one place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["INTEGERS", "POSITIVE", "TEXT", "TEXTS", "Kind", "choice"]

LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Kind:
    """A kind of value: what it is called in messages, and how it is read from text.

    ``read`` raises ValueError on a text that is not of the kind.
    """

    name: str
    read: Callable[[str], Any]


def _text(text: str) -> str:
    if not text or len(text) > LONGEST_TEXT or "\0" in text:
        raise ValueError
    return text


def _texts(text: str) -> tuple[str, ...]:
    return tuple(_text(part.strip()) for part in _text(text).split(","))


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def _integers(text: str) -> tuple[int, ...]:
    return tuple(_integer(part.strip()) for part in text.split(","))


def _positive(text: str) -> int:
    number = _integer(text)
    if number < 1:
        raise ValueError
    return number


def choice(*choices: str) -> Kind:
    """Make the kind of a value that is one of some texts."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Kind(f"one of {', '.join(choices)}", read)


TEXT = Kind(f"a text of 1 to {LONGEST_TEXT} characters", _text)
TEXTS = Kind("a text, or several with commas between", _texts)
INTEGERS = Kind("an integer, or several with commas between", _integers)
POSITIVE = Kind("an integer of at least 1", _positive)
