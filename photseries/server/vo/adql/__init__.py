"""Translate ADQL 2.1 to PostgreSQL by an allowlist."""

from photseries.server.vo.adql.relations import UploadCone, UploadedTable
from photseries.server.vo.adql.translator import Translation, translate

__all__ = ["Translation", "UploadCone", "UploadedTable", "translate"]
