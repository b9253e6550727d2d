"""Units of flux, held against astropy's parser."""

from __future__ import annotations

import warnings

import pytest
from astropy import units as astropy_units

from photseries.lightcurve.units import FluxUnit, flux_unit_of

#: What astropy knows too, and this parser must read alike.
KNOWN = [
    "Jy", "mJy", "uJy", "nJy", "kJy", "MJy", "GJy", "pJy", "fJy", "cJy", "dJy", "daJy", "hJy", "µJy", "μJy",
    "AB", "ABflux", "erg/s/cm2/Hz", "erg / (Hz s cm2)", "erg s-1 cm-2 Hz-1", "erg.s-1.cm-2.Hz-1",
    "erg/(s.cm2.Hz)", "erg/(s*cm**2*Hz)", "erg/s/cm^2/Hz", "erg / s / cm2 / Hz", "erg cm-2", "erg s / (s cm2)",
    "W/m2/Hz", "W m-2 Hz-1", "W/(m2 Hz)", "W/m**2/Hz", "mW/m2/Hz", "J/m2", "J m-2", "1e-26 W/m2/Hz",
    "10**-29 W/m**2/Hz", "10-26 W m-2 Hz-1", "1e-29 erg/s/cm2/Hz", "1.5e3 Jy", "1000 Jy", "1e-3 Jy", "eV/s/cm2/Hz",
    "keV/(s cm2 keV)", "keV/s/cm2/Hz", "erg/s/cm2/AA", "erg/s/cm2/Angstrom", "erg s-1 cm-2 angstrom-1", "W/m2/um",
    "W/m^2/um", "W/m2/micron", "erg/s/cm2", "W/m2", "W", "erg/s", "1e-17 erg/s/cm2/AA", "photon/(s cm2 AA)",
    "ph/s/cm2", "ph/s", "photon/s", "photon", "ph/(s cm2 Hz)", "electron", "electron/s", "electron / s", "electron s-1",
    "electron.s-1", "electron/min", "adu", "adu/s", "adu / s", "adu s-1", "kadu/s", "adu/pix", "DN", "dn", "DN/s",
    "dn/s", "ct", "ct/s", "ct / s", "count", "count/s", "kct/s", "ct/h", "ct/d", "count/day", "ct/s/cm2", "ct/pix",
    "%", "percent", "pct", "pct Jy", "nmgy", "mgy", "maggy", "Jy/beam", "mJy/beam", "Jy/sr", "MJy/sr", "Jy/arcsec2",
    "Jy.arcsec-2",
    "Jy/pixel", "uJy/pix", "Jy Hz", "Jy2", "Jy**2", "Jy^(2)", "Jy s/s", "g/s2", "kg s-2", "electron/s/pix",
    "ph s-1 m-2", "rad", "deg", "arcmin", "electron/hr", "electron/hour", "Jy/bin", "Jy chan", "kg.s**(-2)",
]  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_units_mean_what_they_mean_in_astropy(text: str) -> None:
    with warnings.catch_warnings(action="ignore", category=astropy_units.UnitsWarning):  # of more than one slash
        known = astropy_units.Unit(text)
        named = astropy_units.Unit(flux_unit_of(text).name)
    density = known.to(astropy_units.uJy) if known.is_equivalent(astropy_units.uJy) else None
    read = flux_unit_of(text)
    assert read.microjansky == (None if density is None else pytest.approx(density, rel=1e-12))
    assert read.standard is not None
    assert astropy_units.Unit(read.standard) == known
    assert named == known


def test_the_list_has_a_hundred_units_of_either_kind() -> None:
    assert len(KNOWN) >= 100
    densities = [text for text in KNOWN if flux_unit_of(text).microjansky is not None]
    assert 30 < len(densities) < 70


@pytest.mark.parametrize("text", ["uJy", "mJy", "erg/s/cm2/Hz", "1e-26 W/m2/Hz", "ct/s", "adu/s", "Jy/beam"])
@pytest.mark.parametrize("form", ["fits", "vounit"])
def test_the_standard_spelling_is_read_in_files(text: str, form: str) -> None:
    standard = flux_unit_of(text).standard
    with warnings.catch_warnings(action="ignore", category=astropy_units.UnitsWarning):
        known = astropy_units.Unit(text)
        assert astropy_units.Unit(standard, format=form) == known


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relative", FluxUnit("relative", None, None)),
        ("ppm", FluxUnit("ppm", "ppm", None)),
        ("ppt", FluxUnit("ppt", "ppt", None)),
        ("e-/s", FluxUnit("electron/s", "electron/s", None)),
        ("ADU / s", FluxUnit("adu/s", "adu/s", None)),
        ("counts/s", FluxUnit("count/s", "count/s", None)),
        ("photons / s", FluxUnit("photon/s", "photon/s", None)),
        ("nanomaggies", FluxUnit("nmgy", "nmgy", None)),
        (" mJy ", FluxUnit("mJy", "mJy", 1000.0)),
        ("erg / s / cm2 / Hz", FluxUnit("erg/s/cm2/Hz", "erg.s-1.cm-2.Hz-1", 1e29)),
    ],
)
def test_names_are_stored_as_given_but_for_spaces_and_common_spellings(text: str, expected: FluxUnit) -> None:
    assert flux_unit_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "flux", "ujy", "UJY", "mag", "dex", "1", "0.001", "1e-26", "Jy/", "/s", "(Jy", "Jy)", "()", "Jy()",
        "Jy//s", "Jy**", "Jy * * s", "kelectron", "electron/s 3", "Jy;", "Jy\0", "Jy^0.5", "relative/s", "x" * 200,
        "Jy " * 60, "0 Jy", "1e-400 Jy", "1e400 Jy", "Jy99999999", "(" * 90,
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a known unit of flux"):
        flux_unit_of(text)
