"""What is sent again, what is not, and what a lost answer means: with somebody between client and service."""

import base64
import hashlib
import socket
import ssl

import orjson
import pandas as pd
import pytest

import photseries
from photseries import errors
from photseries.errors import (
    AlteredError,
    DuplicateError,
    InvalidError,
    LateError,
    OutcomeUnknownError,
    PhotseriesError,
    StartError,
    TooManyRequestsError,
    TooSlowError,
    UnavailableError,
    UnreachableError,
)
from tests.client.between import KEPT, LOSE_ANSWER, LOSE_REQUEST, PASS, Between, answer
from tests.support import columns

SERIES = "/api/photometric_series"
BAD_GATEWAY = (502, {}, b"Bad Gateway")


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were made; none takes time."""
    made = []
    monkeypatch.setattr("photseries.client.transport.time.sleep", made.append)
    return made


@pytest.fixture
def between(service):
    with Between(service.url) as made:
        yield made


@pytest.fixture
def client(between, service, pauses):
    with photseries.Client(between.url, service.token, retries=3) as made:
        assert made.check()
        yield made


@pytest.fixture
def stranger(pauses):
    """A server that is scripted throughout, and a client of it."""
    with Between() as made, photseries.Client(made.url, "token", retries=3) as client:
        yield made, client


@pytest.mark.parametrize("fate", [LOSE_REQUEST, LOSE_ANSWER])
def test_failed_get_is_retried(client, between, pauses, fate):
    between.fates = [fate, fate]
    assert client.whoami()["username"] == "admin"
    assert len(between.seen) == 3
    assert len(pauses) == 2


@pytest.mark.parametrize("fate", [LOSE_REQUEST, LOSE_ANSWER])
def test_retried_upload_is_stored_once(client, between, fields, fate):
    between.fates = [fate]
    uploaded = client.upload(columns(), **fields)
    assert uploaded.status == "created"
    assert client.get(uploaded.id).metadata["num_exp"] == 10
    assert client.count(series_name=fields["series_name"]) == 1


def test_stored_file_is_recognised_by_its_content(client, between, fields):
    frame = pd.DataFrame(columns()).astype({"flux": "f4"})
    between.fates = [LOSE_ANSWER]
    assert client.upload(frame, **fields).status == "created"


def test_a_conflicting_series_is_a_duplicate_even_after_a_lost_answer(client, between, fields):
    client.upload(columns(20), **fields)
    between.fates = [LOSE_REQUEST]
    with pytest.raises(DuplicateError):
        client.upload(columns(10), **fields)


def test_change_with_a_lost_answer_is_not_retried(client, between, fields):
    number = client.upload(columns(), **fields).id
    between.seen.clear()
    between.fates = [LOSE_ANSWER]
    with pytest.raises(OutcomeUnknownError, match="may or may not"):
        client.update(number, exp_time=3)
    assert between.seen == [("PATCH", f"{SERIES}/{number}")]


def test_a_removal_with_a_lost_answer_succeeds(client, between, fields):
    number = client.upload(columns(), **fields).id
    between.fates = [LOSE_ANSWER]
    client.delete(number)
    assert client.count(series_name=fields["series_name"]) == 0


def test_unavailable_service_raises_after_the_retries(client, between):
    between.fates = [LOSE_REQUEST] * 10
    with pytest.raises(UnreachableError, match="broke the connection"):
        client.whoami()
    assert len(between.seen) == 4
    with pytest.raises(OutcomeUnknownError):
        client.upload(columns(), obj_id="x")


@pytest.mark.parametrize(("status", "code"), [(429, "too_many_requests"), (429, "busy"), (503, "unavailable")])
def test_temporary_refusal_is_retried(client, between, pauses, status, code):
    between.fates = [answer(status, {"code": code}, Retry_After="7"), answer(status, {"code": code})]
    client.whoami()
    assert len(between.seen) == 3
    assert 7 < pauses[0] <= 7.5
    assert 0.5 <= pauses[1] <= 1


def test_temporarily_refused_change_is_retried(client, between, fields):
    number = client.upload(columns(), **fields).id
    between.fates = [answer(503, {"code": "unavailable"})]
    client.update(number, exp_time=3)
    between.fates = [answer(503, {"code": "in_doubt"})]
    with pytest.raises(OutcomeUnknownError):
        client.update(number, exp_time=4)


@pytest.mark.parametrize("error", [TooSlowError, LateError])
def test_timed_out_query_is_not_retried(client, between, error):
    between.fates = [answer(503, {"code": error.code})]
    with pytest.raises(error):
        client.whoami()
    assert len(between.seen) == 1


def file(tag):
    return 200, {"Content-Type": "application/x-hdf5", "ETag": tag}, b"file"


def test_file_and_fields_of_different_revisions_are_requested_again(client, between, fields):
    series = client.get(client.upload(columns(), **fields).id)
    between.fates = [file('"1.99.h5"'), PASS, PASS]
    assert len(series.data) == 10
    hurried = client.get(series.id)
    between.fates = [file('"1.99.h5"'), PASS] * 5
    with pytest.raises(errors.ConflictError, match="changed during every attempt"):
        _ = hurried.data


@pytest.mark.parametrize("fate", [file("99"), file('"1.99.h5'), answer(200, {"id": 1})])
def test_invalid_file_in_an_answer_is_refused(client, between, fields, fate):
    series = client.get(client.upload(columns(), **fields).id)
    between.fates = [fate]
    with pytest.raises(UnreachableError, match="is not a photseries service"):
        _ = series.blob


def altered(answer):
    """An answer about a file, one byte of which a proxy has changed."""
    status, headers, content = answer
    middle = len(content) // 2
    return status, headers, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("stated", [True, False])
def test_a_file_that_was_altered_on_its_way_is_refused(client, between, admin, fields, tmp_path, stated):
    series = client.get(client.upload(columns(), **fields).id)
    whole = admin.get(f"{SERIES}/{series.id}/data")
    assert whole.headers["Repr-Digest"] == f"md5=:{base64.b64encode(hashlib.md5(whole.content).digest()).decode()}:"
    assert hashlib.md5(whole.content).hexdigest() == series.metadata["hash"]
    kept = (*KEPT, "Repr-Digest") if stated else KEPT
    sound = (200, {name: whole.headers[name] for name in kept}, whole.content)
    target = tmp_path / "saved.h5"

    between.fates = [altered(sound)]
    with pytest.raises(AlteredError, match=series.metadata["hash"]):
        _ = series.data
    assert len(series.data) == 10, "it is asked for again"
    between.fates, between.seen = [altered(sound)], []
    with pytest.raises(AlteredError, match=series.metadata["hash"]):
        client.save(series.id, target)
    assert len(between.seen) == (1 if stated else 2)
    assert list(tmp_path.iterdir()) == []
    between.fates = [sound]
    assert client.save(series.id, target).read_bytes() == whole.content


def test_a_revision_that_was_altered_on_its_way_is_refused(client, between, admin, fields):
    number = client.upload(columns(), **fields).id
    past = admin.get(f"{SERIES}/{number}", params={"dataFormat": "hdf5", "revision": 1})
    body = past.json()
    content = bytearray(base64.b64decode(body["data"]["data"]))
    content[len(content) // 2] ^= 1
    body["data"]["data"] = base64.b64encode(content).decode()
    between.fates = [(200, {"Content-Type": "application/json"}, orjson.dumps(body))]
    with pytest.raises(AlteredError, match=body["data"]["hash"]):
        client.get(number, revision=1)
    assert len(client.get(number, revision=1).data) == 10


def test_an_earlier_revision_that_was_altered_on_its_way_is_not_saved(client, between, admin, fields, tmp_path):
    number = client.upload(columns(), **fields).id
    whole = admin.get(f"{SERIES}/{number}/data", params={"revision": 1})
    between.fates = [altered((200, {name: whole.headers[name] for name in (*KEPT, "Repr-Digest")}, whole.content))]
    with pytest.raises(AlteredError, match=hashlib.md5(whole.content).hexdigest()):
        client.save(number, tmp_path / "old.h5", revision=1)
    assert list(tmp_path.iterdir()) == []
    assert client.save(number, tmp_path / "old.h5", revision=1).read_bytes() == whole.content


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.positions([[10.0, 20.0]], 0.1),
        lambda client: client.get_many(ids=[1]),
        lambda client: client.export("list.zip", ids=[1]),
        lambda client: list(
            client.upload_many(pd.DataFrame(columns()).assign(by=1), by="by", dry_run=True, obj_id="x")
        ),
        lambda client: client.upload(columns(), dry_run=True, obj_id="x"),
        lambda client: list(client.upload_many([columns()], bulk=False, dry_run=True, obj_id="x")),
        lambda client: client.undo("a batch", dry_run=True),
    ],
    ids=["positions", "get_many", "export", "upload_many", "upload", "upload_many without bulk", "undo"],
)
def test_a_lost_query_is_not_reported_as_a_change(client, between, ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client.check()
    for fate, problem in ((LOSE_ANSWER, "broke the connection"), (BAD_GATEWAY, "a proxy answered HTTP 502")):
        between.seen.clear()
        between.fates = [fate] * 4
        with pytest.raises(UnreachableError, match=problem):
            ask(client)
        assert [verb for verb, _ in between.seen] == ["POST"] * 4, "a query is repeated"


def test_a_file_created_for_the_answer_has_no_hash(client, admin, fields, tmp_path):
    number = client.upload(columns(), **fields).id
    for path in (f"{number}.csv", f"{number}.h5?rowMax=3"):
        assert "Repr-Digest" not in admin.get(f"{SERIES}/{path}").headers
    part = admin.get(f"{SERIES}/{number}/data", headers={"Range": "bytes=0-9"})
    assert part.headers["Repr-Digest"] == admin.head(f"{SERIES}/{number}/data").headers["Repr-Digest"]
    assert len(client.get(number, row_max=3).data) == 4
    assert client.save(number, tmp_path / "saved.ecsv").stat().st_size > 100


def test_retries_end_after_the_maximum(stranger, pauses):
    server, client = stranger
    server.fates = [answer(503, {"code": "unavailable"}, message="full")] * 10
    with pytest.raises(UnavailableError, match="full"):
        client.check()
    assert len(pauses) == 3
    assert pauses == sorted(pauses)
    server.fates = [answer(429, {"code": "too_many_requests"}, Retry_After="100000")] * 10
    with pytest.raises(TooManyRequestsError):
        client.check()
    assert max(pauses) < 180


def test_an_unreachable_service():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with photseries.Client(f"http://127.0.0.1:{port}", "token") as client:
        with pytest.raises(UnreachableError, match=r"No service answers at http://127\.0\.0\.1"):
            client.check()
        with pytest.raises(UnreachableError):
            client.upload(columns(), obj_id="x")


def test_version_is_checked_before_the_first_upload(stranger):
    server, client = stranger
    server.fates = [answer(200, {"alive": True}, version="9.1.0")]
    with pytest.raises(UnreachableError, match=r"is photseries 9.1.0, but this client"):
        client.upload(columns(), obj_id="x")
    assert server.seen == [("GET", "/healthz")]


HTML = (200, {"Content-Type": "text/html"}, b"<html>")


@pytest.mark.parametrize(
    ("fate", "kind", "message"),
    [
        (HTML, UnreachableError, "is not a photseries service"),
        ((200, {}, b'{"status": "ok"}'), UnreachableError, "is not a photseries service"),
        ((200, {}, b"[]"), UnreachableError, "is not a photseries service"),
        ((301, {"Location": "https://elsewhere/"}, b""), UnreachableError, "https://elsewhere/"),
        ((413, {}, b"<html>"), errors.TooLargeError, "proxy"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), UnreachableError, "broke"),
        (LOSE_REQUEST, UnreachableError, "broke"),
    ],
)
def test_answer_of_a_foreign_service_is_reported(stranger, fate, kind, message):
    server, client = stranger
    server.fates = [fate]
    with pytest.raises(kind, match=message):
        client.check()
    assert len(server.seen) == 1


def test_gateway_error_of_a_proxy_is_reported(stranger):
    server, client = stranger
    server.fates = [BAD_GATEWAY, (503, {}, b""), answer(200, {})]
    assert client.check() == photseries.__version__
    server.fates = [(504, {}, b"<html>")] * 4
    with pytest.raises(UnreachableError, match=r"no complete answer \(a proxy answered HTTP 504"):
        client.get(1)
    server.fates = [BAD_GATEWAY]
    with pytest.raises(OutcomeUnknownError, match="may or may not"):
        client.update(1, exp_time=3)


def every_error(kind=PhotseriesError):
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from every_error(child)


@pytest.mark.parametrize("kind", [*every_error()], ids=lambda kind: kind.code)
def test_every_error_of_the_service_is_raised_as_itself(stranger, kind):
    server, client = stranger
    data = {"code": kind.code, "fields": {"ra": ["bad"]}, "id": 5}
    server.fates = [answer(kind.status, data, message="the reason")] * 4
    with pytest.raises(PhotseriesError) as caught:
        client.check()
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.fields) == ("the reason", {"ra": ["bad"]})
    assert caught.value.details == {"id": 5}


@pytest.mark.parametrize(
    ("status", "data", "kind"),
    [
        (400, {"code": "of the future"}, InvalidError),
        (409, None, errors.ConflictError),
        (405, {"code": "http"}, PhotseriesError),
        (400, {"code": ["x"], "fields": [1]}, InvalidError),
        (400, {"code": "invalid", "fields": {"a": "b"}}, InvalidError),
        (500, "text", PhotseriesError),
    ],
)
def test_malformed_errors(stranger, status, data, kind):
    server, client = stranger
    server.fates = [answer(status, data)]
    with pytest.raises(PhotseriesError) as caught:
        client.check()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.fields) == (status, {})


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "socksio"),
        ("HTTP_PROXY", "ftp://127.0.0.1", "Unknown scheme"),
        ("HTTP_PROXY", "http://[::1", "Invalid port"),
        ("SSL_CERT_FILE", "/absent", "No such file"),
    ],
)
def test_unusable_proxies_and_certificates_are_reported(monkeypatch, name, value, problem):
    for proxy in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError, match=problem) as caught:
        photseries.Client("https://127.0.0.1:1", "token")
    assert name in str(caught.value)


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "xn--"])
def test_malformed_host_is_reported(host):
    with pytest.raises(StartError, match="is not the URL of a service"):
        photseries.Client(f"http://{host}", "token")


def test_a_hebrew_host_that_ends_with_a_digit_is_accepted():
    """IDNA of 2008, which httpx follows, permits what that of 2003 refuses."""
    photseries.Client("https://\u05d0\u05d11.example", "token").close()


@pytest.mark.parametrize("name", ["x" * 70_000, "\udcff"], ids=["long", "surrogate"])
def test_parameters_that_no_url_can_have_are_refused(stranger, name):
    server, client = stranger
    with pytest.raises(InvalidError, match="do not fit in a URL"):
        client.find(obj_id=name)
    assert server.seen == []


def test_only_tls_needs_root_certificates(monkeypatch):
    """Loading them takes longer than everything else that a command does."""

    def load(*_, **__):
        raise AssertionError("root certificates are loaded")

    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", load)
    photseries.Client("http://127.0.0.1:1", "token").close()
    with pytest.raises(AssertionError, match="root certificates"):
        photseries.Client("https://127.0.0.1:1", "token")
    monkeypatch.setenv("http_proxy", "https://127.0.0.1:2")
    with pytest.raises(AssertionError, match="root certificates"):
        photseries.Client("http://127.0.0.1:1", "token")
