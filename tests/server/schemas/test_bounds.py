"""Very many keys, items and problems: each is bounded before the work on it, and so is the message."""

from types import SimpleNamespace

import orjson
import pytest

from photseries.errors import InvalidError
from photseries.fields import texts
from photseries.fields.texts import fields_of_texts
from photseries.server.schemas import registries
from photseries.server.schemas.fields import Text
from photseries.server.schemas.metadata import MetadataSchema, load_metadata
from photseries.server.schemas.registries import CREATIONS, load_entry


def test_the_first_10_of_very_many_unknown_keys_are_named():
    unknown = {f"unknown {number} {'x' * 100}": 1 for number in range(20_000)}
    _, refusal = load_metadata(MetadataSchema(["ztfg"], 32), unknown, partial=True)
    names = [f"unknown {number} {'x' * 100}"[:60] for number in range(10)]
    assert refusal.message == f"Unknown keys in metadata: {names}, the first 10 of 20,000."
    assert list(refusal.fields) == names


def test_few_unknown_keys_are_all_named():
    names = [f"k{number}" for number in range(10)]
    _, refusal = load_metadata(MetadataSchema(["ztfg"], 32), dict.fromkeys(names, 1), partial=True)
    assert refusal.message == f"Unknown keys in metadata: {names}."


def test_an_unknown_key_is_answered_with_the_closest_known_one():
    _, refusal = load_metadata(MetadataSchema(["ztfg"], 32), {"exptime": 30, "colour": "red"}, partial=True)
    assert refusal.message == "Unknown keys in metadata: ['exptime', 'colour']. Did you mean exp_time?"
    assert refusal.fields == {
        "exptime": ["Unknown key in metadata. Did you mean exp_time?"],
        "colour": ["Unknown key in metadata."],
    }


def test_a_very_long_list_of_ids_in_a_form_is_not_parsed(monkeypatch):
    parsed = []
    monkeypatch.setattr(
        texts,
        "orjson",
        SimpleNamespace(
            loads=lambda text: (parsed.append(text), orjson.loads(text))[1], JSONDecodeError=orjson.JSONDecodeError
        ),
    )
    fields = fields_of_texts({"group_ids": ["1," * 100_000 + "1"]})
    assert len(parsed) == 101
    _, refusal = load_metadata(MetadataSchema(["ztfg"], 32), fields, partial=True)
    assert "must not have more than 100 IDs" in refusal.message


def test_problems_of_an_entry_are_bounded():
    body = {f"unknown{number}": 1 for number in range(20_000)}
    with pytest.raises(InvalidError, match="The first 10 of 20,001 problems") as caught:
        load_entry(CREATIONS["groups"], body)
    assert len(caught.value.fields) == 10
    assert len(caught.value.message) < 1_000
    with pytest.raises(InvalidError) as caught:
        load_entry(CREATIONS["tokens"], {"user_id": 1, "permissions": [""] * 1_000})
    assert len(caught.value.fields["permissions"]) == 10


@pytest.mark.parametrize(
    ("kind", "body", "name"),
    [
        ("tokens", {"user_id": 1, "permissions": ["x"] * 1_001}, "permissions"),
        ("instrument", {"name": "x", "filters": ["x"] * 1_001}, "filters"),
    ],
)
def test_very_long_lists_of_an_entry_are_not_read(monkeypatch, kind, body, name):
    monkeypatch.setattr(Text, "_deserialize", None)
    with pytest.raises(InvalidError, match=f"At most 1,000 items are accepted in {name}") as caught:
        load_entry(CREATIONS[kind], body)
    assert list(caught.value.fields) == [name]
    assert registries.MAX_ITEMS == 1_000
