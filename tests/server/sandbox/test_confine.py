"""Each layer alone, in a separate process: its restrictions, and that no other layer causes them."""

import errno
import os
import pwd
import subprocess
import sys

import pytest

from photseries.errors import StartError
from photseries.server import settings
from photseries.server.sandbox import confine, seccomp

SCRIPT = """
import os, socket, sys
from photseries.server import settings
from photseries.server.sandbox import confine
layers = dict(confine.LAYERS)
for name in {layers!r}:
    layers[name](settings.SandboxSettings())
try:
    {attempt}
except OSError as error:
    print("refused")
else:
    print("done")
"""
ATTEMPTS = {
    "open": "open('/etc/hostname').close()",
    "list": "os.listdir('/')",
    "write": "open('/tmp/photseries-confine', 'w').close()",
    "bind": "socket.socket().bind(('127.0.0.1', 0))",
    "connect": "socket.create_connection(('127.0.0.1', 9))",
    "device": "os.open('/dev/zero', os.O_RDONLY)",
}


def attempted(layers, attempt):
    script = SCRIPT.format(layers=layers, attempt=ATTEMPTS[attempt])
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("attempt", ["open", "list", "write", "bind", "device"])
def test_landlock_refuses(attempt):
    assert attempted([], attempt).stdout == "done\n"
    assert attempted(["no_new_privs", "landlock"], attempt).stdout == "refused\n"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_seccomp_kills(attempt):
    done = attempted(["no_new_privs", "seccomp"], attempt)
    assert done.returncode == -31  # SIGSYS
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_worker_of_root_has_a_uid_of_its_own():
    script = (
        "import os; from photseries.server import settings; from photseries.server.sandbox import confine; "
        "dict(confine.LAYERS)['user'](settings.SandboxSettings({})); "
        "print(os.getresuid(), os.getresgid(), os.getgroups())"
    )
    for words, uid in (("", settings.SandboxSettings.user), ("user=60801", 60_801)):
        done = subprocess.run([sys.executable, "-c", script.format(words)], capture_output=True, text=True, check=True)
        assert done.stdout == f"{(uid,) * 3} {(uid,) * 3} []\n"
    assert settings.SandboxSettings.user not in {account.pw_uid for account in pwd.getpwall()}


@pytest.mark.parametrize("user", [-1, 0, 65_534])
def test_workers_are_neither_root_nor_nobody(user):
    with pytest.raises(StartError, match=r"sandbox\.user"):
        settings.SandboxSettings(user=user)


def test_a_machine_whose_system_calls_are_unknown(monkeypatch):
    monkeypatch.setattr(seccomp, "_MACHINES", {})
    with pytest.raises(OSError, match="no list of system calls"):
        seccomp.restrict(is_parser=False)


def test_both_machines_allow_the_same():
    first, second = seccomp._MACHINES.values()
    assert set(first.allowed) == set(second.allowed)
    assert set(first.mapping) == set(second.mapping)
    numbers = [*first.allowed.values(), *first.mapping.values()]
    assert len(set(numbers)) == len(numbers)


def test_what_the_kernel_lacks_is_named(monkeypatch):
    """The layers here do nothing, or this process would lose its own rights."""

    def lacks(settings):
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(confine, "LAYERS", (("there", lambda settings: None), ("away", lacks)))
    assert confine.lock_down(None) == ["away"]
