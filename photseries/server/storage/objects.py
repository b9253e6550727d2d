"""A store in S3 or compatible object storage.

obstore sends the requests. Objects are written atomically, so a blob needs no temporary name; with ``If-None-Match``
the storage itself refuses an existing key.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from photseries.errors import UnavailableError
from photseries.server.faults import reached
from photseries.server.settings import StoreSettings
from photseries.server.storage.contract import CHUNK, Store, StoredBlob
from photseries.server.storage.keys import MARK, PARTIAL, check_key, check_listed

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, PutMode, UpdateVersion
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as Backend

__all__ = ["ObjectStore", "s3_backend"]

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = timedelta(seconds=5)
AT_ONCE = 8  # number of concurrent PUT requests
RETRIES = 4  # with their pauses, an unreachable storage fails after about two seconds
FIRST_PAUSE, MAX_PAUSE = timedelta(milliseconds=100), timedelta(seconds=2)
MEDIA_TYPE = "application/x-hdf5"
AWAY = "The store is not available. Try again later."

#: Error code of the storage -> message for clients.
PROBLEMS: Mapping[str, str] = {
    "NoSuchBucket": "The bucket of the store does not exist. Contact the operator.",
    "InvalidBucketName": "The bucket of the store has a name that the object storage does not allow.",
    "AccessDenied": "Access to the store was denied. Contact the operator.",
    "AllAccessDisabled": "Access to the store was denied. Contact the operator.",
    "NoCredentials": "The service has no credentials for the store. Contact the operator.",
    "InvalidAccessKeyId": "The store does not know the credentials of the service. Contact the operator.",
    "SignatureDoesNotMatch": "The store rejected the credentials of the service. Contact the operator.",
    "InvalidToken": "The store rejected the credentials of the service. Contact the operator.",
    "ExpiredToken": "The credentials for the store have expired. Contact the operator.",
    "RequestTimeTooSkewed": "The clocks of this machine and of the store differ too much. Set them right.",
    "RequestExpired": "The clocks of this machine and of the store differ too much. Set them right.",
    "QuotaExceeded": "The store is full. Ask the operator to make room, then try again.",
    "XMinioStorageFull": "The store is full. Ask the operator to make room, then try again.",
    "SlowDown": "The store is too busy. Try again.",
    "ServiceUnavailable": AWAY,
    "NotImplemented": "The object storage lacks a function that a store needs. Contact the operator.",
}
ROLE = "http://169.254.169.254/"  # the metadata services for credentials of cloud machines
_CODE = re.compile(r"<Code>(\w+)</Code>|\(code: (\w+)\)")
_HAPPENED = re.compile(r"HTTP error: [\w ]+|status code: \d{3} [\w ]+")


class ObjectStore(Store):
    """Blobs as objects, shared by any number of processes and hosts.

    Parameters
    ----------
    backend : obstore.store.ObjectStore
        The place: a bucket and a prefix in it, or memory.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def create(self, key: str, blob: bytes | memoryview) -> None:
        """Write a blob under a new key; see :meth:`Store.create`."""
        check_key(key)
        self._put(key, blob)
        reached("store: object put")

    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs, several at a time; see :meth:`Store.create_many`."""
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="put") as threads:
            for done in [threads.submit(self.create, key, blob) for key, blob in blobs.items()]:
                done.result()

    def read(self, key: str) -> bytes | None:
        """Return the whole blob, or None."""
        check_key(key)
        with contextlib.suppress(FileNotFoundError), _translated():
            return obstore.get(self._backend, key).bytes().to_bytes()
        return None

    def chunks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """Return a blob, or a range of its bytes, in pieces; see :meth:`Store.chunks`."""
        check_key(key)
        # An empty object has no valid range, so the whole blob is requested without one.
        options: GetOptions = {"range": {"offset": start} if stop is None else (start, stop)} if start or stop else {}
        with contextlib.suppress(FileNotFoundError), _translated():
            stream = obstore.get(self._backend, key, options=options).stream(min_chunk_size=CHUNK)
            return _pieces(stream)
        return None

    def size(self, key: str) -> int | None:
        """Return the length of the blob [bytes], or None."""
        check_key(key)
        with contextlib.suppress(FileNotFoundError), _translated():
            try:
                return obstore.head(self._backend, key)["size"]
            except (FileNotFoundError, PermissionDeniedError):
                # HEAD has no body, which would distinguish a missing object from, for example, a missing bucket.
                return obstore.get(self._backend, key).meta["size"]
        return None

    def delete(self, key: str) -> None:
        """Remove a blob or a left-over."""
        check_listed(key)
        self._remove(key)
        reached("store: object removed")

    def _remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError), _translated():
            try:
                obstore.delete(self._backend, key)
            except GenericError:
                # The client treats answers that contain SlowDown or InternalError, even in a key, as failures.
                # Therefore check whether the object exists.
                obstore.head(self._backend, key)
                raise

    def scan(self) -> Iterator[StoredBlob]:
        """List all blobs and left-overs; foreign objects are not listed."""
        now = self._now()
        with _translated():
            for page in obstore.list(self._backend):
                for listed in page:
                    with contextlib.suppress(ValueError):
                        check_listed(listed["path"])
                        age = (now - listed["last_modified"]).total_seconds()
                        yield StoredBlob(listed["path"], listed["size"], max(0.0, age))

    def read_mark(self) -> bytes | None:
        """Return the mark of the place; see :meth:`Store.read_mark`."""
        return self._mark()[0]

    def swap_mark(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the mark with a conditional write (If-Match); see :meth:`Store.swap_mark`."""
        current, version = self._mark()
        if current == expected:
            with _translated(), contextlib.suppress(AlreadyExistsError, PreconditionError):
                obstore.put(self._backend, MARK, new, mode=version or "create", use_multipart=False)
                return True
            current, _ = self._mark()
        # The client retries a write whose answer was lost, and its own first attempt makes the retry fail.
        return current == new

    def _mark(self) -> tuple[bytes | None, UpdateVersion | None]:
        with contextlib.suppress(FileNotFoundError), _translated():
            response = obstore.get(self._backend, MARK)
            return response.bytes().to_bytes(), {"e_tag": response.meta["e_tag"] or ""}
        return None, None

    def check(self) -> None:
        """Write and remove a probe, and check that the storage supports conditional writes."""
        conditions: Mapping[str, PutMode] = {"If-None-Match": "create", "If-Match": {"e_tag": '"another"'}}
        with self._probe() as probe, _translated():
            for header, mode in conditions.items():
                with contextlib.suppress(AlreadyExistsError, PreconditionError):
                    obstore.put(self._backend, probe, b"another", mode=mode, use_multipart=False)
                    raise UnavailableError(
                        f"The object storage overwrites existing objects: it lacks conditional writes ({header}). It "
                        "cannot be a store."
                    )

    def _put(self, key: str, blob: bytes | memoryview) -> None:
        """Write an object with a random writer id.

        After a lost answer the client retries the write, and recognises its own object by this id.
        """
        writer = secrets.token_hex(16)
        attributes = {"Content-Type": MEDIA_TYPE, "writer": writer}
        with _translated():
            try:
                obstore.put(self._backend, key, blob, mode="create", attributes=attributes, use_multipart=False)
            except AlreadyExistsError:
                if obstore.get(self._backend, key).attributes.get("writer") != writer:
                    raise FileExistsError(key) from None

    @contextlib.contextmanager
    def _probe(self) -> Iterator[str]:
        """Write an object that is removed at the end; yield its name."""
        probe = f"{PARTIAL}/{secrets.token_hex(16)}"
        self._put(probe, b"probe")
        try:
            yield probe
        finally:
            self._remove(probe)

    def _now(self) -> datetime:
        """Return the time of the clock that stamps the objects."""
        with self._probe() as probe, _translated():
            return obstore.head(self._backend, probe)["last_modified"]


def s3_backend(bucket: str, prefix: str, settings: StoreSettings) -> Backend:
    """Create the S3 client of a bucket and prefix.

    Parameters
    ----------
    bucket, prefix : str
    settings : StoreSettings
        Null values come from the environment (``AWS_*``), credentials also from the role of the machine.

    Returns
    -------
    obstore.store.ObjectStore
    """
    endpoint = settings.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options = {
        "endpoint": endpoint,
        "region": settings.region,
        "access_key_id": settings.access_key,
        "secret_access_key": settings.secret_key,
    }
    named: Any = {name: value for name, value in options.items() if value is not None}
    # The last retry begins by half of the time and has the other half.
    half = timedelta(seconds=settings.timeout / 2)
    client: ClientConfig = {"connect_timeout": min(CONNECT_TIMEOUT, half), "timeout": half}
    if endpoint is not None and endpoint.startswith("http://"):
        client["allow_http"] = True
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": half,
        "backoff": {"init_backoff": FIRST_PAUSE, "max_backoff": MAX_PAUSE, "base": 2},
    }
    return S3Store(bucket, prefix=prefix or None, client_options=client, retry_config=retries, **named)


def _pieces(stream: BytesStream) -> Iterator[bytes]:
    with _translated():
        for piece in stream:
            yield bytes(piece)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate errors of the storage to errors for clients, except FileExistsError and FileNotFoundError.

    Messages of the storage are dropped, because they may contain the name of a key or a bucket.
    """
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        code = _code(str(error))
        if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
            raise
        happened = _HAPPENED.search(str(error))
        log.warning("object storage: %s", code or (happened[0] if happened else type(error).__name__))
        raise UnavailableError(_problem(error, code)) from None


def _code(words: str) -> str | None:
    if ROLE in words:
        return "NoCredentials"
    match = _CODE.search(words)
    return (match[1] or match[2]) if match else None


def _problem(error: Exception, code: str | None) -> str:
    if code is not None and code in PROBLEMS:
        return PROBLEMS[code]
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return PROBLEMS["AccessDenied"]
    return AWAY if code is None else "The store failed. Contact the operator."
