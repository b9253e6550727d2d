"""Load the settings from YAML and the environment, and show the effective ones."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from photseries.errors import StartError
from photseries.server.settings.sections import Config

__all__ = ["load", "public_settings"]

PREFIX = "PHOTSERIES_"


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Config:
    """Read the settings.

    Parameters
    ----------
    path : Path or None
        A YAML file of sections; None for the defaults.
    environ : mapping
        The environment; only names that start with ``PHOTSERIES_`` and contain ``__`` are used.
    overrides : mapping, optional
        ``{"section.key": value}`` from the command line, which override both.

    Returns
    -------
    Config

    Raises
    ------
    StartError
        When the file cannot be read, a key is unknown, or a value does not fit; the message names it.
    """
    document = _document(path)
    values = {
        f"{section}.{key}": value
        for section, block in document.items()
        for key, value in _block(section, block).items()
    }
    for name, text in environ.items():
        if name.startswith(PREFIX) and "__" in name:
            values[name.removeprefix(PREFIX).lower().replace("__", ".", 1)] = _scalar(name, text)
    values.update(overrides or {})

    types_ = {
        f"{section.name}.{key.name}": hint
        for section in dataclasses.fields(Config)
        for key, hint in _typed_fields(_section_class(section.name))
    }
    sections: dict[str, dict[str, object]] = {section.name: {} for section in dataclasses.fields(Config)}
    for name, value in values.items():
        if name not in types_:
            raise StartError(f"Unknown setting {name!r}.{_suggestion(name, types_)}")
        section, key = name.split(".", 1)
        sections[section][key] = _cast(name, value, types_[name])
    return Config(**{section: _section_class(section)(**block) for section, block in sections.items()})


def public_settings(config: Config) -> dict[str, dict[str, object]]:
    """Return the effective settings as plain values, secrets hidden."""
    return {
        section.name: {
            key.name: "***" if key.metadata.get("secret") and value is not None else value
            for key in dataclasses.fields(_section_class(section.name))
            for setting in [getattr(getattr(config, section.name), key.name)]
            for value in [list(setting) if isinstance(setting, tuple) else setting]
        }
        for section in dataclasses.fields(Config)
    }


def _document(path: Path | None) -> Mapping[str, object]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise StartError(f"Cannot read the configuration {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise StartError(f"The configuration {path} is not UTF-8 text.") from error
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise StartError(f"The configuration {path} is not YAML{line}: {problem or error}.") from error
    if not isinstance(document, Mapping | None):
        raise StartError(f"The configuration {path} must be a mapping of sections.")
    return document or {}


def _block(section: str, block: object) -> Mapping[str, object]:
    names = [field.name for field in dataclasses.fields(Config)]
    if section not in names:
        raise StartError(f"Unknown section {section!r} in the configuration.{_suggestion(section, names)}")
    if not isinstance(block, Mapping | None):
        raise StartError(f"The section {section!r} of the configuration must be a mapping of settings.")
    return block or {}


def _scalar(name: str, text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StartError(f"The environment variable {name} is not a YAML value: {text!r}.") from error


def _section_class(section: str) -> type[Any]:
    hint = typing.get_type_hints(Config)[section]
    return typing.cast("type[Any]", hint)


def _typed_fields(section: type[Any]) -> list[tuple[dataclasses.Field[object], object]]:
    hints = typing.get_type_hints(section)
    return [(key, hints[key.name]) for key in dataclasses.fields(section)]


def _cast(name: str, value: object, hint: object) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
    if origin is Literal:
        if value in arguments:
            return value
        raise StartError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, arguments))}.")
    if origin is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise StartError(f"{name} is {value!r}; it must be a list of strings.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is hint:
        return value
    raise StartError(f"{name} is {value!r}; it must be {_KINDS[hint]}.")


_KINDS: Mapping[object, str] = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


def _suggestion(name: str, names: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
