"""``photseries open | doctor``, completion in the shell, a closed pipe and a full disk."""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PATIENCE, columns


@pytest.fixture(scope="module")
def series(admin, world):
    body = world.fields(series_name="help", data=columns(20_000))
    return admin.post("/api/photometric_series", json=body).json()["data"]["id"]


def test_open_prints_the_page_of_a_series(run, admin, series, service):
    address = f"{service.url}/series/{series}"
    assert run("open", series, "--print").stdout == f"{address}\n"
    assert admin.get(address, headers={"Accept": "text/html"}, follow_redirects=False).status_code == 303, "to sign in"
    assert "999999" in run("open", 999_999, "--print", status=2).stderr


def test_open_opens_a_browser_or_else_prints(run, series, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    assert run("open", series).stdout == ""
    assert opened == [run("open", series, "--print").stdout.strip()]
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    assert run("open", series).stdout.strip() == opened[0]


def test_doctor_prints_the_facts_for_a_bug_report_without_secrets(run, service):
    shown = run("doctor").stdout
    for words in (service.url, platform.python_version(), "numpy", "PHOTSERIES_TOKEN", "System admin"):
        assert words in shown
    assert service.token not in shown
    report = json.loads(run("doctor", "--json").stdout)
    assert report["URL"] == service.url
    assert "problem" not in report


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PHOTSERIES_URL": "http://127.0.0.1:1"}, "127.0.0.1"),
        ({"PHOTSERIES_TOKEN": "wrong-token-0123456789"}, "token"),
        ({"PHOTSERIES_URL": "", "PHOTSERIES_TOKEN": ""}, "photseries login"),
    ],
)
def test_doctor_reports_problems_and_exits_with_0(run, environment, words):
    shown = run("doctor", **environment).stdout
    (problem,) = (line for line in shown.splitlines() if line.startswith("problem"))
    assert words in problem
    assert "wrong-token-0123456789" not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_options(shell):
    program = [sys.executable, "-c", "from photseries.cli import main; main(prog_name='photseries')"]
    environment = {**os.environ, "_PHOTSERIES_COMPLETE": f"{shell}_complete"}
    for words, current, expected in (("photseries do", "1", "doctor"), ("photseries find --obj", "2", "--obj-id")):
        last = words.split()[-1]
        asked = {"COMP_WORDS": words, "COMP_CWORD": current if shell != "fish" else last}
        outcome = subprocess.run(program, env=environment | asked, capture_output=True, text=True, timeout=PATIENCE)
        assert expected in outcome.stdout, (outcome.stdout, outcome.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full of Linux")
@pytest.mark.parametrize(
    "words",
    [
        ("find",),
        ("find", "--json"),
        ("get", "{id}", "-o", "-"),
        ("show", "{id}"),
        ("find", "-h"),
        ("-h",),
        ("--version",),
    ],
)
def test_a_full_disk_is_reported_in_one_line(run, series, words):
    command = [sys.executable, "-m", "photseries", *(word.format(id=series) for word in words)]
    with open("/dev/full", "wb") as full:
        environment = {**os.environ, **run.environment}
        outcome = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, timeout=PATIENCE)
    assert outcome.returncode == 2
    assert re.fullmatch(rb"photseries: Cannot write [^\n]*No space left on device\.\n", outcome.stderr), outcome.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize(
    "words",
    [
        ("get", "{id}", "-o", "-"),
        ("show", "{id}", "--json"),
        ("find", "--csv"),
        ("find", "--json"),
        ("find", "-h"),
        ("-h",),
    ],
)
def test_a_closed_pipe_is_not_an_error(run, series, words):
    command = [sys.executable, "-m", "photseries", *(word.format(id=series) for word in words)]
    environment = {**os.environ, **run.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        problem = process.stderr.read()
        status = process.wait(PATIENCE)
    assert (status, problem) == (128 + signal.SIGPIPE, b"")


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("words", "status"),
    [("find", 0), ("find --csv", 0), ("get {id} -o -", 0), ("delete {id}", 2), ("upload .", 2), ("-h", 0)],
)
def test_closed_standard_streams_are_not_an_error(run, series, words, status, tmp_path):
    command = f"exec '{sys.executable}' -m photseries {words.format(id=series)}"
    environment = {**os.environ, **run.environment}
    for closed in ("<&- >&- 2>err", "2>&- >out"):
        shell = ["sh", "-c", f"{command} {closed}"]
        assert subprocess.run(shell, env=environment, cwd=tmp_path, timeout=PATIENCE).returncode == status
    assert "Traceback" not in (tmp_path / "err").read_text()


def test_output_escapes_what_its_encoding_cannot_express(run, series):
    """A pipe of Windows has the encoding cp1252, and some locales of Linux Latin-1."""
    command = [sys.executable, "-m", "photseries", "show", str(series), "--height", "9"]
    environment = {**os.environ, **run.environment, "PYTHONIOENCODING": "cp1252"}
    outcome = subprocess.run(command, capture_output=True, env=environment, timeout=PATIENCE)
    assert (outcome.returncode, outcome.stderr) == (0, b"")
    assert outcome.stdout.startswith("flux [\N{MICRO SIGN}Jy]".encode("cp1252"))
    assert rb"\u2502" in outcome.stdout


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupted_command_has_the_status_of_its_signal(run):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment = {**os.environ, **run.environment, "PHOTSERIES_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        # A test that runs in the background of a shell ignores SIGINT.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        command = [sys.executable, "-c", f"{program}from photseries.cli import main; main(['whoami'])"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGINT)
                output, problem = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, problem) == (128 + signal.SIGINT, b"", b"Interrupted.\n")


@pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
def test_closed_standard_files_do_not_matter():
    """The command works, and no later file gets the number of a closed one."""
    program = (
        "import os; from photseries.cli import main; status = main(['doctor', '-h'], standalone_mode=False); "
        "os._exit(bool(status) or os.open('/', os.O_RDONLY) < 3)"
    )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        command = ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, program]
        assert subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode == 0, closed
