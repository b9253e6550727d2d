"""The sections of the settings as frozen dataclasses, which refuse invalid values."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from photseries.errors import StartError
from photseries.hdf5 import limits as hdf5

__all__ = [
    "AnalysisSettings",
    "Config",
    "DataSettings",
    "DatabaseSettings",
    "LimitSettings",
    "LogSettings",
    "PageSettings",
    "PeriodogramSettings",
    "PhotometrySettings",
    "QuotaSettings",
    "SandboxSettings",
    "ServerSettings",
    "StoreSettings",
    "VOSettings",
]

MIB = 1024 * 1024

_ROLE = re.compile("[a-z_][a-z0-9_]{0,62}")
_AUTHORITY = re.compile("[A-Za-z0-9][A-Za-z0-9.-]{2,}")


@dataclass(frozen=True)
class ServerSettings:
    """The HTTP server."""

    host: str = "127.0.0.1"
    port: int = 5000
    processes: int = 1
    max_body: int = 400 * MIB  # [bytes]
    threads: int = 8
    table_threads: int = 4
    exports: int = 8
    heavy_requests: int = 4  # per user
    heavy_waiting: int = 16  # per user
    stop_timeout: float = 30.0  # [s]
    idle_timeout: float = 75.0  # [s]
    body_timeout: float = 600.0  # [s]
    unsent: int = 512 * MIB  # [bytes]
    cors_origins: tuple[str, ...] = ()
    spool_memory: int = 1024 * MIB  # [bytes]
    spool_disk: int = 8 * 1024 * MIB  # [bytes]
    token_failures: int = 30  # per client address and minute
    session_lifetime: float = 24 * 3600.0  # [s]
    trusted_proxies: tuple[str, ...] = ()

    quick_threads: ClassVar[int] = 2  # for signing in and static files

    @property
    def all_threads(self) -> int:
        """The number of threads that may need a database connection."""
        return self.threads + self.table_threads + self.quick_threads

    def __post_init__(self) -> None:
        _require(self.host != "", "server.host", "must not be empty")  # which would be all addresses
        _require(0 <= self.port <= 65535, "server.port", "must lie between 0 and 65535")
        limits = ("max_body", "processes", "threads", "table_threads", "exports", "heavy_requests", "unsent")
        _require_positive(self, "server", *limits)
        _require_positive(self, "server", "idle_timeout", "body_timeout", "token_failures", "session_lifetime")
        _require_not_negative(self, "server", "stop_timeout", "heavy_waiting")
        _require(self.spool_memory >= self.max_body, "server.spool_memory", "must be at least server.max_body")
        _require(self.spool_disk >= self.max_body, "server.spool_disk", "must be at least server.max_body")
        for origin in self.cors_origins:
            _require(_is_origin(origin), "server.cors_origins", f"lists {origin!r}, which is neither an origin nor '*'")
        for network in self.trusted_proxies:
            _require(_is_network(network), "server.trusted_proxies", f"lists {network!r}, which is not a network")


@dataclass(frozen=True)
class DataSettings:
    """The folder of the embedded database and the local store."""

    directory: str = "./data"

    def __post_init__(self) -> None:
        _require(self.directory != "", "data.directory", "must not be empty")


@dataclass(frozen=True)
class DatabaseSettings:
    """The catalogue's PostgreSQL server."""

    url: str | None = field(default=None, metadata={"secret": True})
    statement_timeout: float = 60.0  # [s]
    connect_timeout: float = 10.0  # [s]
    slow_statement: float = 1.0  # [s]

    def __post_init__(self) -> None:
        _require_positive(self, "database", "statement_timeout")
        _require_not_negative(self, "database", "slow_statement")
        _require(self.connect_timeout >= 1, "database.connect_timeout", "must be at least 1")


@dataclass(frozen=True)
class StoreSettings:
    """The store of the files of series."""

    url: str | None = None
    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = field(default=None, metadata={"secret": True})
    secret_key: str | None = field(default=None, metadata={"secret": True})
    timeout: float = 60.0  # [s]
    grace: float = 24 * 3600.0  # [s]
    revisions: int = 8  # earlier files of a series within the grace
    write_deadline: float = 300.0  # [s]
    sweep_interval: float = 3600.0  # [s]
    compression: Literal["none", "deflate"] = "none"
    table_memory: int = 192 * MIB  # [bytes]

    def __post_init__(self) -> None:
        pair = (self.access_key is None) == (self.secret_key is None)
        _require(pair, "store.access_key", "and store.secret_key must be given both or not at all")
        _require_positive(self, "store", "timeout", "write_deadline", "sweep_interval")
        _require_not_negative(self, "store", "grace", "table_memory")
        _require(self.revisions >= 2, "store.revisions", "must be at least 2")
        _require(
            self.grace == 0 or self.write_deadline <= self.grace / 10,
            "store.write_deadline",
            "must be at most a tenth of store.grace",
        )


@dataclass(frozen=True)
class QuotaSettings:
    """The quotas of an owner; 0: unlimited."""

    series: int = 0
    bytes: int = 0  # current files and earlier ones that are kept

    def __post_init__(self) -> None:
        _require_not_negative(self, "quotas", "series", "bytes")


@dataclass(frozen=True)
class LimitSettings(hdf5.Limits):
    """The limits of a table in JSON or HDF5, and of a file."""

    def __post_init__(self) -> None:
        try:
            super().__post_init__()
        except ValueError as error:
            raise StartError(str(error)) from None


@dataclass(frozen=True)
class SandboxSettings:
    """The worker processes that read uploaded HDF5."""

    deadline: float = 30.0  # [s], wall clock
    cpu: int = 20  # [s]
    memory: int = 3 * 1024 * MIB  # [bytes]
    workers: int = 4
    reuse: bool = True
    user: int = 60_800
    require: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_positive(self, "sandbox", "deadline", "cpu", "memory", "workers")
        _require(self.deadline < 2e6, "sandbox.deadline", "must be less than 2e6")  # poll() counts milliseconds
        _require(
            0 < self.user < 65534, "sandbox.user", "must lie between 1 and 65533; other services use 65534, nobody"
        )


@dataclass(frozen=True)
class PhotometrySettings:
    """Scientific parameters."""

    detection_threshold: float = 3.0  # S/N above which a point is detected
    additional_bandpasses: tuple[str, ...] = (
        "swiftxrt",
        "nicerxti",
        *(f"radio-{band}GHz" for band in ("0.34", "1.4", "3", "6", "10", "15", "22", "33", "45")),
        *(f"sma-{band}GHz" for band in ("230", "345", "400")),
        "tess::red",
    )

    def __post_init__(self) -> None:
        _require_not_negative(self, "photometry", "detection_threshold")


@dataclass(frozen=True)
class PeriodogramSettings:
    """The limits of a periodogram."""

    deadline: float = 20.0  # [s]
    frequencies: int = 2_000_000

    def __post_init__(self) -> None:
        _require_positive(self, "periodogram", "deadline", "frequencies")


@dataclass(frozen=True)
class AnalysisSettings:
    """The background search for periods of new series."""

    worker: bool = True
    deadline: float = 20.0  # [s] per series
    frequencies: int = 500_000
    memory: int = 2048 * MIB  # [bytes]

    def __post_init__(self) -> None:
        _require_positive(self, "analysis", "deadline", "frequencies")
        _require(self.memory >= 512 * MIB, "analysis.memory", f"must be at least {512 * MIB}")


@dataclass(frozen=True)
class AccessSettings:
    """Access without a token."""

    anonymous_reads_public: bool = False
    token_lifetime: float | None = None  # [s]

    def __post_init__(self) -> None:
        _require(self.token_lifetime is None or self.token_lifetime > 0, "access.token_lifetime", "must be positive")


@dataclass(frozen=True)
class VOSettings:
    """The services of the Virtual Observatory, and the description of the archive for registries."""

    database_role: str = "photseries_vo"
    timeout: float = 60.0  # [s], of a synchronous query
    job_timeout: float = 600.0  # [s]
    job_lifetime: float = 7 * 24 * 3600.0  # [s]
    jobs_per_user: int = 100
    jobs_waiting: int = 16
    job_storage: int = 1024 * MIB  # [bytes]
    rows: int = 20_000
    most_rows: int = 1_000_000
    result: int = 256 * MIB  # [bytes]
    temporary: int = 1024 * MIB  # [bytes]
    query: int = 64 * 1024  # [bytes]
    upload: int = 32 * MIB  # [bytes], all tables of a request together
    upload_rows: int = 200_000
    authority: str = "photseries.example"
    title: str = "Photometric series"
    description: str = "Light curves: metadata, statistics and tables of photometric series."
    creator: str = "Unknown"
    publisher: str = "Unknown"
    contact_name: str = "Unknown"
    contact_email: str | None = None
    reference_url: str | None = None
    subjects: tuple[str, ...] = ("light-curves", "time-domain-astronomy", "photometry")

    jobs: ClassVar[int] = 2  # concurrent queries per process

    def __post_init__(self) -> None:
        _require_positive(self, "vo", "timeout", "job_timeout", "job_lifetime", "jobs_per_user")
        _require_positive(self, "vo", "most_rows", "result", "query")
        _require_not_negative(self, "vo", "jobs_waiting", "job_storage", "temporary", "upload", "upload_rows")
        _require(self.temporary < 2**41, "vo.temporary", "must be less than 2 TiB, PostgreSQL's maximum")
        _require(0 <= self.rows <= self.most_rows, "vo.rows", "must lie between 0 and vo.most_rows")
        _require(bool(_ROLE.fullmatch(self.database_role)), "vo.database_role", "must match [a-z_][a-z0-9_]{0,62}")
        _require(bool(_AUTHORITY.fullmatch(self.authority)), "vo.authority", "must match [A-Za-z0-9][A-Za-z0-9.-]{2,}")


@dataclass(frozen=True)
class PageSettings:
    """The description of this installation on the pages."""

    title: str = "photseries"
    text: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        _require(self.title.strip() != "", "pages.title", "must not be empty")


@dataclass(frozen=True)
class LogSettings:
    """The log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


@dataclass(frozen=True)
class Config:
    """All settings, with an attribute per section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    data: DataSettings = field(default_factory=DataSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    quotas: QuotaSettings = field(default_factory=QuotaSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    photometry: PhotometrySettings = field(default_factory=PhotometrySettings)
    periodogram: PeriodogramSettings = field(default_factory=PeriodogramSettings)
    analysis: AnalysisSettings = field(default_factory=AnalysisSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    vo: VOSettings = field(default_factory=VOSettings)
    pages: PageSettings = field(default_factory=PageSettings)
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def directory(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data.directory).expanduser().absolute()


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return text == "*" or (parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}")


def _require_positive(settings: object, section: str, *names: str) -> None:
    for name in names:
        _require(getattr(settings, name) > 0, f"{section}.{name}", "must be positive")


def _require_not_negative(settings: object, section: str, *names: str) -> None:
    for name in names:
        _require(getattr(settings, name) >= 0, f"{section}.{name}", "must not be negative")


def _require(condition: bool, name: str, rule: str) -> None:
    if not condition:
        raise StartError(f"{name} {rule}.")
