"""Text with columns: what separates them, which line names them, and rows that do not fit."""

import bz2
import contextlib
import gzip
import io
import lzma
import time
import zipfile

import numpy as np
import pytest
from astropy.table import Table

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, one_of, read_bytes
from photseries.formats.decoding import decompress
from tests.formats.workbooks import workbook

TIMES, MAGS, ERRORS = [59000.1, 59000.2], [15.25, 15.5], [0.01, 0.02]


def read(text, name="curve.txt", **options):
    return one_of(read_bytes(text if isinstance(text, bytes) else text.encode(), name, ReadOptions(**options)))


def assert_is_the_curve(frame):
    assert frame[["mjd", "mag", "magerr"]].to_dict("list") == {"mjd": TIMES, "mag": MAGS, "magerr": ERRORS}


ROWS = "59000.1,15.25,0.01\n59000.2,15.5,0.02\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (f"mjd,mag,magerr\n{ROWS}", {}),
        (f"mjd , mag , magerr\n{ROWS.replace(',', ' , ')}", {}),
        (f"mjd\tmag\tmagerr\n{ROWS.replace(',', chr(9))}", {}),
        (f"mjd|mag|magerr\n{ROWS.replace(',', '|')}", {}),
        (f"mjd;mag;magerr\n{ROWS.replace(',', ';')}", {}),
        (f"mjd;mag;magerr\n{ROWS.replace(',', ';').replace('.', ',')}", {}),
        (f"mjd\tmag\tmagerr\n{ROWS.replace(',', chr(9)).replace('.', ',')}", {}),
        (f"mjd mag magerr\n{ROWS.replace(',', '   ')}", {}),
        (f"sep=;\nmjd;mag;magerr\n{ROWS.replace(',', ';')}", {}),
        ('mjd,mag,magerr\n"59000,1","15,25","0,01"\n"59000,2","15,5","0,02"\n', {}),
        (f"# mjd mag magerr\n{ROWS.replace(',', ' ')}", {}),
        (f"# mjd, mag, magerr\n{ROWS.replace(',', ' ')}", {}),
        (f"#mjd,mag,magerr\n# more words\n{ROWS}", {}),
        (f"! a comment\n% another\nmjd,mag,magerr\n{ROWS}", {}),
        (f"mjd,mag,magerr\nd,mag,mag\n{ROWS}", {}),
        (f"mjd\tmag\tmagerr\n10N\t10N\t10N\n{ROWS.replace(',', chr(9))}", {}),
        (f"mjd,mag,magerr,\n{ROWS}", {}),
        (f"mjd,mag,magerr\n{ROWS}".replace("\n", ",\n").replace("magerr,", "magerr"), {}),
        (f"mjd,mag,magerr\r\n\r\n{ROWS}".replace("\n", "\r\n"), {}),
        (f"mjd,mag,magerr,note\n{ROWS}".replace("0.01", '0.01,"a, b"').replace("0.02", '0.02,"two\nlines"'), {}),
        (ROWS, {"names": "mjd,mag,magerr"}),
        (ROWS, {"names": ["mjd", "mag", "magerr"]}),
        (f"a,b,c\n{ROWS}", {"names": "mjd,mag,magerr"}),
    ],
)
def test_layout_of_a_text_file_is_detected(text, options):
    for name in ("curve.csv", "curve.tsv", "curve.txt", "curve.unknown"):
        assert_is_the_curve(read(text, name, **options).frame)


@pytest.mark.parametrize("form", ["basic", "commented_header", "csv", "tab", "rdb", "ipac", "mrt", "fixed_width"])
def test_files_of_astropy_are_read(form):
    content = io.StringIO()
    Table({"mjd": TIMES, "mag": MAGS, "magerr": ERRORS}).write(content, format=f"ascii.{form}")
    assert_is_the_curve(read(content.getvalue()).frame)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_compressed_and_encoded_files_are_read(compress, encoding):
    content = f"mjd,mag,magerr\n{ROWS}".encode(encoding)
    assert_is_the_curve(read(compress(content), "curve.csv").frame)


def test_the_size_of_decompressed_content_is_limited():
    content = gzip.compress(bytes(10_000))
    assert decompress(content, 10_000) == bytes(10_000)
    with pytest.raises(InvalidError, match="more than 9,999 bytes when it is decompressed"):
        decompress(content, 9_999)
    for damaged in (content[:20], b"BZh9 not", b"\xfd7zXZ\x00 not"):
        with pytest.raises(InvalidError, match="cannot be decompressed"):
            decompress(damaged)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_every_stream_of_a_compressed_file_is_read_or_refused(compress):
    """The rows of a damaged second stream of bzip2 or xz were left out."""
    first, second = compress(b"mjd,mag\n" + b"60000.5,15.5\n" * 20_000), compress(b"60001.5,16.5\n" * 200)
    content = b"mjd,mag\n" + b"60000.5,15.5\n" * 20_000 + b"60001.5,16.5\n" * 200
    assert decompress(first + second + bytes(8)) == content
    damaged = bytearray(first + second)
    damaged[len(first) + len(second) // 2] ^= 0xFF
    for odd in (bytes(damaged), first + second[:-5], first + second[:3], first[:-3], first + b"junk"):
        with pytest.raises(InvalidError, match="it is damaged, and cannot be decompressed"):
            decompress(odd)


def test_latin_1_is_read_with_a_warning():
    got = read("mjd,mag,who\n59000.1,15,Bj\xf6rn\n".encode("latin-1"))
    assert got.frame["who"].tolist() == ["Bj\xf6rn"]
    assert got.warnings == ("Line 2 is not UTF-8: the file was read as Latin-1.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mjd mag magerr\n59000.1 15\n", "line 2 has 2 cells, but there are 3 names: mjd, mag, magerr"),
        ("mjd,mag\n59000.1,15\n\n# x\n59000.2,15,1\n", "line 5 has 3 cells, but there are 2 names"),
        ("mjd,mag\n59000.1,15\n59000.2\n", "line 3 has 1 cells"),
        ("HJD UT Date mag\n2459000.1 59000.1 15\n", "line 2 has 3 cells, but there are 4 names"),
        ("59000.1 15\n", r"no line names its columns: line 1 has 2 cells. Give their names \(names\)"),
        ("# one\n59000.1 15\n", "line 2 has 2 cells, and the comment before it 1"),
        ('mjd,mag,note\n59000.1,15,"a\n59000.2,15,b\n', "line 2 has a quote that is not closed"),
        ("|mjd    |mag |\n|double |char|\n 59000.1215.0\n", "the cells of line 3 are not aligned with the bars"),
        ("mjd,mag\n59000.1,cloudy\n", "The column 'mag' contains 'cloudy' in row 1, which is not a number"),
        ("mjd,mag\n", "The table has no rows"),
        ("# nothing\n", "no line has cells"),
        (b"mjd,mag\n59000.1,1\0\n", "it is not text"),
    ],
)
def test_malformed_text_is_refused_with_its_line(text, message):
    with pytest.raises(InvalidError, match=message):
        read(text, "curve.csv")


def test_cells_without_a_value():
    words = ("", "nan", "NaN", "null", "INDEF", "na", "N/A", "None", "-", "--", "...")
    rows = "".join(f"{59000 + row},{word}\n" for row, word in enumerate(words))
    frame = read(f"mjd,mag\n{rows}58999,15\n", "curve.csv").frame
    assert frame["mag"].isna().tolist() == [True] * len(words) + [False]


def test_exponents_of_fortran():
    frame = read("mjd mag magerr\n0.590001D+05 1.525d1 1.0D-02\n0.590002D+05 1.55D+01 2.0D-02\n").frame
    np.testing.assert_allclose(frame.to_numpy(), np.transpose([TIMES, MAGS, ERRORS]), rtol=1e-15)


def test_names_that_are_missing_or_occur_twice():
    frame = read(",mjd,mag,flag,flag\n0,59000.1,15,1,2\n", "curve.csv").frame
    assert list(frame) == ["Unnamed: 0", "mjd", "mag", "flag", "flag.1"]


def test_workbooks():
    rows = [["mjd", "mag", "magerr", "note"], [*(59000.1, 15.25, 0.01), "a"], [*(59000.2, 15.5, 0.02), "b"]]
    got = read(workbook(rows), "curve.xlsx")
    assert_is_the_curve(got.frame)
    assert got.frame["note"].tolist() == ["a", "b"]
    with pytest.raises(InvalidError, match=r"It has 2 tables: s1, s2\. Name one"):
        read(workbook([["x"], [1]], rows), "curve.xlsx")
    assert_is_the_curve(read(workbook([["x"], [1]], rows), "curve.xlsx", table="s2").frame)
    with pytest.raises(InvalidError, match="line 3 has 3 cells, but there are 2 names"):
        read(workbook([["mjd", "mag"], [59000.1, 15], [59000.2, 15, 1]]), "curve.xlsx")
    with pytest.raises(InvalidError, match=r"'mag' occurs more than once; the next one is called 'mag\.1'"):
        read(workbook([["mjd", "mag", "mag"], [59000.1, 15, 16]]), "curve.xlsx")
    with pytest.raises(InvalidError, match="line 4 has 3 cells, but there are 2 names"):
        read(workbook([["mjd", "mag"], [59000.1, 15], [""], [59000.2, 15, 1]]), "curve.xlsx")
    with pytest.raises(InvalidError, match="line 1 has 2 cells, but there are 3 names"):
        read(workbook([[59000.1, 15]]), "curve.xlsx", names="mjd,mag,magerr")
    with pytest.raises(InvalidError, match="there is no table in it"):
        read(workbook([["", " "]]), "curve.xlsx")
    with pytest.raises(InvalidError, match=r"curve\.zip: it is a zip: extract its files"):
        read(workbook(rows), "curve.zip")
    with pytest.raises(InvalidError, match="not a workbook"):
        read(b"PK\x03\x04 damaged", "curve.xlsx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "A"}, "table is given, but this is one table"),
        ({"zero_point": 25.0}, "there is no flux"),
        ({"flux_unit": "mJy"}, "there is no flux"),
        ({"fluxerr_col": "magerr"}, "fluxerr_col names the errors of a flux, but no flux is read"),
        ({"filter_map": "g=sdssg"}, "filter_map is given, but no column has the filters"),
        ({"where": "band=g"}, r"There is no column 'band' \(where\)"),
        ({"split_by": "band"}, r"There is no column 'band' \(split_by\)"),
        ({"where": "band"}, "where must be NAME=VALUE"),
        ({"magsys": "east"}, "magsys must be one of ab, vega, instrumental"),
    ],
)
def test_an_option_that_does_not_fit_is_an_error(options, message):
    with pytest.raises(InvalidError, match=message):
        read(f"mjd,mag,magerr\n{ROWS}", "curve.csv", **options)


def test_option_names_is_for_text_only():
    content = io.BytesIO()
    Table({"mjd": TIMES, "mag": MAGS}).write(content, format="fits")
    with pytest.raises(InvalidError, match="names is given, but this table has names"):
        read(content.getvalue(), names="a,b")


@pytest.mark.parametrize("sign", ["", "<"])
@pytest.mark.parametrize(("text", "count"), [("mjd,mag,{}x\n{}", 990), ("mjd,mag,note\n59000.0,15,{}x\n{}", 20_000)])
def test_long_digits_are_read_in_linear_time(sign, text, count):
    """A name of 20,000 digits and a letter took 20 s; it is refused now."""
    begun = time.process_time()
    frame = read(text.format(sign + "1" * count, ROWS), "a.csv").frame
    assert frame["mjd"].to_list()[-2:] == TIMES
    with pytest.raises(InvalidError, match="20,001 characters"):
        read(f"mjd,mag,{'1' * 20_000}x\n{ROWS}", "a.csv")
    assert time.process_time() - begun < 2


@pytest.mark.parametrize(
    "text",
    [
        f"# A=x{' ' * 50_000}y\nmjd,mag\n{{}}",
        f'mjd,mag,note\n59000.0,15,{chr(9) * 50_000}a"\n{{}}',
        f"note,mjd,mag\n{'-' * 5000}x,59000.0,15\n{{}}",
        'mjd,mag,note\n59000.0,15,"' + f"{'x' * 50}\n" * 100_000 + '"\n{}',
        "mjd,mag," + ",".join(["a"] * 9000) + "\n59000.0,15," + ",".join("1" * 9000) + "\n{}",
    ],
    ids=["keyword", "tabs", "dashes", "quote", "names"],
)
def test_text_is_split_in_linear_time(text):
    begun = time.process_time()
    with contextlib.suppress(InvalidError):
        read(text.format(""), "a.csv")
    assert time.process_time() - begun < 8


@pytest.mark.parametrize(
    ("row", "unit"),
    [(",g,", None), ("-,g,-", None), ("d,,mag", "mag"), ("d,,", ""), (",g,15.2", None)],
)
def test_a_band_in_a_row_without_values_is_no_line_of_units(row, unit):
    """The letter g is a unit as well, and the row was left out."""
    frame = read(f"mjd,band,mag\n{row}\n59000.5,g,15.5\n59001.5,g,15.6\n".encode()).frame
    assert frame["mjd"].dropna().tolist() == [59000.5, 59001.5]
    assert len(frame) == (3 if unit is None else 2)


@pytest.mark.parametrize(
    "text",
    ["date,mag\nd,\n2020-01-01T12:00:00,15\n", "mjd,mag\n,mag\n58849.5,\n58850.5,nodata\n58851.5,-\n58852.5,15\n"],
)
def test_units_above_dates_and_missing_values_are_units(text):
    frame = read(text.encode()).frame
    assert (frame["mjd"][0], frame["mag"].dropna().tolist()) == (58849.5, [15])


def test_tables_out_of_all_proportion_are_refused_soon():
    lines = "".join(f"                a line of a description {number}\n" for number in range(20_000))
    cds = (
        f"Title: t\nByte-by-byte Description of file: t.txt\n{'-' * 40}\n Bytes Format Units Label Explanations\n"
        f"{'-' * 40}\n 1- 5 F5.0 d mjd time\n{{}} 7- 8 F2.0 mag mag magnitude\n{'-' * 40}\n59000 15\n59001 16\n"
    )
    assert read(cds.format("").encode()).frame["mag"].tolist() == [15, 16]
    with pytest.raises(InvalidError, match="the description of its columns has more than 10,000 lines"):
        read(cds.format(lines).encode())
    with pytest.raises(InvalidError, match="line 2 has a quote that is not closed"):
        read(b'mjd,mag\n59000,"15' + b"\n" * 100_000)


def sheet_with(rows):
    """A workbook with three rows, and more XML after them."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["mjd", "mag"], [59000.1, 15], [59000.2, 16]]))) as old,
        zipfile.ZipFile(content, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", rows + b"</sheetData>"))
    return content.getvalue()


@pytest.mark.parametrize("cell", [b"c ", b"x:c ", b"c\n"])
def test_distant_cells_of_a_workbook_are_refused(cell):
    """The reader of workbooks allocates all cells between them, and its process was aborted."""
    far = b'<row r="1048576"><' + cell + b'r="XFD1048576"><v>1</v></c></row>'
    with pytest.raises(InvalidError, match="its cells reach to column XFD and row 1,048,576: delete the distant ones"):
        read(sheet_with(far), "a.xlsx")


def test_a_workbook_is_searched_for_distant_cells_in_linear_time():
    begun = time.process_time()
    assert len(read(sheet_with(b"<!--" + b"<c " * 50_000 + b"-->"), "a.xlsx").frame) == 2
    assert time.process_time() - begun < 8


@pytest.mark.parametrize(
    "head",
    [
        "# mjd flux fluxerr\n# d mJy uJy\n",
        "# d mJy uJy\n# mjd flux fluxerr\n",
        "# mjd,flux,fluxerr\n#\n# [d],[mJy],[uJy]\n",
        "# [d] [mJy] [uJy]\nmjd flux fluxerr\n",
    ],
)
def test_units_may_be_in_a_comment(head):
    frame = one_of(read_bytes(f"{head}59000.5 1.5 20\n59001.5 2.5 30\n".encode(), "x.txt", ReadOptions())).frame
    assert frame["flux"].tolist() == [1500, 2500]
    assert frame["fluxerr"].tolist() == [20, 30]


def test_a_comment_of_names_that_are_units_too_has_no_units():
    frame = one_of(read_bytes(b"# JD mag\n2459000.5 15\n2459001.5 16\n", "x.txt", ReadOptions())).frame
    assert frame["mjd"].tolist() == [59000, 59001]


@pytest.mark.parametrize("comments", ["# Star RR_Lyr\n# JD mag", "# Time series\n# JD mag", "# Star RR_Lyr\n# JD uJy"])
def test_a_comment_of_names_that_are_units_too_needs_no_other_names(comments):
    content = f"{comments}\n2459000.5 15\n2459001.5 16\n".encode()
    assert one_of(read_bytes(content, "x.txt", ReadOptions())).frame["mjd"].tolist() == [59000, 59001]


@pytest.mark.parametrize("unit", ["BTJD", "d"])
def test_units_of_times_are_not_names(unit):
    got = one_of(read_bytes(f"# btjd flux\n# {unit} e-/s\n2000.5 15\n2001.5 16\n".encode(), "x.txt", ReadOptions()))
    assert (got.frame["mjd"].tolist(), got.fields["flux_unit"]) == ([59000, 59001], "electron/s")


def test_repeated_names_are_units():
    content = b"# time mag magerr\n# MJD mag mag\n59000.5 15 0.1\n59001.5 16 0.2\n"
    assert one_of(read_bytes(content, "x.txt", ReadOptions())).frame["magerr"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize("comment", ["-- --", "- -", "none none", "A" * 140_000])
def test_a_comment_without_units_changes_nothing(comment):
    got = one_of(read_bytes(f"# {comment}\nmjd,flux\n59000.5,15\n59001.5,16\n".encode(), "x.csv", ReadOptions()))
    assert (got.frame["flux"].tolist(), got.fields, got.warnings) == ([15, 16], {}, ())


@pytest.mark.parametrize("comment", ["Fluxes in mJy.", "unit: nJy", "calibrated to 3631 Jy", "milliJansky"])
def test_a_unit_that_only_a_comment_mentions_is_refused(comment):
    content = f"# {comment}\nmjd,flux,fluxerr\n59000.5,15,2\n59001.5,16,2\n".encode()
    with pytest.raises(InvalidError, match=r"'flux' has no unit, and a comment mentions \w+: state the unit"):
        read_bytes(content, "x.csv", ReadOptions())
    assert one_of(read_bytes(content, "x.csv", ReadOptions(flux_unit="nJy"))).frame["flux"].tolist() == [0.015, 0.016]


@pytest.mark.parametrize("comment", ["in uJy, of the MJy survey", "mag = -2.5 log10(flux [µJy] / 3631 Jy)"])
def test_comments_about_other_units_do_not_matter(comment):
    content = f"# {comment}\nmjd,flux\n59000.5,15\n59001.5,16\n".encode()
    assert one_of(read_bytes(content, "x.csv", ReadOptions())).frame["flux"].tolist() == [15, 16]


@pytest.mark.parametrize(
    "comment", ["in counts", "zero point 25.0", "AB zero-point 25", "ADU", "[electrons]", "(e-/s)", "nanomaggies"]
)
def test_a_comment_about_other_fluxes_causes_a_warning(comment):
    content = "# {}\nmjd,flux\n59000.5,15\n59001.5,16\n"
    reading = one_of(read_bytes(content.format(comment).encode(), "x.csv", ReadOptions()))
    assert reading.warnings == (
        "The column flux has no unit, and was assumed to be uJy: state another with flux_unit.",
    )
    stated = one_of(read_bytes(content.format(f"{comment}; uJy").encode(), "x.csv", ReadOptions()))
    assert stated.warnings == ()


def test_a_comment_about_vega_causes_a_warning():
    content = b"# Vega magnitudes\nmjd,mag\n59000.5,15\n59001.5,16\n"
    assert "mentions Vega" in one_of(read_bytes(content, "x.csv", ReadOptions())).warnings[0]
    assert one_of(read_bytes(content, "x.csv", ReadOptions(magsys="ab"))).warnings == ()
    stated = content.replace(b"Vega m", b"MAGSYS=Vega m")
    assert one_of(read_bytes(stated, "x.csv", ReadOptions())).warnings == ()
