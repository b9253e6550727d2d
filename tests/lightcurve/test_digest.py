from __future__ import annotations

import hashlib
import itertools
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from photseries.lightcurve.digest import content_hash


def example():
    return pd.DataFrame(
        {
            "mjd": [59000.0, 59000.5],
            "flux": np.array([1.5, np.nan], dtype=np.float32),
            "count": np.array([-1, 7], dtype=np.int16),
            "flag": [True, False],
            "née": ["é", None],
            "when": pd.Series([pd.Timestamp(0), pd.NaT], dtype="datetime64[ns]"),
        }
    )


def test_hash_of_a_known_table_is_pinned():
    assert content_hash(example()) == "850d955796fb0ae4c1e1f7ffa0e2e707e68a53141fa92960fe1b48a46a826d5c"


def test_the_layout_is_the_documented_one():
    def u64(value):
        return struct.pack("<Q", value)

    def column(name, dtype, values):
        return u64(len(name.encode())) + name.encode() + u64(len(dtype)) + dtype.encode() + values

    expected = b"".join(
        [
            u64(6),
            u64(2),
            column("mjd", "<f8", struct.pack("<dd", 59000.0, 59000.5)),
            column("flux", "<f4", struct.pack("<f", 1.5) + bytes.fromhex("0000c07f")),
            column("count", "<i2", struct.pack("<hh", -1, 7)),
            column("flag", "|b1", b"\x01\x00"),
            column("née", "text", struct.pack("<qq", 2, -1) + "é".encode()),
            column("when", "<M8[ns]", struct.pack("<qq", 0, -(2**63))),
        ]
    )
    assert content_hash(example()) == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(example().astype({"née": object}), id="objects"),
        pytest.param(example().astype({"née": "string"}), id="string"),
        pytest.param(example().assign(née=pd.Series(["é", np.nan], dtype=object)), id="another null"),
        pytest.param(example().set_index(pd.Index(["a", "b"])), id="index"),
        pytest.param(example().iloc[::-1].iloc[::-1], id="strides"),
        pytest.param(example().assign(mjd=example()["mjd"].to_numpy().astype(">f8")), id="byte order"),
        pytest.param(example().assign(flux=np.array([1.5, np.nan], dtype=">f4")), id="byte order of NaN"),
        pytest.param(pd.concat([example()[[name]] for name in example()], axis=1), id="blocks"),
    ],
)
def test_hash_is_independent_of_memory_layout(same):
    assert content_hash(same) == content_hash(example())


def test_all_nans_hash_equally():
    bits = np.array([0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000001, 0x7FFFFFFFFFFFFFFF], dtype=np.uint64)
    assert len({content_hash(pd.DataFrame({"a": [value]})) for value in bits.view(np.float64)}) == 1


DIFFERENT = [
    pd.DataFrame({"a": [0.0]}),
    pd.DataFrame({"a": [-0.0]}),
    pd.DataFrame({"a": [np.nan]}),
    pd.DataFrame({"a": np.array([0.0], dtype=np.float32)}),
    pd.DataFrame({"a": [0]}),
    pd.DataFrame({"a": np.array([0], dtype=np.uint64)}),
    pd.DataFrame({"a": pd.Series([0], dtype="timedelta64[ns]")}),
    pd.DataFrame({"a": pd.Series([0], dtype="datetime64[ns]")}),
    pd.DataFrame({"a": pd.Series([0], dtype="datetime64[us]")}),
    pd.DataFrame({"a": [False]}),
    pd.DataFrame({"b": [0.0]}),
    pd.DataFrame({"a": [0.0, 0.0]}),
    pd.DataFrame({"a": [0.0], "b": [0.0]}),
    pd.DataFrame({"b": [0.0], "a": [0.0]}),
    pd.DataFrame({"ab": [0.0], "": [0.0]}),
    pd.DataFrame({"a": [""]}),
    pd.DataFrame({"a": [None]}, dtype=object),
    pd.DataFrame({"a": ["nan"]}),
    pd.DataFrame({"a": ["ab", "c"]}),
    pd.DataFrame({"a": ["a", "bc"]}),
    pd.DataFrame({"a": ["abc", ""]}),
    pd.DataFrame({"a": ["abc", None]}),
    pd.DataFrame({"a": [1.0, 2.0]}),
    pd.DataFrame({"a": [2.0, 1.0]}),
]


def test_different_content_has_a_different_hash():
    hashes = [content_hash(frame) for frame in DIFFERENT]
    for (i, one), (j, other) in itertools.combinations(enumerate(hashes), 2):
        assert one != other, (DIFFERENT[i], DIFFERENT[j])


@given(npst.arrays(np.float64, st.integers(1, 10), elements=st.floats()), st.data())
def test_a_changed_bit_changes_the_hash(values, data):
    row = data.draw(st.integers(0, len(values) - 1))
    changed = values.copy()
    changed[row] = np.nextafter(values[row], 0.0) if np.isfinite(values[row]) and values[row] else 1.0
    assert content_hash(pd.DataFrame({"a": values})) != content_hash(pd.DataFrame({"a": changed}))


def test_hashing_leaves_the_table_unchanged():
    frame = example()
    content_hash(frame)
    pd.testing.assert_frame_equal(frame, example())
