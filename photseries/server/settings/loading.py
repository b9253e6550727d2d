"""Load the settings from YAML and the environment, and show the effective ones."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from photseries.errors import StartError
from photseries.server.settings.sections import Config

__all__ = ["ignored_variables", "load", "public_settings"]

PREFIX = "PHOTSERIES_"

_SECTIONS: Mapping[str, type[Any]] = typing.get_type_hints(Config)
_KEYS = {f"{section}.{key.name}": key for section, shape in _SECTIONS.items() for key in dataclasses.fields(shape)}
_TYPES = {name: typing.get_type_hints(_SECTIONS[name.partition(".")[0]])[key.name] for name, key in _KEYS.items()}

#: Kubernetes sets variables with one underscore to such addresses, for a Service called photseries-server, for example.
_SERVICE_ADDRESSES = ("tcp://", "udp://", "sctp://")


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
    values = {
        f"{section}.{key}": value
        for section, block in _document(path).items()
        for key, value in _block(section, block).items()
    }
    for variable, text in environ.items():
        if variable.startswith(PREFIX) and "__" in variable:
            name = variable.removeprefix(PREFIX).lower().replace("__", ".", 1)
            values[name] = _scalar(variable, text, _TYPES.get(name))
    values.update(overrides or {})

    sections: dict[str, dict[str, object]] = {section: {} for section in _SECTIONS}
    for name, value in values.items():
        if name not in _TYPES:
            raise StartError(f"Unknown setting {name!r}.{_suggestion(name, _TYPES)}")
        section, key = name.split(".", 1)
        sections[section][key] = _cast(name, value, _TYPES[name])
    return Config(**{section: _SECTIONS[section](**block) for section, block in sections.items()})


def ignored_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that spell a setting with one underscore, which is ignored, and the right spelling."""
    spellings = {f"{PREFIX}{name.replace('.', '_').upper()}": name for name in _TYPES}
    return {
        variable: f"{PREFIX}{spellings[variable].replace('.', '__').upper()}"
        for variable, text in environ.items()
        if variable in spellings and not text.startswith(_SERVICE_ADDRESSES)
    }


def public_settings(config: Config) -> dict[str, dict[str, object]]:
    """Return the effective settings as plain values, secrets hidden."""
    shown: dict[str, dict[str, object]] = {section: {} for section in _SECTIONS}
    for name, key in _KEYS.items():
        section = name.partition(".")[0]
        value = getattr(getattr(config, section), key.name)
        is_hidden = key.metadata.get("secret") and value is not None
        shown[section][key.name] = "***" if is_hidden else list(value) if isinstance(value, tuple) else value
    return shown


def _document(path: Path | None) -> Mapping[str, object]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise StartError(f"Cannot read the configuration {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise StartError(f"The configuration {path} is not UTF-8 text.") from error
    except (yaml.YAMLError, ValueError) as error:  # a ValueError for a date such as 2020-13-45
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise StartError(f"The configuration {path} is not YAML{line}: {problem or error}.") from error
    if not isinstance(document, Mapping | None):
        raise StartError(f"The configuration {path} must be a mapping of sections.")
    return document or {}


def _block(section: str, block: object) -> Mapping[str, object]:
    if section not in _SECTIONS:
        raise StartError(f"Unknown section {section!r} in the configuration.{_suggestion(section, _SECTIONS)}")
    if not isinstance(block, Mapping | None):
        raise StartError(f"The section {section!r} of the configuration must be a mapping of settings.")
    return block or {}


def _scalar(variable: str, text: str, hint: object) -> object:
    """Parse a YAML value; for a string, a text that YAML reads as another type is the value itself."""
    try:
        value: object = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        if hint in (str, str | None):
            return text
        raise StartError(f"The environment variable {variable} is not a YAML value: {text!r:.80}.") from error
    is_text = hint is str or (hint == str | None and value is not None)
    return text if is_text and not isinstance(value, str) else value


def _cast(name: str, value: object, hint: object) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
    if origin is Literal:
        if value in arguments:
            return value
        raise _refusal(name, value, f"one of {', '.join(map(repr, arguments))}")
    if origin is tuple:
        if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise _refusal(name, value, "a list of strings")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < _LARGEST else math.inf
    if type(value) is hint and (not isinstance(value, float) or abs(value) < _LARGEST):
        return value
    raise _refusal(name, value, _KINDS[hint])


def _refusal(name: str, value: object, rule: str) -> StartError:
    shown = "***" if _KEYS[name].metadata.get("secret") else f"{value!r:.80}"
    return StartError(f"{name} is {shown}; it must be {rule}.")


#: Most floats are times [s]; beyond some 1e9 s, the clocks of the system overflow.
_LARGEST = 1e9

_KINDS: Mapping[object, str] = {str: "a string", int: "an integer", float: "a number below 1e9", bool: "true or false"}


def _suggestion(name: str, names: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""
