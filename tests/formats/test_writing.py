"""Every format is written, and read back by a reader that is not ours."""

import io
import json
import re
import subprocess
import sys
import tracemalloc

import h5py
import numpy as np
import orjson
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse, validate
from astropy.table import Table
from astropy.time import Time
from hypothesis import example, given
from hypothesis import strategies as st

from photseries.errors import NotInstalledError
from photseries.formats import WRITERS, csv
from photseries.hdf5 import stored_file
from tests.support import TESS, recipe_read

METADATA = {
    "obj_id": "star <é> & 'co'",
    "instrument_id": 7,
    "ra": 10.25,
    "dec": -20.5,
    "exp_time": 120.0,
    "filter": "ztfg",
    "time_stamp_alignment": "middle",
    "time_scale": "tdb",
    "time_refpos": "barycenter",
    "altdata": {"note": "two\nlines", "of": [1, None, {"b": True}]},
}


def mixed():
    """Text with nulls, integers of all widths, NaN, truths; a datetime and a duration; an awkward name."""
    numbers = {code: np.arange(3).astype(code) for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")}
    return pd.DataFrame(
        {
            "mjd": [59000.123456789, np.nan, 59000.3],
            "flux": np.array([1.1, np.nan, -3e-7], np.float32),
            **numbers,
            "text": ["plain", None, 'say "é", and\ngo'],
            "code": ["a", "bcd", "e"],
            "good": [True, False, True],
            "at": np.array(["2026-11-21T04:30:00.25", "NaT", "2026-11-22"], "M8[ns]"),
            "took": np.array([1500, "NaT", 2000], "m8[ms]").astype("m8[ns]"),
            "FLUX": [1.0, 2.0, 3.0],
            "odd name, <&> \x01": [1, 2, 3],
        }
    )


def tess():
    """The table of the TESS file as the service reads it."""
    return stored_file.decode(stored_file.encode(recipe_read(TESS.read_bytes())[0], {})).frame


def from_h5py(content):
    """The recipe of docs/formats.md."""
    with h5py.File(io.BytesIO(content)) as file:
        group = file["phot_series"]
        rows, about, columns = group["table"][:], group["table"].attrs, {}
        for block in [name for name in rows.dtype.names if name.startswith("values_block_")]:
            names = re.findall("V(.*)\n", bytes(about[f"{block}_kind"]).decode("raw-unicode-escape"))
            columns |= dict(zip(names, np.moveaxis(rows[block], -1, 0), strict=True))
        return columns, json.loads(group.attrs["metadata_json"])


def from_json(content):
    found = orjson.loads(content)
    return found.pop("data"), found


def from_arrow(table):
    return {name: table.column(name).to_numpy() for name in table.column_names}, json.loads(
        table.schema.metadata[b"photseries"]
    )


def from_votable(content):
    """The names that astropy gives are those of XML: the columns are taken in their order."""
    table = parse(io.BytesIO(content)).get_first_table()
    columns = {
        field.name: values for field, values in zip(table.fields, table.to_table().columns.values(), strict=True)
    }
    return columns, {param.name: param.value for param in table.params}


def from_fits(content):
    table = Table.read(io.BytesIO(content), format="fits", character_as_bytes=False)
    return dict(table.columns), json.loads(table.meta["PHOTSER"])


def from_ecsv(content):
    table = Table.read(content.decode(), format="ascii.ecsv")
    return dict(table.columns), dict(table.meta)


READERS = {
    "hdf5": from_h5py,
    "json": from_json,
    "csv": lambda content: (dict(pd.read_csv(io.BytesIO(content))), None),
    "ecsv": from_ecsv,
    "parquet": lambda content: from_arrow(pyarrow.parquet.read_table(io.BytesIO(content))),
    "arrow": lambda content: from_arrow(pyarrow.ipc.open_stream(content).read_all()),
    "votable": from_votable,
    "fits": from_fits,
}


def plain(values):
    """Values as every reader has them: numbers as float64 and NaN, text as str and an empty one for a missing one."""
    if np.ma.isMaskedArray(values):
        values = values.filled(np.nan if values.dtype.kind == "f" else "" if values.dtype.kind in "UO" else None)
    values = np.asarray(values)
    if values.dtype.kind == "m":
        return np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if all(isinstance(value, int | float | None) for value in values.tolist()):
        return np.array([np.nan if value is None else value for value in values.tolist()], np.float64)
    return np.array(["" if pd.isna(value) else str(value) for value in values.tolist()])


def test_every_format_has_an_independent_reader():
    assert list(READERS) == list(WRITERS)
    for attribute in ("extension", "media_type"):
        assert len({getattr(one, attribute) for one in WRITERS.values()}) == len(WRITERS)


@pytest.mark.parametrize("form", WRITERS)
def test_tess_file_survives_the_round_trip(form):
    frame = tess()
    columns, metadata = READERS[form](WRITERS[form].write(frame, METADATA))
    assert set(columns) == set(frame.columns)
    if form != "hdf5":
        assert list(columns) == list(frame.columns)
    for name in frame.columns:
        expected = frame[name].to_numpy()
        found = plain(columns[name])
        if form in ("json", "csv", "ecsv"):
            found = found.astype(expected.dtype)
        finite = np.isfinite(expected.astype(float)) | (form != "json")
        assert np.array_equal(found[finite], plain(expected)[finite], equal_nan=True), name
        if form not in ("json", "csv"):
            assert np.asarray(columns[name]).dtype.newbyteorder("=") == expected.dtype, name
    if form not in ("csv", "votable"):
        assert metadata == METADATA


@pytest.mark.parametrize("form", [form for form in WRITERS if form != "hdf5"])
def test_text_integers_and_nan_come_back_equal(form):
    frame = mixed()
    columns, metadata = READERS[form](WRITERS[form].write(frame, METADATA))
    assert len(columns) == frame.shape[1]
    for name, found in zip(frame.columns, columns.values(), strict=True):
        expected, found = frame[name], np.asarray(plain(found))
        if name in ("text", "code"):
            texts = ["" if pd.isna(text) else text for text in expected]
            if form == "fits":
                texts[2] = texts[2].encode("unicode_escape").decode() if name == "text" else texts[2]
            assert found.tolist() == texts
        elif name == "at" and form not in ("parquet", "arrow"):
            assert [text.rstrip("0") for text in found.tolist()] == [
                "2026-11-21T04:30:00.25",
                "",
                "2026-11-22T00:00:00.",
            ]
        elif name == "at":
            assert np.array_equal(columns["at"], expected.to_numpy(), equal_nan=True)
        else:
            if expected.dtype == np.float32:
                found = found.astype(np.float32)
            assert np.array_equal(found, plain(expected).astype(found.dtype), equal_nan=True), name
    if form not in ("csv", "votable"):
        assert metadata == METADATA


@given(st.lists(st.text('a ,"#\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029', max_size=6), min_size=2, max_size=5))
@example(["name", "#1", "ok", "# bad", "more\n # bad"])
@example(["name", "a \na", "ok"])
@example(["name", "a\ra", ""])
def test_no_text_or_name_loses_rows_in_ecsv(texts):
    """A column of text comes first, where its beginning is that of a line."""
    name, *texts = texts
    frame = pd.DataFrame({name: texts, "mjd": np.arange(len(texts))})
    columns, _ = from_ecsv(WRITERS["ecsv"].write(frame, {}))
    (name, found), (_, numbers) = columns.items()
    assert numbers.tolist() == list(range(len(texts)))
    assert plain(found).tolist() == texts


def test_hdf5_and_votable_keep_the_index_and_missing_values():
    frame = mixed().drop(columns=["at", "took"]).set_index(pd.Index(["x", "y", "z"], name="label"))
    frame, _ = recipe_read(WRITERS["hdf5"].write(frame, METADATA))
    assert frame.index.tolist() == ["x", "y", "z"]
    table = pyarrow.parquet.read_table(io.BytesIO(WRITERS["parquet"].write(frame, METADATA)))
    assert table.column("label").to_pylist() == ["x", "y", "z"]
    assert table.column("text").to_pylist()[1] is None
    assert WRITERS["csv"].write(frame, METADATA).startswith(b"label,mjd,")


def test_a_votable_describes_its_columns():
    content = WRITERS["votable"].write(mixed(), METADATA)
    assert validate(io.BytesIO(content), output=io.StringIO())
    found = parse(io.BytesIO(content), verify="exception")
    resource = found.resources[0]
    (times,) = resource.time_systems
    assert (times.timescale, times.refposition, times.timeorigin) == ("TDB", "BARYCENTER", "MJD-origin")
    table = resource.tables[0]
    assert {field.name: (str(field.unit), field.ucd) for field in table.fields if field.ucd} == {
        "mjd": ("d", "time.epoch"),
        "flux": ("uJy", "phot.flux.density"),
    }
    assert table.fields[0].ref == times.ID
    group = table.groups[0]
    told = {entry.utype: entry.value for entry in group.entries if hasattr(entry, "value")}
    assert told["photDM:PhotometryFilter.identifier"] == "Palomar/ZTF.g"
    assert told["photDM:PhotCal.magnitudeSystem.type"] == "AB"
    assert told["photDM:PhotCal.zeroPoint.flux.value"] == pytest.approx(3630.78, abs=0.01)
    assert [entry.get_ref().name for entry in group.entries if hasattr(entry, "get_ref")] == ["flux"]
    params = {param.name: param.value for param in table.params}
    assert params["obj_id"] == METADATA["obj_id"]
    assert json.loads(params["altdata"]) == METADATA["altdata"]


@pytest.mark.parametrize(("scale", "place"), [(None, None), ("utc", "topocenter")])
def test_unknown_properties_are_published_as_unknown(scale, place):
    metadata = {**METADATA, "time_scale": scale, "time_refpos": place}
    (times,) = parse(io.BytesIO(WRITERS["votable"].write(tess(), metadata))).resources[0].time_systems
    header = astropy_fits.getheader(io.BytesIO(WRITERS["fits"].write(tess(), metadata)), 1)
    assert (times.timescale, times.refposition) == ((scale or "unknown").upper(), (place or "unknown").upper())
    assert (header.get("TIMESYS"), header["TREFPOS"]) == (scale and scale.upper(), (place or "unknown").upper())
    assert ("TCUNI" in " ".join(header)) == (scale is not None)
    assert ("No TIMESYS" in str(header.get("COMMENT"))) == (scale is None)


@pytest.mark.parametrize("place", [None, "barycenter"])
def test_astropy_leaves_times_of_unknown_scale_as_numbers(place):
    metadata = {**METADATA, "time_scale": None, "time_refpos": place}
    content = WRITERS["fits"].write(tess().assign(TIME=1.0), metadata)
    table = Table.read(io.BytesIO(content), format="fits", astropy_native=True)
    assert not isinstance(table["mjd"], Time)
    assert np.array_equal(table["mjd"], tess()["mjd"])
    assert str(table["mjd"].unit) == "d"


def test_astropy_makes_times_of_fits():
    content = WRITERS["fits"].write(tess(), METADATA)
    table = Table.read(io.BytesIO(content), format="fits", astropy_native=True)
    assert isinstance(table["mjd"], Time)
    assert table["mjd"].scale == "tdb"
    assert np.allclose(table["mjd"].mjd, tess()["mjd"], rtol=0, atol=1e-9)
    assert str(table["flux"].unit) == "uJy"
    header = astropy_fits.getheader(io.BytesIO(content), 1)
    told = {key: header[key] for key in ("FILTER", "EXPTIME", "RA", "DEC", "RADESYS", "TIMESYS", "MJDREF")}
    assert told == {
        "FILTER": "ztfg", "EXPTIME": 120.0, "RA": 10.25, "DEC": -20.5, "RADESYS": "ICRS", "TIMESYS": "TDB",
        "MJDREF": 0.0,
    }  # fmt: skip
    assert header["OBJECT"] == "star <\\xe9> & 'co'"


def test_uncalibrated_fluxes_are_described_as_such():
    metadata = {**METADATA, "flux_unit": "electron/s"}
    table = parse(io.BytesIO(WRITERS["votable"].write(tess(), metadata))).get_first_table()
    fields = {field.name: field for field in table.fields}
    assert (str(fields["flux"].unit), fields["flux"].ucd) == ("electron / s", "phot.flux")
    assert table.groups == []


def test_topcat_and_astropy_find_a_votable_in_parquet(tmp_path):
    (tmp_path / "curve.parquet").write_bytes(WRITERS["parquet"].write(tess(), METADATA))
    table = Table.read(tmp_path / "curve.parquet", format="parquet.votable")
    assert (str(table["mjd"].unit), str(table["flux"].unit)) == ("d", "uJy")


@pytest.mark.parametrize(("form", "package"), [("parquet", "pyarrow"), ("arrow", "pyarrow"), ("fits", "astropy")])
def test_missing_package_is_named(monkeypatch, form, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert not WRITERS[form].is_installed
    with pytest.raises(NotInstalledError, match=rf"{package} is not installed.*pip install 'photseries\["):
        WRITERS[form].write(mixed(), METADATA)
    assert NotInstalledError.status == 501


def test_the_formats_load_neither_package_before_a_file_needs_it():
    program = """
import sys
import tracemalloc
from photseries import pandas_without_pyarrow
pandas_without_pyarrow.import_pandas()
import photseries.formats
print({"astropy", "lightkurve", "pyarrow"} & set(sys.modules))
"""
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout == "set()\n"


def test_service_loads_packages_of_formats_on_demand():
    program = """
import sys
import tracemalloc
from photseries.cli.main import main
main.get_command(None, "serve")
print({"pyarrow", "astropy"} & set(sys.modules), "pandas" in sys.modules)
import pyarrow
"""
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert outcome.stdout == "set() True\n"


def test_csv_is_the_same_in_blocks(monkeypatch):
    """A column of times has one unit, which only the last row needs here."""
    times = pd.Series(pd.date_range("2026-01-01", periods=50, freq="D").astype("datetime64[ns]"))
    times[49] += pd.Timedelta(1, "ns")
    frame = pd.DataFrame({"at": times, "flux": np.arange(50) / 4, "note": ["a,b", None] * 25})
    monkeypatch.setattr(csv, "_CELLS", 21)
    lines = csv.write(frame, {}).split(b"\r\n")
    assert lines[0] == b"at,flux,note"
    assert lines[1] == b'2026-01-01T00:00:00.000000000,0.0,"a,b"'
    assert lines[50:] == [b"2026-02-19T00:00:00.000000001,12.25,", b""]
    assert [line.count(b",") for line in lines[1:51]] == [3, 2] * 25


def test_csv_takes_memory_for_its_text_and_a_block(monkeypatch):
    frame = pd.DataFrame(np.random.default_rng(5).normal(size=(50_000, 12)))
    frame.columns = [f"c{number}" for number in range(12)]
    monkeypatch.setattr(csv, "_CELLS", 12_000)
    tracemalloc.start()
    try:
        size = len(csv.write(frame, {}))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size, "the text, its blocks, and the cells of one; all cells take 3 times the text"
