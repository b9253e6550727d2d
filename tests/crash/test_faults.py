"""Fault points: the table and the code name the same ones, and an armed point acts once."""

import errno
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from photseries.errors import StartError
from photseries.server import faults
from tests.crash.kills import CASES, OBJECT_CASES

PACKAGE = Path(faults.__file__).parent


@pytest.fixture
def arm():
    yield lambda text: faults.arm({faults.VARIABLE: text})
    faults.arm({})


def test_every_fault_point_is_used_once():
    calls = [
        name
        for module in PACKAGE.rglob("*.py")
        if module != Path(faults.__file__)
        for name in re.findall(r"\breached\((.*)\)", module.read_text())
    ]
    assert sorted(calls) == sorted(f'"{point}"' for point in faults.POINTS)


def test_the_kill_table_has_every_point():
    assert {case.point for case in (*CASES, *OBJECT_CASES)} == set(faults.POINTS)


def test_a_point_that_is_not_armed_does_nothing(arm):
    arm("")
    for point in faults.POINTS:
        faults.reached(point)


def test_armed_points_act_once_at_their_time(arm):
    arm("error:ENOSPC@store: blob linked@2;error:EIO@store: blob linked@3;error:EACCES@create: row inserted")
    faults.reached("store: blob linked")
    for number in (errno.ENOSPC, errno.EIO):
        with pytest.raises(OSError) as caught:  # noqa: PT011  (the number says which)
            faults.reached("store: blob linked")
        assert caught.value.errno == number
    for _ in range(3):
        faults.reached("store: blob linked")
    with pytest.raises(PermissionError):
        faults.reached("create: row inserted")


@pytest.mark.parametrize(
    "text",
    ["kill", "kill@", "kill@nowhere", "burn@create: row inserted", "error@create: row inserted",
     "error:ENOTHING@create: row inserted", "kill:EIO@create: row inserted", "kill@create: row inserted@soon"],
)  # fmt: skip
def test_an_unknown_action_or_point_is_refused(arm, text):
    with pytest.raises(StartError, match="does not name an action and a point"):
        arm(text)


def test_kill_action_sends_sigkill():
    program = 'import sys; from photseries.server import faults; faults.arm({faults.VARIABLE: "kill@sweep: elected"}); '
    program += 'print("before", flush=True); faults.reached("sweep: elected"); print("after")'
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stdout) == (-signal.SIGKILL, "before\n")
