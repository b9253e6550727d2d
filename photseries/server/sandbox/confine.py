"""The layers of confinement of a worker, in the order in which they are applied."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from photseries.server.sandbox import landlock, seccomp

if TYPE_CHECKING:
    from photseries.server.settings import SandboxSettings

__all__ = ["LAYERS", "PARSING", "Layers", "lock_down"]

# https://man7.org/linux/man-pages/man2/prctl.2.html
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

#: Name -> function that applies the layer.
Layers = tuple[tuple[str, "Callable[[SandboxSettings], None]"], ...]

_libc: Final = ctypes.CDLL(None, use_errno=True)


def lock_down(settings: SandboxSettings, layers: Layers | None = None) -> list[str]:
    """Apply every layer to this process, irrevocably.

    Parameters
    ----------
    settings : settings.SandboxSettings
    layers : tuple, optional
        Default: :data:`LAYERS`.

    Returns
    -------
    list of str
        Names of the layers that this system lacks.
    """
    missing = []
    for name, apply in layers or LAYERS:
        try:
            apply(settings)
        except (OSError, ValueError, AttributeError):
            missing.append(name)
    return missing


def _user(settings: SandboxSettings) -> None:
    """Switch from root, to whom most limits do not apply, to a user id without other processes."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(settings.user)
        os.setuid(settings.user)


def _limits(settings: SandboxSettings) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (settings.cpu, settings.cpu + 1))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


#: The restrictions of system calls and files come last, because the other layers need both.
LAYERS: Final[Layers] = (
    ("user", _user),
    # Die with the parent, which enforces the deadline. A change of user would undo this.
    ("orphan", lambda settings: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)),
    ("no_new_privs", lambda settings: _prctl(_PR_SET_NO_NEW_PRIVS, 1)),
    ("limits", _limits),
    ("memory", lambda settings: resource.setrlimit(resource.RLIMIT_AS, (settings.memory, settings.memory))),
    ("landlock", lambda settings: landlock.give_up_everything()),
    ("seccomp", lambda settings: seccomp.restrict(is_parser=False)),
)

#: The same for the reader of all formats.
PARSING: Final[Layers] = (*LAYERS[:-1], ("seccomp", lambda settings: seccomp.restrict(is_parser=True)))
