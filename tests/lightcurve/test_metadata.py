from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from photseries.errors import InvalidError
from photseries.lightcurve.metadata import INFERRED, REFERENCE, MergedMetadata, complete_reference, infer, merge
from photseries.lightcurve.photometry import flux_to_mag, fluxerr_to_magerr, mag_to_flux, magerr_to_fluxerr


def table(**columns):
    return pd.DataFrame({"mjd": 1.0, "flux": 1.0, **columns})


class TestInfer:
    @pytest.mark.parametrize(
        ("field", "spelling"),
        [(field, spelling) for field, spellings in INFERRED.items() for spelling in spellings],
    )
    def test_column_spellings_are_inferred(self, field, spelling):
        value = "ztfr" if field == "filter" else 20.5
        inferred = infer(table(**{spelling: [value, value]}))
        assert inferred == {field: value}
        assert type(inferred[field]) is type(value)

    @pytest.mark.parametrize(("field", "spellings"), INFERRED.items())
    def test_the_first_spelling_wins(self, field, spellings):
        values = ["a", "b", "c", "d", "e", "f"] if field == "filter" else [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
        columns = {name: [value] for name, value in zip(spellings, values, strict=False)}
        assert infer(table(**dict(reversed(columns.items())))) == {field: values[0]}

    def test_table_without_metadata_columns_infers_nothing(self):
        assert infer(pd.DataFrame({"mjd": [1.0], "flux": [1.0]})) == {}

    @pytest.mark.parametrize(
        ("values", "median"),
        [
            ([3.0, 1.0, 2.0], 2.0),
            ([1.0, np.nan, 2.0, np.inf], 1.5),
            (np.array([1, 2], dtype=np.int8), 1.5),
            (np.array([0.1, 0.1], dtype=np.float32), float(np.float32(0.1))),
            (np.array([30000.0, 40000.0], dtype=np.float16), 35000.0),
        ],
    )
    def test_the_median_of_the_finite_values_in_float64(self, values, median):
        assert infer(table(exptime=values)) == {"exp_time": median}

    @pytest.mark.parametrize(
        "values",
        [[np.nan, np.inf], ["1", "2"], ["nan", None], [True, False], [1.7e308, 1.7e308], pd.to_datetime([0, 1])],
    )
    def test_peer_21_non_numeric_columns_are_not_inferred(self, values):
        assert infer(table(exp_time=values, limmag=values, ra=values)) == {}

    @pytest.mark.parametrize(
        ("name", "values", "median"),
        [
            ("dec", [-999, -999, 89.0, 90.0], 89.5),
            ("ra", [-999, 9999, 350.0, 352.0], 351.0),
            ("exp_time", [-1, -1, 30, 0], 15.0),
            ("limiting_mag", [99.99, -999, 20.5, 40], 20.5),
        ],
    )
    def test_impossible_values_do_not_count(self, name, values, median):
        assert infer(table(**{name: values})) == {name: median}

    def test_peer_18_no_limiting_magnitude_is_none_and_not_nan(self):
        assert "limiting_mag" not in infer(table(limiting_mag=[np.nan, np.nan]))

    @pytest.mark.parametrize(
        "values",
        [
            ["a", "b"],
            ["a", None],
            [None, "a"],
            [1, 1],
            pd.Series([None, None], dtype=object),
            pd.Series(["a", pd.NA], dtype="string"),
        ],
    )
    def test_a_filter_that_is_not_the_same_text_in_all_rows(self, values):
        assert infer(table(filter=values)) == {}

    @pytest.mark.parametrize("dtype", ["str", "object", "string"])
    def test_a_filter_is_text_in_any_dtype(self, dtype):
        inferred = infer(table(filter=pd.Series(["g", "g"], dtype=dtype)))
        assert inferred == {"filter": "g"}
        assert type(inferred["filter"]) is str


class TestRightAscension:
    @given(npst.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 180) | st.just(math.nan)))
    def test_ra_within_half_a_turn_is_the_plain_median(self, values):
        finite = values[np.isfinite(values)]
        assert infer(table(ra=values)) == ({"ra": np.median(finite)} if finite.size else {})

    @given(npst.arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 359.9999)))
    def test_inferred_ra_is_between_0_and_360(self, values):
        assert 0 <= infer(table(ra=values))["ra"] < 360

    @given(st.floats(0, 359.9999), npst.arrays(np.float64, st.integers(1, 20), elements=st.floats(-5, 5)))
    def test_inferred_ra_rotates_with_its_values(self, turn, offsets):
        ra = infer(table(ra=(turn + offsets) % 360))["ra"]
        assert math.remainder(ra - turn - np.median(offsets), 360) == pytest.approx(0, abs=1e-9)

    def test_ra_around_zero_is_a_circular_median(self):
        ra = infer(table(ra=[359.9, 0.1]))["ra"]
        assert ra == pytest.approx(0, abs=1e-9)
        assert infer(table(ra=[359.5, 359.7, 0.2]))["ra"] == pytest.approx(359.7, abs=1e-9)

    def test_a_span_of_half_a_turn_is_still_plain(self):
        assert infer(table(ra=[10.0, 190.0])) == {"ra": 100.0}
        assert infer(table(ra=[10.0, 190.5])) == {"ra": pytest.approx(280.25)}

    def test_a_full_turn_becomes_zero(self):
        values = [359.9, 0.1]
        assert np.mod(np.median(np.subtract(values, [360, 0])), 360) == 360
        assert infer(table(ra=values)) == {"ra": 0.0}


class TestMerge:
    def test_the_higher_layer_wins_and_is_named(self):
        merged = merge({"inferred": {"ra": 1.0, "dec": 2.0}, "file": {"ra": 3.0}, "body": {"filter": "g"}})
        assert merged == MergedMetadata(
            values={"ra": 3.0, "dec": 2.0, "filter": "g"},
            sources={"ra": "file", "dec": "inferred", "filter": "body"},
        )

    def test_peer_9_null_is_not_given(self):
        merged = merge({"file": {"channel": "A", "ra": None}, "body": {"channel": None, "magref": None}})
        assert merged == MergedMetadata({"channel": "A"}, {"channel": "file"})

    def test_peer_10_null_clears_in_the_clearing_layer_alone(self):
        layers: dict[str, Any] = {
            "existing": {"channel": "A", "origin": "B"},
            "file": {"origin": None},
            "body": {"channel": None},
        }
        merged = merge(layers, clearing="body")
        assert merged == MergedMetadata({"channel": None, "origin": "B"}, {"channel": "body", "origin": "existing"})

    def test_falsy_values_are_values(self):
        assert merge({"file": {"a": 1, "b": "x"}, "body": {"a": 0, "b": ""}}).values == {"a": 0, "b": ""}

    def test_merging_leaves_the_layers_unchanged(self):
        existing = {"magref": 20.0, "ref_flux": 36.3}
        merge({"existing": existing, "body": {"ref_flux": 1.0}})
        assert existing == {"magref": 20.0, "ref_flux": 36.3}


STANDING = {"magref": 20.0, "e_magref": 0.1, "ref_flux": 36.3, "ref_fluxerr": 3.3}


class TestMergeOfTheReference:
    @pytest.mark.parametrize(
        ("given", "left"),
        [
            ({"magref": 19.0}, {"magref": 19.0, "e_magref": 0.1}),
            ({"ref_flux": 9.0}, {"ref_flux": 9.0, "ref_fluxerr": 3.3}),
            ({"e_magref": 0.5}, {"magref": 20.0, "e_magref": 0.5, "ref_flux": 36.3}),
            ({"ref_fluxerr": 0.5}, {"magref": 20.0, "ref_flux": 36.3, "ref_fluxerr": 0.5}),
            ({"magref": 19.0, "e_magref": 0.5}, {"magref": 19.0, "e_magref": 0.5}),
            ({"ref_flux": 9.0, "ref_fluxerr": 0.5}, {"ref_flux": 9.0, "ref_fluxerr": 0.5}),
            ({"magref": 19.0, "ref_flux": 9.0}, {"magref": 19.0, "e_magref": 0.1, "ref_flux": 9.0}),
            ({"magref": 1.0, "e_magref": 2.0, "ref_flux": 3.0, "ref_fluxerr": 4.0},) * 2,
            ({"magref": None}, dict.fromkeys(REFERENCE)),
            ({"ref_flux": None}, dict.fromkeys(REFERENCE)),
            ({"e_magref": None}, {**STANDING, "e_magref": None, "ref_fluxerr": None}),
            ({"ref_fluxerr": None}, {**STANDING, "e_magref": None, "ref_fluxerr": None}),
            ({"magref": 19.0, "e_magref": None}, {"magref": 19.0, "e_magref": None, "ref_fluxerr": None}),
            ({"magref": None, "ref_flux": 9.0}, {**dict.fromkeys(REFERENCE), "ref_flux": 9.0}),
        ],
    )
    def test_overridden_reference_clears_derived_fields(self, given, left):
        merged = merge({"existing": STANDING, "body": given}, clearing="body")
        assert merged.values == left
        assert merged.sources == {name: "body" if left[name] != STANDING[name] else "existing" for name in left}

    def test_null_outside_the_clearing_layer_clears_nothing(self):
        assert merge({"file": STANDING, "body": dict.fromkeys(REFERENCE)}).values == STANDING


MAG = st.floats(-10, 30)
MAGERR = st.floats(1e-4, 1.0)
FLUX = st.floats(1e-3, 1e13)
FLUXERR = st.floats(1e-5, 1e12)
COMPLETE = st.one_of(
    st.fixed_dictionaries({"magref": MAG}, optional={"e_magref": MAGERR}),
    st.fixed_dictionaries({"ref_flux": FLUX}, optional={"ref_fluxerr": FLUXERR}),
).map(complete_reference)


def patched(existing, body):
    return complete_reference(merge({"existing": existing, "body": body}, clearing="body").values)


def assert_one_fact(values):
    magref, e_magref, ref_flux, ref_fluxerr = (values[name] for name in REFERENCE)
    assert mag_to_flux(magref) == pytest.approx(ref_flux, rel=1e-8)
    assert (e_magref is None) == (ref_fluxerr is None)
    if e_magref is not None:
        assert fluxerr_to_magerr(ref_flux, ref_fluxerr) == pytest.approx(e_magref, rel=1e-8)


class TestCompleteReference:
    def test_reference_without_values_is_null(self):
        assert complete_reference({"ra": 1.0}) == {"ra": 1.0, **dict.fromkeys(REFERENCE)}

    @given(MAG, MAGERR)
    def test_reference_flux_is_derived_from_magnitudes(self, magref, e_magref):
        values = complete_reference({"magref": magref, "e_magref": e_magref})
        assert (values["magref"], values["e_magref"]) == (magref, e_magref)
        assert values["ref_flux"] == mag_to_flux(magref)
        assert values["ref_fluxerr"] == magerr_to_fluxerr(mag_to_flux(magref), e_magref)
        assert {type(value) for value in values.values()} == {float}

    @given(FLUX, FLUXERR)
    def test_reference_magnitude_is_derived_from_fluxes(self, ref_flux, ref_fluxerr):
        values = complete_reference({"ref_flux": ref_flux, "ref_fluxerr": ref_fluxerr})
        assert (values["ref_flux"], values["ref_fluxerr"]) == (ref_flux, ref_fluxerr)
        assert values["magref"] == flux_to_mag(ref_flux)
        assert values["e_magref"] == fluxerr_to_magerr(ref_flux, ref_fluxerr)

    @given(COMPLETE)
    def test_reposted_reference_keeps_its_digits(self, values):
        assert complete_reference(values) == values

    def test_magref_overrides_an_inconsistent_ref_flux(self):
        values = complete_reference({"magref": 23.9, "e_magref": 0.1, "ref_flux": 7.0, "ref_fluxerr": 5.0})
        assert values == {
            "magref": 23.9,
            "e_magref": 0.1,
            "ref_flux": 1.0,
            "ref_fluxerr": pytest.approx(0.1 * math.log(10) / 2.5),
        }

    def test_an_error_that_the_magnitude_has_none_for_is_kept(self):
        values = complete_reference({"magref": 23.9, "ref_flux": 7.0, "ref_fluxerr": 0.5})
        assert (values["ref_flux"], values["ref_fluxerr"]) == (1.0, 0.5)
        assert values["e_magref"] == fluxerr_to_magerr(1.0, 0.5)

    @pytest.mark.parametrize("ref_flux", [0.0, -5.0])
    def test_a_flux_without_a_magnitude(self, ref_flux):
        values = complete_reference({"ref_flux": ref_flux, "ref_fluxerr": 1.0})
        assert values == {"ref_flux": ref_flux, "ref_fluxerr": 1.0, "magref": None, "e_magref": None}

    @pytest.mark.parametrize("e_magref", [None, 0.1])
    def test_a_magnitude_without_a_flux(self, e_magref):
        values = complete_reference({"magref": -1000.0, "e_magref": e_magref, "ref_flux": 1.0, "ref_fluxerr": 1.0})
        assert values == {"magref": -1000.0, "e_magref": e_magref, "ref_flux": None, "ref_fluxerr": None}

    @pytest.mark.parametrize(
        ("values", "named"),
        [
            ({"e_magref": 0.1}, {"e_magref"}),
            ({"ref_fluxerr": 0.1}, {"ref_fluxerr"}),
            ({"e_magref": 0.1, "ref_flux": 1.0}, {"e_magref"}),
            ({"ref_fluxerr": 0.1, "magref": 20.0}, {"ref_fluxerr"}),
            ({"e_magref": 0.1, "ref_fluxerr": 0.1, "magref": None}, {"e_magref", "ref_fluxerr"}),
        ],
    )
    def test_peer_27_an_error_without_its_value(self, values, named):
        with pytest.raises(InvalidError) as caught:
            complete_reference(values)
        assert set(caught.value.fields) == named
        assert all(name in caught.value.message for name in named)


class TestChange:
    """One of the four changed by PATCH on a row in which all four stand: it is kept, the other unit follows."""

    @given(COMPLETE, MAG)
    def test_patched_magref_keeps_the_reference_consistent(self, existing, magref):
        values = patched(existing, {"magref": magref})
        assert values["magref"] == magref
        assert values["e_magref"] == existing["e_magref"]
        assert_one_fact(values)

    @given(COMPLETE, FLUX)
    def test_patched_ref_flux_keeps_the_reference_consistent(self, existing, ref_flux):
        values = patched(existing, {"ref_flux": ref_flux})
        assert values["ref_flux"] == ref_flux
        assert values["ref_fluxerr"] == existing["ref_fluxerr"]
        assert_one_fact(values)

    @given(COMPLETE, MAGERR)
    def test_patched_e_magref_keeps_the_reference_consistent(self, existing, e_magref):
        values = patched(existing, {"e_magref": e_magref})
        assert values == {**existing, "e_magref": e_magref, "ref_fluxerr": values["ref_fluxerr"]}
        assert_one_fact(values)

    @given(COMPLETE, FLUXERR)
    def test_patched_ref_fluxerr_keeps_the_reference_consistent(self, existing, ref_fluxerr):
        values = patched(existing, {"ref_fluxerr": ref_fluxerr})
        assert values == {**existing, "ref_fluxerr": ref_fluxerr, "e_magref": values["e_magref"]}
        assert_one_fact(values)

    @given(COMPLETE, COMPLETE)
    def test_patched_reference_fields_are_stored_as_given(self, existing, given):
        body = {name: value for name, value in given.items() if value is not None}
        values = patched(existing, body)
        assert {name: values[name] for name in body} == body
        assert_one_fact(values)

    @given(COMPLETE, st.sampled_from(["magref", "ref_flux"]))
    def test_clearing_the_reference_clears_its_error(self, existing, name):
        assert patched(existing, {name: None}) == dict.fromkeys(REFERENCE)

    @given(COMPLETE, st.sampled_from(["e_magref", "ref_fluxerr"]))
    def test_clearing_the_error_keeps_the_reference(self, existing, name):
        assert patched(existing, {name: None}) == {**existing, "e_magref": None, "ref_fluxerr": None}

    @given(COMPLETE)
    def test_other_changes_keep_the_reference(self, existing):
        assert patched(existing, {"channel": "A"}) == {**existing, "channel": "A"}
