"""What the service writes and the client reads is the series again: its table, and every field of its metadata."""

import numpy as np
import pandas as pd
import pytest
from astropy import units
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from photseries.errors import InvalidError
from photseries.fields import IN_FILE
from photseries.formats import FORMATS, ReadOptions, csv, one_of, read_bytes
from photseries.hdf5 import stored_file
from tests.formats.test_writing import tess

#: The formats that keep everything; CSV keeps the table alone.
WHOLE = ("hdf5", "parquet", "arrow", "ecsv", "fits", "votable")

METADATA = {
    "obj_id": "star <é> & 'co'\t\x01",
    "instrument_id": 7,
    "series_name": "field/1",
    "series_obj_id": "614",
    "ra": 10.25,
    "dec": -20.5,
    "exp_time": 120.0,
    "filter": "ztfg",
    "channel": "b",
    "origin": "pipeline 2",
    "limiting_mag": 20.5,
    "magref": 18.125,
    "e_magref": 0.25,
    "ref_flux": 204.17379446695283,
    "ref_fluxerr": 47.012954,
    "ra_unc": 1e-5,
    "dec_unc": 2e-5,
    "followup_request_id": 3,
    "assignment_id": 4,
    "time_stamp_alignment": "start",
    "time_scale": "tdb",
    "time_refpos": "barycenter",
    "flux_unit": "electron/s",
    "magsys": "vega",
    "brightness": "mag",
    "flag_column": "quality",
    "good_values": [0, 16],
    "altdata": {"note": "two\nlines", "of": [1, None, {"b": True}]},
    "column_units": {"bg": "electron/s", "angle": "my unit", "none": "K"},
    "owner_id": 5,
}

ROWS = 3
NUMBERS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=70)
#: Durations of at most 97 days: seconds of longer ones do not have the digits of nanoseconds.
DURATIONS = st.integers(-(2**23) * 10**9, 2**23 * 10**9)


def values(code):
    if code == "O":
        cells = st.lists(
            st.none() | TEXT | st.sampled_from(["", " a", "a ", "a \na", "a\t", "#", "\n", "\\"]),
            min_size=ROWS,
            max_size=ROWS,
        )
        return cells.map(lambda texts: np.array([*texts, None], object)[:-1])
    if code == "M":
        return arrays.arrays("M8[ns]", ROWS, elements=arrays.from_dtype(np.dtype("M8[ns]")))
    if code == "m":
        counts = st.lists(st.none() | DURATIONS, min_size=ROWS, max_size=ROWS)
        return counts.map(lambda some: np.array(["NaT" if one is None else one for one in some], "m8[ns]"))
    return arrays.arrays(code, ROWS)


@st.composite
def tables(draw):
    """Any table that can be stored: times, a brightness, further columns of all types, and an index."""
    known = {"mjd": np.array([59000.1, np.nan, 59002.3]), "flux": draw(values(draw(st.sampled_from(["f4", "f8"]))))}
    known["flux"][0] = 1
    names = draw(
        st.lists(NAMES | st.sampled_from(["FLUX", "flux_err", "sigma", "mag", "time"]), max_size=4, unique=True)
    )
    kinds = st.sampled_from([*NUMBERS, "O", "M", "m"])
    further = {name: draw(values("f8" if name == "mag" else draw(kinds))) for name in names if name not in known}
    frame = pd.DataFrame({**known, **further})
    if draw(st.booleans()):
        labels = draw(st.sampled_from([[3, 1, 2], [0.5, 1.5, 2.5], ["x", " y", "é"]]))
        frame = frame.set_index(pd.Index(labels, name=draw(st.none() | NAMES)))
    return frame


def same(column):
    """Values that compare equal where a series is the same: null is null, text is text."""
    if column.dtype.kind in "OT" or isinstance(column.dtype, pd.StringDtype):
        return [None if pd.isna(text) else str(text) for text in column.tolist()]
    return column


def assert_same_table(found, expected):
    assert list(found.columns) == list(expected.columns)
    assert found.index.name == expected.index.name
    assert found.index.tolist() == expected.index.tolist()
    for name in expected:
        one, other = same(found[name]), same(expected[name])
        if isinstance(other, list):
            assert one == other, name
        else:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one.to_numpy(), other.to_numpy(), err_msg=repr(name))


def read_back(form, stored):
    content = FORMATS[form].write(stored.frame, stored.metadata)
    return one_of(read_bytes(content, "series", ReadOptions(format=form)))


@given(frame=tables())
@example(frame=tess())
@example(frame=pd.DataFrame({"mjd": [59000.0, 1.0], "flux": [1.0, 2.0], "text": ["a \na", None]}))
@example(frame=pd.DataFrame({"mjd": [59000.0, 1.0], "flux": [1.0, 2.0], "x" * 59 + " y": [1.0, 2.0]}))  # cut at a space
@example(frame=pd.DataFrame({"mjd": [59000.0], "flux": [1.0], "'/": [1.0]}))  # in FITS the end of a text, to astropy
@example(frame=pd.DataFrame({"mjd": [59000.0], "flux": [1.0], "id": np.array([2**64 - 1], np.uint64)}))
@settings(deadline=None)
def test_table_survives_the_round_trip(frame):
    """In all formats at once, because to make up the table takes the most time."""
    stored = stored_file.decode(stored_file.encode(frame, METADATA))
    for form in WHOLE:
        got = read_back(form, stored)
        assert got.warnings == (), form
        assert_same_table(got.frame, stored.frame)


@pytest.mark.parametrize("form", WHOLE)
def test_every_field_survives_the_round_trip(form):
    assert set(METADATA) == set(IN_FILE)
    frame = tess().assign(angle=1.0, none=2.0)
    got = read_back(form, stored_file.decode(stored_file.encode(frame, METADATA)))
    assert {**got.file_metadata, **got.fields} == METADATA
    assert got.warnings == ()


@pytest.mark.parametrize("form", ["ecsv", "fits", "votable"])
def test_changed_unit_in_a_file_is_detected(form):
    """A person may change a file of the service: what is in it counts, not what was."""
    content = FORMATS[form].write(tess(), {**METADATA, "column_units": {"bg": "adu/s"}})
    before, of_column, after = content.rpartition(b"adu/s") if form == "votable" else content.partition(b"adu/s")
    got = one_of(read_bytes(before + of_column.replace(b"s", b"h") + after, "series", ReadOptions(format=form)))
    assert got.file_metadata["column_units"] == {"bg": "adu/s"}
    changed = {**got.file_metadata, **got.fields}["column_units"]
    assert {name: unit.replace(" ", "") for name, unit in changed.items()} == {"bg": "adu/h"}


@pytest.mark.parametrize("form", ["arrow", "fits", "votable"])
def test_damaged_notes_are_refused(form):
    content = FORMATS[form].write(tess().assign(small=np.float16(1)), METADATA)
    whole, broken = b'{"type": "float16"}', b'["type", "float16"]'
    for quote in (b'"', b"&quot;"):
        content = content.replace(whole.replace(b'"', quote), broken.replace(b'"', quote))
    with pytest.raises(InvalidError, match="descriptions of columns are damaged"):
        one_of(read_bytes(content, "series", ReadOptions(format=form)))


@pytest.mark.parametrize("unit", ["mJy", "erg s-1 cm-2 Hz-1", "uJy", "electron/s", "relative", "ppm", "ct"])
@pytest.mark.parametrize("further", [{}, {"zp": [25.0, 25.0, 25.0]}, {"flux_unit": ["Jy", "Jy", "Jy"]}])
def test_csv_states_the_unit_of_fluxes(unit, further):
    frame = pd.DataFrame({"mjd": [59000.0, 59001.0, 59002.0], "flux": [1.5, -2.0, np.nan], "fluxerr": 0.5, **further})
    got = one_of(read_bytes(FORMATS["csv"].writer.write(frame, {"flux_unit": unit}), "curve.csv", ReadOptions()))
    is_density = unit in ("mJy", "erg s-1 cm-2 Hz-1", "uJy")
    factor = units.Unit(unit).to(units.uJy) if is_density else 1
    np.testing.assert_allclose(got.frame["flux"], frame["flux"] * factor, rtol=1e-12)
    np.testing.assert_allclose(got.frame["fluxerr"], frame["fluxerr"] * factor, rtol=1e-12)
    assert got.fields.get("flux_unit", "uJy") == ("uJy" if is_density else unit)
    own = [{"flux_unit": "flux_unit_of_table"}.get(name, name) for name in further]
    assert list(got.frame) == ["mjd", "flux", "fluxerr", *own]


@pytest.mark.parametrize("magsys", ["ab", "vega", "instrumental"])
@pytest.mark.parametrize("alignment", ["start", "middle", "end"])
def test_csv_states_the_system_of_magnitudes_and_what_times_mark(magsys, alignment):
    frame = pd.DataFrame({"mjd": [59000.0, 59001.0], "mag": [15.0, 16.0]})
    metadata = {"magsys": magsys, "time_stamp_alignment": alignment}
    got = one_of(read_bytes(FORMATS["csv"].writer.write(frame, metadata), "curve.csv", ReadOptions()))
    assert {"magsys": "ab", "time_stamp_alignment": "middle", **got.fields} == metadata
    pd.testing.assert_frame_equal(got.frame, frame)


@pytest.mark.parametrize("metadata", [{}, {"time_stamp_alignment": "middle", "time_scale": "tdb"}])
def test_csv_of_a_series_in_the_usual_units_has_its_columns_alone(metadata):
    frame = pd.DataFrame({"mjd": [59000.0], "flux": [1.0], "mag": [23.9]})
    assert FORMATS["csv"].writer.write(frame, metadata) == b"mjd,flux,mag\r\n59000.0,1.0,23.9\r\n"


def test_csv_states_the_unit_and_alignment_of_derived_columns():
    frame = pd.DataFrame({"bjd_tdb": [59000.0], "flux_detrended": [1.5]})
    metadata = {"flux_unit": "electron/s", "time_stamp_alignment": "end"}
    written = FORMATS["csv"].writer.write(frame, metadata).decode().splitlines()
    assert written == ["bjd_tdb,flux_detrended,flux_unit,time_stamp_alignment", "59000.0,1.5,electron/s,end"]
    middle = pd.DataFrame({"mjd_mid": [59000.0], "snr": [3.0]})
    assert FORMATS["csv"].writer.write(middle, metadata) == b"mjd_mid,snr\r\n59000.0,3.0\r\n"


def test_a_converted_table_is_not_converted_again():
    content = b"mjd,flux,fluxerr,zp\n59000,100,10,25\n59001,110,10,25.5\n"
    once = one_of(read_bytes(content, "curve.csv", ReadOptions()))
    again = one_of(read_bytes(FORMATS["csv"].writer.write(once.frame, {}), "curve.csv", ReadOptions()))
    np.testing.assert_allclose(once.frame["flux"], [100 * 10**-0.44, 110 * 10**-0.64])
    pd.testing.assert_frame_equal(again.frame, once.frame)
    assert list(once.frame) == ["mjd", "flux", "fluxerr", "zp_as_read"]


def test_csv_states_the_unit_of_fluxes_that_would_be_read_as_relative():
    frame = pd.DataFrame({"mjd": [59000.0, 59001.0], "flux": [1.0, 1.01], "fluxerr": [0.01, 0.01]})
    assert csv.write(frame, {}).splitlines()[:2] == [b"mjd,flux,fluxerr,flux_unit", b"59000.0,1.0,0.01,uJy"]
    again = one_of(read_bytes(csv.write(frame, {}), "curve.csv", ReadOptions()))
    assert again.calibration["flux_unit"] == "uJy"


def test_csv_keeps_columns_of_the_table_with_the_names_of_fields():
    frame = pd.DataFrame({"mjd": [59000.0, 59001.0], "flux": [100.0, 101.0], "flux_unit": ["DN", "x"]})
    assert csv.write(frame, {"flux_unit": "electron/s"}).splitlines() == [
        b"mjd,flux,flux_unit_of_table,flux_unit", b"59000.0,100.0,DN,electron/s", b"59001.0,101.0,x,electron/s",
    ]  # fmt: skip
