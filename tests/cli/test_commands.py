"""What the commands are, before any of them talks to a service."""

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import click
import pytest
from click.testing import CliRunner

from photseries.cli import main
from photseries.cli.commands import SECTIONS
from photseries.cli.find import find
from photseries.cli.upload import upload
from photseries.client.queries import KEYWORDS
from photseries.fields import SETTABLE
from photseries.formats import ReadOptions
from photseries.formats.options import OPTIONS, SHARED
from photseries.parameters import CRITERIA

LIGHT = """
import sys
from click.testing import CliRunner
from photseries.cli import main
for command in sys.argv[1:]:
    outcome = CliRunner().invoke(main, [command, "--help"])
    assert outcome.exit_code == 0, outcome.output
print(*sorted({"sqlalchemy", "tornado", "psycopg2", "alembic", "tables"} & set(sys.modules)))
"""


def test_client_commands_do_not_import_the_server():
    commands = SECTIONS["Series, over HTTP"]
    done = subprocess.run([sys.executable, "-c", LIGHT, *commands], capture_output=True, text=True)
    assert done.stdout == "\n", done.stderr


def test_the_help_names_every_command():
    shown = CliRunner().invoke(main, ["--help"]).output
    context = click.Context(main)
    for name in main.list_commands(context):
        assert main.get_command(context, name).name == name
        assert f"\n  {name} " in shown


def test_help_lists_the_summary_of_each_command():
    context = click.Context(main)
    lines = {name: entry.help for section in main.sections().values() for name, entry in section.items()}
    assert lines == {name: main.get_command(context, name).get_short_help_str(200) for name in lines}


def test_the_help_imports_no_command():
    script = "import sys; from photseries.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "photseries.server.cli.commands" in loaded
    assert not loaded & {"numpy", "pandas", "httpx", "rich", "photseries.cli.find", "photseries.server.cli.operator"}


def test_server_command_without_server_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "photseries.server.cli.operator", None)
    outcome = CliRunner().invoke(main, ["serve"])
    assert outcome.exit_code == 2
    assert outcome.output.count("\n") == 1
    assert "pip install 'photseries[server]'" in outcome.output


def test_unknown_command_is_rejected():
    outcome = CliRunner().invoke(main, ["fnid"])
    assert outcome.exit_code == 2
    assert "No such command 'fnid'. Did you mean find?" in outcome.output
    assert "Did you mean" not in CliRunner().invoke(main, ["xyzzy"]).output
    assert "No such option" in CliRunner().invoke(main, ["--hlep"]).output


def options(command):
    return {option: parameter for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
def test_every_criterion_is_an_option_spelled_as_the_keyword_of_the_client(criterion):
    (keyword,) = [keyword for keyword, name in KEYWORDS.items() if name == criterion.name]
    option = options(find)[f"--{keyword.replace('_', '-')}"]
    assert option.name == criterion.name
    assert option.help == criterion.sentence


def test_every_field_and_every_option_of_the_readers_is_an_option():
    names = {*SETTABLE, *vars(ReadOptions())}
    assert {*OPTIONS, *SHARED} == set(vars(ReadOptions()))
    assert {f"--{name.replace('_', '-')}" for name in names} <= set(options(upload))


def test_long_helps_have_sections():
    shown = CliRunner().invoke(main, ["upload", "--help"]).output
    titles = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Fields of the series:", "Reading:", "Options:"]
    assert "Criteria:" in CliRunner().invoke(main, ["find", "--help"]).output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["find", "--min-rms", "much"], "it must be a finite number"),
        (["find", "--stat", "medians"], "it must be a comparison"),
        (["find", "--nonsense", "1"], "No such option"),
        (["upload", "--ra", "500", "x.csv"], "Must be in [0, 360) deg."),
        (
            ["upload", "--set", "filtre=red", "x.csv"],
            "must be FIELD=VALUE; --help lists the fields. Did you mean filter?",
        ),
        (["upload", "--set", "ra=500", "x.csv"], "ra: Must be in [0, 360) deg."),
        (["upload", "--altdata", "{", "x.csv"], "is not JSON"),
        (["upload", "--stream-ids", "1,b", "x.csv"], "'b', must be an integer"),
        (["upload", "--time-format", "sundial", "x.csv"], "Unknown time format 'sundial'"),
        (["upload"], "Missing argument 'FILES...'"),
        (["find", "--limit", str(2**63)], "is not in the range"),
        (["find", "--json", "--csv"], "cannot be combined"),
        (["show", "0"], "is not in the range"),
        (["update", "one"], "'one' is not a valid series ID."),
    ],
)
def test_usage_errors_need_no_service(words, message):
    outcome = CliRunner().invoke(main, words, env={"PHOTSERIES_URL": "http://127.0.0.1:1", "PHOTSERIES_TOKEN": "x"})
    assert outcome.exit_code == 2
    assert message in outcome.output


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "photseries login"),
        ({"PHOTSERIES_URL": "http://127.0.0.1:1"}, "No token is configured"),
        ({"PHOTSERIES_URL": "http://127.0.0.1:1", "PHOTSERIES_TOKEN": "x"}, "No service answers at http://127.0.0.1:1"),
        ({"PHOTSERIES_URL": "ftp://x", "PHOTSERIES_TOKEN": "x"}, "is not the URL of a service"),
    ],
)
@pytest.mark.parametrize("words", [["find"], ["show", "1"], ["whoami"], ["upload", __file__, "--format", "csv"]])
def test_unreachable_service_is_reported_in_one_line(environment, message, words, tmp_path):
    outcome = CliRunner().invoke(main, words, env={"XDG_CONFIG_HOME": str(tmp_path), **environment})
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert outcome.stdout == ""


@pytest.fixture
def stranger():
    """Something that answers every request with a text of one's choice."""

    class Stranger(HTTPServer):
        text = b""

    class Handler(BaseHTTPRequestHandler):
        server: Stranger

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.server.text)

        def log_message(self, *_):
            pass

    with Stranger(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"<html>It works!</html>", "is not a photseries service"),
        (b'{"status": "success", "data": {}, "version": "99.0"}', "is photseries 99.0, but this client"),
    ],
)
@pytest.mark.parametrize("words", [["find"], ["upload", __file__, "--format", "csv"], ["login", "--token-stdin"]])
def test_foreign_service_is_reported(stranger, text, message, words, tmp_path):
    stranger.text = text
    url = f"http://127.0.0.1:{stranger.server_port}"
    words = [*words, url] if words[0] == "login" else words
    environment = {"PHOTSERIES_URL": url, "PHOTSERIES_TOKEN": "x", "XDG_CONFIG_HOME": str(tmp_path)}
    outcome = CliRunner().invoke(main, words, env=environment, input="token")
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
