"""From arguments to a query: the rules between parameters, cursors, and what a refusal says."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.fields import ANSWERED
from photseries.parameters import (
    CONTROLS,
    CRITERIA,
    Cone,
    Cursor,
    Positions,
    Query,
    parse,
    parse_criteria,
    texts_of,
)

ALL = (*CRITERIA, *CONTROLS)


def parsed(**arguments):
    return parse({name: value if isinstance(value, list) else [value] for name, value in arguments.items()})


def refused(arguments, positions=None):
    """Give the fields that a refusal names; each message must be in the whole one."""
    with pytest.raises(InvalidError) as caught:
        parse({name: value if isinstance(value, list) else [value] for name, value in arguments.items()}, positions)
    for texts in caught.value.fields.values():
        assert all(text in caught.value.message for text in texts)
    return caught.value.fields


def test_empty_query_is_the_first_page_of_all_series():
    assert parse({}) == Query()
    assert parse_criteria({}) == Query()


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("objectId", "objectID"),
        ("OBJECTID", "objectID"),
        ("filters", "filter"),
        ("rejectedObjectsID", "rejectedObjectID"),
        ("midTimeBefor", "midTimeBefore"),
        ("minimumRMS", "minRMS"),
        ("sort_by", "sortBy"),
        ("numperpage", "numPerPage"),
        ("statistic", "stat"),
    ],
)
def test_an_unknown_parameter_is_answered_with_the_closest(name, suggestion):
    assert refused({name: "1"}) == {name: [f'Unknown parameter "{name}". Did you mean {suggestion}?']}


@pytest.mark.parametrize("name", ["", "xyzzy", "'; DROP TABLE users; --", "quux\0", "x" * 10**5])
def test_dissimilar_name_has_no_suggestion(name):
    (message,) = refused({name: "1"})[name[:60]]
    assert message.startswith('Unknown parameter "')
    assert "mean" not in message
    assert len(message) < 100
    assert message.isprintable()


@pytest.mark.parametrize("known", [known for known in ALL if known.aliases], ids=lambda known: known.name)
def test_both_spellings_at_once_are_refused(known):
    value = {"an MJD": "1", "one of": "true"}.get(known.kind.name[:6], "1")
    for name in known.spellings:
        assert parse({name: [value]}).restrictions == parse({known.name: [value]}).restrictions
    assert set(refused(dict.fromkeys(known.spellings, value))) == {known.spellings[1]}


@pytest.mark.parametrize("known", [known for known in ALL if not known.repeatable], ids=lambda known: known.name)
def test_the_same_parameter_twice_is_refused(known):
    assert refused({known.name: ["1", "1"]}) == {known.name: [f"Parameter {known.name} is given more than once."]}


def test_several_statistics_restrict_together():
    query = parsed(stat=["medians.bg<1", "stds.bg>2"])
    assert [(one.value.field, one.value.operator) for one in query.restrictions] == [("medians", "<"), ("stds", ">")]
    assert "medians.bg!1" in refused({"stat": ["medians.bg<1", "medians.bg!1"]})["stat"][0]


def test_a_statistic_may_be_given_a_hundred_times():
    """In a JSON body nothing else would keep a list from being a statement that takes minutes."""
    one = "medians.bg<1"
    assert len(parsed(stat=[one] * 100).restrictions) == 100
    assert refused({"stat": [one] * 101}) == {"stat": ["Parameter stat is given more than 100 times."]}


def test_all_problems_are_reported_together():
    fields = refused({"minRMS": "x", "detected": "maybe", "filters": "ztfg", "filter": "ztfg", "sortBy": "to_dict"})
    assert list(fields) == ["minRMS", "detected", "filters", "sortBy"]
    assert fields["minRMS"] == ['Invalid minRMS: "x". It must be a finite number.']


def test_messages_name_a_few_of_many_values():
    (message,) = refused({"sortBy": "mjd_lst"})["sortBy"]
    assert message.startswith('Invalid sortBy: "mjd_lst". It must be one of id, ')
    assert message.endswith(" in all). Did you mean mjd_last?")
    assert len(message) < 300


def test_a_refusal_shows_little_of_a_long_value_and_nothing_unprintable():
    (message,) = refused({"minRMS": "\x1b[31m" + "9" * 10**6})["minRMS"]
    assert len(message) < 150
    assert message.isprintable()


def test_the_robust_switch_changes_the_field():
    for text, field in (("true", "robust_mag"), ("false", "mean_mag")):
        (one,) = parsed(magBrighterThan="18", useRobustMagAndRMS=text).restrictions
        assert one.field == field
    (other,) = parsed(minExpTime="18", useRobustMagAndRMS="true").restrictions
    assert other.field == "exp_time"


# The cone

CONE = {"ra": "10", "dec": "-20", "radius": "0.5"}


def test_incomplete_cone_is_refused():
    assert parsed(**CONE).cone == Cone(10, -20, 0.5)
    assert parsed(**{**CONE, "ra": "360"}).cone == parsed(**{**CONE, "ra": "0"}).cone
    assert parsed(**CONE).restrictions == ()
    for given_ in (("ra",), ("dec",), ("radius",), ("ra", "dec"), ("dec", "radius"), ("ra", "radius")):
        fields = refused({name: CONE[name] for name in given_})
        assert set(fields) == set(CONE) - set(given_)
        verb = "is" if len(fields) == 1 else "are"
        assert all(message.endswith(f" {verb} missing.") for messages in fields.values() for message in messages)


def test_separation_needs_a_cone():
    assert parsed(sortBy="separation", **CONE).sort_by == "separation"
    assert set(refused({"sortBy": "separation"})) == {"sortBy"}


# Pages


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("500", 500), ("501", 500), ("2147483647", 500)])
def test_a_page_has_at_most_500(text, size):
    assert parsed(numPerPage=text).per_page == size


CURSORS = st.builds(
    Cursor,
    st.sampled_from(ANSWERED),
    st.booleans(),
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.integers(1, 2**63 - 1),
)  # fmt: skip


@given(CURSORS)
def test_a_cursor_survives_the_journey(cursor):
    order = "desc" if cursor.descending else "asc"
    text = cursor.text()
    assert text.replace("-", "").replace("_", "").isalnum(), "nothing that a URL would have to escape"
    assert parsed(cursor=text, sortBy=cursor.sort_by, sortOrder=order).cursor == cursor


def test_a_cursor_of_a_moment():
    moment = datetime(2026, 11, 21, 4, 30, 0, 123456, UTC)
    cursor = parsed(cursor=Cursor("modified", False, moment, 1).text(), sortBy="modified").cursor
    assert datetime.fromisoformat(cursor.value) == moment


def forged(*parts):
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


FORGED = [
    "x", "AAAA", "é", "====", "-", "'; DROP TABLE users; --", "9" * 900, base64.urlsafe_b64encode(b"\xff" * 9).decode(),
    base64.urlsafe_b64encode(b"[" * 700).decode(), base64.urlsafe_b64encode(b'["id",false,NaN,1]').decode(),
    base64.urlsafe_b64encode(b'{"sort_by":1,"descending":2,"value":3,"id":4}').decode(),
    base64.urlsafe_b64encode(b'"text"').decode(), base64.urlsafe_b64encode(b"1").decode(),
    forged(), forged("obj_id"), forged("obj_id", False, "a", 1, 2), forged(["obj_id"], False, "a", 1),
    forged("obj_id", False, "a", "1"), forged("obj_id", False, "a", 1.5), forged("obj_id", False, "a", True),
    forged("obj_id", False, "a", None), forged("obj_id", False, "a", [1]), forged("obj_id", False, "a", 10**30),
    forged("obj_id", False, "a\0", 1),
]  # fmt: skip


@pytest.mark.parametrize("text", FORGED)
def test_a_forged_cursor_is_refused(text):
    assert set(refused({"cursor": text})) == {"cursor"}


def test_a_cursor_belongs_to_its_order():
    text = Cursor("mjd_last", True, 59000.5, 7).text()
    assert parsed(cursor=text, sortBy="mjd_last", sortOrder="desc").cursor.id == 7
    for other in ({}, {"sortBy": "mjd_last"}, {"sortOrder": "desc"}, {"sortBy": "mjd_mid", "sortOrder": "desc"}):
        assert "another sortBy or sortOrder" in refused({"cursor": text, **other})["cursor"][0]


def test_a_cursor_excludes_a_page_number():
    text = Cursor("obj_id", False, "a", 7).text()
    assert parsed(cursor=text, pageNumber="1").cursor.id == 7
    assert set(refused({"cursor": text, "pageNumber": "2"})) == {"cursor"}


# Queries in a JSON body


def test_a_body_is_read_like_arguments():
    body = {
        "filter": ["ztfg", "a,b"],
        "instrumentID": [1, 2],
        "minExpTime": 0.1,
        "detected": True,
        "stat": ["stds.a<1"],
    }
    arguments = {"filter": ['ztfg,"a,b"'], "instrumentID": ["1,2"], "minExpTime": ["0.1"], "detected": ["t"]}
    assert parse(texts_of(body)) == parse({**arguments, "stat": ["stds.a<1"]})
    for value in (None, {}, [], [None], [[1]], [{}]):
        with pytest.raises(InvalidError) as caught:
            texts_of({"filter": value})
        assert set(caught.value.fields) == {"filter"}


def test_positions_are_parsed():
    query = parse({"radius": ["1"]}, [[360, -90], [10.5, "20"]])
    assert query.positions == Positions((0.0, 10.5), (-90.0, 20.0), 1.0)
    assert (query.cone, query.sort_by) == (None, "separation")


@pytest.mark.parametrize(
    "positions",
    [[], {}, "12", 1, True, [1, 2], ["12"], [{"1": 1, "2": 2}], [[1]], [[1, 2, 3]], [[1, None]], [[1, [2]]], [[361, 0]],
     [[0, 91]], [[True, 0]], [["x", 0]], [["nan", 0]], [[float("nan"), 0]], [[10**400, 0]], [[0, 0]] * 10_001],
    ids=lambda positions: repr(positions)[:40],
)  # fmt: skip
def test_invalid_positions_are_refused(positions):
    assert set(refused({"radius": "1"}, positions)) == {"positions"}


@pytest.mark.parametrize("arguments", [{}, CONE, {"radius": "1", "ra": "1"}, {"radius": "1", "sortOrder": "desc"}])
def test_positions_replace_a_centre(arguments):
    assert set(refused(arguments, [[1, 2]])) == {"positions"}


def test_positions_have_one_order():
    assert set(refused({"radius": "1", "sortBy": "obj_id"}, [[1, 2]])) == {"sortBy"}


@pytest.mark.parametrize("known", CONTROLS, ids=lambda known: known.name)
def test_a_summary_takes_criteria_only(known):
    arguments = {known.name: [str(known.default)]}
    if known.name == "useRobustMagAndRMS":
        assert parse_criteria(arguments) == Query()
    elif known.name == "timeScale":
        assert parse_criteria({"timeScale": ["tdb"]}) == Query()
    else:
        with pytest.raises(InvalidError, match="Unknown parameter"):
            parse_criteria(arguments)
