"""Building blocks of a VOTable: escaped elements, and the start and end of the document."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

from photseries.formats.own_files import distinct

__all__ = ["DECLARATION", "FOOT", "HEAD", "clean", "document", "element", "escaped", "field", "identities", "param"]

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
HEAD: Final = (
    f'{DECLARATION}<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
)
FOOT: Final = "</VOTABLE>\n"

#: Characters that XML cannot represent, not even as entities.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_.-]")

#: Characters to escape.
_SPECIAL: Final = re.compile(f"[&<>\"'\t\n\r]|{_NO_XML.pattern}")


def clean(text: str) -> str:
    """Replace characters that XML cannot represent by U+FFFD."""
    return _NO_XML.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Escape a text; characters that XML cannot represent become U+FFFD."""
    if _SPECIAL.search(text) is None:
        return text
    plain = html.escape(clean(text))
    return plain.replace("\n", "&#10;").replace("\r", "&#13;").replace("\t", "&#9;")


def element(tag: str, content: str | None = None, /, **attributes: object) -> str:
    """Write an element; omit attributes that are None, and strip a trailing ``_`` from attribute names.

    Parameters
    ----------
    content : str, optional
        XML.
    **attributes
        Their values are escaped.
    """
    written = "".join(
        f' {key.rstrip("_")}="{escaped(str(value))}"' for key, value in attributes.items() if value is not None
    )
    return f"<{tag}{written}/>\n" if content is None else f"<{tag}{written}>{content}</{tag}>\n"


def document(tag: str, content: str, /, **attributes: object) -> str:
    """Write a document of one element; see :func:`element`."""
    return DECLARATION + element(tag, content, **attributes)


def identities(names: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Return a unique XML name for each column, its own name if valid, because readers use it as the name.

    Parameters
    ----------
    names : iterable of str
        Of the columns.
    taken : iterable of str
        The XML names of other elements.
    """
    reserved = list(taken)
    valid = (_NO_NAME.sub("_", name) for name in names)
    return distinct([*reserved, *(name if name[:1].isalpha() else f"_{name}" for name in valid)])[len(reserved) :]


def field(words: str | None = None, /, **attributes: object) -> str:
    """Write a FIELD with a description."""
    return _with_description("FIELD", words, attributes)


def param(value: str | int | float, words: str | None = None, /, **attributes: object) -> str:
    """Write a PARAM with a description and the type of its value."""
    if isinstance(value, str):
        kind = {"datatype": "char" if value.isascii() else "unicodeChar", "arraysize": "*"}
    else:
        kind = {"datatype": "double" if isinstance(value, float) else "long"}
    return _with_description("PARAM", words, {**attributes, **kind, "value": value})


def _with_description(tag: str, words: str | None, attributes: dict[str, object]) -> str:
    content = None if words is None else f"<DESCRIPTION>{escaped(words)}</DESCRIPTION>"
    return element(tag, content, **attributes)
