"""Every known survey: a file of it is recognised, and read with no more options than its line in docs/readers.md."""

import io
import shlex
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from click.testing import CliRunner

from photseries import surveys
from photseries.cli import main
from photseries.errors import InvalidError
from photseries.formats import ReadOptions, one_of, read_bytes
from photseries.formats.inspection import describe
from photseries.lightcurve.bandpasses import BANDPASSES
from photseries.lightcurve.units import flux_unit_of
from photseries.surveys import Survey, known_surveys, recognise
from tests.formats import mission_files
from tests.support import DATA, TOP

CASES = DATA / "cases"


def table(primary, extension="LIGHTCURVE", **columns):
    made = [fits.Column(name, "D", unit, array=np.array(values)) for name, (unit, values) in columns.items()]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made, name=extension)])
    hdus[0].header.update(primary)
    content = io.BytesIO()
    hdus.writeto(content)
    return content.getvalue()


def uvot():
    """A file of uvotsource: 6 days since 2001-01-01 UTC; the header states the MJD of that time in TT."""
    columns = [fits.Column("MET", "D", "s", array=np.array([518_400.0])), fits.Column("FILTER", "8A", array=["UVW1"])]
    values = {"MAG": 16.0, "MAG_ERR": 0.1, "MAG_LIM": 20.0, "AB_MAG": 17.51, "AB_MAG_ERR": 0.2, "AB_MAG_LIM": 21.51}
    columns += [fits.Column(name, "D", "mag", array=np.array([value])) for name, value in values.items()]
    table = fits.BinTableHDU.from_columns(columns, name="MAGHIST")
    reference = Time("2001-01-01", scale="utc").tt
    table.header.update({"MJDREFI": 51910, "MJDREFF": reference.mjd - 51910, "TIMESYS": "TT", "CLOCKAPP": False})
    content = io.BytesIO()
    primary = fits.PrimaryHDU()
    primary.header.update({"TELESCOP": "SWIFT", "INSTRUME": "UVOTA"})
    fits.HDUList([primary, table]).writeto(content)
    return content.getvalue()


ALCDEF = """STARTMETADATA
OBJECTNUMBER=1909
OBJECTNAME=Alekhin
FILTER=C
MAGBAND=V
DIFFERMAGS=FALSE
LTCAPP=NONE
REDUCEDMAGS=NONE
DELIMITER=PIPE
ENDMETADATA
DATA=2455421.75|15.803|+0.021
DATA=2455422.25|15.828
ENDDATA
"""

#: A row of vari_epoch_photometry, whose BP and RP follow G by half a minute.
GAIA_TRANSITS = (
    b"transit_id,g_transit_time,g_transit_flux,g_transit_flux_error,g_transit_mag,bp_obs_time,bp_flux,bp_flux_error,"
    b"bp_mag,rp_obs_time,rp_flux,rp_flux_error,rp_mag\n"
    b"1,1705.9,10655.0,7.0,15.60,1705.91,5000.0,9.0,15.9,1705.92,6000.0,8.0,15.1\n"
    b"2,1706.9,10602.0,7.0,15.61,,,,,,,,\n"
)

TIMES = [1325.5, 1325.6]
SAMPLES = {
    "ASAS-SN Sky Patrol V1": "csv/asassn_v1.csv",
    "ASAS-SN Sky Patrol V2": b"jd,flux,flux_err,mag,mag_err,limit,fwhm,image_id,camera,quality,phot_filter\n"
    b"2458000.5,4.45,0.48,14.78,0.12,15.5,1.8,a,be,G,V\n2458001.5,4.79,0.39,14.70,0.09,15.7,1.8,b,be,G,g\n"
    b"2458002.5,4.69,0.39,14.72,0.09,15.7,1.8,b,be,G,g\n",
    "ASAS-SN Sky Patrol V2, web": b"JD,Flux,Flux Error,Mag,Mag Error,Limit,FWHM,Filter,Quality,Camera\n"
    b"2458000.5,4.45,0.48,14.78,0.12,15.5,1.8,V,G,be\n2458001.5,4.79,0.39,14.70,0.09,15.7,1.8,g,G,be\n"
    b"2458002.5,0.1,0.39,99.99,99.99,15.7,1.8,g,B,be\n",
    "ASAS-3": "text/asas3.txt",
    "ATLAS forced photometry": "text/atlas.txt",
    "ZTF light curves of IRSA": "csv/ztf_irsa.csv",
    "ZTF forced photometry": "text/ztf_fp.txt",
    "Fink": "csv/fink.csv",
    "Gaia epoch photometry": "csv/gaia_epoch.csv",
    **{f"Gaia transits, {band}": GAIA_TRANSITS for band in ("G", "BP", "RP")},
    "Catalina Surveys": "csv/crts.csv",
    "AAVSO extended format": "text/aavso_ext.txt",
    "AAVSO visual format": b"#TYPE=VISUAL\n#DELIM=,\n#DATE=JD\n#NAME,DATE,MAG,COMMENTCODE,COMP1,COMP2,CHART,NOTES\n"
    b"SS CYG,2450702.1234,<11.1,na,110,113,070613,na\nSS CYG,2450703.1234,8.2,na,81,86,070613,na\n",
    "AAVSO download": "csv/aavsodata.csv",
    "Pan-STARRS1 detections": "csv/ps1.csv",
    "Rubin DP0.2 forced sources": "csv/lsst.csv",
    "Rubin DP1 forced sources": "parquet/lsst.parquet",
    "Fink, Rubin": b"r:diaObjectId,r:midpointMjdTai,r:band,r:psfFlux,r:psfFluxErr\n"
    b"1,60000.1,r,2400.0,380.0\n1,60001.1,r,-100.0,80.0\n1,60001.2,g,1.0,0.1\n",
    "PLAsTiCC": b"object_id,mjd,passband,flux,flux_err,detected\n615,59750.4229,2,-544.81,3.62,1\n"
    b"615,59750.4306,1,-816.43,5.55,1\n615,59750.4383,3,-471.39,3.80,1\n",
    "SNANA": b"SURVEY: DES\nSNID: 1248677\nFILTERS: gr\nREDSHIFT_FINAL: 0.35 +- 0.001 (CMB)\n# =====\nNOBS: 3\n"
    b"NVAR: 6\nVARLIST: MJD BAND FLUXCAL FLUXCALERR MAG MAGERR\nOBS: 56534.1 g 12.5 2.1 24.757 0.18\n"
    b"OBS: 56534.2 r 22.5 2.0 24.120 0.1\nOBS: 56540.2 r -2.5 2.1 128.0 0.0\nEND_PHOTOMETRY:\n",
    "ALCDEF": ALCDEF.encode(),
    "ADES": b"# version=2017\n# observatory\n! mpcCode 703\npermID|mode|stn|obsTime|ra|dec|mag|rmsMag|band\n"
    b"12893|CCD|703|2019-08-08T12:00:00Z|1.2|-1.2|19.5|0.1|G\n12893|CCD|703|2019-08-08T18:00:00Z|1.2|-1.2|||G\n",
    "HATNet and HATSouth": b"rjd,aim_000,aie_000,aep_000,atf_000\n55260.85,10.15,0.01,10.14,10.13\n",
    "AstroImageJ": "csv/aij.tbl",
    "TESS": mission_files.tess()[0],
    "QLP": "fits/qlp.fits",
    "TASOC": "fits/tasoc.fits",
    "TGLC": "fits/tglc.fits",
    "eleanor": "fits/eleanor.fits",
    "CDIPS": "fits/cdips.fits",
    "PATHOS": table(
        {"TELESCOP": "TESS", "TICID": 7, "SECTOR": 2},
        TIME=("d", TIMES),
        PSF_FLUX_RAW=(None, [500.0, 501.0]),
        PSF_FLUX_COR=(None, [510.0, 511.0]),
    ),
    "Kepler": mission_files.kepler()[0],
    "K2": mission_files.k2()[0],
    "K2 (without MISSION)": table(
        {"TELESCOP": "Kepler", "KEPLERID": 201, "CAMPAIGN": 3},
        TIME=("d", [1975.5, 1975.6]),
        FLUX=("e-/s", [10.0, 11.0]),
    ),
    "EVEREST": "fits/everest.fits",
    "K2SFF": table(
        {"TELESCOP": "Kepler", "KEPLERID": 201, "OBJECT": "EPIC 201", "CAMPAIGN": 1},
        T=("BJD - 2454833", [1975.5, 1975.6]),
        FRAW=(None, [1.01, 1.02]),
        FCOR=(None, [1.001, 0.999]),
    ),
    "K2SC": table(
        {"TELESCOP": "Kepler", "MISSION": "K2", "KEPLERID": 201, "OBJECT": "EPIC 201", "CAMPAIGN": 4},
        time=(None, [2231.5, 2231.6]),
        flux=(None, [1000.0, 1001.0]),
        error=(None, [2.0, 3.0]),
        mflags=(None, [0, 0]),
        trend_t=(None, [9.0, 9.0]),
    ),
    "KEPSEISMIC": table(
        {"TELESCOP": "Kepler", "KEPLERID": 1435467, "MJD-BEG": 54953.0, "MJD-END": 55001.0},
        TIME=("d", [54953.5, 54953.6]),
        FLUX=(None, [120.0, -80.0]),
    ),
    "NEOWISE single exposures": b"ra,dec,mjd,w1mpro,w1sigmpro,w2mpro,w2sigmpro\n10,5,57000.1,12.1,0.02,11.9,0.03\n"
    b"10,5,57000.2,16.6,null,11.9,0.03\n",
    "AllWISE multi-epoch photometry": b"ra,dec,mjd,w1mpro_ep,w1sigmpro_ep,w2mpro_ep,w2sigmpro_ep\n"
    b"10,5,55200.1,12.1,0.02,,\n10,5,55200.2,12.2,0.02,14.9,\n",
    "CHEOPS": "fits/cheops.fits",
    "SuperWASP": "fits/wasp.fits",
    "gPhoton": b"t0,t1,exptime,t_mean,flux,flux_err,mag,mag_err_1,mag_err_2,flux_bgsub,flux_bgsub_err,mag_bgsub,"
    b"mag_bgsub_err_1,mag_bgsub_err_2,flags\n766525332,766525362,26,766525347.9,1.1e-14,1e-16,16.01,0.03,0.04,"
    b"1e-14,2e-16,16.12,0.031,0.041,0\n",
    "X-ray light curves (OGIP)": "fits/xray.fits",
    "Swift UVOT": uvot(),
}


def sample(name):
    given = SAMPLES[name]
    return ("curve", given) if isinstance(given, bytes) else (given.rpartition("/")[2], (CASES / given).read_bytes())


@pytest.mark.parametrize("survey", known_surveys(), ids=lambda survey: survey.name)
def test_a_file_of_a_survey_needs_only_its_line(tmp_path, survey):
    name, content = sample(survey.name)
    (tmp_path / name).write_bytes(content)
    words = shlex.split(survey.line)
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / name), *words, "--obj-id", "S"], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert survey.name in shown.output.splitlines()[0]
    command = shlex.split(next(line for line in shown.output.splitlines() if line.startswith("  photseries upload ")))
    assert command[3 : 3 + len(words)] == words or set(words) <= set(command)
    assert "--filter-map" not in command, "the survey knows the filters that the line selects"


@pytest.mark.parametrize("survey", known_surveys(), ids=lambda survey: survey.name)
def test_a_survey_declaration_uses_known_names(survey):
    assert survey.source
    assert set(survey.filters.values()) | {survey.filter or "ztfg"} <= {*BANDPASSES, "tess::red"}
    assert set(survey.magsys.values()) <= {"ab", "vega", "instrumental"}
    for unit in survey.flux_unit.values():
        assert flux_unit_of(unit)


@pytest.mark.parametrize(
    ("name", "options", "mjd", "flux", "fields"),
    [
        (
            "ASAS-SN Sky Patrol V2",
            {"where": "phot_filter=g"},
            [58001.0, 58002.0],
            [4790, 4690],
            {"filter": "sdssg", "limiting_mag": 15.7},
        ),
        (
            "PATHOS",
            {},
            [58325.0, 58325.1],
            [510, 511],
            {"obj_id": "TIC 7", "series_name": "TESS/sector-02", "filter": "tess::red", "flux_unit": "electron/s"},
        ),
        (
            "K2SFF",
            {},
            [56808.0, 56808.1],
            [1.001, 0.999],
            {"obj_id": "EPIC 201", "series_name": "K2/campaign-01", "filter": "kepler", "flux_unit": "relative"},
        ),
        (
            "K2SC",
            {},
            [57064.0, 57064.1],
            [1000, 1001],
            {"obj_id": "EPIC 201", "time_scale": "tdb", "flux_unit": "electron/s"},
        ),
        ("ASAS-SN Sky Patrol V2, web", {"where": "Filter=V"}, [58000.0], [4450], {"magsys": "vega"}),
        ("KEPSEISMIC", {}, [54953.5, 54953.6], [120, -80], {"flux_unit": "ppm", "obj_id": "KIC 1435467"}),
        ("Rubin DP0.2 forced sources", {}, [60650.1, 60650.2], [2.4502, 2.4402], {"filter": "lsstr"}),
        ("ZTF forced photometry", {"where": "filter=ZTF_g"}, [58205.1884143], [12.911807628113149], {"filter": "ztfg"}),
        (
            "Fink, Rubin",
            {"where": "r:band=r"},
            [60000.1, 60001.1],
            [2.4, -0.1],
            {"filter": "lsstr", "time_scale": "tai", "time_refpos": "topocenter"},
        ),
        ("PLAsTiCC", {"where": "passband=2"}, [59750.4229], [-544.81 * 10**-1.44], {"filter": "lsstr"}),
        (
            "SNANA",
            {"where": "BAND=r", "zero_point": 27.5},
            [56534.2, 56540.2],
            [22.5 * 10**-1.44, -2.5 * 10**-1.44],
            {},
        ),
        (
            "SuperWASP",  # seconds since JD_REF = 2453005.5, in HJD_UTC (NASA Exoplanet Archive, SuperWASP processing)
            {},
            53005 + 300 + np.array([0, 864, 1728, 2591, 3456, 4320]) / 86400,
            [10, 11, 12, 13, 14, 15],
            {"time_scale": "utc", "time_refpos": "heliocenter", "flux_unit": "relative"},
        ),
    ],
)
def test_columns_units_and_filters_come_with_the_survey(name, options, mjd, flux, fields):
    """By hand: mJy are 1000 uJy; BTJD + 56999.5, BKJD + 54832.5; nJy / 1000; 10^(0.4 (23.9 - zpdiff)) and -27.5."""
    file, content = sample(name)
    reading = one_of(read_bytes(content, file, ReadOptions(**options)))
    np.testing.assert_allclose(reading.frame["mjd"], mjd, rtol=0, atol=2e-9)
    np.testing.assert_allclose(reading.frame["flux"], flux, rtol=1e-9)
    assert {field: reading.fields[field] for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "options", "mjd", "mag", "magerr", "fields"),
    [
        (
            "Gaia transits, G",
            {"mag_col": "g_transit_mag"},
            [56902.9 - 1.550519768e-8 * (56902.9 - 43144.0003725) - 6.55e-5 / 86400, 56903.8997866],
            [15.60, 15.61],
            [np.nan, np.nan],
            {"magsys": "vega", "time_scale": "tdb", "time_refpos": "barycenter", "filter": "gaia::g"},
        ),
        *(
            (
                f"Gaia transits, {band}",
                {f"{value}_col": f"{band.lower()}_{value}"},
                [56902.9 - 1.550519768e-8 * (56902.9 - 43144.0003725) - 6.55e-5 / 86400 + delay, np.nan],
                [mag, np.nan],
                [np.nan, np.nan],
                {"filter": f"gaia::g{band.lower()}", "magsys": "vega", "time_scale": "tdb"},
            )
            for band, mag, delay in (("BP", 15.9, 0.01), ("RP", 15.1, 0.02))
            for value in ("mag", "flux")
        ),
        ("ADES", {}, [58703.5, 58703.75], [19.5, np.nan], [0.1, np.nan], {"time_scale": "utc", "magsys": "vega"}),
        (
            "Swift UVOT",
            {},
            [Time("2001-01-07", scale="utc").tt.mjd],
            [17.51],
            [0.2],
            {"time_scale": "tt", "filter": "uvot::uvw1", "limiting_mag": 21.51},
        ),
        (
            "Swift UVOT",
            {"mag_col": "MAG"},
            [Time("2001-01-07", scale="utc").tt.mjd],
            [16.0],
            [0.1],
            {"magsys": "vega", "limiting_mag": 20.0},
        ),
        (
            "NEOWISE single exposures",
            {},
            [57000.1, 57000.2],
            [12.1, np.nan],
            [0.02, np.nan],
            {"magsys": "vega", "time_scale": "utc"},
        ),
        (
            "AllWISE multi-epoch photometry",
            {"mag_col": "w2mpro_ep"},
            [55200.1, 55200.2],
            [np.nan, np.nan],
            [np.nan, np.nan],
            {"magsys": "vega"},
        ),
        ("HATNet and HATSouth", {}, [55260.35], [10.13], [0.01], {"magsys": "instrumental"}),
        ("SNANA", {"where": "BAND=g", "mag_col": "MAG"}, [56534.1], [24.757], [0.18], {}),
        (
            "gPhoton",
            {},
            [Time(766525347.9 + 315964800, format="unix", scale="utc").mjd],
            [16.12],
            [0.031],
            {"flux_unit": "erg/s/cm2/AA", "brightness": "mag", "time_scale": "utc"},
        ),
        (
            "ALCDEF",
            {},
            [55421.25, 55421.75],
            [15.803, 15.828],
            [0.021, np.nan],
            {"filter": "bessellv", "magsys": "vega", "time_scale": "utc"},
        ),
    ],
)
def test_times_and_magnitudes_come_with_the_survey(name, options, mjd, mag, magerr, fields):
    """By hand: TCB - 2455197.5 less 1.55e-8 of the days since 1977 is TDB; RJD - 0.5."""
    file, content = sample(name)
    reading = one_of(read_bytes(content, file, ReadOptions(**options)))
    np.testing.assert_allclose(reading.frame["mjd"], mjd, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(reading.frame["mag"], mag)
    np.testing.assert_array_equal(reading.frame.get("magerr", np.full(len(mjd), np.nan)), magerr)
    assert {field: reading.fields[field] for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "options", "limits"),
    [
        ("NEOWISE single exposures", {}, [np.nan, 16.6]),
        ("AllWISE multi-epoch photometry", {"mag_col": "w2mpro_ep"}, [np.nan, 14.9]),
    ],
)
def test_magnitudes_of_wise_without_an_error_are_upper_limits(name, options, limits):
    """A null w1sigmpro marks a limit at 95% confidence (Explanatory Supplement, II.1.a)."""
    file, content = sample(name)
    reading = one_of(read_bytes(content, file, ReadOptions(**options)))
    np.testing.assert_array_equal(reading.frame["limiting_mag"], limits)
    assert "1 of the values of" in reading.warnings[0]
    assert "upper limits" in reading.warnings[0]


@pytest.mark.parametrize(
    ("name", "where"),
    [("ATLAS forced photometry", "F=o"), ("ZTF forced photometry", "filter=ZTF_g"), ("Fink", "i:fid=1")],
)
def test_the_times_of_a_survey_are_those_of_the_start_of_exposures(name, where):
    """As in fallingstar-data.com/forcedphot/resultdesc, arXiv:2305.16279 and the schema of ZTF's alerts."""
    file, content = sample(name)
    fields = one_of(read_bytes(content, file, ReadOptions(where=where))).fields
    assert (fields["time_scale"], fields["time_stamp_alignment"]) == ("utc", "start")


def test_a_package_adds_a_survey(monkeypatch):
    """An entry point names a declaration, which wins over less specific ones."""
    added = Survey(name="Mine", source="me", columns=("when", "bright"), time="when", mag="bright", time_format="jd")
    monkeypatch.setattr(surveys, "MINE", added, raising=False)
    entry = EntryPoint("mine", "photseries.surveys:MINE", "photseries.surveys")
    monkeypatch.setattr(surveys, "entry_points", lambda group: [entry] if group == "photseries.surveys" else [])
    known_surveys.cache_clear()
    try:
        assert recognise({}, ["when", "bright", "x"]) is added
        reading = one_of(read_bytes(b"when,bright\n2459000.5,15.5\n", "x.csv", ReadOptions()))
        assert reading.survey == "Mine"
        assert reading.frame.to_dict("list") == {"mjd": [59000.0], "mag": [15.5]}
    finally:
        known_surveys.cache_clear()


def test_the_page_has_every_survey():
    page = (TOP / "docs/readers.md").read_text("utf-8")
    for survey in known_surveys():
        row = next(line for line in page.splitlines() if line.startswith(f"| {survey.name} |"))
        cells = [cell.strip() for cell in row.replace("\\|", "/").strip("|").split("|")]
        assert cells[2] == (f"`{survey.line}`" if survey.line else ""), survey.name
        assert cells[1].endswith(", ".join(survey.columns)), survey.name
        assert cells[4] == survey.source, survey.name


def test_a_description_lists_missing_fields():
    file, content = sample("ATLAS forced photometry")
    about = describe(one_of(read_bytes(content, file, ReadOptions(where="F=o"))), {"obj_id": "S"})
    assert about["filters"] == {"o": 3, "c": 1}
    assert about["missing"] == ["instrument_id", "series_name", "series_obj_id"]
    assert {one["role"]: one["column"] for one in about["columns"]} == {
        "mjd": "MJD", "flux": "uJy", "mag": "m", "fluxerr": "duJy", "magerr": "dm",
    }  # fmt: skip
    assert about["first"] == "2018-10-23T15:22:43"


def test_atlas_without_magnitudes_has_filters():
    text = "MJD,uJy,duJy,F\n59000.1,209,20,o\n59001.1,150,10,c\n"
    with pytest.raises(InvalidError, match=r"The column 'F' has several filters: o \(1 rows\), c \(1 rows\)"):
        read_bytes(text.encode(), "x.csv", ReadOptions())


def test_blocks_of_alcdef_keep_their_bands_and_types():
    sloan = ALCDEF.replace("MAGBAND=V", "MAGBAND=SR")
    readings = read_bytes((ALCDEF + sloan).encode(), "x.txt", ReadOptions(split_by="MAGBAND"))
    systems = {one.fields["filter"]: one.fields.get("magsys", "ab") for one in readings}
    assert systems == {"bessellv": "vega", "sdssr": "ab"}
    for changed in ("DIFFERMAGS=TRUE", "REDUCEDMAGS=POINT"):
        name = changed.partition("=")[0]
        text = "\n".join(changed if line.startswith(name) else line for line in ALCDEF.splitlines())
        assert one_of(read_bytes(text.encode(), "x.txt", ReadOptions())).fields["magsys"] == "instrumental"
        with pytest.raises(InvalidError, match="several systems of magnitudes"):
            read_bytes((ALCDEF + text).encode(), "x.txt", ReadOptions())
    corrected = ALCDEF.replace("LTCAPP=NONE", "LTCAPP=POINT")
    for text in (corrected, corrected + ALCDEF, ALCDEF + corrected):
        assert "light time" in one_of(read_bytes(text.encode(), "x.txt", ReadOptions())).warnings[0]
