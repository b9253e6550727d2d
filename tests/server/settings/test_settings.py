"""Settings: the reference is complete, the environment wins, nothing wrong passes."""

import dataclasses

import pytest
import yaml

from photseries.errors import StartError
from photseries.server import settings
from tests.support import TOP, command

REFERENCE = TOP / "config.yaml"


def test_the_reference_holds_every_setting_with_its_default():
    assert yaml.safe_load(REFERENCE.read_text()) == settings.public_settings(settings.Config())
    assert settings.load(REFERENCE, {}) == settings.load(None, {}) == settings.Config()


def test_every_setting_of_the_reference_is_commented():
    lines = REFERENCE.read_text().splitlines()
    names = {name for block in settings.public_settings(settings.Config()).values() for name in block}
    commented = {line.split(":")[0].strip() for line in lines if line.startswith("  ") and "#" in line}
    assert names <= commented


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("server: {port: 1, host: example}\nstore: {grace: 7200}\n")
    environ = {"PHOTSERIES_SERVER__PORT": "2", "PHOTSERIES_DATABASE__URL": "postgresql://a:b@c/d", "OTHER": "x"}
    loaded = settings.load(file, environ, {"server.threads": 3})
    assert (loaded.server.port, loaded.server.host, loaded.server.threads) == (2, "example", 3)
    assert loaded.store.grace == 7200.0
    assert loaded.database.url == "postgresql://a:b@c/d"
    assert settings.load(file, environ | {"PHOTSERIES_SERVER__PORT": "5"}, {"server.port": 6}).server.port == 6


def test_variables_without_a_section_are_not_settings():
    assert settings.load(None, {"PHOTSERIES_URL": "http://x", "PHOTSERIES_TOKEN": "y"}) == settings.Config()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serve: {}", "Did you mean 'server'"),
        ("server: {prot: 1}", "Did you mean 'server.port'"),
        ("server: {port: x}", "server.port is 'x'; it must be an integer"),
        ("server: {port: true}", "server.port"),
        ("server: {port: 1.5}", "server.port"),
        ("server: {port: 70000}", "between 0 and 65535"),
        ("server: 5", "must be a mapping"),
        ("[1, 2]", "mapping of sections"),
        ("a: 1\nb: [", "config.yaml is not YAML, line 2: expected the node content, but found '<stream end>'."),
        ("a:\n\tb: 1", "config.yaml is not YAML, line 2: found character '\\t' that cannot start any token."),
        ("store: {compression: zip}", "one of 'none', 'deflate'"),
        ("store: {write_deadline: 9000}", "at most a tenth of store.grace"),
        ("store: {grace: -1}", "store.grace"),
        ("sandbox: {require: seccomp}", "a list of strings"),
        ("limits: {rows: 0}", "limits.rows must be positive"),
        ("photometry: {detection_threshold: .nan}", "detection_threshold is nan; it must be a number below 1e9"),
        ("server: {stop_timeout: 1.0e+10}", "server.stop_timeout is 10000000000.0; it must be a number below 1e9"),
        ("sandbox: {deadline: 3000000}", "sandbox.deadline must be less than 2e6"),
        ("server: {body_timeout: .inf}", "server.body_timeout is inf; it must be a number below 1e9"),
        ("photometry: {detection_threshold: -1}", "photometry.detection_threshold must not be negative"),
        ("store: {secret_key: 12345}", "store.secret_key is ***; it must be a string"),
        ("vo: {temporary: 2199023255552}", "vo.temporary must be less than 2 TiB"),
        ("log: {level: loud}", "log.level"),
        ("pages: {title: 2020-13-45}", "config.yaml is not YAML: month must be in 1..12."),
        (f"vo: {{timeout: 1{'0' * 400}}}", "vo.timeout is inf; it must be a number below 1e9."),
        (f"server: {{port: {'x' * 400}}}", f"server.port is '{'x' * 79}; it must be an integer."),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, words):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(StartError) as caught:
        settings.load(file, {})
    assert words in str(caught.value)


@pytest.mark.parametrize(("section", "key"), [("server", "host"), ("data", "directory")])
def test_an_empty_host_or_directory_is_refused(tmp_path, section, key):
    """An empty variable made the service listen on all addresses, and use the current folder."""
    file = tmp_path / "config.yaml"
    file.write_text(f"{section}: {{{key}: ''}}")
    for path, environ in ((None, {f"PHOTSERIES_{section}__{key}".upper(): ""}), (file, {})):
        with pytest.raises(StartError, match=rf"{section}\.{key} must not be empty"):
            settings.load(path, environ)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0123", "0123"),
        ("null", None),
        ("plain", "plain"),
        ("'0123'", "0123"),
        ("{braces", "{braces"),
        ("Survey: west", "Survey: west"),
        ("2026-11-30", "2026-11-30"),
    ],
)
def test_a_variable_is_text_where_the_setting_is(text, value):
    """A key of digits alone was refused as a number, and a title with a colon as a mapping."""
    config = settings.load(None, {"PHOTSERIES_STORE__SECRET_KEY": text, "PHOTSERIES_STORE__ACCESS_KEY": text})
    assert config.store.secret_key == value


@pytest.mark.parametrize(
    ("variable", "text", "spelling"),
    [
        ("PHOTSERIES_SERVER_PORT", "8000", "PHOTSERIES_SERVER__PORT"),
        ("PHOTSERIES_STORE_ACCESS_KEY", "a", "PHOTSERIES_STORE__ACCESS_KEY"),
        ("PHOTSERIES_SERVER_PORT", "tcp://10.0.0.11:5000", None),  # what Kubernetes sets for a Service
        ("PHOTSERIES_SERVER_SERVICE_PORT", "5000", None),
        ("PHOTSERIES_SERVER__PORT", "8000", None),
        ("PHOTSERIES_TOKEN", "secret", None),
        ("SERVER_PORT", "8000", None),
    ],
)
def test_a_setting_with_one_underscore_is_found(variable, text, spelling):
    expected = {} if spelling is None else {variable: spelling}
    assert settings.ignored_variables({variable: text}) == expected


def test_a_command_warns_of_a_setting_with_one_underscore(tmp_path):
    printed = command("config", "--data", str(tmp_path), PHOTSERIES_SERVER_PORT="8000", PHOTSERIES_DATABASE_PORT="1")
    warning = "PHOTSERIES_SERVER_PORT is ignored: write two underscores after the section, PHOTSERIES_SERVER__PORT"
    assert printed.stderr.count("is ignored") == printed.stderr.count(warning) == 1
    assert "port: 5000" in printed.stdout


def test_wrong_variables_are_named():
    with pytest.raises(StartError, match=r"Did you mean 'store\.grace'"):
        settings.load(None, {"PHOTSERIES_STORE__GRASE": "1"})
    with pytest.raises(StartError, match="PHOTSERIES_STORE__GRACE"):
        settings.load(None, {"PHOTSERIES_STORE__GRACE": "["})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        StartError, match=r"^Cannot read the configuration \S+/none\.yaml: No such file or directory\.$"
    ):
        settings.load(tmp_path / "none.yaml", {})


def test_a_file_in_another_encoding_is_named(tmp_path):
    (tmp_path / "config.yaml").write_bytes("server: {title: é}".encode("latin-1"))
    with pytest.raises(StartError, match=r"config\.yaml is not UTF-8 text\.$"):
        settings.load(tmp_path / "config.yaml", {})


def test_secrets_are_hidden():
    loaded = settings.load(None, {"PHOTSERIES_DATABASE__URL": "postgresql://a:geheim@c/d"})
    assert settings.public_settings(loaded)["database"]["url"] == "***"
    assert settings.public_settings(settings.Config())["database"]["url"] is None


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.Config().server.port = 1  # type: ignore[misc]


def test_a_date_that_does_not_exist_in_the_environment():
    assert settings.load(None, {"PHOTSERIES_PAGES__TITLE": "2020-13-45"}).pages.title == "2020-13-45"
    with pytest.raises(StartError, match="PHOTSERIES_SERVER__PORT is not a YAML value: '2020-13-45'"):
        settings.load(None, {"PHOTSERIES_SERVER__PORT": "2020-13-45"})
