"""Fields that stand in the names of files, as in ``{series_obj_id}_{filter}.csv``."""

from __future__ import annotations

import re

from photseries.errors import InvalidError
from photseries.schemas.metadata import METADATA, SHARING

__all__ = ["Template"]

_FIELDS = (*METADATA, *SHARING)


class Template:
    """A pattern of names with fields in braces; ``{}`` is anything.

    What separates two fields is taken as late as possible: of ``a_b_g.csv`` the filter is ``g``.

    Parameters
    ----------
    template : str

    Raises
    ------
    InvalidError
        When the template names something that is no field, or a field twice.
    """

    def __init__(self, template: str) -> None:
        self.template = template
        parts = re.split(r"\{(\w*)\}", template)
        for name in parts[1::2]:
            if name and name not in _FIELDS:
                raise InvalidError(f"{name!r} is none of {', '.join(_FIELDS)}.")
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
            When the name does not fit.
        """
        found = self._pattern.fullmatch(name)
        if found is None:
            raise InvalidError(f"The name {name} does not fit {self.template}.")
        return found.groupdict()
