"""Tables as users may post them, for property tests."""

import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
) | st.sampled_from(
    ["index", "values_block_0", "values_block_1", "values_block_0_meta", "table", "a/b", "..", "_i_x", "nan", "1", "N."]
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10) | st.sampled_from(
    ["nan", "_nan_", "NaN", "N.", ""]
)
DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">f8", ">i4", "M8[ns]", "m8[ns]"]


@st.composite
def columns(draw, rows):
    kind = draw(st.sampled_from([*DTYPES, "text"]))
    if kind == "text":
        return draw(st.lists(texts | st.none(), min_size=rows, max_size=rows).filter(any_text))
    return draw(hnp.arrays(kind, rows))


def any_text(values):
    return any(value is not None for value in values)


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 6))
    found = draw(st.dictionaries(names, columns(rows), min_size=1, max_size=6))
    return pd.DataFrame(found)
