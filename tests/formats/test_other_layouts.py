"""Layouts of surveys and instruments beyond the cases: each becomes the right numbers, or is refused in words.

The numbers follow by hand from the definitions: MJD = JD - 2400000.5, 23.9 - 2.5 log10(uJy), 10^(0.4 (23.9 - zp)).
"""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from photseries.errors import InvalidError
from photseries.formats import ReadOptions, collect, one_of, read_bytes


def table(primary=None, header=None, **columns):
    """A FITS file of one table; columns are pairs of a unit and values."""
    made = [fits.Column(name, "D", unit, array=np.array(values)) for name, (unit, values) in columns.items()]
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)])
    hdus[0].header.update(primary or {})
    hdus[1].header.update(header or {})
    content = io.BytesIO()
    hdus.writeto(content)
    return content.getvalue()


NAN = np.nan
HIPPARCOS = "JD-2440000,Hp,e_Hp\n7868.7614,9.4321,0.012\n7869.7614,9.4421,0.013\n"
DES = (
    "MJD_OBS,BAND,MAG_PSF,MAGERR_PSF,FLUX_PSF,FLUXERR_PSF\n"
    "56534.1,g,20.1,0.02,33113,610\n56535.1,g,20.2,0.03,30200,834\n"
)
ALERTS = "mjd,fid,magpsf,sigmapsf,isdiffpos\n59000.1,1,18.1,0.1,t\n59001.1,1,18.2,0.1,f\n"
ATLAS = "##MJD m dm uJy duJy F\n59000.1 18.1 0.1 209 20 o\n59001.1 -19.9 0.4 -20 10 o\n"
SWIFT = {"MJDREFI": 51910, "MJDREFF": 7.428703703703703e-4, "TIMESYS": "TT", "TELESCOP": "SWIFT"}
FLAGS = "mjd,mag,magerr,{}\n59000,15.1,0.1,{}\n59001,18.2,0,{}\n"
TCB = 1.550519768e-8 * (56962.40264 - 43144.0003725) + 6.55e-5 / 86400  # TCB - TDB on 2014-11-01 [d]
VEGA = (
    '<VOTABLE version="1.4"><RESOURCE><TABLE><GROUP name="photcal">'
    '<PARAM name="system" datatype="char" arraysize="*" value="Vega" utype="photDM:PhotCal.magnitudeSystem.type"/>'
    '<PARAM name="band" datatype="char" arraysize="*" value="Generic/Bessell.V" '
    'utype="photDM:PhotometryFilter.identifier"/></GROUP>'
    '<FIELD name="mjd" datatype="double" unit="d"/><FIELD name="mag" datatype="double" unit="mag"/>'
    "<DATA><TABLEDATA><TR><TD>59000</TD><TD>15.1</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
)
TNS = "obsdate,flux,fluxerr,unit_name\n2023-01-01 12:00:00,18.1,0.1,mJy\n2023-01-02 12:00:00,18.2,0.1,mJy\n"

READ: dict[str, Any] = {
    "Hipparcos": (HIPPARCOS, {"mag_col": "Hp"}, {"mjd": [47868.2614, 47869.2614], "magerr": [0.012, 0.013]}, {}),
    "OGLE-II": (
        "HJD-2450000,mag,err\n7868.7614,9.4321,0.012\n",
        {},
        {"mjd": [57868.2614], "mag": [9.4321]},
        {"time_refpos": "heliocenter", "time_scale": "utc"},
    ),
    "KELT": (
        "2454000.123456 10.1234 0.0012\n",
        {"names": "bjd,mag,magerr"},
        {"mjd": [53999.623456], "mag": [10.1234], "magerr": [0.0012]},
        {"time_scale": "tdb"},
    ),
    "DES": (DES, {"mag_col": "MAG_PSF"}, {"mag": [20.1, 20.2], "magerr": [0.02, 0.03]}, {}),
    "DES by its magnitudes": (DES, {"flux_col": "FLUX_PSF"}, {"flux": [33.113, 30.2], "mag": [20.1, 20.2]}, {}),
    "DES by zero point": (
        DES,
        {"flux_col": "FLUX_PSF", "zero_point": 31.4},
        {"flux": [33.113, 30.2], "fluxerr": [0.61, 0.834]},
        {},
    ),
    "alerts of negative differences": (ALERTS, {}, {"mag": [18.1, NAN], "magerr": [0.1, NAN]}, {}),
    "ATLAS of negative fluxes": (ATLAS, {}, {"flux": [209, -20], "mag": [18.1, NAN]}, {"filter": "atlaso"}),
    "ATLAS of a flux of 0": (
        f"{ATLAS}59002.1 0.000 0.000 0 10 o\n",
        {"mag_col": "m"},
        {"mag": [18.1, NAN, NAN]},
        {"filter": "atlaso"},
    ),
    "ATLAS without a measurement": (
        f"{ATLAS}59002.1 0.000 0.000 0 0 o\n",
        {},
        {"flux": [209, -20, NAN], "fluxerr": [20, 10, NAN], "mag": [18.1, NAN, NAN]},
        {"filter": "atlaso"},
    ),
    "an asteroid of Fink": (
        "i:objectId,i:jd,i:magpsf,i:sigmapsf,i:fid\nZTF1,2459000.5,15,0.1,1\nZTF2,2459001.5,15.1,0.1,1\n",
        {},
        {"mag": [15, 15.1]},
        {"filter": "ztfg"},
    ),
    "counts of 0": (
        "mjd,rate (ct/s),rate_err (ct/s)\n59000.1,0.2,0.1\n59001.1,0,0\n",
        {},
        {"flux": [0.2, 0], "fluxerr": [0.1, 0]},
        {"flux_unit": "ct/s"},
    ),
    "Fermi's light curves": (
        "Date(UTC),Julian Date,MET,TS,Photon Flux [0.1-100 GeV](photons cm-2 s-1),Photon Flux Error(photons cm-2 s-1)\n"
        "2008-08-07,2454686.15,239760001,25.1,2.1e-07,3e-08\n2008-08-14,2454693.15,240364801,3.1,< 1.1e-07,-\n",
        {
            "flux_col": "Photon Flux [0.1-100 GeV](photons cm-2 s-1)",
            "fluxerr_col": "Photon Flux Error(photons cm-2 s-1)",
        },
        {"mjd": [54685.65, 54692.65], "flux": [2.1e-7, NAN], "fluxerr": [3e-8, NAN]},
        {"flux_unit": "photon cm-2 s-1"},
    ),
    "modified Julian dates": ("Modified Julian Date,mag\n59000.5,15\n", {}, {"mjd": [59000.5]}, {}),
    "Julian dates": (
        "date,heliocentric_julian_date,mag\n2020-05-31,2459000.5,15\n",
        {"time_col": "heliocentric_julian_date"},
        {"mjd": [59000]},
        {"time_refpos": "heliocenter"},
    ),
    "an aperture": (
        "mjd,MAG_AUTO,MAGERR_AUTO\n59000,15,0.1\n",
        {},
        {"mag": [15], "magerr": [0.1]},
        {},
    ),
    "Swift UVOT": (
        table(header=SWIFT, TIME=("s", [2e8]), MAG=("mag", [16.1]), MAG_ERR=("mag", [0.02])),
        {},
        {"mjd": [51910.000742870370 + 2e8 / 86400], "mag": [16.1], "magerr": [0.02]},
        {"time_scale": "tt"},
    ),
    "CoRoT": (
        table({"TELESCOP": "CoRoT"}, DATEJD=(None, [2454000.5]), WHITEFLUX=(None, [12345]), WHITEFLUXDEV=(None, [10])),
        {"time_col": "DATEJD", "time_format": "jd", "flux_col": "WHITEFLUX", "flux_unit": "electron"},
        {"mjd": [54000], "flux": [12345], "fluxerr": [10]},
        {"flux_unit": "electron"},
    ),
    "AstroImageJ without BJD": (
        "Label\tslice\tJ.D.-2400000\trel_flux_T1\trel_flux_err_T1\n1\t1\t58000.0\t0.5\t0.01\n",
        {},
        {"mjd": [57999.5], "flux": [0.5], "fluxerr": [0.01]},
        {"flux_unit": "relative"},
    ),
    "AstroImageJ of several stars": (
        "\tBJD_TDB\trel_flux_T1\trel_flux_err_T1\trel_flux_T2\trel_flux_err_T2\n1\t2458000.6\t0.5\t0.01\t0.3\t0.02\n",
        {"flux_col": "rel_flux_T2"},
        {"mjd": [58000.1], "flux": [0.3], "fluxerr": [0.02]},
        {"flux_unit": "relative"},
    ),
    "a spreadsheet with decimal commas": (
        "HJD;mag;err\n2458000,5123;12,34;0,01\n2458000,6123;12,35;0,02\n",
        {},
        {"mjd": [58000.0123, 58000.1123], "mag": [12.34, 12.35], "magerr": [0.01, 0.02]},
        {},
    ),
    "limits among fluxes": (
        "mjd,flux,fluxerr,upperlimit\n59000,120,10,F\n59001,30,,T\n",
        {"flux_unit": "mJy"},
        {"flux": [120_000, NAN], "limiting_mag": [NAN, 23.9 - 2.5 * np.log10(30_000)]},
        {},
    ),
    "limits among counts": (
        "mjd,flux,fluxerr,upperlimit\n59000,120,10,F\n59001,30,,T\n",
        {"flux_unit": "ct/s"},
        {"flux": [120, NAN]},
        {"flux_unit": "ct/s"},
    ),
    "a column with the unit": (
        TNS,
        {"time_col": "obsdate", "time_format": "iso"},
        {"mjd": [59945.5, 59946.5], "flux": [18_100, 18_200], "fluxerr": [100, 100]},
        {},
    ),
    "columns that state fields": (
        "mjd,mag,time_scale,time_refpos,time_stamp_alignment\n59000,15,tdb,barycenter,start\n",
        {},
        {"mag": [15]},
        {"time_scale": "tdb", "time_refpos": "barycenter", "time_stamp_alignment": "start"},
    ),
    "SDSS Stripe 82": (
        "#ra dec mjd_u u uerr mjd_g g gerr\n10 5 52000.1 19.1 0.1 52000.2 18.1 0.02\n",
        {"time_col": "mjd_g", "mag_col": "g"},
        {"mjd": [52000.2], "mag": [18.1], "magerr": [0.02]},
        {},
    ),
    "a night in two columns": (
        "date,time,V,eV\n2023-01-01,22:00:00,12.1,0.01\n",
        {"mag_col": "V"},
        {"mjd": [59945 + 22 / 24], "mag": [12.1], "magerr": [0.01]},
        {},
    ),
    "millimagnitudes in names": (
        "mjd,mag (mmag),err (mmag)\n59000,15.1,2\n59001,-15.2,3\n",
        {},
        {"mag": [0.0151, -0.0152], "magerr": [0.002, 0.003]},
        {},
    ),
    "millimagnitudes in a line of units": (
        "HJD\tVmag\te_Vmag\nd\tmag\tmmag\n---\t-\t---\n2453000.5\t12.3\t12\n",
        {},
        {"mag": [12.3], "magerr": [0.012]},
        {},
    ),
    "errors in another unit": (
        "time,flux,flux_err\n(MJD),(mJy),(uJy)\n59000,1.5,20\n59001,1.6,30\n",
        {},
        {"flux": [1500, 1600], "fluxerr": [20, 30]},
        {},
    ),
    "a unit of errors alone": ("mjd,flux,err(mJy)\n59000,5,2\n", {}, {"flux": [5000], "fluxerr": [2000]}, {}),
    "units in lower case": (
        "mjd,flux_jy,err_jy\n59000,0.5,0.02\n",
        {},
        {"flux": [500_000], "fluxerr": [20_000]},
        {},
    ),
    "a flag of faintness": (
        FLAGS.format("fainterThan", 0, 1),
        {},
        {"mag": [15.1, NAN], "magerr": [0.1, NAN], "limiting_mag": [NAN, 18.2]},
        {},
    ),
    "a flag called limit": (
        FLAGS.format("limit", 0, 1),
        {},
        {"mag": [15.1, NAN], "limiting_mag": [NAN, 18.2]},
        {"limiting_mag": None},
    ),
    "a column of limits called limit": (
        FLAGS.format("limit", 20.5, 20.7),
        {},
        {"mag": [15.1, 18.2]},
        {"limiting_mag": 20.6},
    ),
    "words that mark a limit": (
        FLAGS.format("type", "detection", "Upper limit"),
        {},
        {"mag": [15.1, NAN], "limiting_mag": [NAN, 18.2]},
        {},
    ),
    "words about fluxes without a detection": (
        "mjd,flux,fluxerr,type\n59000,150,10,detection\n59001,12,10,non-detection\n59002,30,10,UL\n",
        {},
        {"flux": [150, 12, NAN], "limiting_mag": [NAN, NAN, 23.9 - 2.5 * np.log10(30)]},
        {},
    ),
    "magnitudes of 9.999": (
        "mjd,mag,magerr\n59000,18.1,0.1\n59001,9.999,9.999\n59002,18.2,0.1\n",
        {},
        {"mag": [18.1, NAN, 18.2], "magerr": [0.1, NAN, 0.1]},
        {},
    ),
    "a flag of detections": (
        FLAGS.format("detected", "True", "False"),
        {},
        {"mag": [15.1, NAN], "limiting_mag": [NAN, 18.2]},
        {},
    ),
    "fluxes without a detection": (
        "mjd,flux,fluxerr,detected\n59000,150,10,1\n59001,12,10,0\n",
        {},
        {"flux": [150, 12]},
        {},
    ),
    "names of images": ("name,mjd,mag\na.fit,59000,15\nb.fit,59001,16\n", {}, {"mag": [15, 16]}, {}),
    "a column of signs": (
        FLAGS.format("remark", "", ">"),
        {},
        {"mag": [15.1, NAN], "limiting_mag": [NAN, 18.2]},
        {},
    ),
    "magnitudes of 0 and 30": (
        "mjd,mag,magerr\n59000,16.1,0.1\n59001,0.0,0.0\n59002,30.0,9.999\n59003,16.2,9.999\n",
        {},
        {"mag": [16.1, NAN, NAN, 16.2], "magerr": [0.1, NAN, NAN, NAN]},
        {},
    ),
    "fluxes of -99999 and 1e30": (
        "mjd,flux,fluxerr\n59000,150.5,10\n59001,-99999,-99999\n59002,120,-1\n59003,1e30,1\n",
        {},
        {"flux": [150.5, NAN, 120, NAN], "fluxerr": [10, NAN, -1, NAN]},
        {},
    ),
    "cells that were too narrow": (
        "mjd mag err\n59000.5 15.1 0.1\n59001.5 ****** *****\n",
        {},
        {"mag": [15.1, NAN], "magerr": [0.1, NAN]},
        {},
    ),
    "differences of AAVSO": (
        "#TYPE=EXTENDED\n#DATE=JD\n#NAME,DATE,MAG,MERR,FILT,MTYPE\nA,2459000.5,-1.1,0.1,V,DIF\n",
        {},
        {"mag": [-1.1]},
        {"magsys": "instrumental", "filter": "bessellv"},
    ),
    "C-Munipack": (
        "JD V-C s1\n2459000.5 0.31 0.01\n",
        {"mag_col": "V-C", "magerr_col": "s1"},
        {"mag": [0.31], "magerr": [0.01]},
        {"magsys": "instrumental"},
    ),
    "Vega in a name": ("mjd,mag (Vega)\n59000,15.1\n", {}, {"mag": [15.1]}, {"magsys": "vega"}),
    "instrumental in a name": ("mjd,inst_mag\n59000,-8\n", {"mag_col": "inst_mag"}, {}, {"magsys": "instrumental"}),
    "a system in a column of another name": (
        "mjd,mag,Units\n59000,15,VegaMag\n59001,15,VegaMag\n",
        {},
        {"mag": [15, 15]},
        {"magsys": "vega"},
    ),
    "a column of units that are no system": ("mjd,mag,units\n59000,15,mag\n", {}, {"mag": [15]}, {"magsys": None}),
    "differences by other names": (
        "JD,Delta mag\n2459000.5,1.2\n",
        {"mag_col": "Delta mag"},
        {},
        {"magsys": "instrumental"},
    ),
    "differences with a unit in the name": (
        "JD,dmag (mmag)\n2459000.5,120\n",
        {"mag_col": "dmag (mmag)"},
        {"mag": [0.12]},
        {"magsys": "instrumental"},
    ),
    "AB by name": ("#MAGSYS=\nmjd,AB_mag\n59000.5,15.2\n", {"mag_col": "AB_mag"}, {"mag": [15.2]}, {"magsys": None}),
    "times of the start by name": (
        "JD_UTC_start,mag\n2459000.5,15\n",
        {},
        {"mjd": [59000]},
        {"time_scale": "utc", "time_stamp_alignment": "start"},
    ),
    "times of the end by name": ("MJD-END,mag\n59000.5,15\n", {}, {}, {"time_stamp_alignment": "end"}),
    "times of two formats in a name": ("MJD (JD-2400000),mag\n59000.5,15\n", {}, {"mjd": [59000]}, {}),
    "heliocentric times by name": (
        "JD_helio,mag\n2459000.5,15\n",
        {"time_col": "JD_helio"},
        {"mjd": [59000]},
        {"time_refpos": "heliocenter", "time_scale": None},
    ),
    "barycentric times by name": (
        "Barycentric JD (TDB),mag\n2459000.5,15\n",
        {"time_col": "Barycentric JD (TDB)"},
        {"mjd": [59000]},
        {"time_refpos": "barycenter", "time_scale": "tdb"},
    ),
    "universal times by name": (
        "JD_UT - 2450000,mag\n9000.5,15\n",
        {"time_col": "JD_UT - 2450000"},
        {"mjd": [59000]},
        {"time_scale": "utc"},
    ),
    "times since a day by name": (
        "days since MJD 59000,mag\n1.5,15\n",
        {"time_col": "days since MJD 59000"},
        {"mjd": [59001.5]},
        {},
    ),
    "times of the middle among others": (
        "MJD-BEG,MJD-MID,MJD-END,mag\n59000,59000.25,59000.5,15\n",
        {},
        {"mjd": [59000.25]},
        {"time_stamp_alignment": None},
    ),
    "times of FITS headers": ("MJD-OBS,mag\n59000.5,15\n", {}, {"mjd": [59000.5]}, {"time_stamp_alignment": "start"}),
    "dates of FITS headers": (
        "DATE-OBS,mag\n2020-01-01T12:00:00,15\n",
        {},
        {"mjd": [58849.5]},
        {"time_scale": "utc", "time_stamp_alignment": "start"},
    ),
    "AAVSO's exoplanets": (
        "#TYPE=EXOPLANET\n#DELIM=,\n#DATE_TYPE=BJD_TDB\n#DATE,FLUX,MERR\n2459000.5,1.01,0.01\n2459001.5,0.99,0.01\n",
        {},
        {"mjd": [59000, 59001], "flux": [1.01, 0.99]},
        {"time_scale": "tdb", "time_refpos": "barycenter", "flux_unit": "relative"},
    ),
    "dates of no scale of a series": (
        "date (GPS),mag\n2020-01-01T12:00:00,15\n",
        {"time_col": "date (GPS)"},
        {"mjd": [58849.5]},
        {"time_scale": None},
    ),
    "dates in local time": (
        "datetime (local),mag\n2020-01-01T12:00:00,15\n",
        {},
        {"mjd": [58849.5]},
        {"time_scale": None},
    ),
    "dates in a zone by name": (
        "date (UTC+8),mag\n2020-01-01T12:00:00,15\n",
        {},
        {"mjd": [58849.5]},
        {"time_scale": None},
    ),
    "HJD whose header has another scale": (
        "#TIMESYS=GPS\nHJD,mag\n2459000.5,15\n",
        {},
        {"mjd": [59000]},
        {"time_scale": None, "time_refpos": "heliocenter"},
    ),
    "differences by name": ("JD,dmag\n2459000.5,-1.2\n", {}, {"mag": [-1.2]}, {"magsys": "instrumental"}),
    "Vega in a keyword": ("#MAGSYS=Vega\nmjd,mag\n59000,15.1\n", {}, {"mag": [15.1]}, {"magsys": "vega"}),
    "Vega in a header": (
        table({"MAGSYS": "VEGA"}, MJD=("d", [59000]), MAG=("mag", [15.1])),
        {},
        {"mag": [15.1]},
        {"magsys": "vega"},
    ),
    "Vega in a VOTable": (VEGA, {}, {"mag": [15.1]}, {"magsys": "vega", "filter": "bessellv"}),
    "a unit in a header": (
        table({"FLUXUNIT": "mJy"}, MJD=("d", [59000]), FLUX=(None, [15]), FLUXERR=(None, [2])),
        {},
        {"flux": [15_000], "fluxerr": [2000]},
        {},
    ),
    "a unit in BUNIT": (
        table(header={"BUNIT": "mJy"}, MJD=("d", [59000]), FLUX=(None, [15]), FLUXERR=(None, [2])),
        {},
        {"flux": [15_000], "fluxerr": [2000]},
        {},
    ),
    "nanomaggies": (
        table(MJD=("d", [59000]), FLUX=("nanomaggy", [15])),
        {},
        {"flux": [15]},
        {"flux_unit": "nmgy"},
    ),
    "the Jansky VLA": (
        "# telescope: Karl G. Jansky VLA\nmjd,flux,fluxerr\n59000,150,10\n",
        {},
        {"flux": [150], "fluxerr": [10]},
        {},
    ),
    "zero points that are missing": (
        "mjd,flux,fluxerr,zp\n59000,100,10,25\n59001,100,10,-99\n59002,100,10,0\n59003,100,10,25.5\n",
        {},
        {"flux": [100 * 10**-0.44, NAN, NAN, 100 * 10**-0.64], "fluxerr": [10**0.56, NAN, NAN, 10**0.36]},
        {},
    ),
    "errors of 1e20": (
        "mjd,flux,fluxerr\n59000,150.5,10\n59001,120,1e20\n",
        {},
        {"flux": [150.5, 120], "fluxerr": [10, NAN]},
        {},
    ),
    "infinite magnitudes": ("mjd,mag\n59000,15\n59001,inf\n59002,-inf\n", {}, {"mag": [15, NAN, NAN]}, {}),
    "days since BJDREF without a unit": (
        table(header={"BJDREFI": 2457000, "BJDREFF": 0.0}, TIME=(None, [1325.5]), MAG=("mag", [15])),
        {},
        {"mjd": [58325]},
        {},
    ),
    "dates in TT": (
        "DATE,UT,mag\n2024-01-31,6:00:00,15\n",
        {"time_scale": "tt"},
        {"mjd": [60340.25]},
        {"time_scale": "tt"},
    ),
    "Gaia alerts": (
        "#Date JD(TCB) averagemag\n2014-11-01 09:39:48,2456962.90264,18.88\n",
        {"mag_col": "averagemag"},
        {"mjd": [56962.40264 - TCB], "mag": [18.88]},
        {"time_scale": "tdb"},
    ),
    "a scale in brackets": ("MJD(TT),mag\n59000.5,15.1\n", {}, {"mjd": [59000.5]}, {"time_scale": "tt"}),
    "a scale behind a hyphen": (
        "BJD-UTC,mag\n2459000.5,15.1\n",
        {},
        {"mjd": [59000]},
        {"time_scale": "utc", "time_refpos": "barycenter"},
    ),
    "a scale in the name of dates, on a day with a leap second": (
        "time_tai,mag\n2016-12-31T12:00:00,15.1\n",
        {"time_col": "time_tai"},
        {"mjd": [57753.5]},
        {"time_scale": "tai"},
    ),
    "dates in UTC on a day with a leap second": (
        "date,mag\n2016-12-31T12:00:00,15.1\n",
        {},
        {"mjd": [57753 + 43_200 / 86_401]},
        {"time_scale": "utc"},
    ),
    "dates in TDB on a day with a leap second": (
        "date,mag\n2016-12-31T12:00:00,15.1\n",
        {"time_scale": "tdb"},
        {"mjd": [57753.5]},
        {"time_scale": "tdb"},
    ),
    "a scale in a keyword": (
        "#TIMESYS=TDB\nHJD,mag\n2459000.5,15.1\n",
        {},
        {"mjd": [59000]},
        {"time_scale": "tdb", "time_refpos": "heliocenter"},
    ),
    "keywords of IPAC": (
        "\\TIMESYS='TT'\n\\MAGSYS = 'Vega'\n"
        "|mjd     |mag   |\n|double  |double|\n|d       |mag   |\n 59000.5   15.1  \n",
        {},
        {"mjd": [59000.5], "mag": [15.1]},
        {"time_scale": "tt", "magsys": "vega"},
    ),
    "limits beside exponents of Fortran": (
        "mjd mag err\n59000.5 0.151D+02 0.1\n59001.5 >16.1 0.1\n",
        {},
        {"mag": [15.1, NAN], "limiting_mag": [NAN, 16.1]},
        {},
    ),
    "times that are missing": (
        "JD,mag\n2459000.5,15.1\n0.0,15.2\n2459001.5,15.3\n-999,15.4\n2459002.5,15.5\n",
        {},
        {"mjd": [59000, NAN, 59001, NAN, 59002], "mag": [15.1, 15.2, 15.3, 15.4, 15.5]},
        {},
    ),
    "limits with decimal commas": (
        "JD;mag;err\n2459000,5;12,345;0,012\n2459001,5;<14,5;\n",
        {},
        {"mjd": [59000, 59001], "mag": [12.345, NAN], "limiting_mag": [NAN, 14.5]},
        {},
    ),
    "a position beside dates": (
        "date,ra,dec,mag\n2024-01-31,12:34:56.7,01:02:03,15\n2024-02-01,12:34:56.7,01:02:03,16\n",
        {},
        {"mjd": [60340, 60341], "mag": [15, 16]},
        {},
    ),
    "the start of exposures beside dates": (
        "date,exposure_start,exposure,mag\n2024-01-31,18:00:00,0:01:30,15\n2024-02-01,06:00:00,0:01:30,16\n",
        {},
        {"mjd": [60340.75, 60341.25], "mag": [15, 16]},
        {},
    ),
    "a missing time of day": (
        "date,ut,exposure,mag\n2024-01-31,9:00,00:30,15\n2024-02-01,,00:30,16\n2024-02-02,18:00,00:30,17\n",
        {},
        {"mjd": [60340.375, NAN, 60342.75], "mag": [15, 16, 17]},
        {},
    ),
    "a wavelength before a band": (
        "mjd,mag,wavelength,my band\n59000,15,500,g\n59001,16,600,g\n",
        {"filter_map": "g=sdssg"},
        {"mjd": [59000, 59001], "mag": [15, 16]},
        {"filter": "sdssg"},
    ),
    "large numbers in a condition": (
        "mjd,mag,chi2\n59000,15,1e300\n59001,16,2\n",
        {"where": "chi2=1e+300"},
        {"mjd": [59000], "mag": [15]},
        {},
    ),
    "an ordinal in a name": (
        "mjd,1st_mag,2nd_mag\n59000,15,16\n",
        {"mag_col": "1st_mag"},
        {"mag": [15]},
        {"magsys": None},
    ),
    "a zero point of Fortran": ("# ZP: 2.64D1\nmjd,flux\n59000,100\n59001,50\n", {}, {"flux": [10, 5]}, {}),
    "a zero point with its unit of flux": (
        "# ZP: 23.9 (uJy)\nmjd,flux\n59000,100\n59001,50\n",
        {},
        {"flux": [100, 50]},
        {},
    ),
    "a zero point in Vega that magnitudes contradict": (
        "# ZP: 25.0 (Vega)\nmjd,mag,flux\n59000,15,3630.78055\n",
        {},
        {"mag": [15], "flux": [3630.78055]},
        {},
    ),
    "VizieR with a column of one character": (
        "HJD\tl_Vmag\tVmag\n \t \tmag\n-------\t-\t-----\n2453000.5\t \t12.3\n2453001.5\t>\t14.5\n",
        {},
        {"mjd": [53000, 53001], "mag": [12.3, NAN], "limiting_mag": [NAN, 14.5]},
        {},
    ),
}

REFUSED: dict[str, Any] = {
    "two apertures": ("mjd,mag_ap,mag_psf\n59000,15,15.1\n", {}, "mag_col"),
    "a unit per wavelength in the name": ("mjd,flux (erg/s/cm2/A)\n59000,1e-15\n59001,2e-15\n", {}, "not a known unit"),
    "counts": ("mjd,counts\n59000,12345\n59001,12346\n", {"flux_col": "counts"}, "unit of the column 'counts'"),
    "DES without a unit": ("mjd,FLUX_PSF\n59000,33113\n", {"flux_col": "FLUX_PSF"}, "unit of the column 'FLUX_PSF'"),
    "SNANA": (
        "SURVEY: DES\nNVAR: 4\nVARLIST: MJD BAND FLUXCAL FLUXCALERR\nOBS: 56534.1 g 10.1 1\n",
        {},
        "unit of the column 'FLUXCAL'",
    ),
    "SNANA of a short row": ("VARLIST: MJD BAND FLUXCAL\nOBS: 56534.1 g\n", {}, "line 2 has 2 cells"),
    "another system of magnitudes": ("mjd,mag,magsys\n59000,15,BD17\n", {}, "state it (magsys)"),
    "differences and magnitudes": ("JD,mag,MTYPE\n2459000,15,STD\n2459001,-1,DIF\n", {}, "Select one (where)"),
    "MPC": ("     K23A00A  C2023 01 01.12345 10 11 12.13 +05 06 07.8   18.1 GXG96D41\n", {}, "convert them to ADES"),
    "decimal years": ("year,mag\n2023.01,12.1\n", {"time_col": "year", "time_format": "mjd"}, "cannot be right"),
    "months": ("date,mag\n2020-01,15\n2020-02,15\n", {}, "month or a year"),
    "magnitudes as fluxes": (table(MJD=("d", [59000]), FLUX=("mag", [15])), {}, "they are magnitudes"),
    "an origin of too many digits": ("HJD-24500000,mag\n8000.5,15\n", {}, "count from a later day"),
    "measured and differential magnitudes": (
        "JD,Magnitude,Uncertainty,Band,Measurement Method\n2459000,15,0.1,V,STD\n2459001,-1,0.1,V,DIF\n",
        {},
        "Select one (where)",
    ),
    "dates as numbers": ("date,mag\n20230101.5,12.1\n", {}, "(time_format)"),
    "milliseconds": ("time,flux\n1700000000000,1\n1700000001000,1\n", {"time_format": "unix"}, "cannot be right"),
    "seconds from a start": ("time,flux\n0.0,1\n0.5,1\n", {}, "time_format"),
    "commas between thousands": ('JD,mag\n"2,458,000.5",12.3\n', {}, "JD"),
    "arrays in cells": ('g_transit_time,g_transit_mag\n"(1700.1, 1710.2)","(15.1, 15.2)"\n', {}, "time_col"),
    "a zero point in Vega": ("mjd,flux,zp,zpsys\n59000,100,25,vega\n59001,110,25,vega\n", {}, "vega"),
    "a zero point in Vega by the header": ("#ZP=25\n#MAGSYS=Vega\nmjd,flux\n59000,100\n59001,50\n", {}, "vega"),
    "another system in the header": ("#MAGSYS=ST\nmjd,mag\n59000,15\n", {}, "state it (magsys)"),
    "a zero point in Vega in a comment": ("# ZP: 25.0 (Vega)\nmjd,flux\n59000,100\n59001,50\n", {}, "not an AB magni"),
    "a flux of magnitude 0": ("# ZP: 3631 Jy\nmjd,flux\n59000,100\n59001,50\n", {}, "not an AB magnitude"),
    "counts of two kinds": (
        "mjd,flux,unit\n59000,100,ct\n59001,50,electron\n",
        {},
        "several units of flux: ct, electr",
    ),
    "a year after 2262": ("date,mag\n2024-01-31,15\n2024-02-01,15\n2500-01-02,16\n", {}, "row 3, 2500-01-02, is far"),
    "a year before 1677": ("date,mag\n2024-01-31,15\n2024-02-01,15\n1500-01-02,16\n", {}, "row 3, 1500-01-02, is far"),
    "JSON": ('{"mjd": [59000, 59001],\n "mag": [15, 16]}\n', {}, "it is JSON"),
    "rows of JSON": ('[{"mjd": 59000, "mag": 15},\n{"mjd": 59001, "mag": 16}]\n', {}, "it is JSON"),
    "many columns": (",".join(["a"] * 20_000) + "\n" + ",".join("1" * 20_000), {}, "20,000 columns; at most 10,000"),
    "a long name": ("mjd,mag," + "(" * 5000 + "\n59000,15,1\n", {}, "5,000 characters; at most 1,000"),
    "a line without an end": ("mjd,mag," + "1," * 600_000, {}, "line 1 has 1,200,008 characters"),
    "zero points that are none": ("mjd,flux,zp\n59000,100,99\n59001,50,99\n", {}, "state one (zero_point)"),
    "a flux that is a lower limit": (
        "mjd,flux,fluxerr\n59000,>100,\n59001,50,1\n",
        {"flux_unit": "mJy"},
        "flux of row 1 is a lower limit",
    ),
    "a flux that VizieR marks as a lower limit": (
        "mjd,l_flux,flux\n59000,,100\n59001,>,50\n",
        {"flux_unit": "mJy"},
        "flux of row 2 is a lower limit",
    ),
    "commas between thousands or decimal": ('mjd,flux\n59000,"12,345"\n59001,"12,346"\n', {}, "separate thousands"),
    "fluxes in several units": (
        "mjd,flux,flux_unit\n59000,5,mJy\n59001,5,uJy\n",
        {},
        "several units of flux: mJy, uJy",
    ),
    "flux_unit without fluxes": ("mjd,mag\n59000,15\n", {"flux_unit": "uJy"}, "there is no flux"),
    "a table where there is one": ("mjd,mag\n59000,15\n", {"table": "x"}, "is one table"),
    "a map without a column": ("mjd,mag\n59000,15\n", {"filter_map": "a=ztfg"}, "filter_col"),
    "errors without a value": ("mjd,mag,e\n59000,15,1\n", {"fluxerr_col": "e"}, "no flux is read"),
    "several objects": (
        "source_id,mjd,mag\n1,59000,15\n1,59001,15\n2,59000,16\n",
        {},
        "several objects: 1 (2 rows), 2 (1 rows)",
    ),
    "several objects of Fink": (
        "i:objectId,i:jd,i:magpsf,i:sigmapsf,i:fid\n"
        "ZTF1,2459000,15,0.1,1\nZTF1,2459001,15,0.1,1\nZTF2,2459000,16,0.1,1\nZTF2,2459001,16,0.1,1\n",
        {},
        "(split_by=i:objectId)",
    ),
    "several objects of Fink, Rubin": (
        "r:diaObjectId,r:midpointMjdTai,r:band,r:psfFlux,r:psfFluxErr\n"
        "1,60000,r,15,1\n1,60001,r,15,1\n2,60000,r,16,1\n2,60001,r,16,1\n",
        {},
        "(split_by=r:diaObjectId)",
    ),
    "several stars of AAVSO": (
        "#TYPE=EXTENDED\n#DATE=JD\n#NAME,DATE,MAG,MERR,FILT\n"
        "A,2459000,15,na,V\nA,2459001,15,na,V\nB,2459000,16,na,V\nB,2459001,16,na,V\n",
        {},
        "(split_by=NAME)",
    ),
    "hours beside dates": ("Date,UT,mag\n2024-01-31,22.5,15\n", {}, "'UT' is not read as one"),
    "several times": ("mjd_g,g,mjd_r,r\n59000,15,59000.1,16\n", {"mag_col": "r"}, "mjd_g, mjd_r. Name one (time_col)"),
    "a name that occurs twice": ("mjd,mag,mag\n59000,15,16\n", {}, "the next one is called 'mag.1'"),
    "times in two formats": ("JD,mag\n2459000.5,15\n59001.5,16\n2459002.5,15\n", {}, "time of row 2, 59001.5, is far"),
    "a count from a later day": ("HJD,mag\n53000.5,15\n", {}, "(time_format), such as jd-2400000"),
    "American dates": ("date,mag\n01/31/2024 22:30,15\n", {}, "'01/31/2024 22:30', which is not an ISO date"),
    "a line below the rows": ("mjd,mag\n59000,15\nmean,15\n", {}, "contains 'mean' in row 2"),
    "errors in a unit of their own": (
        "mjd,flux(mJy),err(ct)\n59000,15,1\n",
        {},
        "are in ct, and their fluxes in mJy",
    ),
    "errors of magnitudes in percent": ("mjd,mag,err(%)\n59000,15,1\n", {}, "are in %, but errors of magnitudes"),
    "a limit that is neither": ("mjd,mag\n59000,15\n", {"limit": "skip"}, "keep or drop"),
}


@pytest.mark.parametrize("name", READ)
def test_read_values_are_correct(name):
    content, options, columns, fields = READ[name]
    content = content if isinstance(content, bytes) else content if isinstance(content, bytes) else content.encode()
    reading = one_of(read_bytes(content, "curve", ReadOptions.of_texts(options)))
    for column, values in columns.items():
        rtol, atol = (0, 2e-9) if column == "mjd" else (1e-9, 0)
        np.testing.assert_allclose(reading.frame[column], values, rtol=rtol, atol=atol, err_msg=column)
    assert {field: reading.fields.get(field) for field in fields} == fields
    assert ("limiting_mag" in reading.frame) == ("limiting_mag" in columns)


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_input_is_refused_with_a_message(name):
    content, options, words = REFUSED[name]
    with pytest.raises(InvalidError) as caught:
        read_bytes(content if isinstance(content, bytes) else content.encode(), "curve", ReadOptions.of_texts(options))
    assert words in caught.value.message
    assert len(caught.value.message) < 300


#: A refusal, and the options that its words name, with which the file is read.
HINTS: dict[str, Any] = {
    "several filters, one selected": ("mjd,mag,band\n59000,15,g\n59001,16,r\n", "where=band=g", {"where": "band=g"}),
    "several filters, each": ("mjd,mag,band\n59000,15,g\n59001,16,r\n", "split_by=band", {"split_by": "band"}),
    "no names": ("59000 15\n59001 16\n", "(names)", {"names": "mjd,mag"}),
    "no time": ("when,mag\n59000,15\n", "(time_col)", {"time_col": "when", "time_format": "mjd"}),
    "a time without a format": ("when,mag\n59000,15\n", "(time_format)", {"time_col": "when", "time_format": "mjd"}),
    "no brightness": ("mjd,bright\n59000,15\n", "mag_col", {"mag_col": "bright"}),
    "no unit": ("mjd,signal\n59000,150\n59001,15\n", "(flux_unit)", {"flux_col": "signal", "flux_unit": "ct"}),
    "a zero point": ("mjd,signal\n59000,150\n59001,15\n", "(zero_point)", {"flux_col": "signal", "zero_point": 25}),
    "SNANA": (
        "VARLIST: MJD FLT FLUXCAL FLUXCALERR\nOBS: 56534 g 10 1\nOBS: 56535 g 10 1\n",
        "(zero_point)",
        {"zero_point": 27.5},
    ),
    "another system": ("mjd,mag,magsys\n59000,15,BD17\n", "(magsys)", {"magsys": "vega"}),
    "several objects": ("name,mjd,mag\nA,1,15\nA,2,15\nB,1,9\nB,2,9\n", "where=name=A", {"where": "name=A"}),
    "each object": ("name,mjd,mag\nA,1,15\nA,2,15\nB,1,9\nB,2,9\n", "split_by=name", {"split_by": "name"}),
    "a later day": ("HJD,mag\n53000.5,15\n", "hjd-2400000", {"time_format": "hjd-2400000"}),
    "dates that are numbers": ("date,mag\n53000.5,15\n", "(time_format)", {"time_format": "mjd"}),
    "several times": ("mjd_g,g,mjd_r,r\n1,2,59000,4\n", "(time_col)", {"time_col": "mjd_r", "mag_col": "r"}),
    "a name twice": ("mjd,mag,mag\n59000,15,16\n", "(mag_col)", {"mag_col": "mag.1"}),
    "fluxes that disagree": ("mjd,mag,flux\n59000,15,150\n59001,15,151\n", "(mag_col)", {"mag_col": "mag"}),
}
TRIED: dict[str, Any] = {
    "several times": {"mag_col": "r"},
    "a time without a format": {"time_col": "when"},
    "no unit": {"flux_col": "signal"},
    "a zero point": {"flux_col": "signal"},
}


@pytest.mark.parametrize("name", HINTS)
def test_a_hint_that_is_followed_leads_to_a_series(name):
    content, words, options = HINTS[name]
    with pytest.raises(InvalidError) as caught:
        read_bytes(
            content if isinstance(content, bytes) else content.encode(),
            "curve.csv",
            ReadOptions.of_texts(TRIED.get(name, {})),
        )
    assert words in caught.value.message
    assert read_bytes(
        content if isinstance(content, bytes) else content.encode(), "curve.csv", ReadOptions.of_texts(options)
    )


def test_headers_about_textual_dates():
    made = [
        fits.Column("DATE-OBS", "19A", array=["2020-01-01T12:00:00"]),
        fits.Column("MAG", "D", array=[15.0]),
    ]
    content = io.BytesIO()
    hdu = fits.BinTableHDU.from_columns(made)
    hdu.header["TIMESYS"] = "TT"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(content)
    reading = one_of(read_bytes(content.getvalue(), "curve.fits", ReadOptions()))
    assert (reading.frame["mjd"].tolist(), reading.fields["time_scale"]) == ([58849.5], "tt")


def test_seconds_without_a_declared_unit_are_refused():
    content = table(header={"MJDREF": 0.0}, TIME=(None, [59000.5]), MAG=("mag", [15]))
    with pytest.raises(InvalidError, match=r"have no unit, and as s since MJD 0 cannot be right.*\(time_format\)"):
        read_bytes(content, "curve.fits", ReadOptions())
    reading = one_of(read_bytes(content, "curve.fits", ReadOptions(time_format="mjd")))
    assert reading.frame["mjd"].tolist() == [59000.5]


def test_times_of_day_beside_dates_of_a_workbook():
    frame = pd.DataFrame({"Date": pd.to_datetime(["2024-01-31"]), "Time": ["18:00:00"], "mag": [15.0]})
    reading = one_of(collect(frame, ReadOptions(time_col="Date")))
    assert (reading.frame["mjd"].tolist(), reading.fields) == ([60340.75], {"time_scale": "utc"})


def test_dates_without_a_time_of_day_cause_a_warning():
    reading = one_of(read_bytes(b"date,mag\n2024-01-31,15\n", "curve.csv", ReadOptions()))
    assert reading.frame["mjd"].tolist() == [60340]
    assert reading.warnings == ("The dates in date have no time of day: 0 h is assumed.",)


def test_integers_with_gaps_keep_their_digits():
    """The float64 nearest to 2^53 + 1 is 2^53."""
    reading = one_of(read_bytes(b"mjd,mag,id\n59000,15,9007199254740993\n59001,16,\n", "curve.csv", ReadOptions()))
    assert reading.frame["id"][0] == "9007199254740993"


@pytest.mark.parametrize(
    ("dec", "warns"), [(-4.99, False), (-4.9, True), (None, False), (-999, False), (np.inf, False)]
)
def test_rows_with_positions_far_apart_cause_a_warning(dec, warns):
    rows = pd.DataFrame({"mjd": [59000.1, 59001.1], "mag": [15.1, 15.2], "RA": [10.0, 10.0], "DEC": [-5.0, dec]})
    warnings = one_of(collect(rows, ReadOptions())).warnings
    assert ("The values of DEC extend over 6.0 arcmin: the rows may be of several objects." in warnings) == warns


def test_rows_without_a_filter_cause_a_warning():
    content = b"mjd,mag,band\n59000,15,ztfg\n59001,16,\n"
    reading = one_of(read_bytes(content, "curve.csv", ReadOptions()))
    assert reading.fields["filter"] == "ztfg"
    assert reading.warnings == ("1 of the values of band are missing: these rows are assumed to have the same filter.",)
    assert one_of(read_bytes(content, "curve.csv", ReadOptions(where="band=ztfg"))).warnings == ()


def test_fits_tables_with_the_same_columns_cause_a_warning():
    columns = [fits.Column("MJD", "D", array=[59000.5]), fits.Column("MAG", "D", array=[15.0])]
    bands = [fits.BinTableHDU.from_columns(columns, name=band) for band in ("G", "BP")]
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *bands]).writeto(content)
    reading = one_of(read_bytes(content.getvalue(), "curve.fits", ReadOptions()))
    assert reading.warnings == ("2 tables have the same columns, G, BP; G was read (table).",)
    assert one_of(read_bytes(content.getvalue(), "curve.fits", ReadOptions(table="BP"))).warnings == ()
