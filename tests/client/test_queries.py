"""Keywords of a search: every parameter in both spellings, and values as Python and astropy write them."""

import datetime
import typing

import numpy as np
import pandas as pd
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from photseries import Client
from photseries.client.criteria import ConeCriteria, Criteria
from photseries.client.queries import KEYWORDS, analysis_arguments, arguments, snake_case
from photseries.errors import InvalidError
from photseries.parameters import CRITERIA, parse


def test_names_are_converted_to_snake_case():
    names = "minMedianSNR rejectedObjectIDs seriesObjID useRobustMagAndRMS limitingMagIsNaN ra"
    assert " ".join(map(snake_case, names.split())) == (
        "min_median_snr rejected_object_ids series_obj_id use_robust_mag_and_rms limiting_mag_is_nan ra"
    )


def test_every_criterion_is_a_keyword():
    spellings = [name for known in CRITERIA for name in known.spellings]
    assert len({snake_case(name) for name in spellings}) == len(spellings)
    assert set(spellings) < set(KEYWORDS.values())
    assert {snake_case(known.name) for known in CRITERIA} <= set(ConeCriteria.__annotations__)
    for method in (Client.find, Client.iter, Client.count, Client.summary):
        assert typing.get_type_hints(method)["criteria"] == typing.Unpack[ConeCriteria]
    assert typing.get_type_hints(Client.positions)["criteria"] == typing.Unpack[Criteria]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime.datetime(2026, 11, 21, 4, 30), "2026-11-21T04:30:00+00:00"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (np.datetime64("2026-11-21"), "2026-11-21T00:00:00+00:00"),
        (pd.Timestamp("2026-11-21", tz="UTC"), "2026-11-21T00:00:00+00:00"),
        (np.float32(0.5), "0.5"),
        (True, "true"),
        (np.True_, "true"),
        (5, "5"),
    ],
)
def test_values_are_encoded_as_query_arguments(value, text):
    name = "detected" if text == "true" else "start_after"
    asked = arguments({name: value})
    assert asked == {KEYWORDS[name]: [text]}
    assert len(parse(asked).restrictions) == 1


@pytest.mark.parametrize(
    "name", ["obj_id", "rejected_object_ids", "series_name", "series_obj_id", "channel", "origin", "batch"]
)
def test_a_text_with_a_comma_is_one_value(name):
    """It found the series of either part."""
    for value, expected in (('night 1, "red"', ('night 1, "red"',)), (["a,b", " c"], ("a,b", " c"))):
        assert [condition.value for condition in parse(arguments({name: value})).restrictions] == [expected]


@pytest.mark.parametrize("scale", ["utc", "tai", "tt", "tdb"])
def test_a_time_of_astropy_is_sent_with_its_scale(scale):
    first, last = (Time(day, format="mjd", scale=scale) for day in (60000.25, 60001.5))
    asked = arguments({"start_after": first, "endBefore": last})
    assert asked == {"startAfter": ["60000.25"], "endBefore": ["60001.5"], "timeScale": [scale]}


def test_times_of_astropy_are_sent_in_one_scale():
    time = Time("2019-06-15T12:00:00", scale="utc")
    assert arguments({"start_after": time.tdb, "end_before": time})["endBefore"] == [repr(float(time.tdb.mjd))]
    assert arguments({"start_after": time, "time_scale": "tt", "end_before": 60000}) == {
        "startAfter": [repr(float(time.tt.mjd))], "endBefore": ["60000"], "timeScale": ["tt"],
    }  # fmt: skip
    assert arguments({"start_after": time.tcb}) == {
        "startAfter": [repr(float(time.tdb.mjd))], "timeScale": ["tdb"],
    }  # fmt: skip
    assert arguments({"start_after": 60000, "end_before": datetime.date(2026, 11, 21)}).keys() == {
        "startAfter", "endBefore",
    }  # fmt: skip


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5))
def test_lists_of_any_text_arrive_unchanged(texts):
    texts = [text for text in texts if text.isprintable()] or ["x"]
    (restriction,) = parse(arguments({"series_name": texts})).restrictions
    assert list(restriction.value) == texts


def test_repeated_and_absent_criteria_are_encoded():
    assert arguments({"stat": ["medians.bg<5", "stds.bg>1"], "filter": None}) == {"stat": ["medians.bg<5", "stds.bg>1"]}
    assert analysis_arguments({"min_period": 0.5, "max_period": None, "bin": None}) == {"minPeriod": 0.5}


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"objctID": 1}, "There is no criterion objctID. Did you mean objectID?"),
        ({"min_median_sn": 1}, "There is no criterion min_median_sn. Did you mean min_median_snr?"),
        ({"mediansnr": 1}, "There is no criterion mediansnr. Did you mean min_median_snr?"),
        ({"page_number": 1}, "There is no criterion page_number."),
        ({"minRMS": 1, "min_rms": 2}, "min_rms is given twice"),
        ({"filter": object()}, "filter must be"),
        ({"start_after": Time(60000, format="mjd"), "end_before": 60001}, "end_before has no time scale"),
        ({"timeScale": "utc", "time_scale": "tai"}, "time_scale is given twice"),
    ],
)
def test_invalid_criteria_are_refused(criteria, message):
    with pytest.raises(InvalidError) as caught:
        arguments(criteria)
    assert message in caught.value.message
