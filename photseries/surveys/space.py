"""Light curves of TESS, Kepler, K2 and other missions, and of pipelines for their images: FITS."""

from __future__ import annotations

from dataclasses import replace

from photseries.surveys.survey import Mission, Survey

__all__ = ["SURVEYS"]

_BARYCENTRIC = {"time_scale": "tdb", "time_refpos": "barycenter"}

_TESS = Survey(
    name="TESS",
    source="TESS Science Data Products Description, EXP-TESS-ARC-ICD-0014",
    header={"TELESCOP": "TESS"},
    time="TIME",
    time_format="btjd",
    flux=("PDCSAP_FLUX", "SAP_FLUX", "FLUX"),
    times=_BARYCENTRIC,
    filter="tess::red",
    rename={"QUALITY": "quality"},
    mission=Mission(
        catalogue="TIC", identity=("TICID", "TIC_ID", "OBJECT"), part="SECTOR", series_name="TESS/sector-{:02d}"
    ),
)
_KEPLER = Survey(
    name="Kepler",
    source="Kepler Archive Manual, KDMC-10008",
    header={"MISSION|TELESCOP": "kepler"},
    time="TIME",
    time_format="bkjd",
    flux=("PDCSAP_FLUX", "SAP_FLUX", "FLUX"),
    times=_BARYCENTRIC,
    filter="kepler",
    rename={"SAP_QUALITY": "quality"},
    mission=Mission(
        catalogue="KIC", identity=("KEPLERID", "OBJECT"), part="QUARTER", series_name="Kepler/quarter-{:02d}"
    ),
)
_K2 = replace(
    _KEPLER,
    name="K2",
    header={"MISSION": "k2"},
    mission=Mission(
        catalogue="EPIC", identity=("KEPLERID", "OBJECT"), part="CAMPAIGN", series_name="K2/campaign-{:02d}"
    ),
)
_NEOWISE = Survey(
    name="NEOWISE single exposures",
    source="https://wise2.ipac.caltech.edu/docs/release/neowise/expsup (Mainzer et al. 2014, ApJ 792, 30)",
    line="--filter FILTER",
    columns=("mjd", "w1mpro", "w1sigmpro"),
    time="mjd",
    mag="w1mpro",
    errors={"w1mpro": "w1sigmpro", "w2mpro": "w2sigmpro"},
    limits_have_no_error=True,
    magsys={"*": "vega"},
    times={"time_scale": "utc"},
)

SURVEYS = (
    _TESS,
    replace(
        _TESS,
        name="QLP",
        source="https://archive.stsci.edu/hlsp/qlp (Huang et al. 2020, RNAAS 4, 204)",
        columns=("TIME", "SAP_FLUX", "ORBITID"),
        flux=("DET_FLUX", "KSPSAP_FLUX", "SAP_FLUX"),
        flux_unit={"*": "relative"},
    ),
    replace(
        _TESS,
        name="TASOC",
        source="https://archive.stsci.edu/hlsp/tasoc (Handberg et al. 2021, AJ 162, 170)",
        columns=("TIME", "FLUX_RAW", "FLUX_CORR"),
        flux=("FLUX_CORR", "FLUX_RAW"),
    ),
    replace(
        _TESS,
        name="TGLC",
        source="https://archive.stsci.edu/hlsp/tglc (Han & Brandt 2023, AJ 165, 71)",
        columns=("time", "cal_psf_flux", "cal_aper_flux"),
        time="time",
        flux=("cal_psf_flux", "cal_aper_flux"),
        flux_unit={"cal_psf_flux": "relative", "cal_aper_flux": "relative", "*": "electron/s"},
        rename={"TESS_flags": "quality"},
    ),
    replace(
        _TESS,
        name="eleanor",
        source="https://archive.stsci.edu/hlsp/gsfc-eleanor-lite (Feinstein et al. 2019, PASP 131, 094502)",
        columns=("TIME", "RAW_FLUX", "CORR_FLUX", "FLUX_ERR"),
        flux=("CORR_FLUX", "PCA_FLUX", "RAW_FLUX"),
        errors=dict.fromkeys(("CORR_FLUX", "PCA_FLUX", "RAW_FLUX"), "FLUX_ERR"),
        flux_unit={"*": "electron/s"},
    ),
    replace(
        _TESS,
        name="CDIPS",
        source="https://archive.stsci.edu/hlsp/cdips (Bouma et al. 2019, ApJS 245, 13)",
        columns=("TMID_BJD", "IRM1", "IRE1"),
        time="TMID_BJD",
        time_format="bjd",
        flux=(),
        mag="IRM1",
        errors={f"{kind}{number}": f"IRE{number}" for kind in ("IRM", "PCA", "TFA") for number in (1, 2, 3)},
        magsys={"*": "instrumental"},
    ),
    replace(
        _TESS,
        name="PATHOS",
        source="https://archive.stsci.edu/hlsp/pathos (Nardiello et al. 2019, MNRAS 490, 3806)",
        columns=("TIME", "PSF_FLUX_RAW", "PSF_FLUX_COR"),
        flux=("PSF_FLUX_COR", "AP1_FLUX_COR", "PSF_FLUX_RAW"),
        flux_unit={"*": "electron/s"},
    ),
    _KEPLER,
    _K2,
    replace(_K2, name="K2 (without MISSION)", header={"MISSION|TELESCOP": "kepler", "CAMPAIGN": r"\d+"}),
    replace(
        _K2,
        name="EVEREST",
        source="https://archive.stsci.edu/hlsp/everest (Luger et al. 2018, AJ 156, 99)",
        columns=("TIME", "FLUX", "FRAW", "FRAW_ERR"),
        flux=("FCOR", "FLUX", "FRAW"),
        errors=dict.fromkeys(("FCOR", "FLUX", "FRAW"), "FRAW_ERR"),
        rename={"QUALITY": "quality"},
    ),
    replace(
        _K2,
        name="K2SC",
        source="https://archive.stsci.edu/prepds/k2sc (Aigrain, Parviainen & Pope 2016, MNRAS 459, 2408)",
        columns=("time", "flux", "error", "mflags"),
        time="time",
        flux=("flux",),
        errors={"flux": "error"},
        flux_unit={"*": "electron/s"},
    ),
    replace(
        _KEPLER,
        name="KEPSEISMIC",
        source="https://archive.stsci.edu/prepds/kepseismic (Garcia et al. 2011, MNRAS 414, L6); lightkurve PR 1443",
        header={"MISSION|TELESCOP": "kepler", "MJD-BEG": ".+", "MJD-END": ".+"},
        columns=("TIME", "FLUX"),
        time_format="mjd",
        flux=("FLUX",),
        flux_unit={"*": "ppm"},
    ),
    replace(
        _KEPLER,
        name="K2SFF",
        source="https://archive.stsci.edu/hlsp/k2sff (Vanderburg & Johnson 2014, PASP 126, 948)",
        header={"KEPLERID|OBJECT": r"(EPIC )?\d+"},
        columns=("T", "FRAW", "FCOR"),
        time="T",
        flux=("FCOR", "FRAW"),
        flux_unit={"*": "relative"},
        mission=_K2.mission,
    ),
    _NEOWISE,
    replace(
        _NEOWISE,
        name="AllWISE multi-epoch photometry",
        source="https://wise2.ipac.caltech.edu/docs/release/allwise/expsup (Cutri et al. 2013)",
        columns=("mjd", "w1mpro_ep", "w1sigmpro_ep"),
        mag="w1mpro_ep",
        errors={f"w{band}mpro_ep": f"w{band}sigmpro_ep" for band in range(1, 5)},
    ),
    Survey(
        name="CHEOPS",
        source="CHEOPS Data Product Definition Document, SCI_COR_Lightcurve",
        columns=("UTC_TIME", "MJD_TIME", "BJD_TIME", "FLUX", "FLUXERR"),
        time="BJD_TIME",
        time_format="bjd",
        flux=("FLUX",),
        errors={"FLUX": "FLUXERR"},
        flux_unit={"*": "electron"},
        times=_BARYCENTRIC,
        fields={"obj_id": "TARGNAME", "ra": "RA_TARG", "dec": "DEC_TARG", "exp_time": "EXPTIME"},
    ),
    Survey(
        name="SuperWASP",
        source="https://wasp.cerit-sc.cz (Butters et al. 2010, A&A 520, L10)",
        columns=("TMID", "FLUX2", "TAMFLUX2"),
        time="TMID",
        flux=("TAMFLUX2", "FLUX2"),
        flux_unit={"*": "relative"},
        times={"time_scale": "utc", "time_refpos": "heliocenter"},
        fields={"obj_id": "OBJNAME", "ra": "RA_OBJ", "dec": "DEC_OBJ"},
    ),
    Survey(
        name="Swift UVOT",
        source="HEASoft, uvotsource and uvotmaghist (Poole et al. 2008, MNRAS 383, 627)",
        header={"TELESCOP": "SWIFT", "INSTRUME": "UVOT.*"},
        columns=("MAG", "MAG_ERR"),
        time="MET",
        flux=("AB_FLUX_HZ",),
        mag="AB_MAG",
        errors={"AB_MAG": "AB_MAG_ERR", "MAG": "MAG_ERR", "AB_FLUX_HZ": "AB_FLUX_HZ_ERR"},
        filter_col="FILTER",
        filters={
            "WHITE": "uvot::white",
            **{band.upper(): f"uvot::{band}" for band in ("u", "b", "v", "uvw1", "uvm2", "uvw2")},
        },
        magsys={"*": "vega"},
    ),
    Survey(
        name="gPhoton",
        source="https://github.com/cmillion/gPhoton, gAperture (Million et al. 2016, ApJ 833, 292)",
        line="--filter galex::nuv",
        columns=("t0", "t1", "t_mean", "flux_bgsub", "mag_bgsub"),
        time="t_mean",
        time_format="galex",
        flux=("flux_bgsub",),
        mag="mag_bgsub",
        errors={"flux_bgsub": "flux_bgsub_err", "mag_bgsub": "mag_bgsub_err_1"},
        flux_unit={"*": "erg/s/cm2/AA"},
        magsys={"*": "ab"},
    ),
    Survey(
        name="X-ray light curves (OGIP)",
        source="OGIP/93-003, https://heasarc.gsfc.nasa.gov/docs/heasarc/ofwg/docs/rates",
        header={"EXTNAME": "RATE"},
        columns=("TIME", "RATE"),
        time="TIME",
        flux=("RATE",),
        errors={"RATE": "ERROR"},
        flux_unit={"*": "ct/s"},
        fields={"obj_id": "OBJECT", "ra": "RA_OBJ", "dec": "DEC_OBJ"},
    ),
)
