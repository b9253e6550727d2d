"""Collect the problems of a request, so that one answer names all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from photseries.errors import InvalidError

__all__ = ["Problems"]


@dataclass
class Problems:
    """Collects the problems of a body."""

    errors: list[InvalidError] = field(default_factory=list)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch and keep an InvalidError."""
        try:
            yield
        except InvalidError as error:
            self.errors.append(error)

    def add(self, name: str, message: str) -> None:
        """Add the problem of one field."""
        self.errors.append(InvalidError.of_field(name, message))

    def raise_any(self) -> None:
        """Raise a single error as it is, and several as one."""
        if not self.errors:
            return
        if len(self.errors) == 1:
            raise self.errors[0]
        fields: dict[str, list[str]] = {}
        for error in self.errors:
            for name, texts in error.fields.items():
                fields.setdefault(name, []).extend(texts)
        raise InvalidError(". ".join(error.message.rstrip(". ") for error in self.errors) + ".", fields=fields)
