"""Light curves as people have them: every file of tests/data/cases becomes the right series, or is refused in words.

``cases.json`` has the right values of each file; README.md beside it says what a case holds. Nothing here needs a
service: fields that it would infer from columns are inferred by the same function.
"""

import json
import math
import re
from dataclasses import fields

import numpy as np
import pytest

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, collect
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.table import FLUX, MAG, TIME
from photseries.lightcurve.units import flux_unit_of
from tests.support import DATA

CASES = json.loads((DATA / "cases/cases.json").read_text())
SPELT = {"mjd": TIME, "flux": FLUX, "mag": MAG}
GIVEN = {field.name for field in fields(ReadOptions)}


def mentions(text, words):
    def there(word):
        if re.fullmatch(r"[\d.]+", word):
            return re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)(?!\.\d)", text)
        if len(word) <= 3 or re.search(r" \d+$", word):
            return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE if len(word) > 3 else 0)
        return word.lower() in text.lower()

    return [word for word in words if not any(there(one) for one in word.split("|"))]


def read(case):
    options = {name.replace("-", "_"): value for name, value in case["options"].items()}
    own = {name: value for name, value in options.items() if name in GIVEN}
    return collect(DATA / "cases" / case["file"], ReadOptions(**own)), {
        name: value for name, value in options.items() if name not in GIVEN
    }


def check(reading, given, want, expected_fields, singles=()):
    frame = reading.frame
    told = {**infer(frame), **reading.file_metadata, **reading.fields, **given}
    calibrated = calibration_of(told).converts or flux_unit_of(told.get("flux_unit") or "uJy").microjansky is not None
    columns, optional = want
    for name, values in {**columns, **optional}.items():
        found = next((frame[one] for one in SPELT.get(name, (name,)) if one in frame), None)
        if found is None and name in optional:
            continue
        assert found is not None, f"no column {name}"
        expected = np.array([np.nan if value is None else value for value in values], np.float64)
        got = found.to_numpy(np.float64)
        assert len(got) == len(expected), name
        value = {"fluxerr": "flux", "magerr": "mag"}.get(name)
        of = columns.get(value, optional.get(value))
        counts = np.array([of is None or one is not None for one in of or values])
        if name in singles:
            np.testing.assert_array_equal(got[counts].astype("f4"), expected[counts].astype("f4"), err_msg=name)
        else:
            rtol, atol = (0, 2e-9) if name == "mjd" else (1e-9, 0)
            np.testing.assert_allclose(got[counts], expected[counts], rtol=rtol, atol=atol, err_msg=name)
    for name, value in expected_fields.items():
        if name == "calibrated":
            assert calibrated is value
        elif name == "mean_mag":
            assert value is None
            assert not calibrated
        elif isinstance(value, float | int):
            assert math.isclose(told[name], value, rel_tol=1e-9), name
        else:
            assert told.get(name, "ab" if name == "magsys" else None) == value, name


#: Cases that may be refused, and are.
MAY_BE_REFUSED = ("hdf5-blosc2",)
REFUSED = [case for case in CASES if case["expect"] == "refuse" or case["name"] in MAY_BE_REFUSED]
READ = [case for case in CASES if case not in REFUSED]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["name"])
def test_ambiguous_files_are_refused_with_a_message(case):
    with pytest.raises(InvalidError) as caught:
        read(case)
    message = caught.value.message
    assert not mentions(message, case.get("message_mentions", []))
    assert not any(word.lower() in message.lower() for word in case.get("message_lacks", []))
    assert "\n" not in message


@pytest.mark.parametrize("case", READ, ids=lambda case: case["name"])
def test_supported_files_are_read_correctly(case):
    readings, given = read(case)
    warnings = " ".join(warning for reading in readings for warning in reading.warnings)
    assert not mentions(warnings, case.get("warnings_mention", []))
    wanted = case.get("series", [case])
    assert len(readings) == len(wanted)
    for want in wanted:
        reading = next(one for one in readings if len(wanted) == 1 or one.fields["filter"] == want["filter"])
        columns = want["columns"], want.get("optional_columns", {})
        check(reading, given, columns, {**case.get("fields", {}), **want.get("fields", {})}, case.get("float32", ()))
