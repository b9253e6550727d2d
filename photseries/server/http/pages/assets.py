"""The style sheets and scripts of the pages.

The URL of an asset contains a common version of all assets, so that browsers can cache it forever.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from pathlib import Path
from typing import ClassVar

from photseries.errors import NotFoundError
from photseries.server.http.base import BaseHandler
from photseries.server.http.encoding import choose_encoding
from photseries.server.http.etags import is_known

__all__ = ["AssetHandler", "address_of"]

_OWN = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR = 365 * 24 * 3600


class AssetHandler(BaseHandler):
    """An asset of the pages."""

    needs: ClassVar = {"GET": None}
    quick: ClassVar[bool] = True
    reads: ClassVar = ()  # compressed once, not for each answer

    async def get(self, version: str, name: str) -> None:
        """Return an asset of the pages: a style sheet, a JavaScript module, the logo."""
        packed = choose_encoding(self.request.headers, ("gzip",)) is not None
        content = await self.run(lambda: _content(name, packed))
        tag = f'"{_version()}{"-gzip" if packed else ""}"'
        lasting = version == _version()
        self.set_header("Content-Type", f"{_TYPES[Path(name).suffix]}; charset=UTF-8")
        self.set_header("Cache-Control", f"public, max-age={_YEAR}, immutable" if lasting else "no-cache")
        self.set_header("ETag", tag)
        self.set_header("Vary", "Accept-Encoding")
        if is_known(self.request.headers, tag):
            self.set_status(304)
        elif packed:
            self.set_header("Content-Encoding", "gzip")
        await self.send([content])


def address_of(name: str) -> str:
    """Return the path at which an asset is served."""
    return f"/static/{_version()}/{name}"


@functools.cache
def _files() -> dict[str, Path]:
    """List the assets by name; no other file is ever opened."""
    return {path.name: path for path in _OWN.iterdir() if path.suffix in _TYPES}


@functools.cache
def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(_OWN.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def _content(name: str, packed: bool) -> bytes:
    """Read an asset, with a cache, because assets are few and small."""
    if name not in _files():
        raise NotFoundError("There is no such asset.")
    content = _files()[name].read_bytes()
    return gzip.compress(content, 6, mtime=0) if packed else content
