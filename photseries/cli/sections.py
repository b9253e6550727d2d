"""Options that belong to a section of the help, and values that are checked before a command runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["CheckedParamType", "SectionedCommand", "option"]


class CheckedParamType(click.ParamType[object]):
    """A parameter parsed by a function, whose ValueError describes the problem.

    Parameters
    ----------
    name : str
        The name of the value in the help.
    read : callable
    """

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Read a text."""
        try:
            return self._read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Option(click.Option):
    """An option that knows the section of the help it belongs to."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help lists the options by section, in the order of their first options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by section; options without a section come last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        other_options = sections.pop("Options", [])
        for title, records in (*sections.items(), ("Options", other_options)):
            with formatter.section(title):
                formatter.write_dl(records)


def option(section: str, *names: str, **about: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add an option to a command, in a section of its help; the rest as :func:`click.option`."""
    return click.option(*names, cls=_Option, section=section, **about)
