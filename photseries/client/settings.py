"""URL and token: from arguments, the environment, or the file that ``photseries login`` writes.

A token is a secret of one service: a token is never sent to a URL from another source.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from photseries.errors import StartError

__all__ = ["Settings", "config_file", "load", "save"]

URL = "PHOTSERIES_URL"
TOKEN = "PHOTSERIES_TOKEN"  # noqa: S105  the name of a variable

_KEYS = {"url", "token"}


@dataclass(frozen=True)
class Settings:
    """The URL of a service, and the token.

    Parameters
    ----------
    url : str
        Where ``/api`` is found: ``https://host[:port][/prefix]``, without a slash at the end.
    token : str

    Raises
    ------
    StartError
        When the URL or the token is malformed.
    """

    url: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _normalize_url(self.url))
        object.__setattr__(self, "token", self.token.strip())
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            valid = False
        if not valid or parts.query or parts.fragment or parts.username is not None or not self.url.isprintable():
            raise StartError(f"{self.url!r:.200} is not the URL of a service. It must look like https://host:5000.")
        if not (self.token.isascii() and self.token.isprintable() and self.token) or " " in self.token:
            raise StartError("The token is empty, or contains characters that tokens do not have.")


def load(url: str | None, token: str | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Find the service and the token.

    Parameters
    ----------
    url, token : str or None
        The arguments of the caller, which take precedence over the environment and the file.
    environ : mapping of str to str

    Returns
    -------
    Settings

    Raises
    ------
    StartError
        When one of them is missing, or the file is malformed or readable by others.
    """
    for source in (_environment, _saved):
        if url is None or token is None:
            other_url, other_token = source(environ)
            url = other_url if url is None else url
            if token is None and _are_equal(other_url, url):
                token = other_token
    if url is None:
        raise StartError(f"No service is configured: run `photseries login`, set {URL}, or give the url.")
    if token is None:
        name = f"both {URL} and {TOKEN} (it is for {environ[URL]})" if environ.get(TOKEN) else TOKEN
        raise StartError(
            f"No token is configured for {_normalize_url(url)}: run `photseries login`, set {name}, or give the token."
        )
    return Settings(url, token)


def save(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """Save the URL and the token in the file, readable only by its owner; return its path."""
    path = config_file(environ)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = yaml.safe_dump({"url": settings.url, "token": settings.token}, sort_keys=False)
    # A new private file replaces the old one, which may have any mode.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def config_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the file by the XDG base directory specification; it may not exist."""
    folder = environ.get("XDG_CONFIG_HOME", "")
    base = Path(folder) if folder.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"
    return base / "photseries" / "config.yaml"


def _environment(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    return environ.get(URL) or None, environ.get(TOKEN) or None


def _saved(environ: Mapping[str, str]) -> tuple[str | None, str | None]:
    path = config_file(environ)
    try:
        text, mode = path.read_text("utf-8"), path.stat().st_mode
    except FileNotFoundError:
        return None, None
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{path} cannot be read: {error}.") from error
    try:
        values: object = yaml.safe_load(text) or {}
    except (yaml.YAMLError, ValueError) as error:
        raise StartError(f"{path} is not YAML: run `photseries login` again.") from error
    if not isinstance(values, dict) or not values.keys() <= _KEYS or {type(value) for value in values.values()} - {str}:
        raise StartError(f"{path} may contain only url and token, as texts: run `photseries login` again.")
    if "token" in values and os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise StartError(f"{path} contains a token and can be read by others: run `chmod 600 {path}`.")
    return values.get("url"), values.get("token")


def _are_equal(first: str | None, other: str | None) -> bool:
    return first is None or other is None or _normalize_url(first) == _normalize_url(other)


def _normalize_url(url: str) -> str:
    return url.strip().rstrip("/").removesuffix("/api")
