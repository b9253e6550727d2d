"""The settings: one frozen dataclass a section, read once at start from YAML and the environment.

Precedence: defaults here < ``config.yaml`` < environment variables ``PHOTSERIES_<SECTION>__<KEY>``. An unknown key or
a bad value raises :class:`~photseries.errors.StartError`, which names it. ``config.yaml`` at the top of the project is
the commented reference; a test holds it against these defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from photseries.errors import StartError

__all__ = ["Config", "Data", "Database", "Limits", "Log", "Photometry", "Sandbox", "Server", "Store", "load", "shown"]

PREFIX = "PHOTSERIES_"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Server:
    """Where and how HTTP is served."""

    host: str = "127.0.0.1"
    port: int = 5000
    max_body: int = 400 * MIB  # [bytes]
    threads: int = 8
    stop_timeout: float = 30.0  # [s]
    idle_timeout: float = 75.0  # [s]
    body_timeout: float = 600.0  # [s]
    spool_memory: int = 1024 * MIB  # [bytes]
    spool_disk: int = 8 * 1024 * MIB  # [bytes]
    token_failures: int = 30  # per client address and minute
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(0 <= self.port <= 65535, "server.port", "must lie between 0 and 65535")
        _require(self.max_body > 0, "server.max_body", "must be positive")
        _require(self.threads > 0, "server.threads", "must be positive")
        _require(self.stop_timeout >= 0, "server.stop_timeout", "must not be negative")
        for name in ("idle_timeout", "body_timeout", "token_failures"):
            _require(getattr(self, name) > 0, f"server.{name}", "must be positive")
        _require(self.spool_memory >= self.max_body, "server.spool_memory", "must be at least server.max_body")
        _require(self.spool_disk >= self.max_body, "server.spool_disk", "must be at least server.max_body")
        for network in self.trusted_proxies:
            _require(_is_network(network), "server.trusted_proxies", f"holds {network!r}, which is no network")


@dataclass(frozen=True)
class Data:
    """The folder of the embedded database and the local store."""

    directory: str = "./data"


@dataclass(frozen=True)
class Database:
    """The catalogue's PostgreSQL server."""

    url: str | None = field(default=None, metadata={"secret": True})
    statement_timeout: float = 60.0  # [s]
    connect_timeout: float = 10.0  # [s]

    def __post_init__(self) -> None:
        _require(self.statement_timeout > 0, "database.statement_timeout", "must be positive")
        _require(self.connect_timeout >= 1, "database.connect_timeout", "must be at least 1")


@dataclass(frozen=True)
class Store:
    """The files of the series."""

    grace: float = 24 * 3600.0  # [s]
    write_deadline: float = 300.0  # [s]
    sweep_interval: float = 3600.0  # [s]
    compression: Literal["none", "deflate"] = "none"

    def __post_init__(self) -> None:
        _require(self.grace >= 0, "store.grace", "must not be negative")
        _require(self.write_deadline > 0, "store.write_deadline", "must be positive")
        _require(
            self.grace == 0 or self.write_deadline <= self.grace / 10,
            "store.write_deadline",
            "must be at most a tenth of store.grace",
        )
        _require(self.sweep_interval > 0, "store.sweep_interval", "must be positive")


@dataclass(frozen=True)
class Limits:
    """How large a table or a file may be, whether it comes as JSON or as HDF5."""

    rows: int = 2_000_000
    columns: int = 1024
    column_name: int = 255  # [bytes]
    table: int = 256 * MIB  # [bytes]
    metadata: int = 64 * 1024  # [bytes]
    depth: int = 32
    chunk: int = 32 * MIB  # [bytes]
    objects: int = 20_000
    groups_deep: int = 16

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            _require(value > 0, f"limits.{name}", "must be positive")


@dataclass(frozen=True)
class Sandbox:
    """The worker processes that read uploaded HDF5."""

    deadline: float = 30.0  # [s], wall clock
    cpu: int = 20  # [s]
    memory: int = 3 * 1024 * MIB  # [bytes]
    workers: int = 4
    require: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("deadline", "cpu", "memory", "workers"):
            _require(getattr(self, name) > 0, f"sandbox.{name}", "must be positive")


@dataclass(frozen=True)
class Photometry:
    """Choices of science."""

    detection_threshold: float = 3.0  # S/N above which a point is detected
    additional_bandpasses: tuple[str, ...] = (
        "swiftxrt",
        "nicerxti",
        *(f"radio-{band}GHz" for band in ("0.34", "1.4", "3", "6", "10", "15", "22", "33", "45")),
        *(f"sma-{band}GHz" for band in ("230", "345", "400")),
        "tess::red",
    )


@dataclass(frozen=True)
class Log:
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True)
class Config:
    """All settings; a section an attribute."""

    server: Server = field(default_factory=Server)
    data: Data = field(default_factory=Data)
    database: Database = field(default_factory=Database)
    store: Store = field(default_factory=Store)
    limits: Limits = field(default_factory=Limits)
    sandbox: Sandbox = field(default_factory=Sandbox)
    photometry: Photometry = field(default_factory=Photometry)
    log: Log = field(default_factory=Log)

    @property
    def directory(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data.directory).expanduser().absolute()


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Config:
    """Read the settings.

    Parameters
    ----------
    path : Path or None
        A YAML file of sections; None for the defaults.
    environ : mapping
        The environment; only names that start with ``PHOTSERIES_`` and hold ``__`` count.
    overrides : mapping, optional
        ``{"section.key": value}``, which win over both (options of the command line).

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
    sections: dict[str, dict[str, Any]] = {section.name: {} for section in dataclasses.fields(Config)}
    for name, value in values.items():
        if name not in types_:
            raise StartError(f"Unknown setting {name!r}.{_suggestion(name, types_)}")
        section, key = name.split(".", 1)
        sections[section][key] = _cast(name, value, types_[name])
    return Config(**{section: _section_class(section)(**block) for section, block in sections.items()})


def shown(config: Config) -> dict[str, dict[str, Any]]:
    """Give the effective settings as plain values, secrets hidden."""
    return {
        section.name: {
            key.name: "***" if key.metadata.get("secret") and value is not None else _plain(value)
            for key in dataclasses.fields(_section_class(section.name))
            for value in [getattr(getattr(config, section.name), key.name)]
        }
        for section in dataclasses.fields(Config)
    }


def _document(path: Path | None) -> Mapping[str, Any]:
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StartError(f"Cannot read the configuration {path}: {error}") from error
    if not isinstance(document, Mapping | None):
        raise StartError(f"The configuration {path} must be a mapping of sections.")
    return document or {}


def _block(section: str, block: Any) -> Mapping[str, Any]:
    names = [known.name for known in dataclasses.fields(Config)]
    if section not in names:
        raise StartError(f"Unknown section {section!r} in the configuration.{_suggestion(section, names)}")
    if not isinstance(block, Mapping | None):
        raise StartError(f"The section {section!r} of the configuration must be a mapping of settings.")
    return block or {}


def _scalar(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StartError(f"The environment variable {name} is not a YAML value: {text!r}.") from error


def _section_class(section: str) -> type[Any]:
    hint = typing.get_type_hints(Config)[section]
    return typing.cast("type[Any]", hint)


def _typed_fields(section: type[Any]) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = typing.get_type_hints(section)
    return [(key, hints[key.name]) for key in dataclasses.fields(section)]


def _cast(name: str, value: Any, hint: Any) -> Any:
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
        raise StartError(f"{name} is {value!r}; it must be a list of texts.")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is hint:
        return value
    raise StartError(f"{name} is {value!r}; it must be {_KINDS[hint]}.")


_KINDS: Mapping[Any, str] = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _suggestion(name: str, known: typing.Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _require(condition: bool, name: str, rule: str) -> None:
    if not condition:
        raise StartError(f"{name} {rule}.")
