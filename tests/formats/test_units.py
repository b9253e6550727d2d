"""Columns whose units are known are brought to those of the archive, in memory and in every format that keeps units."""

import io
from datetime import date, datetime
from decimal import Decimal

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.time import Time
from astropy.timeseries import BinnedTimeSeries, TimeSeries

from photseries.errors import InvalidError
from photseries.formats import ZERO_POINTS, ReadOptions, collect, one_of, read, read_bytes
from photseries.lightcurve.photometry import AB_ZERO_POINT

MJD = np.array([59000.0, 59001.0])


def collected(table, **options):
    return one_of(collect(table, ReadOptions(**options)))


def of(**columns):
    return QTable({"mjd": MJD * u.d, **columns})


#: Columns, and what they become: flux densities and their errors are in uJy; units that every format has a name for.
KNOWN = [
    ({"flux": [1.0, 2.0] * u.mJy, "flux_err": [0.1, 0.2] * u.Jy}, {"flux": [1e3, 2e3], "fluxerr": [1e5, 2e5]}),
    ({"flux": [1.0, 2.0] * u.mJy, "flux_err": [0.1, 0.2]}, {"flux": [1e3, 2e3], "fluxerr": [100, 200]}),
    ({"flux": [1.0, 2.0], "flux_err": [0.1, 0.2] * u.mJy}, {"flux": [1, 2], "fluxerr": [100, 200]}),
    ({"flux": [1.0, 2.0] * u.Jy, "sigma": [1.0, 2.0] * u.mJy}, {"flux": [1e6, 2e6], "fluxerr": [1e3, 2e3]}),
    ({"mag": [18.0, 19.0] * u.mag, "mag_err": [5.0, 6.0] * u.mmag}, {"mag": [18, 19], "magerr": [0.005, 0.006]}),
    ({"mag": [18e3, 19e3] * u.mmag, "mag_err": [5.0, 6.0]}, {"mag": [18, 19], "magerr": [0.005, 0.006]}),
    ({"mag": [18.0, 19.0], "exptime": [5, 6] * u.min}, {"exptime": [300, 360]}),
    ({"mag": [18.0, 19.0], "dec": [0.1, 0.1001] * u.rad}, {"dec": np.rad2deg([0.1, 0.1001])}),
    ({"mag": [18.0, 19.0], "dec": [3600, 3636] * u.arcsec}, {"dec": [1, 1.01]}),
    ({"mag": [18.0, 19.0], "limmag": [20e3, 21e3] * u.mmag}, {"limmag": [20, 21]}),
    ({"mag": [18.0, 19.0], "width": [1, 2] * u.arcmin}, {"width": [1, 2]}),
]

#: The same of units that astropy alone writes.
ASTROPYS = [
    ({"mag": [18.0, 19.0] * u.ABmag, "mag_err": [5.0, 6.0] * u.ABmag}, {"mag": [18, 19], "magerr": [5, 6]}),
    ({"mag": u.Magnitude([0.0, -2.5], u.mag(u.uJy))}, {"mag": [23.9, 21.4]}),
    ({"mag": [18.0, 19.0], "ra": [5, 6] * u.hourangle}, {"ra": [75, 90]}),
]


@pytest.mark.parametrize(
    ("form", "columns", "expected"),
    [(form, *one) for form in ("memory", "mapping", "ecsv", "votable", "fits") for one in KNOWN]
    + [(form, *one) for form in ("memory", "mapping", "ecsv") for one in ASTROPYS],
)
def test_known_units_are_converted_to_those_of_the_archive(tmp_path, form, columns, expected):
    path = tmp_path / f"curve.{form}"
    if form == "mapping":
        got = collected({"mjd": MJD * u.d, **columns})
    elif form == "memory":
        got = collected(of(**columns))
    else:
        of(**columns).write(path, format={"ecsv": "ascii.ecsv"}.get(form, form))
        got = read(path)
    assert got.warnings == ()
    assert got.fields == ({"column_units": {"width": "arcmin"}} if "width" in columns else {})
    for name, values in expected.items():
        np.testing.assert_allclose(got.frame[name], values, rtol=1e-12)


def test_errors_are_in_the_unit_of_fluxes_that_are_no_flux_densities():
    got = collected(of(flux=[100.0, 200.0] * u.electron / u.s, flux_err=[60.0, 120.0] * u.electron / u.min))
    np.testing.assert_allclose(got.frame["fluxerr"], [1, 2], rtol=1e-12)
    assert got.fields == {"flux_unit": "electron/s"}
    assert len(got.warnings) == 1


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mag": [18.0, 19.0] * u.STmag}, r"'mag' is in mag\(ST\), which cannot be converted to mag\(AB\): convert"),
        ({"mag": [18.0, 19.0], "magerr": [1.0, 2.0] * u.uJy}, "'magerr' is in uJy, which cannot be converted to mag"),
        ({"flux": [1.0, 2.0] * u.uJy, "fluxerr": [1.0, 2.0] * u.mag}, "'fluxerr' is in mag, which cannot be converted"),
        ({"flux": [1.0, 2.0] * u.electron, "fluxerr": [1.0, 2.0] * u.Jy}, "'fluxerr' is in Jy, which cannot be"),
        ({"mag": [18.0, 19.0], "exptime": [1.0, 2.0] * u.m}, "'exptime' is in m, which cannot be converted to s"),
    ],
)  # fmt: skip
def test_unit_of_another_quantity_is_refused(columns, message):
    with pytest.raises(InvalidError, match=message):
        collected(of(**columns))


def test_an_unknown_unit_causes_a_warning():
    table = Table({"mjd": MJD, "mag": [18.0, 19.0]})
    table["mag"].unit = u.Unit("twinkle", parse_strict="silent")
    got = collected(table)
    assert got.warnings == ("The column mag is assumed to be in mag(AB): its unit twinkle is unknown.",)
    assert got.frame["mag"].tolist() == [18.0, 19.0]


@pytest.mark.parametrize(
    ("unit", "magsys"),
    [
        ("vegamag", "vega"),
        ("mag(electron/s)", "instrumental"),
        ("mag(ct)", "instrumental"),
        ("mag(adu)", "instrumental"),
    ],
)
def test_a_unit_of_magnitudes_names_their_system(unit, magsys):
    table = Table({"mjd": MJD, "mag": [-8.0, -9.0], "magerr": [0.1, 0.2], "limmag": [-5.0, -6.0]})
    for name in ("mag", "limmag"):
        table[name].unit = u.Unit(unit, parse_strict="silent")
    got = collected(table)
    assert (got.fields, got.warnings) == ({"magsys": magsys}, ())
    assert got.frame[["mag", "magerr", "limmag"]].to_numpy().tolist() == [[-8.0, 0.1, -5.0], [-9.0, 0.2, -6.0]]


@pytest.mark.parametrize(
    ("unit", "flux_unit", "flux"),
    [
        ("e-/s", "electron/s", [1, 2]),
        ("ppm", "ppm", [1, 2]),
        ("", "relative", [1, 2]),
        ("erg / (s cm2 AA)", "erg/(Angstrom s cm2)", [1, 2]),
        ("solLum Hz-1 pc-2", None, np.array([1, 2]) * (u.Lsun / u.Hz / u.pc**2).to(u.uJy)),
    ],
)
def test_units_of_fluxes_become_the_field(unit, flux_unit, flux):
    table = Table({"mjd": MJD, "flux": [1.0, 2.0]})
    table["flux"].unit = u.Unit(unit, parse_strict="silent")
    got = collected(table)
    assert got.fields.get("flux_unit") == flux_unit
    np.testing.assert_allclose(got.frame["flux"], flux, rtol=1e-12)


@pytest.mark.parametrize("unit", [u.uJy, u.mJy])
def test_a_zero_point_for_flux_densities_is_refused(unit):
    with pytest.raises(InvalidError, match=r"a flux density: leave the zero point \(zero_point\) out"):
        collected(of(flux=[1.0, 2.0] * unit), zero_point=16.4)
    counts = collected(of(flux=[1.0, 2.0] * u.ct, fluxerr=[0.1, 0.2]), zero_point=16.4)
    np.testing.assert_allclose(counts.frame[["flux", "fluxerr"]], [[1000, 100], [2000, 200]], rtol=1e-12)


@pytest.mark.parametrize("saved", [False, True])
def test_binned_time_series_keep_the_bin_centres(tmp_path, saved):
    bins = BinnedTimeSeries(
        time_bin_start=Time(MJD, format="mjd", scale="tt"), time_bin_size=[12, 24] * u.h, data={"flux": [1, 2] * u.uJy}
    )
    bins.write(tmp_path / "bins.ecsv", format="ascii.ecsv")
    got = read(tmp_path / "bins.ecsv") if saved else collected(bins)
    np.testing.assert_allclose(got.frame["mjd"], [59000.25, 59001.5], rtol=0, atol=1e-9)
    assert (got.fields["time_scale"], got.fields["time_stamp_alignment"]) == ("tt", "middle")


def test_positions_as_one_column_are_left_out():
    got = collected(of(mag=[18.0, 19.0], where=SkyCoord([1, 2], [3, 4], unit="deg")))
    assert got.warnings == ("Left out, because a row has more than one value: where.",)
    assert list(got.frame) == ["mjd", "mag"]


def test_a_time_series_that_astropy_wrote_to_fits(tmp_path):
    given = TimeSeries(time=Time(MJD + 0.123456789, format="mjd", scale="tdb"), data={"flux": [1, 2] * u.mJy})
    given.write(tmp_path / "series.fits")
    got = read(tmp_path / "series.fits")
    np.testing.assert_array_equal(got.frame["mjd"], given.time.mjd)
    assert got.frame["flux"].tolist() == [1000, 2000]
    assert got.fields == {"time_scale": "tdb"}


def test_a_published_zero_point_serves_tables_of_its_unit():
    got = collected(of(flux=[1.0, 2.0] * u.electron / u.s), zero_point="tess")
    factor = 10 ** (0.4 * (AB_ZERO_POINT - ZERO_POINTS["tess"].ab))
    assert got.frame["flux"].tolist() == pytest.approx([factor, 2 * factor])
    with pytest.raises(InvalidError, match="not for electron"):
        collected(of(flux=[1.0, 2.0] * u.electron), zero_point="tess")


@pytest.mark.parametrize("form", ["hdf5", "parquet", "arrow", "h5py", "votable"])
def test_units_beside_the_columns_of_hdf5_and_parquet_are_read(tmp_path, form):
    """astropy, h5py, pyarrow and STILTS write them in other places."""
    table = Table({"mjd": MJD, "flux": [1.5, 2.5], "flux_err": [100.0, 200.0]})
    table["flux"].unit, table["flux_err"].unit = "mJy", "uJy"
    content = io.BytesIO()
    if form == "hdf5":
        with h5py.File(content, "w") as file:
            table.write(file, path="curve", serialize_meta=True)
    elif form == "parquet":
        table.write(tmp_path / "curve", format="parquet")
        content.write((tmp_path / "curve").read_bytes())
    elif form == "h5py":
        with h5py.File(content, "w") as file:
            for name in table.colnames:
                file[name] = table[name].value
                file[name].attrs["units"] = str(table[name].unit or "")
    else:
        units = {name: {"unit": str(table[name].unit)} for name in table.colnames if form == "arrow"}
        schema = pa.schema([pa.field(name, pa.float64(), metadata=units.get(name)) for name in table.colnames])
        if form == "votable":
            described = io.BytesIO()
            table[:0].write(described, format="votable")
            schema = schema.with_metadata({"IVOA.VOTable-Parquet.content": described.getvalue()})
        pq.write_table(pa.table([pa.array(table[name].value) for name in table.colnames], schema=schema), content)
    got = one_of(read_bytes(content.getvalue(), "curve", ReadOptions()))
    assert got.frame[["mjd", "flux", "fluxerr"]].to_numpy().tolist() == [[59000, 1500, 100], [59001, 2500, 200]]
    assert got.warnings == ()


def test_times_that_astropy_wrote_to_hdf5_and_parquet(tmp_path):
    series = QTable({"time": Time([2459000.5, 2459001.5], format="jd", scale="tdb"), "flux": [1.0, 2.0] * u.mJy})
    series.write(tmp_path / "curve.h5", path="curve", serialize_meta=True)
    series.write(tmp_path / "curve.parquet")
    for path in tmp_path.iterdir():
        got = read(path)
        assert got.frame[["mjd", "flux"]].to_numpy().tolist() == [[59000, 1000], [59001, 2000]]
        assert got.fields == {"time_scale": "tdb"}


def test_decimals_of_parquet_are_numbers():
    content = io.BytesIO()
    pq.write_table(pa.table({"mjd": [Decimal("59000.5")], "mag": [Decimal("15.12")]}), content)
    got = one_of(read_bytes(content.getvalue(), "curve.parquet", ReadOptions()))
    assert got.frame[["mjd", "mag"]].to_numpy().tolist() == [[59000.5, 15.12]]


@pytest.mark.parametrize("key", ["unit", "units"])
def test_units_in_the_schema_of_arrow(key):
    fields = [pa.field(name, pa.float64(), metadata={key: unit}) for name, unit in (("mjd", "d"), ("flux", "mJy"))]
    content = io.BytesIO()
    pq.write_table(pa.table([[59000.0], [1.5]], schema=pa.schema(fields)), content)
    assert one_of(read_bytes(content.getvalue(), "curve", ReadOptions())).frame["flux"].tolist() == [1500]


@pytest.mark.parametrize("form", ["parquet", "text"])
def test_textual_units_of_exposures_and_positions(form):
    """By hand: 90 s are 1.5 min, 22.5 deg are 1.5 h, and pi/6 is 30 deg."""
    columns = {"mjd": ("d", 59000.0), "mag": ("mag", 15.0), "exptime": ("min", 1.5), "dec": ("rad", np.pi / 6)}
    columns |= {"ra": ("hourangle", 1.5), "limiting_mag": ("mmag", 20_500.0)}
    content = io.BytesIO()
    if form == "parquet":
        fields = [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, (unit, _) in columns.items()]
        pq.write_table(pa.table([[value] for _, value in columns.values()], schema=pa.schema(fields)), content)
    else:
        lines = [columns, [unit for unit, _ in columns.values()], [repr(value) for _, value in columns.values()]]
        content.write("\n".join(map(",".join, lines)).replace("np.float64", "").encode())
    frame = one_of(read_bytes(content.getvalue(), "curve", ReadOptions())).frame
    for name, value in {"exptime": 90.0, "ra": 22.5, "dec": 30.0, "limiting_mag": 20.5}.items():
        np.testing.assert_allclose(frame[name], [value], rtol=1e-14)


@pytest.mark.parametrize("units", ["unit", "# FLUX_UNIT: mJy"])
def test_the_unit_of_the_fluxes_precedes_that_of_their_errors(units):
    column = ",unit" if units == "unit" else ""
    rows = "".join(f"{mjd},{flux},5{column and ',mJy'}\n" for mjd, flux in ((59000, 150), (59001, 151)))
    text = f"{units if not column else '#'}\nmjd,flux,flux_err_uJy{column}\n{rows}"
    got = one_of(read_bytes(text.encode(), "x.csv", ReadOptions()))
    assert got.frame[["flux", "fluxerr"]].to_numpy().tolist() == [[150_000.0, 5.0], [151_000.0, 5.0]]


def test_errors_are_converted_once():
    flux, error = fits.Column("FLUX", "D", "mJy", array=[2.0]), fits.Column("fluxerr_mJy", "D", array=[0.5])
    content = io.BytesIO()
    hdu = fits.BinTableHDU.from_columns([fits.Column("MJD", "D", array=[59000.0]), flux, error])
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(content)
    frame = one_of(read_bytes(content.getvalue(), "x.fits", ReadOptions())).frame
    assert frame[["flux", "fluxerr"]].to_numpy().tolist() == [[2000.0, 500.0]]


def test_dates_and_lists_of_parquet():
    table = pa.table(
        {
            "date": [date(2024, 1, 31), date(2024, 2, 1)],
            "mag": [15.0, 16.0],
            "spectrum": [[1.0], [2.0, 3.0]],
            "seen": [date(2024, 3, 1), None],
            "night": pa.array(["a", None]).dictionary_encode(),
            "frame": pa.array([2**60 + 1, None]).dictionary_encode(),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    reading = one_of(read_bytes(content.getvalue(), "curve.parquet", ReadOptions()))
    assert reading.frame["mjd"].tolist() == [60340.0, 60341.0]
    np.testing.assert_array_equal(reading.frame["seen"], np.array(["2024-03-01", "NaT"], "M8[D]"))
    assert list(reading.frame) == ["mjd", "mag", "seen", "night", "frame"]
    assert reading.frame[["night", "frame"]].iloc[0].tolist() == ["a", str(2**60 + 1)]
    assert reading.frame[["night", "frame"]].iloc[1].isna().all()
    assert [warning.partition(":")[0] for warning in reading.warnings] == [
        "Left out, because a row has more than one value",
        "Kept as text, because integers of this length with missing values would lose their last digits",
    ]


@pytest.mark.parametrize("cells", [[1, [2]], ["a", ["b"]], [{1}, {2}], [(1, 2), (3, 4)], [{"a": 1}, None]], ids=str)
def test_columns_whose_cells_hold_several_values_are_left_out(cells):
    frame = pd.DataFrame({"mjd": [59000.0, 59001.0], "mag": [15.0, 16.0], "deep": pd.Series(cells, dtype=object)})
    reading = one_of(collect(frame, ReadOptions()))
    assert list(reading.frame) == ["mjd", "mag"]
    assert reading.warnings == ("Left out, because a row has more than one value: deep.",)


def test_dates_and_datetimes_in_one_column_keep_fractions_of_seconds():
    frame = pd.DataFrame({"date": [date(2024, 1, 31), datetime(2024, 2, 1, 0, 0, 0, 500_000)], "mag": [15.0, 16.0]})
    reading = one_of(collect(frame, ReadOptions()))
    np.testing.assert_allclose(reading.frame["mjd"], [60340, 60341 + 0.5 / 86_400], rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["external", "virtual"])
def test_columns_outside_an_hdf5_file_are_not_read(tmp_path, kind):
    """libhdf5 reads any file that external storage names, such as a private key, and it would be uploaded."""
    (tmp_path / "private").write_bytes(np.arange(2.0).tobytes())
    with h5py.File(tmp_path / "curve.h5", "w") as file:
        file["mjd"], file["mag"] = [59000.0, 59001.0], [15.0, 16.0]
        if kind == "external":
            file.create_dataset("other", (2,), "f8", external=[(str(tmp_path / "private"), 0, 16)])
        else:
            layout = h5py.VirtualLayout((2,), "f8")
            layout[:] = h5py.VirtualSource("other.h5", "x", (2,))
            file.create_virtual_dataset("other", layout)
    assert list(one_of(collect(tmp_path / "curve.h5", ReadOptions())).frame) == ["mag", "mjd"]


def test_a_frame_outside_an_hdf5_file_is_not_read(tmp_path):
    (tmp_path / "private").write_bytes(np.arange(4.0).tobytes())
    pd.DataFrame({"mjd": [59000.0, 59001.0], "mag": [15.0, 16.0]}).to_hdf(tmp_path / "curve.h5", key="a")
    with h5py.File(tmp_path / "curve.h5", "a") as file:
        attributes = dict(file["a/block0_values"].attrs)
        del file["a/block0_values"]
        values = file["a"].create_dataset("block0_values", (2, 2), "f8", external=[(str(tmp_path / "private"), 0, 32)])
        values.attrs.update(attributes)
    with pytest.raises(InvalidError, match='format="fixed"'):
        collect(tmp_path / "curve.h5", ReadOptions())


def test_a_header_of_astropy_outside_an_hdf5_file_is_not_read(tmp_path):
    path = tmp_path / "curve.h5"
    of(flux=[1.0, 2.0] * u.mJy).write(path, path="curve", serialize_meta=True)
    assert read(path).frame["flux"].tolist() == [1000, 2000]
    with h5py.File(path, "a") as file:
        lines = file["curve.__table_column_meta__"][()]
        del file["curve.__table_column_meta__"]
        (tmp_path / "private").write_bytes(lines.tobytes())
        outside = [(str(tmp_path / "private"), 0, lines.nbytes)]
        file.create_dataset("curve.__table_column_meta__", lines.shape, lines.dtype, external=outside)
    assert read(path).frame["flux"].tolist() == [1, 2]


def test_indexes_and_datetimes_in_the_layout_fixed_of_pandas(tmp_path):
    moments = pd.to_datetime(["2020-01-01 12:00", "2020-01-02 12:00"])
    frames = (
        pd.DataFrame({"mag": [15.0, 16.0]}, pd.Index([58849.5, 58850.5], name="mjd")),
        pd.DataFrame({"mag": [15.0, 16.0]}, moments.rename("time")),
        pd.DataFrame({"mag": [15.0, 16.0], "time": moments}),
    )
    for number, frame in enumerate(frames):
        frame.to_hdf(tmp_path / f"{number}.h5", key="curve")
        assert read(tmp_path / f"{number}.h5").frame[["mjd", "mag"]].to_numpy().tolist() == [
            [58849.5, 15],
            [58850.5, 16],
        ]


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_text_in_the_layout_fixed_of_pandas_is_refused(tmp_path):
    """It is pickled: without it, the filters of the rows would be mixed."""
    frame = pd.DataFrame({"mjd": MJD, "mag": [15.0, 16.0], "filter": np.array(["g", "r"], object)})
    frame.to_hdf(tmp_path / "curve.h5", key="curve")
    with pytest.raises(InvalidError, match=r"Its columns filter contain pickled text.*format='table'"):
        read(tmp_path / "curve.h5")
    frame.to_hdf(tmp_path / "table.h5", key="curve", format="table")
    with pytest.raises(InvalidError, match=r"several filters: g \(1 rows\), r \(1 rows\)"):
        read(tmp_path / "table.h5")


@pytest.mark.parametrize("form", ["frame", "parquet", "feather"])
def test_units_and_keywords_in_attrs_of_pandas_are_read(form):
    frame = pd.DataFrame({"mjd": MJD, "flux": [1.5, 2.5], "fluxerr": [100.0, 200.0]})
    frame.attrs = {"units": {"flux": "mJy", "fluxerr": "uJy"}, "timesys": "TDB", "cuts": [3]}
    content = io.BytesIO()
    if form == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), content)  # pandas 2 may refuse here
    elif form == "feather":
        frame.to_feather(content)
    options = ReadOptions()
    got = one_of(
        collect(frame, options) if form == "frame" else read_bytes(content.getvalue(), f"curve.{form}", options)
    )
    np.testing.assert_allclose(got.frame["flux"], [1500, 2500], rtol=1e-12)
    np.testing.assert_allclose(got.frame["fluxerr"], [100, 200], rtol=1e-12)
    assert got.fields["time_scale"] == "tdb"


@pytest.mark.parametrize("form", ["h5", "group.h5", "compound.h5", "parquet", "arrow"])
def test_keywords_beside_the_table_of_hdf5_and_parquet_are_read(form):
    columns = {"mjd": MJD, "flux": np.array([1.5, 2.5]), "fluxerr": np.array([0.1, 0.2])}
    keywords = {"FLUX_UNIT": "mJy", "TIMESYS": "TDB"}
    content = io.BytesIO()
    if form.endswith("h5"):
        with h5py.File(content, "w") as file:
            node = file.create_group("curve") if form == "group.h5" else file
            if form == "compound.h5":
                node = file.create_dataset("curve", data=pd.DataFrame(columns).to_records(index=False))
            else:
                for name, values in columns.items():
                    node[name] = values
            node.attrs.update({**keywords, "version": np.int64(3), "cuts": [1, 2], "none": h5py.Empty("f")})
    else:
        table = pa.table(columns).replace_schema_metadata(keywords)
        with (
            pa.ipc.new_file(content, table.schema)
            if form == "arrow"
            else pq.ParquetWriter(content, table.schema) as writer
        ):
            writer.write_table(table)
    got = one_of(read_bytes(content.getvalue(), f"curve.{form}", ReadOptions()))
    np.testing.assert_allclose(got.frame["flux"], [1500, 2500], rtol=1e-12)
    np.testing.assert_allclose(got.frame["fluxerr"], [100, 200], rtol=1e-12)
    assert got.fields["time_scale"] == "tdb"


@pytest.mark.parametrize(
    ("value", "unit", "error"),
    [
        ("FLUX", "mJy", "%"),
        ("FLUX", "mJy", "percent"),
        ("FLUX", "e-/s", "%"),
        ("MAG", "mag", "%"),
        ("MAG", "mag", "ppm"),
    ],
)
def test_relative_errors_in_fits_are_refused(value, unit, error):
    """astropy does not know the unit % in FITS: errors of 1 % became errors of 1 mJy."""
    columns = [
        fits.Column("MJD", "D", "d", array=MJD),
        fits.Column(value, "D", unit, array=[1.0, 2.0]),
        fits.Column(f"{value}_ERR", "D", error, array=[1.0, 1.0]),
    ]
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(content)
    with pytest.raises(InvalidError, match=f"The errors in '{value}_ERR' are in {error}, .*: convert them"):
        read_bytes(content.getvalue(), "x.fits", ReadOptions())


@pytest.mark.parametrize(
    "keywords",
    [
        "# ZP: 25.0 mag (AB)\n",
        "# ZP: 25.0 +- 0.1\n",
        "# ZP: 25 [AB system]\n",
        "# zp = 25 AB\n",
        "# ZP: see paper\n# MAGZP: 25\n",
    ],
)
def test_zero_points_of_comments_may_have_a_unit(keywords):
    """By hand: 10^(0.4 (23.9 - 25)) is 0.36308."""
    text = f"{keywords}mjd,flux\n59000,100\n59001,110\n"
    got = one_of(read_bytes(text.encode(), "x.csv", ReadOptions()))
    np.testing.assert_allclose(got.frame["flux"], [36.308, 39.939], rtol=1e-4)


@pytest.mark.parametrize("zero", ["3631", "-99", "999"])
def test_zero_points_that_are_no_magnitudes_are_refused(zero):
    text = f"# ZP: {zero}\nmjd,flux\n59000,100\n59001,110\n"
    with pytest.raises(InvalidError, match=rf"The zero point '{zero}' of the header is not an AB magnitude"):
        read_bytes(text.encode(), "x.csv", ReadOptions())
    assert one_of(read_bytes(text.encode(), "x.csv", ReadOptions(flux_unit="uJy"))).frame["flux"].tolist() == [100, 110]
