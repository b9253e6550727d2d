"""What request bodies may contain: the metadata of series by the table of fields, registry entries by marshmallow."""
