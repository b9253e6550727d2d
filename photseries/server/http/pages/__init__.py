"""The web pages, on which users find and view light curves.

The service renders HTML from templates that escape every value; JavaScript modules make pages interactive and call the
same API as every other client.
"""

from photseries.server.http.base import BaseHandler
from photseries.server.http.openapi.handlers import DocsHandler
from photseries.server.http.pages.account import AccountHandler
from photseries.server.http.pages.admin import AdminHandler
from photseries.server.http.pages.assets import AssetHandler
from photseries.server.http.pages.find import FindHandler
from photseries.server.http.pages.page import NotFoundPageHandler
from photseries.server.http.pages.search import ArchiveHandler, NamesHandler, SearchFileHandler, SearchSummaryHandler
from photseries.server.http.pages.series import (
    PeriodPageHandler,
    SeriesFigureHandler,
    SeriesFileHandler,
    SeriesPageHandler,
)
from photseries.server.http.pages.signing import SignInHandler, SignOutHandler
from photseries.server.http.pages.site import SiteFolderHandler, SiteHandler
from photseries.server.http.pages.source import SourcePageHandler
from photseries.server.http.pages.upload import UploadPageHandler

__all__ = ["PAGES", "NotFoundPageHandler"]

#: Path, handler, and further arguments of the handler.
PAGES: tuple[tuple[str, type[BaseHandler], dict[str, str]], ...] = (
    (r"/", FindHandler, {}),
    (r"/find/summary", SearchSummaryHandler, {}),
    (r"/find/archive", ArchiveHandler, {}),
    (r"/find/names", NamesHandler, {}),
    (r"/find/export", SearchFileHandler, {}),
    (r"/account", AccountHandler, {}),
    (r"/admin", AdminHandler, {}),
    (r"/sign-in", SignInHandler, {}),
    (r"/sign-out", SignOutHandler, {}),
    (r"/series/([^/]+)", SeriesPageHandler, {}),
    (r"/series/([^/]+)/data", SeriesFileHandler, {}),
    (r"/series/([^/]+)/plot\.pdf", SeriesFigureHandler, {}),
    (r"/docs", SiteFolderHandler, {}),
    (r"/docs/http", DocsHandler, {}),
    (r"/docs/(.*)", SiteHandler, {}),
    (r"/upload", UploadPageHandler, {}),
    (r"/series/([^/]+)/period", PeriodPageHandler, {}),
    (r"/sources", SourcePageHandler, {}),
    (r"/sources/(.+)", SourcePageHandler, {}),
    (r"/static/([0-9a-f]+)/([a-z0-9_.-]+)", AssetHandler, {}),
)
