"""Hostile files of every format for the requests that take any file: bombs, pointers to other files, odd structures."""

import gzip
import io
import lzma
import struct

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from astropy.io import fits

from photseries.formats import WRITERS
from tests.hostile.structures import POINTING

FRAME = pd.DataFrame({"mjd": 59000 + np.arange(50.0), "flux": np.arange(50.0) + 1, "note": ["x"] * 50})
METADATA = {"flux_unit": "uJy", "time_scale": "utc"}

ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "lol" * 20}">' for n in range(12))
VOTABLE = (
    '<VOTABLE version="1.4"><RESOURCE><TABLE>{}<DATA><TABLEDATA>{}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>'
)
FIELDS = '<FIELD name="mjd" datatype="double"/><FIELD name="flux" datatype="double"/>'
ECSV = b"# %ECSV 1.0\n# ---\n# datatype:\n# - {name: mjd, datatype: float64}\n"


def _votable(head, fields=FIELDS, rows="<TR><TD>59000</TD><TD>1</TD></TR>"):
    return (head + VOTABLE.format(fields, rows)).encode()


def _parquet(column, **options):
    out = io.BytesIO()
    pa.parquet.write_table(pa.table({"mjd": np.arange(59000.0, 59000 + len(column)), "flux": column}), out, **options)
    return out.getvalue()


def _fits(**cards):
    out = io.BytesIO()
    table = fits.BinTableHDU.from_columns([fits.Column(name, "D", array=np.ones(3)) for name in ("mjd", "flux")])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
    content = out.getvalue()
    for name, value in cards.items():
        at = content.index(b"%-8s=" % name.encode(), 2880)
        content = content[:at] + (f"{name:8}= {value:>20}".ljust(80)).encode() + content[at + 80 :]
    return content


def _fixed_pointing(traps):
    """A dataset for each column, one of them outside of the file: what libhdf5 itself reads for other layouts."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["mjd"] = np.arange(59000.0, 59010)
        file.create_dataset("flux", (10,), "f8", external=[(str(traps.canary), 0, 80)])
    return out.getvalue()


def _linking(traps):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file["mjd"] = np.arange(59000.0, 59010)
        file["flux"] = h5py.ExternalLink(str(traps.canary_hdf5), "/x")
        file["note"] = h5py.SoftLink("/flux")
    return out.getvalue()


def cases(traps):
    """Give pairs of a name and a file; none may be answered but by a refusal, or by what stands in it."""
    for some in (_texts, _ecsv_files, _votables, _fits_files, _tables, _spoilt):
        yield from some(traps)


def _texts(traps):
    yield "a.csv.gz", gzip.compress(b"mjd,mag\n" + b"60000,15\n" * 60_000_000, 1)
    yield "a.csv.xz", lzma.compress(b"mjd,mag\n" + b"0" * 400_000_000, preset=0)
    yield "wide.csv", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n" + b"1," * 999_999 + b"1\n"
    yield "long.csv", b"mjd,mag\n60000," + b"9" * 30_000_000 + b"\n"
    yield "quotes.csv", b'mjd,mag\n60000,"' * 1_000_000
    yield "spaces.txt", b"mjd mag\n60000 15\n" + b" " * 50_000_000
    yield "digits.csv", b"mjd,mag\n" + b"60000,1e999999999\n" * 10
    yield "mrt.txt", b"Title:\n\nByte-by-byte Description of file: x\n" + b"---\n" * 200_000
    yield "bars.tbl", b"|a" * 500_000 + b"|\n" + b" 1" * 500_000


def _ecsv_files(traps):
    yield (
        "python.ecsv",
        ECSV + b"# meta: !!python/object/apply:os.system ['touch %b']\nmjd\n59000\n" % str(traps.marker).encode(),
    )
    yield "alias.ecsv", ECSV + b"# meta: &a [*a, *a]\n# schema: astropy-2.0\nmjd\n59000\n"
    laughs = b"".join(
        b"# - &x%d [%b]\n" % (n, b",".join([b"*x%d" % (n - 1)] * 9 if n else [b"lol"] * 9)) for n in range(12)
    )
    yield "laughs.ecsv", ECSV + b"# meta:\n" + laughs + b"mjd\n59000\n"
    yield "deep.ecsv", ECSV + b"# meta: " + b"[" * 100_000 + b"\nmjd\n59000\n"


def _votables(traps):
    canary = traps.canary.as_uri()
    yield "entities.vot", _votable(f"<!DOCTYPE x [{ENTITIES}]>", rows="<TR><TD>&e11;</TD><TD>1</TD></TR>")
    yield (
        "external.vot",
        _votable(f'<!DOCTYPE x [<!ENTITY c SYSTEM "{canary}">]>', rows="<TR><TD>&c;</TD><TD>1</TD></TR>"),
    )
    yield (
        "stream.vot",
        _votable("").replace(b"<TABLEDATA>", b'<BINARY><STREAM href="%b"/></BINARY><TABLEDATA>' % canary.encode()),
    )
    yield (
        "fits.vot",
        _votable("").replace(b"<TABLEDATA>", b'<FITS><STREAM href="%b"/></FITS><TABLEDATA>' % canary.encode()),
    )
    yield "deep.vot", b"<VOTABLE>" + b"<RESOURCE>" * 200_000
    yield "many.vot", _votable("", fields=FIELDS * 50_000)
    yield "wide.vot", _votable("", fields=FIELDS.replace('"double"/', '"double" arraysize="2000000000"/'))


def _fits_files(traps):
    yield "rows.fits", _fits(NAXIS2=2_000_000_000)
    yield "width.fits", _fits(NAXIS1=2_000_000_000)
    yield "fields.fits", _fits(TFIELDS=999)
    yield "negative.fits", _fits(NAXIS2=-5)
    yield "form.fits", _fits(TFORM2="'1PD(99999999)'")
    yield "repeat.fits", _fits(TFORM2="'999999999D'")
    yield "heap.fits", _fits(PCOUNT=2_000_000_000)
    yield "cards.fits", b"SIMPLE  =                    T".ljust(80) + b"COMMENT x".ljust(80) * 300_000


def _tables(traps):
    yield "bomb.parquet", _parquet(np.zeros(40_000_000), compression="zstd")
    yield "rows.parquet", _parquet(pa.nulls(3_000_000, pa.null()))
    yield "nested.parquet", _parquet(pa.array([[[[1.0]]]] * 50))
    yield "footer.parquet", b"PAR1" + b"\xff" * 1000 + struct.pack("<I", 2**31 - 1) + b"PAR1"
    yield "offsets.arrows", WRITERS["arrow"].write(FRAME, METADATA).replace(struct.pack("<i", 50), b"\xff\xff\xff\x7f")
    yield "length.arrows", b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 100
    yield "external.h5", _fixed_pointing(traps)
    yield "link.h5", _linking(traps)
    yield from ((f"{name}.h5", make(traps)) for name, make in POINTING.items())
    yield "bomb.zip", b"PK\x03\x04" + b"\0" * 1000


def _spoilt(traps):
    for form in WRITERS.values():
        if form.reader is not None:
            content = form.write(FRAME, METADATA)
            yield f"cut{form.suffixes[0]}", content[: len(content) // 2]
            yield f"twice{form.suffixes[0]}", content * 2
            yield f"zeros{form.suffixes[0]}", content[:100] + b"\0" * len(content)
            yield f"other{form.suffixes[0]}", b"\x89HDF\r\n\x1a\n" + content
