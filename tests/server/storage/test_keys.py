"""Keys: any names that a series may have give one that is valid, unique and readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.server.storage.keys import check_key, new_key

names = st.text(max_size=300) | st.lists(st.sampled_from(["..", ".", "", "a", "~", "-", "é", "/"])).map("/".join)
optional = st.none() | names


@given(names, names, st.integers(-(2**63), 2**63), names, optional, optional)
def test_any_names_give_a_key(
    series_name: str, series_obj_id: str, instrument_id: int, filter_: str, channel: str | None, origin: str | None
) -> None:
    key = new_key(series_name, series_obj_id, instrument_id, filter_, channel, origin)
    folders, name = check_key(key)
    assert "/".join([*folders, name]) == key
    assert key.isascii()
    assert len(key) <= 200
    assert folders
    assert all(len(segment) <= 100 for segment in (*folders, name))
    assert name.endswith(".h5")


@given(names, names)
def test_a_key_is_never_given_twice(series_name: str, series_obj_id: str) -> None:
    keys = {new_key(series_name, series_obj_id, 1, "tess", None, None) for _ in range(10)}
    assert len(keys) == 10


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("tess/sector_5", "TIC 12345", 1, "tess::red", None, None), "tess/sector_5/TIC_12345_inst1_tess_red_"),
        (("2026-08-21", "1.3444.614", 7, "sdssr", "B", "v1.2"), "2026-08-21/1.3444.614_inst7_sdssr_B_v1.2_"),
        (("v1.2/a.h5", "1", 1, "tess", None, None), "v1_2/a_h5/1_inst1_tess_"),  # a folder is called like no file
        (("Größe/Ceará", "ñ", 1, "tess", "", ""), "Gro_e/Ceara/n_inst1_tess_"),
        (("../../etc", "../passwd", 1, "tess", None, None), "etc/passwd_inst1_tess_"),
        (("星", "星", 1, "tess", None, None), "series/inst1_tess_"),
    ],
)
def test_a_key_can_be_read_by_people(
    arguments: tuple[str, str, int, str, str | None, str | None], expected: str
) -> None:
    key = new_key(*arguments)
    assert key.startswith(expected)
    assert len(key) == len(expected) + len("0123456789abcdef.h5")


@pytest.mark.parametrize("last", range(15, 20))
def test_long_names_are_shortened(last: int) -> None:
    """Folders and their slashes have 99 characters, so that a file name can have 100."""
    folders = ["a" * 40, "b" * 40, "c" * last]
    key = new_key("/".join(folders), "d" * 40, 1, "e" * 40, "f" * 40, None)
    found, name = check_key(key)
    assert found == folders[: 3 if last <= 99 - 41 - 41 - 1 else 2]
    assert len(name) == 100
