"""The mapping of a directory import: a YAML document that supplies owner and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from photseries.errors import InvalidError, StartError
from photseries.fields.texts import Template
from photseries.server.schemas.metadata import MetadataSchema, load_metadata

__all__ = ["FileMapping", "load_mapping"]


@dataclass(frozen=True)
class FileMapping:
    """A parsed mapping.

    Attributes
    ----------
    owner : str
        The user who will own the series.
    files : str
        A pattern of the names of the files, in any folder of the tree.
    path : str or None
        Fields in the path of a file from the top of the tree, as ``{series_name}/{series_obj_id}.h5``.
    fields : mapping
        Fields that are equal for all files. They have precedence over the metadata of a file, and ``path`` over them.
    create_sources : bool
        Whether to create missing sources, at the position of the first series.
    """

    owner: str
    files: str = "*.h5"
    path: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    create_sources: bool = False

    def of(self, name: str) -> dict[str, object]:
        """Return the fields of a file.

        Raises
        ------
        InvalidError
            When its name does not fit ``path``.
        """
        return {**self.fields, **(Template(self.path).fields(name) if self.path else {})}


_KINDS = {"owner": str, "files": str, "path": str, "fields": dict, "create_sources": bool}
_CALLED = {str: "a string", dict: "a mapping", bool: "true or false"}


def load_mapping(path: Path, schema: MetadataSchema) -> FileMapping:
    """Parse a mapping.

    Parameters
    ----------
    schema : MetadataSchema
        The schema of its fields.

    Raises
    ------
    StartError
        Naming the problem.
    """
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise StartError(f"--mapping: {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(entries, dict) or "owner" not in entries:
        raise StartError(f"--mapping: {path} has no key 'owner'. Name the user who will own the series.")
    for name, value in entries.items():
        if name not in _KINDS:
            raise StartError(f"--mapping: unknown key {name!r:.60}; use {', '.join(_KINDS)}.")
        if not isinstance(value, _KINDS[name]):
            raise StartError(f"--mapping: {name} is {value!r:.60}; it must be {_CALLED[_KINDS[name]]}.")
    mapping = FileMapping(**entries)
    _, refusal = load_metadata(schema, mapping.fields, partial=True)
    try:
        Template(mapping.path or "")
    except InvalidError as error:
        raise StartError(f"--mapping: path: {error.message}") from error
    if refusal is not None:
        raise StartError(f"--mapping: fields: {refusal.message}") from refusal
    return mapping
