"""ADQL 2.1 to SQL of PostgreSQL, by a list of what is allowed: nothing else is ever printed."""

from photseries.server.vo.adql.relations import Cone, Upload
from photseries.server.vo.adql.translator import Translation, translate

__all__ = ["Cone", "Translation", "Upload", "translate"]
