"""Light curves as TESS, Kepler and K2 write them: the keywords and the columns of the real files."""

import io

import numpy as np
from astropy.io import fits

TESS_PRIMARY = {
    "ORIGIN": "NASA/Ames",
    "CREATOR": "6557 LightCurveExporterPipelineModule",
    "TELESCOP": "TESS",
    "INSTRUME": "TESS Photometer",
    "OBJECT": "TIC 261136679",
    "TICID": 261136679,
    "SECTOR": 1,
    "CAMERA": 4,
    "CCD": 2,
    "RADESYS": "ICRS",
    "RA_OBJ": 84.291198,
    "DEC_OBJ": -80.469143,
    "TESSMAG": 5.105,
    "PROCVER": "spoc-3.3.57-20190130",
    "DATA_REL": 1,
}
TESS_TABLE = {
    "EXTNAME": "LIGHTCURVE",
    "TIMEREF": "SOLARSYSTEM",
    "TIMESYS": "TDB",
    "BJDREFI": 2457000,
    "BJDREFF": 0.0,
    "TIMEUNIT": "d",
    "TIMEPIXR": 0.5,
    "INT_TIME": 1.98,
    "READTIME": 0.02,
    "FRAMETIM": 2.0,
    "NUM_FRM": 60,
    "TIMEDEL": 0.001388888888888889,
}
KEPLER_PRIMARY = {
    "ORIGIN": "NASA/Ames",
    "CREATOR": "955769 FluxExporter2PipelineModule",
    "TELESCOP": "Kepler",
    "INSTRUME": "Kepler Photometer",
    "OBJECT": "KIC 11904151",
    "KEPLERID": 11904151,
    "CHANNEL": 8,
    "MODULE": 4,
    "OUTPUT": 4,
    "QUARTER": 5,
    "MISSION": "Kepler",
    "OBSMODE": "long cadence",
    "RADESYS": "ICRS",
    "RA_OBJ": 285.67942,
    "DEC_OBJ": 50.24131,
    "KEPMAG": 10.961,
}
KEPLER_TABLE = {
    **TESS_TABLE,
    "BJDREFI": 2454833,
    "INT_TIME": 6.019802903270,
    "FRAMETIM": 6.538751428904,
    "NUM_FRM": 270,
    "TIMEDEL": 0.02043359821692,
}
K2_PRIMARY = {
    **{name: value for name, value in KEPLER_PRIMARY.items() if name != "QUARTER"},
    "OBJECT": "EPIC 201912552",
    "KEPLERID": 201912552,
    "MISSION": "K2",
    "CAMPAIGN": 1,
}


def light_curve(primary, table, first, quality="QUALITY", rows=50, **columns):
    """The content of a light curve file, and the values of its columns."""
    noise = np.random.default_rng(1)
    values = {
        "TIME": ("D", "BJD - 2457000, days", first + np.arange(rows) / 720),
        "TIMECORR": ("E", "d", np.full(rows, 1e-3)),
        "CADENCENO": ("J", None, np.arange(70444, 70444 + rows)),
        "SAP_FLUX": ("E", "e-/s", noise.normal(1000, 3, rows)),
        "SAP_FLUX_ERR": ("E", "e-/s", np.full(rows, 3)),
        "PDCSAP_FLUX": ("E", "e-/s", noise.normal(1100, 3, rows)),
        "PDCSAP_FLUX_ERR": ("E", "e-/s", np.full(rows, 3.5)),
        quality: ("J", None, np.where(np.arange(rows) == 3, 2**31 - 1, 0)),
        "MOM_CENTR1": ("D", "pixel", noise.normal(500, 0.01, rows)),
        **columns,
    }
    values["TIME"][2][7] = np.nan
    values["PDCSAP_FLUX"][2][[3, 7]] = np.nan
    made = [fits.Column(name, form, unit=unit, array=array, disp=None) for name, (form, unit, array) in values.items()]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made), fits.ImageHDU(np.ones((11, 11)))])
    hdus[0].header.update(primary)
    hdus[1].header.update(table)
    hdus[2].header["EXTNAME"] = "APERTURE"
    content = io.BytesIO()
    hdus.writeto(content)
    return content.getvalue(), {name: array for name, (_, _, array) in values.items()}


def tess(**columns):
    return light_curve(TESS_PRIMARY, TESS_TABLE, 1325.2969, **columns)


def kepler(**columns):
    return light_curve(KEPLER_PRIMARY, KEPLER_TABLE, 443.5, quality="SAP_QUALITY", **columns)


def k2(**columns):
    return light_curve(K2_PRIMARY, KEPLER_TABLE, 1977.0, quality="SAP_QUALITY", **columns)
