"""The fields in the metadata of a stored file, without defaults that other readers do not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from photseries.fields.table import FIELDS, IN_FILE

__all__ = ["file_metadata", "with_defaults"]

_OMITTED = {name: FIELDS[name].default for name in IN_FILE if FIELDS[name].file_omits_default}


def file_metadata(values: Mapping[str, object]) -> dict[str, object]:
    """Return the fields that the stored file of a series carries, of all its fields.

    SkyPortal refuses unknown keys, so fields that it lacks are written only if they differ from the default.
    """
    return {
        name: values[name]
        for name in IN_FILE
        if values.get(name) is not None and not (name in _OMITTED and values[name] == _OMITTED[name])
    }


def with_defaults(metadata: Mapping[str, object]) -> dict[str, Any]:
    """Return the metadata of a stored file with the defaults that the file leaves out."""
    return {name: value for name in IN_FILE if (value := metadata.get(name, _OMITTED.get(name))) is not None}
