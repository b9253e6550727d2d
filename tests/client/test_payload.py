"""What is sent: JSON where that is less work, else a file as it is with its fields in the query."""

import math

import numpy as np
import orjson
import pandas as pd
import pybase64
import pytest

from photseries.client.payload import MAX_JSON_VALUES, MAX_QUERY_LENGTH, blob_of, message
from photseries.fields.texts import fields_of_texts
from photseries.formats import Reading, ReadOptions, collect, one_of
from photseries.hdf5 import stored_file
from tests.support import TESS, columns

FIELDS = {"obj_id": "null", "series_obj_id": 7, "channel": "007", "ra": 1.5, "group_ids": [1, 2], "altdata": {"a": [1]}}


def small(**more):
    """A table that JSON would not keep as it is."""
    return Reading(pd.DataFrame(columns()).astype({"flux": "f4"}), **more)


def test_a_file_is_sent_unchanged_with_its_fields_in_the_query():
    reading = one_of(collect(TESS, ReadOptions()))
    sent = message(FIELDS, reading)
    assert (sent.content, sent.media_type) == (TESS.read_bytes(), "application/x-hdf5")
    assert fields_of_texts({name: [text] for name, text in sent.query.items()}) == {**FIELDS, "series_obj_id": "7"}


@pytest.mark.parametrize(
    "fields",
    [{"origin": None}, {"dryRun": "true"}, {"altdata": {"long": "x" * MAX_QUERY_LENGTH}}, {"obj_id": True}],
    ids=["cleared", "no field", "too long", "no text"],
)
def test_fields_unsuitable_for_a_query_are_sent_as_json(fields):
    sent = message(fields, small())
    body = orjson.loads(sent.content)
    assert (sent.media_type, sent.query) == ("application/json", {})
    assert pybase64.b64decode(body.pop("data")) == blob_of(small())
    assert body == fields


def test_a_short_file_is_sent_as_columns_with_its_metadata():
    said = {"ra": 1, "filter": "ztfg", "owner_id": 3, "origin": None}
    blob = stored_file.encode(pd.DataFrame(columns()), said)
    reading = Reading(pd.DataFrame(columns()), file_metadata=said, blob=blob)
    body = orjson.loads(message({"ra": 2}, reading).content)
    assert body == {"ra": 2, "filter": "ztfg", "data": columns()}
    assert blob_of(reading, as_read=True) == blob


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame(columns()), {"altdata": {"x": math.nan}}),
        (pd.DataFrame(columns()).astype({"flux": "f4"}), {}),
        (pd.DataFrame({"mjd": np.arange(MAX_JSON_VALUES + 1.0)}), {}),
    ],
    ids=["not a number", "single precision", "long"],
)
def test_long_files_are_sent_as_files(frame, said):
    assert blob_of(Reading(frame, file_metadata=said, blob=b"file")) == b"file"
