"""Translate ADQL 2.1 to PostgreSQL by an allowlist."""

from photseries.server.vo.adql.relations import Cone, Upload
from photseries.server.vo.adql.translator import Translation, translate

__all__ = ["Cone", "Translation", "Upload", "translate"]
