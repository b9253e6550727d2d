"""Open the store of a URL."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from photseries.errors import StartError, UnavailableError
from photseries.server.settings import StoreSettings
from photseries.server.storage.contract import Store
from photseries.server.storage.local import LocalStore

__all__ = ["open_store"]

NOTHING = "nothing.h5"  # a key that is never used
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.+-]*/)*[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def open_store(url: str, settings: StoreSettings, *, only_read: bool = False) -> Store:
    """Open the store at an address.

    Parameters
    ----------
    url : str
        ``s3://BUCKET[/PREFIX]`` or ``file:///FOLDER``.
    settings : StoreSettings
        The settings of the store.
    only_read : bool
        Whether read access suffices.

    Returns
    -------
    Store
        A missing folder is created; a bucket must exist.

    Raises
    ------
    StartError
        When the URL is invalid, or the store is unusable, with the reason.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc == "" and parts.path.startswith("/"):
        if only_read and not Path(parts.path).is_dir():
            raise StartError(f"There is no folder {parts.path}.")
        return LocalStore(Path(parts.path))
    if parts.scheme == "s3":
        return _object_store(url, parts.netloc, parts.path.strip("/"), settings, only_read=only_read)
    raise StartError(f"{url!r} is not the address of a store. It must be s3://BUCKET/PREFIX or file:///FOLDER.")


def _object_store(url: str, bucket: str, prefix: str, settings: StoreSettings, *, only_read: bool) -> Store:
    if not _BUCKET.fullmatch(bucket) or (prefix and not _PREFIX.fullmatch(prefix)) or "?" in url or "#" in url:
        # Not shown, because the URL may contain credentials by mistake.
        raise StartError("The address of the store must have the form s3://BUCKET/PREFIX.")
    try:
        # Imported here, because most archives do not need it.
        from photseries.server.storage.objects import ObjectStore, s3_backend
    except ModuleNotFoundError as error:
        raise StartError(
            "A store in object storage needs the package obstore: pip install 'photseries[server,s3]'."
        ) from error
    store = ObjectStore(s3_backend(bucket, prefix, settings))
    try:
        if only_read:
            store.size(NOTHING)
        else:
            store.check()
    except UnavailableError as error:
        raise StartError(f"The store {url} cannot be used: {error.message}") from error
    return store
