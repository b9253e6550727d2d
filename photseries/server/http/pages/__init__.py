"""The pages, on which people find light curves and look at them.

HTML is written here from templates that escape every value; what moves on a page is a module of JavaScript that asks
the same interface as every other client.
"""

from typing import Any

from photseries.server.http.base import BaseHandler
from photseries.server.http.openapi.handlers import DocsHandler
from photseries.server.http.pages.assets import AssetHandler
from photseries.server.http.pages.find import FindHandler
from photseries.server.http.pages.page import NotFoundPageHandler
from photseries.server.http.pages.series import PeriodPageHandler, SeriesFileHandler, SeriesPageHandler
from photseries.server.http.pages.signing import SignInHandler, SignOutHandler
from photseries.server.http.pages.site import SiteFolderHandler, SiteHandler
from photseries.server.http.pages.source import SourcePageHandler
from photseries.server.http.pages.upload import UploadPageHandler

__all__ = ["PAGES", "NotFoundPageHandler"]

#: Path, handler, and what else the handler is given.
PAGES: tuple[tuple[str, type[BaseHandler], dict[str, Any]], ...] = (
    (r"/", FindHandler, {}),
    (r"/sign-in", SignInHandler, {}),
    (r"/sign-out", SignOutHandler, {}),
    (r"/series/([^/]+)", SeriesPageHandler, {}),
    (r"/series/([^/]+)/data", SeriesFileHandler, {}),
    (r"/docs", SiteFolderHandler, {}),
    (r"/docs/http", DocsHandler, {}),
    (r"/docs/(.*)", SiteHandler, {}),
    (r"/upload", UploadPageHandler, {}),
    (r"/series/([^/]+)/period", PeriodPageHandler, {}),
    (r"/sources", SourcePageHandler, {}),
    (r"/sources/(.+)", SourcePageHandler, {}),
    (r"/static/([0-9a-f]+)/([a-z0-9_.-]+)", AssetHandler, {}),
)
