"""Where the URL and the token come from; a token never goes to another service than its own."""

import stat

import pytest

from photseries.client.settings import Settings, config_file, load, save
from photseries.errors import StartError


@pytest.fixture
def environ(tmp_path):
    return {"HOME": str(tmp_path)}


def test_a_file_that_cannot_be_replaced_leaves_no_copy_of_the_token(environ):
    path = config_file(environ)
    path.mkdir(parents=True)
    with pytest.raises(OSError, match=path.name):
        save(Settings("http://host", "secret"), environ)
    assert list(path.parent.iterdir()) == [path]


def test_arguments_override_environment_and_file(environ):
    save(Settings("http://file", "f"), environ)
    both = {**environ, "PHOTSERIES_URL": "http://environ/", "PHOTSERIES_TOKEN": "e"}
    assert load(None, None, environ) == Settings("http://file", "f")
    assert load(None, None, both) == Settings("http://environ", "e")
    assert load("http://given/api/\n", "g\n", both) == Settings("http://given", "g")
    assert load(None, "g", both) == Settings("http://environ", "g")
    assert load("http://environ", None, both) == Settings("http://environ", "e")


def test_a_token_stays_with_its_url(environ):
    save(Settings("http://file", "f"), environ)
    with pytest.raises(StartError, match="No token is configured for http://given"):
        load("http://given", None, {**environ, "PHOTSERIES_URL": "http://environ", "PHOTSERIES_TOKEN": "e"})
    with pytest.raises(StartError, match="No token"):
        load(None, None, {**environ, "PHOTSERIES_URL": "http://environ"})
    assert load("http://file", None, {**environ, "PHOTSERIES_URL": "http://environ"}).token == "f"
    assert load("http://given", None, {**environ, "PHOTSERIES_TOKEN": "e"}).token == "e"


def test_a_set_token_for_another_url_is_named(environ):
    with pytest.raises(StartError, match=r"for http://given: .* both PHOTSERIES_URL and PHOTSERIES_TOKEN .*http://set"):
        load("http://given", None, environ | {"PHOTSERIES_URL": "http://set", "PHOTSERIES_TOKEN": "secret"})


def test_the_file_is_private(environ, tmp_path):
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    path = save(Settings("http://file", "secret"), environ)
    assert path == tmp_path / "xdg/photseries/config.yaml" == config_file(environ)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in repr(load(None, None, environ))
    path.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        load(None, None, environ)
    assert save(Settings("http://file", "new"), environ).stat().st_mode & 0o77 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("text", ["[1", "- 1", "url: 5", "urls: http://x", "\x00"])
def test_a_malformed_file_is_named(environ, text):
    path = config_file(environ)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(StartError, match="photseries login"):
        load(None, None, environ)


def test_missing_url_and_token_are_reported(environ):
    with pytest.raises(StartError, match=r"photseries login.*PHOTSERIES_URL"):
        load(None, None, environ)


@pytest.mark.parametrize(
    "url", ["", "host:5000", "ftp://host", "http://", "http://h:port", "http://u:p@h", "http://h?x", "http://h\n/x"]
)
def test_invalid_urls_are_refused(url):
    with pytest.raises(StartError, match="not the URL of a service"):
        Settings(url, "t")


@pytest.mark.parametrize("token", ["", "a b", "é", "a\nb"])
def test_invalid_tokens_are_refused(token):
    with pytest.raises(StartError, match="token"):
        Settings("http://host", token)
