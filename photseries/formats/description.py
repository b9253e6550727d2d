"""The description of a file: the content of each of its series, in plain values."""

from __future__ import annotations

from typing import Annotated, TypedDict

__all__ = ["Description"]


class _Role(TypedDict):
    role: str
    column: str
    why: str


class Description(TypedDict):
    """The description of a series; see :func:`photseries.formats.inspection.describe`."""

    survey: str | None
    columns: Annotated[list[_Role], "The columns with a role, and the reason."]
    rows: int
    first: Annotated[str, "The first time as a date (ISO 8601), in the scale of the file."]
    last: str
    filters: Annotated[dict[str, int], "The filters in the file, with their numbers of rows."]
    filter: Annotated[str | None, "The filter of the rows, as in the file."]
    names: Annotated[list[str], "All columns of the file."]
    fields: Annotated[dict[str, object], "The fields found in the file."]
    missing: Annotated[list[str], "Required fields that are missing."]
    filter_map: Annotated[str | None, "A likely entry of filter_map for the filter."]
    warnings: Annotated[list[str], "Suspicious input, which was accepted."]
