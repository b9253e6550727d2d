"""Base64 as the how-to writes it, and nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.formats import base64_text


@given(st.binary())
def test_base64_round_trip_is_exact(blob):
    assert base64_text.encode(blob) == base64.b64encode(blob)
    assert base64_text.decode(base64.b64encode(blob).decode()) == blob
    assert base64_text.decode(base64.encodebytes(blob).decode()) == blob


@pytest.mark.parametrize("text", ["a", "aGVsbG8", "aGVsbG8==", "a-_b", "é", "aGVs!G8=", "=", "data:;base64,aGVsbG8="])
def test_invalid_base64_is_refused(text):
    with pytest.raises(InvalidError, match="base64") as caught:
        base64_text.decode(text)
    assert list(caught.value.fields) == ["data"]
