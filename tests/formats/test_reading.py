"""Every format: what is in the file comes out, and a file that is something else is refused by its name."""

import gzip

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from astropy import units
from astropy.table import Table
from astropy.time import Time

from photseries.errors import InvalidError, StartError
from photseries.formats import FORMATS, READERS, ReadOptions, inspection, read
from tests.formats import mission_files
from tests.formats.workbooks import workbook
from tests.support import DATA, TESS, recipe_write

FRAME = pd.DataFrame(
    {"mjd": [59000.123456789012, 59001.1, 59002.0], "flux": [1.1, np.nan, 3.0], "fluxerr": [0.1, 0.2, 0.3]}
)


def astropy_table(**more):
    table = Table({name: FRAME[name].to_numpy() for name in FRAME}, **more)
    table["flux"].unit = table["fluxerr"].unit = units.uJy
    return table


def with_arrow(path):
    table = pyarrow.Table.from_pandas(FRAME)
    with pyarrow.ipc.new_stream(path, table.schema) as stream:
        stream.write_table(table)


WRITE = {
    "csv": lambda path: FRAME.to_csv(path, index=False),
    "tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "text": lambda path: path.write_text("# a comment\n\n" + FRAME.to_csv(index=False, sep=" ", na_rep="nan")),
    "ecsv": lambda path: astropy_table().write(path, format="ascii.ecsv"),
    "fits": lambda path: astropy_table().write(path, format="fits"),
    "votable": lambda path: astropy_table().write(path, format="votable"),
    "hdf5": lambda path: path.write_bytes(recipe_write(FRAME, {"filter": "ztfg"})),
    "arrow": with_arrow,
    "parquet": lambda path: pyarrow.parquet.write_table(pyarrow.Table.from_pandas(FRAME), path),
    "excel": lambda path: path.write_bytes(workbook([list(FRAME), *FRAME.to_numpy().tolist()])),
}


def write(format_, path):
    WRITE[format_](path)


BINARY = [known for known in READERS.values() if known.name not in ("csv", "tsv", "text", "ecsv")]


@pytest.mark.parametrize("known", READERS.values(), ids=lambda known: known.name)
@pytest.mark.parametrize("zipped", [False, True])
def test_the_content_of_the_file_is_restored(tmp_path, known, zipped):
    path = tmp_path / f"curve{known.suffixes[0]}"
    write(known.name, path)
    if zipped:
        content, path = path.read_bytes(), path.with_name(path.name + ".gz")
        path.write_bytes(gzip.compress(content))
    got = read(path)
    pd.testing.assert_frame_equal(got.frame, FRAME)
    assert got.warnings == ()
    assert (got.blob is not None) == (known.name == "hdf5")


@pytest.mark.parametrize("known", READERS.values(), ids=lambda known: known.name)
@pytest.mark.parametrize("content", [b"", b"\0\xff" * 100, b"%PDF-1.7 something else", b"<html><body>not found</body>"])
def test_a_file_with_a_wrong_suffix(tmp_path, known, content):
    path = tmp_path / f"curve{known.suffixes[0]}"
    path.write_bytes(content)
    with pytest.raises(InvalidError, match=r"^curve\.") as caught:
        read(path)
    assert "\n" not in caught.value.message
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("known", BINARY, ids=lambda known: known.name)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.7, 0.9])
def test_a_part_of_a_file(tmp_path, known, share):
    """Nothing is made of a truncated file but an error; where only padding is lost, all of the table."""
    path = tmp_path / f"curve{known.suffixes[0]}"
    write(known.name, path)
    content = path.read_bytes()
    rest = content[int(share * len(content)) :]
    path.write_bytes(content.removesuffix(rest))
    try:
        frame = read(path).frame
    except InvalidError:
        return
    pd.testing.assert_frame_equal(frame, FRAME)
    assert not rest.strip(b"\0")


def test_formats_are_chosen_by_option_name_and_content(tmp_path):
    write("csv", tmp_path / "curve.out")
    assert read(tmp_path / "curve.out", ReadOptions(format="csv")).frame.equals(FRAME)
    assert read(tmp_path / "curve.out").frame.equals(FRAME), "text is known by its content"
    (tmp_path / "curve.bin").write_bytes(b"\0" * 100)
    with pytest.raises(InvalidError, match=r"curve.bin: its format is unknown; name it \(format\): hdf5, csv, tsv"):
        read(tmp_path / "curve.bin")
    with pytest.raises(InvalidError, match="Unknown format 'xlsx'"):
        read(tmp_path / "curve.out", ReadOptions(format="xlsx"))
    (tmp_path / "unnamed").write_bytes(mission_files.tess()[0])
    assert len(read(tmp_path / "unnamed").frame) == 50
    (tmp_path / "curve.csv.gz").write_bytes(b"\x1f\x8b damaged")
    with pytest.raises(InvalidError, match=r"curve.csv.gz: "):
        read(tmp_path / "curve.csv.gz")


def test_suffixes_are_of_one_format_each():
    suffixes = [suffix for known in FORMATS.values() for suffix in known.suffixes]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in suffixes)


@pytest.mark.parametrize("band", ["R", "B"])
def test_macho_file_is_read(band):
    path = DATA / f"macho_1.3444.614.{band}.mjd"
    frame = read(path).frame
    assert list(frame) == ["mjd", "mag", "magerr"]
    np.testing.assert_array_equal(frame.to_numpy(), np.loadtxt(path))


def test_the_tess_hdf5_is_sent_unchanged():
    got = read(TESS)
    assert got.blob == TESS.read_bytes()
    assert got.file_metadata["filter"] == "tess::red"
    assert read(TESS, ReadOptions(flux_col="bg", flux_unit="uJy")).blob is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3\n4,5,6\n", "no line names its columns"),
        ("# mjd flux\n1,2,3\n", "no line names its columns"),
        ("mjd,flux\n59000,1\n59001,2,3\n", "line 3 has 3 cells, but there are 2 names"),
        ("time of day,flux\n1,2\n", "No column was recognised as the time"),
        ("mjd,quality\n59000,2\n", "No column was recognised as a flux or a magnitude"),
        ("mjd,flux\nnoon,2\n", "contains 'noon' in row 1"),
        ("mjd,flux\n", "The table has no rows"),
    ],
)
def test_invalid_tables_are_refused(tmp_path, text, message):
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(InvalidError, match=message):
        read(tmp_path / "curve.csv")


def test_names_may_be_in_a_comment(tmp_path):
    (tmp_path / "curve.csv").write_text("# who\n# MJD, Mag, Err\n59000.5, 18.5, 0.1\n")
    frame = read(tmp_path / "curve.csv").frame
    assert frame.to_dict("list") == {"mjd": [59000.5], "mag": [18.5], "magerr": [0.1]}


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    write("ecsv", tmp_path / "curve.ecsv")
    monkeypatch.setattr("photseries.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(StartError, match=r"pip install 'photseries\[astropy\]'"):
        read(tmp_path / "curve.ecsv")


def test_units_and_masks_of_tables(tmp_path):
    table = Table(masked=True)
    table["time"] = Time([2459000.5, 2459001.5], format="jd", scale="tt")
    table["flux"] = [1.0, 2.0] * units.mJy
    table["flags"] = np.ma.MaskedArray([1, 2], mask=[True, False])
    table["name"] = ["a", "b"]
    table.write(tmp_path / "curve.ecsv")
    got = read(tmp_path / "curve.ecsv")
    assert got.frame["mjd"].tolist() == [59000.0, 59001.0]
    assert got.frame["flux"].tolist() == [1000.0, 2000.0]
    assert got.frame["flags"].isna().tolist() == [True, False]
    assert got.frame["name"].tolist() == ["a", "b"]
    assert got.fields == {"time_scale": "tt"}


GAIA = 5853498713190525697  # one of those that float64 does not hold


@pytest.mark.parametrize("form", ["csv", "ecsv", "fits", "votable", "parquet"])
def test_integers_with_gaps_keep_their_digits(tmp_path, form):
    path = tmp_path / f"curve.{form}"
    table = Table({"mjd": [59000.0, 59001.0, 59002.0], "mag": [18.0, 18.1, 18.2]})
    table["gaia"] = np.ma.MaskedArray([GAIA, 0, GAIA + 1], mask=[False, True, False])
    table["n"] = np.ma.MaskedArray([1, 0, 3], mask=[False, True, False])
    table["huge"] = np.ma.MaskedArray([1e20, 0, 1.5], mask=[False, True, False])
    if form == "parquet":
        columns = {name: table[name].tolist() for name in table.colnames}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        table.write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(form, form))
    got = read(path)
    assert got.frame["gaia"].tolist()[::2] == [str(GAIA), str(GAIA + 1)]
    assert got.frame["gaia"].isna().tolist() == [False, True, False]
    assert got.frame[["n", "huge"]].dtypes.tolist() == [np.float64] * 2
    assert got.frame["huge"].tolist()[::2] == [1e20, 1.5]
    (warning,) = got.warnings
    assert warning.endswith("would lose their last digits: gaia.")


def test_a_time_beyond_every_calendar_stays_a_number():
    assert inspection._iso(np.float64(1.7e308)) == "MJD 1.7e+308"
    assert inspection._iso(np.float64(59_000.5)) == "2020-05-31T12:00:00"
