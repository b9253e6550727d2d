"""The bench of the service runs, and counts the processor time of a tree of processes right; nothing here is timed."""

import json
import subprocess
import sys

import pytest

from bench import bulk, compare, service, service_report
from bench.figures import Plan
from bench.processes import Tree
from bench.samples import made

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


def test_all_parts_run_and_are_kept(tmp_path, capsys, monkeypatch):
    plan = Plan(
        seconds=0.01, least=2, clients=(2,), listed=(2, 3), starts=1, tries=5, patience=5, ramp=0.1, heavy_rows=2000
    )
    text = service_report.write(tmp_path / "run", service.run({"a": made("a", 40, 4)}, plan))
    assert (tmp_path / "run.md").read_text("utf-8") == text
    kept = json.loads((tmp_path / "run.json").read_bytes())
    operations = [*service.OPERATIONS, "list of 2", "list of 3"]
    steps = [f"{operation}, series a" for operation in operations]
    assert list(kept["recipe"]) == list(kept["floor"]) == steps
    assert list(kept["service"]) == [f"{step}, 2 clients" for step in steps]
    assert list(kept["statements"]) == operations
    assert min(kept["statements"].values()) > 0
    assert all(figure["rate"] > 0 and figure["received"] > 0 for figure in kept["service"].values())
    assert len(kept["start"]["answer"]) == len(kept["start"]["uploads"]) == 1
    assert kept["fairness"]["tries"] == 5
    assert all(f"| {operation} | a |" in text for operation in operations)

    capsys.readouterr()
    paths = [str(tmp_path / "run.json")] * 2
    monkeypatch.setattr(sys, "argv", ["compare", *paths, "--figure", "rate"])
    compare.main()
    assert capsys.readouterr().out.count("| 1.00 |") == len(kept["service"])


def test_a_small_bulk_goes_up(service, monkeypatch):
    monkeypatch.setattr(bulk, "SECONDS", 0.01)
    monkeypatch.setattr(bulk, "GETS", 1)
    found = bulk.measure(bulk.Bulk(series=5, rows=20), service, {}, ["--jobs", "2"])
    assert list(found.cpu) == ["client", "service"]
    assert min(*found.cpu.values(), *found.floor.values(), *found.gets.values(), found.rate) > 0
    assert max(size for _, size in found.memory) > 0
    assert "5 of 20" in bulk.text(found)
