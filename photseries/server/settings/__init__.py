"""The settings: frozen dataclasses, read once at start from YAML and the environment.

Precedence: the defaults < ``config.yaml`` < environment variables ``PHOTSERIES_<SECTION>__<KEY>``. An unknown key or
a bad value raises :class:`~photseries.errors.StartError`, which names it. ``config.yaml`` at the top of the project is
the commented reference; a test compares it with the defaults.
"""

from photseries.server.settings.loading import ignored_variables, load, public_settings
from photseries.server.settings.sections import (
    AnalysisSettings,
    Config,
    DatabaseSettings,
    LimitSettings,
    LogSettings,
    PeriodogramSettings,
    PhotometrySettings,
    QuotaSettings,
    SandboxSettings,
    ServerSettings,
    StoreSettings,
    VOSettings,
)

__all__ = [
    "AnalysisSettings",
    "Config",
    "DatabaseSettings",
    "LimitSettings",
    "LogSettings",
    "PeriodogramSettings",
    "PhotometrySettings",
    "QuotaSettings",
    "SandboxSettings",
    "ServerSettings",
    "StoreSettings",
    "VOSettings",
    "ignored_variables",
    "load",
    "public_settings",
]
