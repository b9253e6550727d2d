"""Stores of objects, in memory and on a real S3 server: the contract, and what storage says when something is wrong."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import obstore
import pytest
from hypothesis import settings
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import MemoryStore

from photseries.errors import StartError, UnavailableError
from photseries.server.settings import StoreSettings
from photseries.server.storage import Store, open_store
from photseries.server.storage.objects import PROBLEMS, ObjectStore
from tests.objects import SECRET_KEY, ObjectServer
from tests.server.storage.contract import StoreContract, StoreMachine

_numbers = itertools.count()


@pytest.fixture(scope="module")
def bucket(object_server: ObjectServer) -> str:
    assert object_server.make_bucket("contract")
    return "contract"


class TestMemoryStore(StoreContract):
    """The contract, in memory."""

    @pytest.fixture
    def store(self) -> Store:
        return ObjectStore(MemoryStore())


class TestS3Store(StoreContract):
    """The contract, on a server."""

    @pytest.fixture
    def store(self, object_server: ObjectServer, bucket: str) -> Store:
        place = f"{bucket}/an/archive-{next(_numbers)}"
        return open_store(f"s3://{place}", object_server.config(place))


class MemoryStoreMachine(StoreMachine):
    def make_store(self) -> Store:
        return ObjectStore(MemoryStore())


TestMemoryStoreMachine = MemoryStoreMachine.TestCase
TestMemoryStoreMachine.settings = settings(max_examples=30, stateful_step_count=20)


def test_two_places_in_a_bucket_are_two_stores(object_server: ObjectServer, bucket: str) -> None:
    one, other = (open_store(f"s3://{bucket}/{name}", object_server.config(bucket)) for name in ("one", "one-more"))
    one.create("a/b.h5", b"one")
    assert other.read("a/b.h5") is None
    assert list(other.scan()) == []
    assert [blob.key for blob in one.scan()] == ["a/b.h5"]


def test_a_key_may_be_called_like_a_failure(object_server: ObjectServer, bucket: str) -> None:
    """The client looks for such words in the answer to a deletion."""
    store = open_store(f"s3://{bucket}/words", object_server.config(bucket))
    store.create("InternalError/SlowDown.h5", b"blob")
    store.delete("InternalError/SlowDown.h5")
    assert store.read("InternalError/SlowDown.h5") is None
    store.delete("InternalError/SlowDown.h5")


def test_objects_have_a_media_type() -> None:
    backend = MemoryStore()
    ObjectStore(backend).create("a/b.h5", b"blob")
    assert obstore.get(backend, "a/b.h5").attributes["Content-Type"] == "application/x-hdf5"


def test_foreign_objects_are_not_listed() -> None:
    backend = MemoryStore()
    for name in ("README", ".partial/mine", "a b.h5", "deep/er/.hidden"):
        obstore.put(backend, name, b"")
    store = ObjectStore(backend)
    store.create("a/b.h5", b"blob")
    assert [blob.key for blob in store.scan()] == ["a/b.h5"]


def test_left_overs_are_listed_and_removed() -> None:
    backend = MemoryStore()
    left = f".partial/{'0' * 32}"
    obstore.put(backend, left, b"probe")
    store = ObjectStore(backend)
    assert [blob.key for blob in store.scan()] == [left]
    store.delete(left)
    assert list(store.scan()) == []


def test_a_write_that_was_repeated_is_not_taken_for_another_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to the first request is lost, and the client sends it again by itself."""
    put = obstore.put

    def twice(*arguments: object, **options: object) -> object:
        put(*arguments, **options)  # type: ignore[arg-type]
        return put(*arguments, **options)  # type: ignore[arg-type]

    store = ObjectStore(MemoryStore())
    with monkeypatch.context() as patched:
        patched.setattr(obstore, "put", twice)
        store.create("a/b.h5", b"blob")
    assert store.read("a/b.h5") == b"blob"
    with pytest.raises(FileExistsError):
        store.create("a/b.h5", b"blob")


def test_storage_without_conditional_writes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    put = obstore.put
    monkeypatch.setattr(
        obstore, "put", lambda *arguments, **options: put(*arguments, **{**options, "mode": "overwrite"})
    )
    store = ObjectStore(MemoryStore())
    with pytest.raises(UnavailableError, match="overwrites existing objects"):
        store.check()
    assert list(store.scan()) == []


USES: list[Callable[[Store], object]] = [
    lambda store: store.read("a/b.h5"),
    lambda store: store.chunks("a/b.h5"),
    lambda store: store.size("a/b.h5"),
    lambda store: store.create("a/c.h5", b"blob"),
    lambda store: store.delete("a/b.h5"),
    lambda store: list(store.scan()),
    lambda store: store.check(),
]


def test_a_bucket_that_is_gone_is_not_an_empty_store(object_server: ObjectServer) -> None:
    assert object_server.make_bucket("passing")
    store = open_store("s3://passing", object_server.config("passing"))
    store.create("a/b.h5", b"blob")
    object_server.remove_bucket("passing")
    for use in USES:
        with pytest.raises(UnavailableError, match="bucket of the store does not exist"):
            use(store)


@pytest.mark.parametrize(
    ("place", "more", "words"),
    [
        ("absent", {}, "bucket of the store does not exist"),
        ("contract", {"secret_key": "wrong"}, "rejected the credentials"),
        ("contract", {"access_key": "nobody"}, "does not know the credentials"),
        ("contract", {"endpoint": "http://127.0.0.1:1", "timeout": 1.0}, "is not available"),
    ],
)
@pytest.mark.parametrize("only_read", [False, True])
def test_unusable_urls_are_named(
    object_server: ObjectServer,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    place: str,
    more: dict[str, str],
    words: str,
    only_read: bool,
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(StartError, match=words) as caught:
        open_store(f"s3://{place}", object_server.config(place, **more), only_read=only_read)
    assert caught.value.message.startswith(f"The store s3://{place} cannot be used: ")
    for secret in (SECRET_KEY, "wrong", "nobody"):
        assert secret not in caught.value.message + caplog.text


@pytest.mark.parametrize("code", PROBLEMS)
def test_storage_errors_are_translated(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise GenericError(f"PUT http://host/bucket/key: <Error><Code>{code}</Code><Message>secret</Message></Error>")

    monkeypatch.setattr(obstore, "get", refuse)
    with pytest.raises(UnavailableError) as caught:
        ObjectStore(MemoryStore()).read("a/b.h5")
    assert caught.value.message == PROBLEMS[code]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("kind", "answer", "words", "logged"),
    [
        (GenericError, "<Error><Code>Strange</Code></Error>", "The store failed", "Strange"),
        (GenericError, "Object failed (code: SlowDown)", "The store is too busy", "SlowDown"),
        (GenericError, "HTTP error: timed out, a secret", "is not available", "HTTP error: timed out"),
        (GenericError, "GET http://169.254.169.254/latest: a secret", "no credentials", "NoCredentials"),
        (PermissionDeniedError, "a secret", "was denied", "PermissionDeniedError"),
        (UnauthenticatedError, "a secret", "was denied", "UnauthenticatedError"),
        (FileNotFoundError, "<Error><Code>NoSuchBucket</Code></Error>", "bucket of the store", "NoSuchBucket"),
    ],
)
def test_other_storage_errors_are_translated_and_logged(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[Exception],
    answer: str,
    words: str,
    logged: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise kind(answer)

    monkeypatch.setattr(obstore, "get", refuse)
    with pytest.raises(UnavailableError, match=words):
        ObjectStore(MemoryStore()).read("a/b.h5")
    assert [record.getMessage() for record in caplog.records] == [f"object storage: {logged}"]


@pytest.mark.parametrize(
    "url",
    ["", "store", "/srv/store", "http://host/bucket", "file://host/folder", "file:folder", "s3://", "s3://b",
     "s3://Bucket", "s3://bucket/../other", "s3://bucket/a//b", "s3://bucket/.hidden", "s3://key:secret@bucket",
     "s3://bucket?region=x", "s3://bucket/a b", "gs://bucket"],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(StartError, match=r"address of (a|the) store") as caught:
        open_store(url, StoreSettings())
    assert "secret" not in caught.value.message


def test_an_address_of_a_folder(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/store", StoreSettings()).create("a/b.h5", b"blob")
    assert open_store(f"file://{tmp_path}/store/", StoreSettings()).read("a/b.h5") == b"blob"


def test_a_folder_to_read_must_exist(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/store"
    with pytest.raises(StartError, match=f"There is no folder {tmp_path}/store"):
        open_store(url, StoreSettings(), only_read=True)
    assert not (tmp_path / "store").exists()
    open_store(url, StoreSettings()).create("a/b.h5", b"blob")
    assert open_store(url, StoreSettings(), only_read=True).read("a/b.h5") == b"blob"


def test_object_storage_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "photseries.server.storage.objects")
    with pytest.raises(StartError, match="needs the package obstore: pip install"):
        open_store("s3://bucket", StoreSettings())


def test_credentials_come_from_the_environment_too(
    object_server: ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = object_server.config(bucket)
    for name, value in {
        "AWS_ACCESS_KEY_ID": given.access_key,
        "AWS_SECRET_ACCESS_KEY": given.secret_key,
        "AWS_ENDPOINT_URL": given.endpoint,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value or "")
    open_store(f"s3://{bucket}/environment", StoreSettings()).create("a/b.h5", b"blob")
    assert open_store(f"s3://{bucket}/environment", given).read("a/b.h5") == b"blob"


def test_operations_end_at_the_timeout(object_server: ObjectServer, bucket: str) -> None:
    patient = open_store(f"s3://{bucket}/slow", object_server.config(bucket))
    store = open_store(f"s3://{bucket}/slow", object_server.config(bucket, timeout=0.4))
    for key in ("a/b.h5", "a/kept.h5"):
        patient.create(key, b"blob")
    object_server.freeze()
    try:
        for use in USES:
            with pytest.raises(UnavailableError, match="is not available"):
                use(store)
    finally:
        object_server.thaw()
    # What was asked for without an answer may have been done since: a deletion, or a blob that no row will name.
    assert patient.read("a/kept.h5") == b"blob"
