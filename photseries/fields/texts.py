"""Fields given as text: in a query, a form, on the command line, or in a file name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import orjson

from photseries.errors import InvalidError
from photseries.fields.table import FIELDS, IN_FILE, METADATA, SETTABLE
from photseries.fields.values import MAX_IDS

__all__ = ["Template", "fields_of_texts", "without_ignored"]


def fields_of_texts(texts: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Parse fields of a query or a form: a value of a type other than text is parsed as JSON.

    Parameters
    ----------
    texts : mapping of str to sequence of str
        Several values are a list.

    Returns
    -------
    dict
        Not checked yet.
    """
    return {
        name: [_value(text) for text in values] if len(values) > 1 else _parse_field(name, values[0])
        for name, values in texts.items()
        if values
    }


def without_ignored(file_metadata: Mapping[str, object]) -> dict[str, object]:
    """Drop the keys that the service writes into the metadata of a file and that no client can set."""
    return {key: value for key, value in file_metadata.items() if key in METADATA or key not in IN_FILE}


class Template:
    """A pattern of file names with fields in braces, as in ``{series_obj_id}_{filter}.csv``; ``{}`` is anything.

    A separator of two fields matches as late as possible: the filter of ``a_b_g.csv`` is ``g``.

    Parameters
    ----------
    template : str

    Raises
    ------
    InvalidError
        When the template contains an unknown or repeated field.
    """

    def __init__(self, template: str) -> None:
        self.template = template
        parts = re.split(r"\{(\w*)\}", template)
        for name in parts[1::2]:
            if name and name not in SETTABLE:
                raise InvalidError(f"{name!r} is not one of {', '.join(SETTABLE)}.")
        named = [f"(?P<{part}>.+)" if part else ".*" for part in parts[1::2]]
        literal = [re.escape(part) for part in parts[::2]]
        try:
            self._pattern = re.compile("".join(a + b for a, b in zip(literal, [*named, ""], strict=True)))
        except re.error as error:
            raise InvalidError(f"{error}.") from None

    def fields(self, name: str) -> dict[str, str]:
        """Read the fields from a name.

        Raises
        ------
        InvalidError
            When the name does not match.
        """
        match = self._pattern.fullmatch(name)
        if match is None:
            raise InvalidError(f"The name {name} does not fit {self.template}.")
        return match.groupdict()


def _parse_field(name: str, text: str) -> object:
    field = FIELDS.get(name)
    if field is not None and field.is_text:
        return text
    if field is not None and field.type == "ids" and "," in text and not text.startswith("["):
        return [_value(part) for part in text.split(",", MAX_IDS)]  # one more than the limit is enough to refuse it
    return _value(text)


def _value(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
