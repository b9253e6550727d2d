"""Files from a template have the bytes that libhdf5 writes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.hdf5 import frames, stored_file, templates, write_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.metadata import plain, to_json, to_pickle
from photseries.hdf5.pandas_table import METADATA, METADATA_JSON

TYPES = ("f8", "f4", "f2", "i8", "i2", "u1", "?", "M8[ns]")


def by_libhdf5(frame, metadata):
    values = plain(metadata, 32)
    attributes: dict[str, str | bytes] = {METADATA: to_pickle(values), METADATA_JSON: to_json(values)}
    return write_hdf5.write(frames.writable(frame, Limits()), stored_file.KEY, attributes, deflate=False).content


@given(
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=5),
    st.one_of(st.integers(1, 40), st.integers(9000, 30000)),
    st.lists(
        st.fixed_dictionaries(
            {"obj_id": st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=9), "ra": st.floats(0, 359)}
        ),
        min_size=2,
        max_size=4,
    ),
    st.integers(0, 2**32),
    st.booleans(),
)
@pytest.mark.slow
def test_the_bytes_are_those_of_libhdf5(types, rows, several, seed, with_text):
    draw = np.random.default_rng(seed)
    for metadata in several:
        columns = {f"c{n}": draw.integers(0, 2, rows).astype(kind) for n, kind in enumerate(types)}
        if with_text and rows < 50:
            columns["text"] = np.array([f"t{draw.integers(99)}" for _ in range(rows)], object)
        frame = pd.DataFrame(columns)
        assert stored_file.encode(frame, metadata) == by_libhdf5(frame, metadata)
        if "text" not in columns:
            table = frames.writable_numbers({str(name): np.asarray(frame[name]) for name in frame}, Limits())
            assert stored_file.encode_table(table, metadata) == by_libhdf5(frame, metadata)


def test_metadata_that_rows_repeat_and_no_metadata():
    """What occurs in the rows too, or nowhere for certain, does not mislead."""
    for metadata in ({}, {"obj_id": "x"}):
        values = plain(metadata, 32)
        content = to_json(values).encode().ljust(8)[:8]
        frame = pd.DataFrame({"mjd": np.frombuffer(content * 9, "f8")})
        for _ in range(2):
            assert stored_file.encode(frame, metadata) == by_libhdf5(frame, metadata)


def forget():
    templates._known.clear()


@pytest.mark.slow
@given(
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=40),
    st.lists(st.one_of(st.integers(1, 300), st.integers(1, 14_000)), min_size=3, max_size=6),
)
def test_tables_of_any_length_have_one_template(types, lengths):
    """The third length is the first that the numbers in the template are extrapolated to."""
    forget()
    for rows in lengths:
        frame = pd.DataFrame({f"c{n}": (np.arange(rows) % 2).astype(kind) for n, kind in enumerate(types)})
        assert stored_file.encode(frame, {"ra": 1.0}) == by_libhdf5(frame, {"ra": 1.0})


def test_writer_uses_templates(monkeypatch):
    forget()
    metadata = {"obj_id": "one", "ra": 1.0}
    for rows in (777, 778, 5):
        stored_file.encode(pd.DataFrame({"mjd": np.arange(float(rows)), "flux": np.arange(float(rows))}), metadata)
    (template,) = templates._known.values()
    assert template is not None
    assert {part for part in template.parts if not isinstance(part, bytes)} == {METADATA, METADATA_JSON, 0}
    assert {growth for *_, growth in template.counts} == {1, 24}  # rows, and the bytes of one
    monkeypatch.setattr(templates, "write_hdf5", None)
    frame = pd.DataFrame({"mjd": np.arange(9.0), "flux": np.arange(9.0)})
    assert stored_file.encode(frame, metadata) == by_libhdf5(frame, metadata)
