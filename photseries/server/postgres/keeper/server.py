"""The postmaster and its cluster, as the keeper sees them."""

from __future__ import annotations

import contextlib
import locale
import os
import shutil
import signal
import stat
import time
from pathlib import Path

from .folder import EXCLUSIVE, Folder, Lock
from .identity import KeeperError, choose, named_identity, run, spawn

__all__ = ["NAME", "PORT", "PostgresServer"]

NAME = "photseries"  # of the database and of the role that owns it
READING_ROLE = "photseries_vo"  # the role of TAP queries; see catalogue/vo_views.py
LOG_LIMIT = 4 * 1024 * 1024  # [bytes]; one older file of this size is kept
SOCKET_PATH_LIMIT = 107  # [bytes], of sun_path without its final NUL
PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"
STOP_TIMEOUT = 60.0  # [s] for the last checkpoint; the next start recovers from less
MIN_BUFFERS, MAX_BUFFERS = 128, 2048  # [MiB]
ACCESS_RULES = f"local all {NAME} scram-sha-256\nlocal all all reject\n"


class PostgresServer:
    """One PostgreSQL server.

    Parameters
    ----------
    folder : Folder
        Its files.
    programs : Path
        The folder with initdb and postgres.
    """

    def __init__(self, folder: Folder, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        self._identity = choose(folder.root, programs / "postgres")
        self._log = folder.open_log()
        self._log_start = os.fstat(self._log).st_size
        self._process: int | None = None
        self._socket: Path | None = None

    @property
    def running(self) -> bool:
        """Whether the postmaster is alive; also records its end."""
        if self._process is not None and os.waitpid(self._process, os.WNOHANG)[0]:
            self._process = None
        return self._process is not None

    @property
    def ready(self) -> bool:
        """Whether the running postmaster accepts connections, by the last line of its pid file."""
        try:
            lines = (self._folder.data / "postmaster.pid").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self._process) and lines[7].strip() == "ready"

    @property
    def reachable(self) -> bool:
        """Whether the socket still exists, which a cleaner of temporary folders may have removed."""
        return self._socket is not None and (self._socket / SOCKET_NAME).exists()

    def start(self) -> bool:
        """Start the postmaster; create the cluster if there is none.

        Returns
        -------
        bool
            False if processes of an earlier server still use the files; retry then.

        Raises
        ------
        KeeperError
            When the cluster cannot be created.
        """
        files = Lock(self._folder.server_lock)
        try:
            if not files.acquire(EXCLUSIVE):
                return False
            if not self._folder.cluster.exists():
                self._initialise(files)
            self._hand_over(self._folder.cluster)
            self._forget_dead_postmaster()
            self._make_reading_role(files)
            self._socket = self._socket_folder()
            for left_over in self._socket.iterdir():
                left_over.unlink()
            self._process = spawn(
                self._identity,
                [self._programs / "postgres", "-D", self._folder.data, *self._settings()],
                folder=self._folder.data,
                output=self._log,
                inherited=[files.fileno()],
                death_signal=signal.SIGINT,
            )
        finally:
            files.close()
        return True

    def stop(self) -> None:
        """Stop the postmaster, after a last checkpoint and without waiting for its clients."""
        for order in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + STOP_TIMEOUT
            if self.running and self._process is not None:
                os.kill(self._process, order)
            while self.running and time.monotonic() < deadline:
                signal.sigtimedwait({signal.SIGCHLD}, 0.1)

    def remove_socket(self) -> None:
        """Remove the folder of the unused socket."""
        if self._socket is not None:
            shutil.rmtree(self._socket, ignore_errors=True)
        self._folder.socket_pointer.unlink(missing_ok=True)

    def trim_log(self) -> None:
        """Rotate the log beyond the size limit, keeping one older file if the disk has space for it."""
        if os.fstat(self._log).st_size > LOG_LIMIT:
            with contextlib.suppress(OSError):
                shutil.copyfile(self._folder.log, self._folder.log.with_suffix(".log.1"))
            os.ftruncate(self._log, 0)
            self._log_start = 0

    def complaint(self) -> str:
        """Return the last log lines since this object was created."""
        with self._folder.log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-12:])

    def _initialise(self, files: Lock) -> None:
        """Create the cluster under another name and rename it when complete, so that it is never partial."""
        unfinished, data = self._folder.unfinished, self._folder.unfinished / "data"
        identity = named_identity(self._identity)
        password = os.urandom(24).hex()
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._hand_over(unfinished)
        initdb: list[str | Path] = [
            *(self._programs / "initdb", "-D", data, "--username=postgres", "--auth=reject", "--encoding=UTF8"),
            *("--data-checksums", "--no-instructions", "--locale=C", f"--lc-ctype={_character_type()}"),
        ]
        sql = f"CREATE ROLE {NAME} LOGIN CREATEDB PASSWORD '{password}'\nCREATE DATABASE {NAME} OWNER {NAME}\n"
        for command, text in ((initdb, ""), (self._single_user_command(data), sql)):
            if not run(identity, command, folder=unfinished, output=self._log, text=text, inherited=[files.fileno()]):
                raise KeeperError(f"The embedded PostgreSQL cluster could not be initialised:\n{self.complaint()}")
        (data / "pg_hba.conf").write_text(ACCESS_RULES)
        (unfinished / "password").write_text(password)
        for path in (data / "pg_hba.conf", unfinished / "password", unfinished):
            _synchronize(path)
        unfinished.rename(self._folder.cluster)
        _synchronize(self._folder.root)

    def _single_user_command(self, data: Path) -> list[str | Path]:
        """Return the command of a single-user server, which runs the statements of its standard input."""
        words = ("-c", "exit_on_error=true", "-c", "log_statement=none", "template1")
        return [self._programs / "postgres", "--single", "-D", data, *words]

    def _make_reading_role(self, files: Lock) -> None:
        """Create the role of TAP queries, and let the service limit their temporary files, once, as a superuser.

        Without the role everything except TAP works.
        """
        done = self._folder.cluster / "reading-role-limited"
        if done.exists():
            return
        sql = (
            f"DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{READING_ROLE}') "
            f"THEN CREATE ROLE {READING_ROLE} NOLOGIN; END IF; END$$\nGRANT {READING_ROLE} TO {NAME}\n"
            f"GRANT SET ON PARAMETER temp_file_limit TO {NAME}\n"
        )
        command = self._single_user_command(self._folder.data)
        folder, inherited = self._folder.cluster, [files.fileno()]
        if run(named_identity(self._identity), command, folder=folder, output=self._log, text=sql, inherited=inherited):
            done.touch()

    def _hand_over(self, path: Path) -> None:
        """Change the owner of the files to the user of the server, which may differ from the last start."""
        if path.stat().st_uid == self._identity.owner:
            return
        # The top folder comes last, so that an interrupted change starts again.
        for folder, _, names in os.walk(path, topdown=False):
            for name in (*names, "."):
                os.chown(Path(folder, name), self._identity.owner, self._identity.group, follow_symlinks=False)

    def _forget_dead_postmaster(self) -> None:
        """Remove the pid file of a killed postmaster, whose pid a zombie or an unrelated process may have now.

        PostgreSQL would refuse to start for either. The working directory of a manually started one is the data folder.
        """
        pid_file = self._folder.data / "postmaster.pid"
        try:
            pid = pid_file.read_text("utf-8").split("\n", 1)[0]
            if Path(f"/proc/{pid}/cwd").readlink() == self._folder.data.resolve():
                return
        except (FileNotFoundError, PermissionError):  # the pid of no process, a zombie or another user
            pass
        pid_file.unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        """Create the private folder of the socket, or reuse the last one, so that clients keep their address."""
        beside = self._folder.root / "socket"
        folder = self._folder.socket_folder()
        if folder is None and _is_short_enough(beside):
            folder = beside
        if folder is None or not self._make_private(folder):
            folder = Path(f"/tmp/photseries-{os.urandom(8).hex()}")  # noqa: S108  (made private, or refused)
            if not self._make_private(folder):
                raise KeeperError("No private folder for the database's socket could be made in /tmp.")
        fresh = self._folder.socket_pointer.with_suffix(".new")
        fresh.write_bytes(os.fsencode(folder))
        fresh.rename(self._folder.socket_pointer)
        return folder

    def _make_private(self, folder: Path) -> bool:
        """Create a folder for the server's user only, or check an existing one; return whether it is private."""
        try:
            folder.mkdir(mode=0o700)
            if self._identity.foreign:
                os.chown(folder, self._identity.owner, self._identity.group)
        except FileExistsError:
            pass
        except OSError:
            return False
        status = folder.lstat()
        return (
            stat.S_ISDIR(status.st_mode) and status.st_mode & 0o777 == 0o700 and status.st_uid == self._identity.owner
        )

    def _settings(self) -> list[str]:
        """Return settings without fsync and synchronous_commit, because durability is the default."""
        quoted = str(self._socket).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
            "port": str(PORT),
            "max_connections": "200",
            "shared_buffers": f"{_buffers()}MB",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]


def _is_short_enough(folder: Path) -> bool:
    # libpq splits hosts at commas, and a URL needs text, which a path may not be.
    text = str(folder / SOCKET_NAME)
    return len(text) <= SOCKET_PATH_LIMIT and text.isascii() and "," not in text


def _buffers() -> int:
    """Return shared_buffers [MiB]: an eighth of the memory, within bounds."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (8 * 1024 * 1024)
    return min(max(memory, MIN_BUFFERS), MAX_BUFFERS)


def _character_type() -> str:
    """Return the locale of PostgreSQL's character classes; without it only ASCII letters count as letters."""
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    return "C.UTF-8"


def _synchronize(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
