"""Each bench runs, with little to do, and counts the processor time of a tree of processes right; nothing is timed."""

import importlib
import json
import subprocess
import sys

import pytest

from bench.processes import Tree
from bench.service import OPERATIONS
from tests.support import TOP

pytestmark = pytest.mark.slow

# A process with a child that has ended, whose own child has ended, and one that lives; it tells what all have used.
FAMILY = """
import os, resource, time
def used(*who):
    return sum(sum(resource.getrusage(one)[:2]) for one in who)
def work():
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
if os.fork() == 0:
    if os.fork() == 0:
        work()
        os._exit(0)
    os.wait()
    work()
    os._exit(0)
os.wait()
told, tell = os.pipe()
if os.fork() == 0:
    work()
    os.write(tell, str(used(resource.RUSAGE_SELF)).encode())
    time.sleep(60)
of_child = float(os.read(told, 100))
print(of_child + used(resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN), flush=True)
input()
os.kill(0, 9)
"""


def test_each_process_is_counted_once():
    command = [sys.executable, "-I", "-S", "-c", FAMILY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, start_new_session=True, stdin=pipe, stdout=pipe) as family:
        truth = float(family.stdout.readline())
        counted = Tree(family.pid).cpu()
        family.stdin.write("\n")
    assert truth > 0.3
    assert counted == pytest.approx(truth, abs=0.06)


#: The arguments of benches, and a part of what they print.
RUNS = {
    "compare": (["HEAD", "--rounds", "1", "--only", "GET none a"], "| GET none a | "),
    "fairness": (["--seconds", "1", "--rows", "2000"], "heavy requests by status: {200: "),
    "features": (["--rows", "2000", "--repeats", "1"], "von_neumann            sorted  min "),
    "lists": (["--series", "6", "--different", "2", "--rounds", "1"], "| get_many(series_obj_ids) | "),
    "night": (["--series", "3", "--tess", "2", "--single", "2"], "| a: bulk / single (at least 10); by CPU | "),
    "reader": (["--repeats", "2"], "| safe, in a new confined worker | "),
    "soak": (["--minutes", "0.1", "--heavy-rows", "2000"], "unexpected answers: 0 []"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_bench_runs(name, monkeypatch, capsys):
    arguments, printed = RUNS[name]
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    importlib.import_module(f"bench.{name}").main()
    output = capsys.readouterr().out
    assert printed in output
    assert "verify: exit" not in output or "verify: exit 0" in output


def test_single_requests_are_measured(tmp_path, monkeypatch, capsys):
    out = tmp_path / "figures.json"
    monkeypatch.setattr(
        sys, "argv", ["service", "--only", " a", "--seconds", "0.01", "--clients", "2", "--out", str(out)]
    )
    importlib.import_module("bench.service").main()
    figures = json.loads(out.read_bytes())
    assert list(figures) == [f"{operation} a" for operation in OPERATIONS]
    assert all(min(figure["service"], figure["recipe"], *figure["floor"].values()) >= 0 for figure in figures.values())
    output = capsys.readouterr().out
    assert all(f"| {name} | " in output for name in figures)


def test_the_benches_are_listed():
    output = subprocess.run([sys.executable, "-m", "bench"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in output.splitlines()[1:]] == sorted([*RUNS, "service"])
