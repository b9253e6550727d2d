"""The user that runs PostgreSQL; never root, which PostgreSQL refuses."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Identity", "KeeperError", "choose", "named_identity", "run", "spawn"]

ACCOUNTS = ("photseries", "postgres", "nobody")  # the first account that exists and can reach the files is used
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH")


class KeeperError(Exception):
    """The server cannot be created or started; the message is for the operator."""


class Identity:
    """A user for child processes.

    Parameters
    ----------
    owner : int
        The owner of files.
    group : int
        Their group id.
    alias : int, optional
        The unprivileged user id inside a new user namespace, where it maps to ``owner``; None for no namespace.
    """

    def __init__(self, owner: int, group: int, alias: int | None = None) -> None:
        self.owner = owner
        self.group = group
        self.alias = alias

    @property
    def foreign(self) -> bool:
        """Whether files must be handed over to another user."""
        return self.owner != os.geteuid()

    def assume(self) -> None:
        """Switch to this user permanently; only between fork and exec."""
        if self.alias is not None:
            if _libc().unshare(CLONE_NEWUSER):
                raise OSError(ctypes.get_errno(), "user namespaces are not available")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{self.alias} {self.owner} 1")
            Path("/proc/self/gid_map").write_text(f"{self.alias} {self.group} 1")
        elif self.foreign:
            os.setgroups([])
            os.setgid(self.group)
            os.setuid(self.owner)


def choose(folder: Path, program: Path) -> Identity:
    """Find a user other than root who can reach the folder and run the program.

    Root switches to an unprivileged account that can reach both. Below a private folder such as /root, no account can;
    then root drops its privileges in a user namespace, where PostgreSQL sees another user id.

    Raises
    ------
    KeeperError
        When root can do neither.
    """
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid())
    folder.chmod(0o711)
    for account in filter(None, map(_account, ACCOUNTS)):
        identity = Identity(account.pw_uid, account.pw_gid)
        if _can_run(identity, folder, program):
            return identity
    folder.chmod(0o700)
    identity = named_identity(Identity(0, 0))
    if _can_run(identity, folder, program):
        return identity
    raise KeeperError(
        "PostgreSQL does not run as root, and no other account can reach the data directory and the installation of "
        "PostgreSQL. Run as an ordinary user, or move both below folders that the account 'nobody' may enter (o+x)."
    )


def named_identity(identity: Identity) -> Identity:
    """Return an identity that has a name in the password file, as initdb demands, and owns the same files."""
    if identity.alias is None and identity.owner != 0 and _has_name(identity.owner):
        return identity
    aliases = (account.pw_uid for account in map(_account, ACCOUNTS[::-1]) if account)
    alias = next(aliases, None) or next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    if alias is None:
        raise KeeperError("This system has no account but root, under which PostgreSQL does not run. Add one.")
    return Identity(identity.owner, identity.group, alias)


def spawn(
    identity: Identity,
    command: Sequence[str | Path],
    *,
    folder: Path,
    output: int,
    standard_input: int | None = None,
    inherited: Sequence[int] = (),
    death_signal: int = signal.SIGKILL,
) -> int:
    """Start a child process as another user.

    Parameters
    ----------
    identity : Identity
        The user.
    command : sequence of str or Path
        The program, by its path, and its arguments.
    folder : Path
        The working directory, which the user must be able to reach.
    output : int
        Descriptor for standard output and error.
    standard_input : int, optional
        Descriptor for standard input; nothing by default.
    inherited : sequence of int
        Descriptors that the child keeps open.
    death_signal : int
        The signal to the child when this process dies.

    Returns
    -------
    int
        The process id. A child that could not be started exits with 127 and prints the reason.
    """
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        if standard_input is None:
            standard_input = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((standard_input, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for descriptor in inherited:
            os.set_inheritable(descriptor, True)
        identity.assume()
        # A change of user clears the death signal, so set it afterwards; a parent that died before is detected here.
        _libc().prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() == parent:
            os.chdir(folder)
            environment = {"LC_ALL": "C", **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ}}
            os.execve(command[0], [os.fspath(word) for word in command], environment)  # noqa: S606
    except OSError as error:
        os.write(2, f"{Path(command[0]).name} could not be started: {error}\n".encode())
    finally:
        os._exit(127)


def run(
    identity: Identity,
    command: Sequence[str | Path],
    *,
    folder: Path,
    output: int,
    text: str = "",
    inherited: Sequence[int] = (),
) -> bool:
    """Run a child process as another user, with a short text as its input; return whether it succeeded."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    child = spawn(identity, command, folder=folder, output=output, standard_input=reader, inherited=inherited)
    os.close(reader)
    return os.waitpid(child, 0)[1] == 0


def _can_run(identity: Identity, folder: Path, program: Path) -> bool:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        return run(identity, [program, "--version"], folder=folder, output=nowhere)
    finally:
        os.close(nowhere)


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
