"""Optional packages, and how to install them."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from photseries.errors import NotInstalledError, StartError

__all__ = ["extra_of", "is_installed", "needs", "quiet", "recorded", "require"]

#: Extras that are not named after their package.
_EXTRAS = {"matplotlib": "plots", "pyarrow": "parquet", "python_calamine": "excel"}

_FILTERING = threading.RLock()  # quiet() is called inside recorded()


def is_installed(package: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def extra_of(package: str) -> str:
    """Return what to install for a package: ``photseries[...]``."""
    return f"photseries[{_EXTRAS.get(package, package)}]"


def needs(package: str) -> None:
    """Require a package that is not always installed.

    Raises
    ------
    StartError
        When it is not installed.
    """
    if not is_installed(package):
        raise StartError(f"This needs {package}, which is not installed: pip install '{extra_of(package)}'.")


def require(package: str | None, purpose: str) -> None:
    """Refuse to write a format for a client if its package, if any, is not installed.

    Raises
    ------
    NotInstalledError
        When it is not installed.
    """
    if package is not None and not is_installed(package):
        raise NotInstalledError(
            f"This service cannot write {purpose}, because {package} is not installed. Ask the operator to "
            f"install it: pip install '{extra_of(package)}'."
        )


@contextmanager
def quiet(category: type[Warning]) -> Iterator[None]:
    """Suppress irrelevant warnings of a package.

    One thread at a time, because the filters of warnings are the whole process's.
    """
    with _FILTERING, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


@contextmanager
def recorded(*categories: type[Warning]) -> Iterator[list[warnings.WarningMessage]]:
    """Record all warnings of some categories in a list; one thread at a time, as :func:`quiet`."""
    with _FILTERING, warnings.catch_warnings(record=True) as caught:
        for category in categories:
            warnings.simplefilter("always", category)
        yield caught
