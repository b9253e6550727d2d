"""The metadata of a series as one marshmallow schema, for request bodies and for files alike.

The order of the fields here is the order in which the stored file and every answer carry them. The wording of some
messages is SkyPortal's, because its clients look for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, validates_schema
from marshmallow.fields import Field

from photseries.errors import InvalidError
from photseries.schemas.fields import (
    DECLINATION,
    NOT_NEGATIVE,
    POSITIVE,
    RIGHT_ASCENSION,
    Ids,
    Name,
    Number,
    Object,
    Text,
    Whole,
)

__all__ = [
    "ALIGNMENTS",
    "METADATA",
    "REFPOS",
    "SHARING",
    "TIME_SCALES",
    "MetadataSchema",
    "fields_of_texts",
    "load_metadata",
    "without_ignored",
]

ALIGNMENTS = ("start", "middle", "end")
TIME_SCALES = ("utc", "tai", "tt", "tdb")
REFPOS = ("topocenter", "geocenter", "heliocenter", "barycenter")


def _about(description: str, unit: str | None = None, values: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe a field for the documentation."""
    return {"description": description, "unit": unit, "values": values}


class MetadataSchema(Schema):
    """Metadata of a series after the merge; see ``docs/api.md`` for the meaning of each field.

    Parameters
    ----------
    filters : iterable of str
        The allowed filters.
    depth : int
        The deepest nesting of altdata.
    """

    class Meta:
        """Unknown keys are reported by :func:`load_metadata`, in SkyPortal's words."""

        unknown = EXCLUDE

    def __init__(self, filters: Iterable[str], depth: int) -> None:
        super().__init__()
        self.filters = tuple(filters)
        self.fields["altdata"].depth = depth  # type: ignore[attr-defined]

    obj_id = Text(required=True, metadata=_about("the source"))
    instrument_id = Whole(required=True, metadata=_about("the instrument"))
    series_name = Name(
        required=True,
        slashes=True,
        metadata=_about("TESS sector, night, field ...; `/` makes folders, `\\` is read as `/`"),
    )
    series_obj_id = Name(required=True, metadata=_about("the star in that series; a number is taken as text"))
    ra = Number(required=True, validate=RIGHT_ASCENSION, metadata=_about("right ascension, ICRS", "deg"))
    dec = Number(required=True, validate=DECLINATION, metadata=_about("declination, ICRS", "deg"))
    exp_time = Number(required=True, validate=POSITIVE, metadata=_about("exposure time", "s"))
    filter = Text(required=True, metadata=_about("the bandpass, one of `GET /api/enum_types`"))
    channel = Name(allow_none=True, metadata=_about("for cameras of several"))
    origin = Name(allow_none=True, metadata=_about("the pipeline"))
    limiting_mag = Number(allow_none=True, metadata=_about("limiting magnitude", "AB"))
    magref = Number(allow_none=True, metadata=_about("reference magnitude", "AB"))
    e_magref = Number(allow_none=True, validate=NOT_NEGATIVE, metadata=_about("its error; needs magref", "AB"))
    ref_flux = Number(allow_none=True, metadata=_about("the same in flux; magref wins", "uJy"))
    ref_fluxerr = Number(allow_none=True, validate=NOT_NEGATIVE, metadata=_about("its error; needs ref_flux", "uJy"))
    ra_unc = Number(allow_none=True, validate=NOT_NEGATIVE, metadata=_about("uncertainty of ra", "deg"))
    dec_unc = Number(allow_none=True, validate=NOT_NEGATIVE, metadata=_about("uncertainty of dec", "deg"))
    followup_request_id = Whole(allow_none=True, metadata=_about("the followup request it came from"))
    assignment_id = Whole(allow_none=True, metadata=_about("the assignment it came from"))
    time_stamp_alignment = Text(
        load_default="middle", allow_none=True, metadata=_about("where in the exposure mjd is", values=ALIGNMENTS)
    )
    time_scale = Text(allow_none=True, metadata=_about("of mjd; null: unknown", values=TIME_SCALES))
    time_refpos = Text(allow_none=True, metadata=_about("where mjd was measured or moved to", values=REFPOS))
    altdata = Object(allow_none=True, metadata=_about("any JSON object"))
    group_ids = Ids(kind="group", lone=True, metadata=_about('groups to share with: a list, one id, or `"all"`'))
    stream_ids = Ids(kind="stream", lone=False, metadata=_about("streams it came from: a list"))

    @validates_schema(skip_on_field_errors=False)
    def _check_choices(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Check the fields whose values are listed."""
        problems = {}
        listed = {
            "filter": ("Filter", self.filters),
            "time_stamp_alignment": ("Time stamp alignment", ALIGNMENTS),
            "time_scale": ("Time scale", TIME_SCALES),
            "time_refpos": ("Time reference position", REFPOS),
        }
        for key, (title, values) in listed.items():
            value = data.get(key)
            if value is not None and value not in values:
                called = "filters" if key == "filter" else "values"
                problems[key] = [f"{title} {value[:60]} is not allowed. Allowed {called} are: {', '.join(values)}"]
        if problems:
            raise ValidationError(problems)


#: Names of the fields that say with whom a series is shared; they live in the catalogue alone.
SHARING = ("group_ids", "stream_ids")

#: Names of the metadata fields that the stored file carries, in order.
METADATA = tuple(name for name in MetadataSchema._declared_fields if name not in SHARING)

#: Keys that our own downloads carry in their metadata and that an upload of such a file therefore may.
_IGNORED_IN_FILES = ("owner_id",)

#: Fields that null sets back to their default.
_CLEARED = ("time_stamp_alignment", *SHARING)

_MISSING_ALONE = {"obj_id": "Must supply an obj_id", "instrument_id": "Must supply an instrument_id"}


def load_metadata(
    schema: MetadataSchema, values: Mapping[str, Any], *, partial: bool = False
) -> tuple[dict[str, Any], InvalidError | None]:
    """Validate merged metadata.

    Parameters
    ----------
    schema : MetadataSchema
    values : mapping
        The merged values; None in an optional field clears it.
    partial : bool
        Whether required fields may be missing, because not everything is known yet.

    Returns
    -------
    loaded, refusal : dict, InvalidError or None
        The cast values that are valid, in the schema's order; and all that is wrong with the others.
    """
    problems: dict[str, list[str]] = {}
    sentences: list[str] = []
    unknown = [key for key in values if key not in schema.fields]
    if unknown:
        sentences.append(f"Unknown keys in metadata: {[key[:60] for key in unknown]}")
        problems.update({key[:60]: ["Unknown key in metadata."] for key in unknown})

    required = [name for name, field in schema.fields.items() if field.required]
    missing = [name for name in required if values.get(name) is None]
    for name in () if partial else missing:
        problems[name] = [_MISSING_ALONE.get(name, f"Missing: {name}.")]
    sentences += [sentence for name, sentence in _MISSING_ALONE.items() if name in problems]
    if rest := [name for name in missing if name not in _MISSING_ALONE and name in problems]:
        sentences.append(f"The following keys are missing: {rest}")

    absent = {*missing, *(name for name in _CLEARED if values.get(name) is None)}
    loaded: dict[str, Any]
    try:
        loaded = schema.load({key: value for key, value in values.items() if key not in absent}, partial=missing)
    except ValidationError as error:
        loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
        for name, texts in error.normalized_messages().items():  # type: ignore[no-untyped-call]
            problems.setdefault(name, []).extend(texts)
            sentences += [text if name in text else f"{name}: {text}" for text in texts]
            loaded.pop(name, None)
    loaded |= {name: [] for name in SHARING if name in values and values[name] is None}
    ordered = {name: loaded[name] for name in schema.fields if name in loaded}
    message = ". ".join(text.rstrip(".") for text in sentences) + "."
    return ordered, InvalidError(message, fields=problems) if problems else None


def fields_of_texts(texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Read fields that came as texts, in a query or a form: what is no text by its kind is read as JSON.

    Parameters
    ----------
    texts : mapping of str to sequence of str
        Several values are a list.

    Returns
    -------
    dict
        Not checked yet.
    """
    known = MetadataSchema._declared_fields
    return {
        name: [_value(text) for text in values] if len(values) > 1 else _read(known.get(name), values[0])
        for name, values in texts.items()
        if values
    }


def _read(field: Field[Any] | None, text: str) -> Any:
    if isinstance(field, Text):
        return text
    if isinstance(field, Ids) and "," in text and not text.startswith("["):
        return [_value(part) for part in text.split(",")]
    return _value(text)


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def without_ignored(file_metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Drop from a file's metadata the keys that a download of ours carries and that nobody can set."""
    return {key: value for key, value in file_metadata.items() if key not in _IGNORED_IN_FILES}
