"""Tables for people: as many columns as there is room for, and nothing that a terminal obeys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from photseries.cli.options import safe
from photseries.cli.table import format_field, table_lines

ROWS = [
    {"id": 1, "obj_id": "WASP-12 b", "ra": 97.6366453, "filter": "ztfg", "is_detected": True},
    {"id": 12, "obj_id": "天の川", "ra": None, "filter": "sdssu", "is_detected": False},
]
NAMES = ["id", "obj_id", "ra", "filter"]


def test_table_aligns_columns():
    assert list(table_lines(ROWS, NAMES, None)) == [
        "id  obj_id           ra  filter",
        " 1  WASP-12 b  97.63665  ztfg",
        "12  天の川            -  sdssu",
    ]


@given(st.integers(1, 60))
def test_columns_beyond_the_width_are_omitted(width):
    head, *lines = table_lines(ROWS, NAMES, width)
    shown_names = head.split()
    assert shown_names == NAMES[: len(shown_names)]
    assert shown_names
    if len(shown_names) > 1:
        assert all(cell_len(line) <= width for line in (head, *lines))
    if len(shown_names) < len(NAMES):
        wider = next(table_lines(ROWS, NAMES[: len(shown_names) + 1], None))
        assert max(cell_len(line) for line in table_lines(ROWS, wider.split(), None)) > width


def test_table_without_rows_has_a_header():
    assert list(table_lines([], NAMES, 80)) == ["id  obj_id  ra  filter"]


@given(st.text())
def test_control_characters_are_not_printed(text):
    assert safe(text).isprintable()
    assert len(safe(text)) == len(text)
    assert format_field(text) == format_field(text).replace("\x1b", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (3, "3"),
        (0.1 + 0.2, "0.3"),
        (["a", 1], "a, 1"),
        ([{"id": 2, "name": "crew"}], "crew"),
        ({"a": "\x1b[2J"}, '{"a":"\\u001b[2J"}'),
    ],
)
def test_values_are_formatted(value, text):
    assert format_field(value) == text


@pytest.mark.parametrize("name", ["created_at", "modified"])
def test_times_are_printed_to_the_second(name):
    assert format_field("2026-11-30T08:32:03.276073+00:00", name) == "2026-11-30T08:32:03Z"
    assert format_field("2026-11-30T10:32:03+02:00", name) == "2026-11-30T10:32:03+02:00"


def test_digits_depend_on_the_field():
    assert format_field(1.25e-8, "period_error") == "1.25e-08"
    assert format_field(59000.123456, "mjd_first") == "59000.12346"
