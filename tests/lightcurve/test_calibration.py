"""Units of flux and systems of magnitudes: what becomes the other, and what is never computed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy import units as u

from photseries.errors import InvalidError
from photseries.fields import FIELDS, METADATA, displayed
from photseries.fields.stored import file_metadata, with_defaults
from photseries.lightcurve.calibration import Calibration, calibration_of, unit_in, with_fields_of_altdata
from photseries.lightcurve.curve import light_curve, require_one_brightness
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.metadata import complete_reference
from photseries.lightcurve.samples import samples, unit_of
from photseries.lightcurve.select import metadata_of_selection, select
from photseries.lightcurve.selection import Selection
from photseries.lightcurve.statistics import ColumnSummary, summarize
from photseries.lightcurve.units import flux_unit_of

MJD = 59000 + np.arange(6.0)
FLUX = np.array([1.0, 2.0, 3.0, 2.0, -1.0, 4.0])
ERROR = np.array([0.1, 0.2, np.nan, 0.1, 0.1, 0.2])
MAG = np.array([18.0, 18.1, 18.3, 18.2, 17.9, 18.1])

OF_MAGNITUDES = ("mean_mag", "rms_mag", "robust_mag", "robust_rms", "mag_first", "mag_last", "mag_last_detected")
OF_FLUXES = ("mean_flux", "rms_flux", "robust_flux", "robust_rms_flux")


def calibrated(**fields: Any) -> Calibration:
    return calibration_of(fields)


def summary_of(columns: dict[str, Any], **fields: Any) -> ColumnSummary:
    frame = pd.DataFrame({"mjd": MJD, **columns})
    return summarize(frame, light_curve(frame, calibration_of(fields)))


@pytest.mark.parametrize("unit", ["mJy", "nJy", "Jy", "erg/(s cm2 Hz)", "1e-26 W/(m2 Hz)", "AB"])
def test_statistics_of_a_flux_density_are_those_of_the_same_fluxes_in_microjansky(unit):
    factor = flux_unit_of(unit).microjansky
    assert factor == pytest.approx((1 * u.Unit(unit)).to_value(u.uJy), rel=1e-12)
    given = asdict(summary_of({"flux": FLUX, "fluxerr": ERROR}, flux_unit=unit))
    expected = asdict(summary_of({"flux": FLUX * factor, "fluxerr": ERROR * factor}))
    for name, value in expected.items():
        if isinstance(value, dict):
            continue
        assert given[name] == (value if value is None else pytest.approx(value, rel=1e-12, abs=1e-12)), name
    assert given["mean_flux"] == pytest.approx(FLUX.mean() * factor, rel=1e-12)
    assert given["mag_first"] == pytest.approx((factor * u.uJy).to_value(u.ABmag), abs=1e-9)
    assert given["medians"]["flux"] == np.median(FLUX), "statistics of columns are in the unit of the table"


@pytest.mark.parametrize("unit", ["electron/s", "adu/s", "relative", "ppm", "erg/s/cm2/AA", "nmgy"])
def test_other_fluxes_have_no_magnitudes(unit):
    summary = asdict(summary_of({"flux": FLUX, "fluxerr": ERROR}, flux_unit=unit))
    assert [summary[name] for name in OF_MAGNITUDES] == [None] * len(OF_MAGNITUDES)
    assert summary["mean_flux"] == pytest.approx(FLUX.mean(), rel=1e-12)
    assert summary["rms_flux"] == pytest.approx(FLUX.std(), rel=1e-12)
    # S/N by hand: without an error 1.4826 x median(|1 1 1 3 5|) / sqrt(2).
    snr = [10, 10, 3 / (1.4826 / np.sqrt(2)), 20, -10, 20]
    assert summary["best_snr"] == pytest.approx(20)
    assert summary["median_snr"] == pytest.approx(np.median(snr))
    assert summary["num_detected"] == 4
    assert summary["mjd_last_detected"] == MJD[-1]


@pytest.mark.parametrize("magsys", ["vega", "instrumental"])
@pytest.mark.parametrize("errors", [True, False])
def test_magnitudes_that_are_not_ab_have_no_fluxes(magsys, errors):
    magerr = np.array([0.1, 0.2, np.nan, 0.5, 0.1, 0.0])
    summary = asdict(summary_of({"mag": MAG, **({"magerr": magerr} if errors else {})}, magsys=magsys))
    assert [summary[name] for name in OF_FLUXES] == [None] * len(OF_FLUXES)
    assert summary["mean_mag"] == pytest.approx(MAG.mean(), rel=1e-12)
    assert (summary["mag_first"], summary["mag_last"]) == (18.0, 18.1)
    # The steps are 0.1 0.2 0.1 0.3 0.2; 2.5 / ln 10 turns an error in magnitudes into one of a relative flux.
    noise = 1.4826 * 0.2 / np.sqrt(2)
    pogson = 2.5 / np.log(10)
    snr = pogson / np.where(np.isfinite(magerr) & (magerr > 0) & errors, magerr, noise)
    assert summary["best_snr"] == pytest.approx(snr.max(), rel=1e-9)
    assert summary["median_snr"] == pytest.approx(np.median(snr), rel=1e-9)
    assert summary["worst_snr"] == pytest.approx(snr.min(), rel=1e-9)
    assert summary["num_detected"] == (snr > 3).sum()
    assert summary["mag_last_detected"] == pytest.approx(MAG[snr > 3][-1])


def test_snr_of_magnitudes_follows_time_and_leaves_out_what_is_absent():
    rows = [3, 0, 5, 1, 4, 2]
    mag = np.where(np.arange(6) == 2, 99.0, MAG)
    frame = pd.DataFrame({"mjd": MJD[rows], "mag": mag[rows]})
    snr = signal_to_noise(light_curve(frame, calibrated(magsys="vega")))
    noise = 1.4826 * np.median(np.abs(np.diff(np.delete(mag, 2)))) / np.sqrt(2)
    expected = np.where(mag == 99.0, np.nan, 2.5 / np.log(10) / noise)
    np.testing.assert_allclose(snr, expected[rows], rtol=1e-12)
    few = pd.DataFrame({"mjd": MJD[:2], "mag": MAG[:2]})
    assert np.isnan(signal_to_noise(light_curve(few, calibrated(magsys="vega")))).all()


def test_snr_of_ab_magnitudes_with_errors_is_the_same_either_way():
    frame = pd.DataFrame({"mjd": MJD, "mag": MAG, "magerr": np.linspace(0.1, 0.6, 6)})
    np.testing.assert_allclose(
        signal_to_noise(light_curve(frame)),
        signal_to_noise(light_curve(frame, calibrated(magsys="vega"))),
        rtol=1e-12,
    )


BOTH = {"flux": FLUX, "fluxerr": ERROR, "mag": MAG, "magerr": np.full(6, 0.1)}


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, False),
        ({"flux_unit": "mJy"}, False),
        ({"flux_unit": "electron/s"}, True),
        ({"flux_unit": "electron/s", "brightness": "mag"}, False),
        ({"flux_unit": "electron/s", "brightness": "flux"}, False),
        ({"magsys": "vega"}, True),
        ({"magsys": "vega", "brightness": "flux"}, False),
    ],
)
def test_two_brightnesses_that_do_not_convert_need_a_choice(fields, refused):
    frame = pd.DataFrame({"mjd": MJD, **BOTH})
    for one in ("flux", "mag"):
        require_one_brightness(frame.drop(columns=one), calibrated(**fields))
    if refused:
        with pytest.raises(InvalidError, match="Set brightness to flux or mag") as caught:
            require_one_brightness(frame, calibrated(**fields))
        assert set(caught.value.fields) == {"brightness"}
    else:
        require_one_brightness(frame, calibrated(**fields))


def test_the_named_brightness_counts_and_the_other_does_not():
    by_mag = asdict(summary_of(BOTH, flux_unit="electron/s", brightness="mag"))
    assert by_mag["mean_mag"] == pytest.approx(MAG.mean())
    assert [by_mag[name] for name in OF_FLUXES] == [None] * 4
    assert by_mag["best_snr"] == pytest.approx(2.5 / np.log(10) / 0.1)
    by_flux = asdict(summary_of(BOTH, flux_unit="electron/s", brightness="flux"))
    assert by_flux["mean_flux"] == pytest.approx(FLUX.mean())
    assert by_flux["mean_mag"] is None
    of_ab = asdict(summary_of(BOTH, flux_unit="mJy", brightness="mag"))
    np.testing.assert_allclose(of_ab["mean_flux"], (MAG * u.ABmag).to_value(u.uJy).mean(), rtol=1e-9)
    frame = pd.DataFrame({"mjd": MJD, **BOTH})
    assert (unit_of(frame), unit_of(frame, calibrated(brightness="mag"))) == ("flux", "mag")


def test_errors_of_the_other_kind_count_only_where_the_one_becomes_the_other():
    frame = pd.DataFrame({"mjd": MJD, "mag": MAG, "fluxerr": ERROR})
    assert np.isfinite(light_curve(frame, calibrated(flux_unit="mJy")).magerr).any()
    assert np.isnan(light_curve(frame, calibrated(magsys="vega")).magerr).all()
    frame = pd.DataFrame({"mjd": MJD, "flux": FLUX, "magerr": ERROR})
    assert np.isnan(light_curve(frame, calibrated(flux_unit="ct")).fluxerr).all()


REFUSED = {
    "electron/s": ("mag", "magerr", "magtot", "e_magtot"),
    "vega": ("flux", "fluxerr", "magtot", "e_magtot"),
}


@pytest.mark.parametrize("derive", ["mag", "magerr", "flux", "fluxerr", "magtot", "e_magtot", "snr", "mjd_mid"])
@pytest.mark.parametrize("of", REFUSED)
def test_underivable_columns_are_refused_by_name(of, derive):
    is_flux = of == "electron/s"
    frame = pd.DataFrame({"mjd": MJD, **({"flux": FLUX} if is_flux else {"mag": MAG})})
    fields = {"flux_unit": of} if is_flux else {"magsys": of}
    part = Selection(derive=(derive,))
    if derive not in REFUSED[of]:
        assert derive in select(frame, part, fields)
        return
    with pytest.raises(InvalidError, match=f"cannot be converted to {derive}") as caught:
        select(frame, part, fields)
    assert set(caught.value.fields) == {"derive"}
    assert ("electron/s" in caught.value.message) == is_flux
    assert ("Vega" in caught.value.message) != is_flux


def test_derived_fluxes_are_in_microjansky_with_every_flux_beside_them():
    frame = pd.DataFrame({"mjd": MJD, "flux": FLUX, "fluxerr": np.full(6, 0.5), "sky": 7.0})
    fields = {"flux_unit": "mJy"}
    part = Selection(derive=("flux",))
    got = select(frame, part, fields)
    np.testing.assert_allclose(got["flux"], FLUX * 1000, rtol=1e-12)
    np.testing.assert_allclose(got["fluxerr"], 500.0, rtol=1e-12)
    assert got["sky"].tolist() == [7.0] * 6
    assert metadata_of_selection(part, fields)["flux_unit"] == "uJy"
    untouched = Selection(derive=("snr",))
    assert select(frame, untouched, fields)["flux"].tolist() == FLUX.tolist()
    assert metadata_of_selection(untouched, fields)["flux_unit"] == "mJy"
    counts = Selection(derive=("flux",))
    assert select(frame, counts, {"flux_unit": "ct"})["flux"].tolist() == FLUX.tolist()
    assert metadata_of_selection(counts, {"flux_unit": "ct"})["flux_unit"] == "ct"


def test_samples_of_an_absent_brightness_are_refused():
    frame = pd.DataFrame({"mjd": MJD, "flux": FLUX})
    assert samples(frame, "flux", calibrated(flux_unit="mJy")).value.tolist() == (FLUX * 1000).tolist()
    with pytest.raises(InvalidError, match="fluxes in adu, which cannot be converted to mag") as caught:
        samples(frame, "mag", calibrated(flux_unit="adu"))
    assert set(caught.value.fields) == {"brightness"}


@pytest.mark.parametrize(
    ("fields", "flux", "mag"),
    [
        ({}, "flux [µJy]", "AB magnitude"),
        ({"flux_unit": "mJy"}, "flux [µJy]", "AB magnitude"),
        ({"flux_unit": "e-/s"}, "flux [electron/s]", "magnitude"),
        ({"flux_unit": "e-/s", "brightness": "mag"}, "flux [electron/s]", "AB magnitude"),
        ({"flux_unit": "relative"}, "relative flux", "magnitude"),
        ({"flux_unit": "ppm", "magsys": "vega"}, "flux [ppm]", "Vega magnitude"),
        ({"magsys": "instrumental"}, "flux [µJy]", "instrumental magnitude"),
    ],
)
def test_axes_are_labelled_with_unit_and_system(fields, flux, mag):
    calibration = calibration_of(fields)
    assert (calibration.label("flux"), calibration.label("mag")) == (flux, mag)
    assert calibration.describe("flux")["label"] == flux
    assert calibration.describe("mag")["magsys"] == fields.get("magsys", "ab")


def test_columns_say_their_unit_and_system():
    assert meaning("flux", {}).unit == "uJy"
    assert meaning("fluxerr", {"flux_unit": "mJy"}).unit == "mJy"
    assert meaning("flux", {"flux_unit": "erg/s/cm2/Hz"}).ucd == "phot.flux.density"
    assert meaning("flux", {"flux_unit": "electron / s"}).unit == "electron/s"
    relative = meaning("flux", {"flux_unit": "relative"})
    assert (relative.unit, relative.ucd, relative.description) == (None, "phot.flux", "relative flux")
    words = [meaning("mags", {"magsys": magsys}).description for magsys in ("ab", "vega", "instrumental")]
    assert words == ["AB magnitude", "Vega magnitude", "instrumental magnitude"]


def test_units_of_fields_follow_the_series():
    vega = {"magsys": "vega", "flux_unit": "electron/s"}
    assert [unit_in(FIELDS[name], {}) for name in ("mean_mag", "rms_mag", "mean_flux", "exp_time")] == [
        "AB", "mag", "uJy", "s",
    ]  # fmt: skip
    assert [unit_in(FIELDS[name], vega) for name in ("mean_mag", "rms_mag", "mean_flux")] == [
        "Vega", "mag", "electron/s",
    ]  # fmt: skip
    assert unit_in(FIELDS["magref"], {"magsys": "instrumental"}) == "mag"
    assert unit_in(FIELDS["mean_flux"], {"flux_unit": "relative"}) is None


@pytest.mark.parametrize(
    ("metadata", "units"),
    [
        ({"features_of": "mag", "flux_unit": "mJy"}, ["mag", "mag/d", None, "d"]),
        ({"features_of": "flux", "flux_unit": "electron/s"}, ["electron/s", "electron/s/d", None, "d"]),
        ({"features_of": "flux", "flux_unit": "mJy"}, ["uJy", "uJy/d", None, "d"]),
        ({"features_of": "flux", "flux_unit": "relative"}, [None, "1/d", None, "d"]),
    ],
)
def test_features_have_the_unit_of_what_they_are_computed_from(metadata, units):
    assert [unit_in(FIELDS[name], metadata) for name in ("amplitude", "slope", "skewness", "span")] == units


@pytest.mark.parametrize(
    ("unit", "symbol"),
    [("uJy", "µJy"), ("uJy/d", "µJy/d"), ("deg", "°"), ("erg/s/cm2/Hz", "erg/s/cm2/Hz"), ("1/d", "1/d"), (None, "")],
)
def test_pages_display_the_symbols_of_units(unit, symbol):
    assert displayed(unit) == symbol


#: What clients wrote before there was a field.
OLD = {"flux_calibrated": False}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"altdata": {**OLD, "flux_unit": "electron / s", "camera": 2}}, ("electron/s", {"camera": 2})),
        ({"altdata": {**OLD, "flux_unit": "relative units"}}, ("relative", None)),
        ({"altdata": {**OLD, "flux_unit": "furlong"}}, ("relative", None)),
        ({"altdata": OLD}, ("relative", None)),
        ({"altdata": {**OLD, "flux_unit": 7}}, ("relative", None)),
        ({"altdata": {**OLD, "flux_unit": "ct"}, "flux_unit": "uJy"}, ("uJy", None)),
        ({"altdata": {"flux_calibrated": True, "note": 1}}, (None, {"flux_calibrated": True, "note": 1})),
        ({"altdata": {"flux_unit": "ct"}}, (None, {"flux_unit": "ct"})),
        ({"altdata": None}, (None, None)),
        ({"altdata": "flux_calibrated"}, (None, "flux_calibrated")),
        ({}, (None, None)),
    ],
)  # fmt: skip
def test_altdata_of_older_clients_become_fields(fields, expected):
    before = {name: dict(value) if isinstance(value, dict) else value for name, value in fields.items()}
    moved = with_fields_of_altdata(fields)
    assert (moved.get("flux_unit"), moved.get("altdata")) == expected
    assert fields == before
    assert with_fields_of_altdata(moved) == moved


def test_a_row_from_before_the_fields_means_what_its_altdata_say():
    row = {"flux_unit": "uJy", "magsys": "ab", "altdata": {"flux_calibrated": False, "flux_unit": "ct"}}
    assert calibration_of(row).unit == "ct"
    assert with_fields_of_altdata(row, prefer_altdata=True)["flux_unit"] == "ct"


def test_files_omit_default_calibration_fields():
    values = dict.fromkeys(METADATA) | {"obj_id": "star", "time_stamp_alignment": "middle", "owner_id": 1}
    usual = {**values, "flux_unit": "uJy", "magsys": "ab"}
    stored = {"obj_id": "star", "time_stamp_alignment": "middle", "owner_id": 1}
    assert file_metadata(usual) == stored
    assert with_defaults(stored) == {**stored, "flux_unit": "uJy", "magsys": "ab"}
    other = {**values, "flux_unit": "ct", "magsys": "vega", "brightness": "mag"}
    assert file_metadata(other) == {**stored, "flux_unit": "ct", "magsys": "vega", "brightness": "mag"}
    assert with_defaults(file_metadata(other)) == file_metadata(other)


@pytest.mark.parametrize("fields", [{"magsys": "vega"}, {"magsys": "instrumental"}, {"flux_unit": "electron/s"}])
def test_references_are_converted_only_if_calibrated(fields):
    given = {"magref": 15.0, "e_magref": 0.1, **fields}
    assert complete_reference(given) == {**given, "ref_flux": None, "ref_fluxerr": None}
    flux = {"ref_flux": 100.0, "ref_fluxerr": 1.0, **fields}
    assert complete_reference(flux) == {**flux, "magref": None, "e_magref": None}
    derived = complete_reference({"magref": 15.0, "e_magref": 0.1})
    assert derived["ref_flux"] == pytest.approx((15.0 * u.ABmag).to_value(u.uJy), rel=1e-9)
    assert complete_reference({**derived, **fields}) == complete_reference(given)
    both = {"magref": 15.0, "e_magref": None, "ref_flux": 7.0, "ref_fluxerr": None, **fields}
    assert complete_reference(both) == both
