"""Schemas of request bodies: metadata of series from the table of fields, registry entries with marshmallow."""
