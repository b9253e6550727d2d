"""Serve the documentation site of ``make docs-site``, from the wheel or from ``docs/_site``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import photseries.server
from photseries.errors import NotFoundError
from photseries.server.http.base import BaseHandler
from photseries.server.http.etags import send_document

__all__ = ["SiteFolderHandler", "SiteHandler"]

_TYPES: Final = {
    ".css": "text/css; charset=UTF-8",
    ".html": "text/html; charset=UTF-8",
    ".js": "text/javascript; charset=UTF-8",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=UTF-8",
    ".txt": "text/plain; charset=UTF-8",
}

#: The policy forbids external resources and inline scripts.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_NOT_BUILT: Final = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>photseries: the documentation is not built</title></head><body><main>
<h1>The documentation is not built</h1>
<p>This service runs from a checkout: <code>make docs-site</code> builds what is served here.</p>
<p>The <a href="/docs/http">HTTP API</a> is documented without it.</p>
</main></body></html>
"""


class SiteFolderHandler(BaseHandler):
    """The URL of the site without its slash: the target of every link to the documentation."""

    needs: ClassVar = {"GET": None}

    async def get(self) -> None:
        """Redirect to the site, or to the page of the API if the site is not built."""
        is_built = await self.run(lambda: bool(_files()))
        self.set_status(308 if is_built else 307)
        self.set_header("Location", "/docs/" if is_built else "/docs/http")
        await self.send([])


class SiteHandler(BaseHandler):
    """A file of the documentation site."""

    needs: ClassVar = {"GET": None}
    quick: ClassVar[bool] = True

    async def get(self, path: str) -> None:
        """Return a page of the documentation, or one of its resources."""
        name = f"{path}index.html" if not path or path.endswith("/") else path
        content = await self.run(lambda: _content(name))
        self.set_header("Content-Security-Policy", _POLICY)
        await send_document(self, content, _TYPES[Path(name).suffix])


def _folder() -> Path:
    """Return the folder of the site: inside an installed package, or at the top of a checkout; it may not exist."""
    server = Path(photseries.server.__file__).parent
    installed = server / "site"
    return installed if installed.is_dir() else server.parents[1] / "docs/_site"


#: The files of the site by name, listed until it is complete; no other file is ever opened.
_found: dict[str, Path] = {}

#: The file that Sphinx writes last.
_LAST: Final = "searchindex.js"


def _files() -> Mapping[str, Path]:
    """List the files of the site, which may be built while the service is running."""
    if _LAST not in _found:
        folder = _folder()
        _found.update(
            {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.suffix in _TYPES}
        )
    return _found


def _content(name: str) -> bytes:
    """Read a file of the site; if the site is not built, return a page that says so."""
    if name in _files():
        return _files()[name].read_bytes()
    if not _files() and re.fullmatch(r"[\w/-]+\.html", name):
        return _NOT_BUILT
    raise NotFoundError(f"The documentation has no page {name[:100]!r}.")
