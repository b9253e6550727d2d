"""Positions as people write them, held against astropy."""

import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from photseries.errors import InvalidError
from photseries.lightcurve.positions import angle, parse_position, position_in_name, sexagesimal

CRAB = SkyCoord("5h34m31.9s +22d00m52s")
SAME = (
    "05:34:31.9 +22:00:52",
    "5h34m31.9s +22d00m52s",
    "05 34 31.9 +22 00 52",
    "05 34 31.9, 22 00 52",
    "05:34:31.9+22:00:52",
    "05h34m31.9s +22°00'52\"",
    "  RA 05:34:31.9   Dec +22:00:52 ",
)


@pytest.mark.parametrize("text", SAME)
def test_sexagesimal_positions(text):
    ra, dec, radius = parse_position(text)
    assert (ra, dec) == pytest.approx((CRAB.ra.deg, CRAB.dec.deg), abs=1e-9)
    assert radius == 5 / 3600


@pytest.mark.parametrize(
    "text", ["83.63 22.01", "83.63,22.01", "83.63, +22.01", "83.63+22.01", "83.63d 22.01d", "ra=83.63 dec=22.01"]
)
def test_decimal_positions(text):
    assert parse_position(text) == (83.63, 22.01, 5 / 3600)


@pytest.mark.parametrize(
    ("suffix", "degrees"),
    [
        (' 5"', 5 / 3600),
        (" 2 arcmin", 2 / 60),
        (" 2'", 2 / 60),
        (", r=0.5 deg", 0.5),
        (" radius 30 arcsec", 30 / 3600),
        (" 1°", 1),
        (" 3″", 3 / 3600),
    ],
)
@pytest.mark.parametrize("text", ["83.63 22.01", "83.63 -22.01", "5h34m31.2s -22d00m36s"])
def test_a_radius_has_a_unit(text, suffix, degrees):
    ra, dec, radius = parse_position(text + suffix)
    assert (ra, abs(dec), radius) == pytest.approx((83.63, 22.01, degrees))


def test_the_sign_of_a_declination_near_the_equator():
    assert parse_position("00:00:00.0 -00:00:36")[1] == pytest.approx(-0.01)


@pytest.mark.parametrize(
    "text", ["", "RR Lyr", "114807149", "TIC 123 4", "V404 Cyg", "2MASS J05343194+2200522", "83.63 22.01 7", "x" * 200]
)
def test_invalid_positions_are_refused(text):
    assert parse_position(text) is None


@pytest.mark.parametrize(
    "text", ["360 10", "10 90.1", "24:00:00 +10:00:00", "05:60:00 +10:00:00", "10 10 0 arcsec", "10 10 181 deg"]
)
def test_positions_off_the_sky_are_refused(text):
    with pytest.raises(InvalidError):
        parse_position(text)


def test_names_of_the_form_of_the_iau_have_positions():
    ra, dec, radius = position_in_name("SDSS J053431.94+220052.2")
    assert SkyCoord(ra, dec, unit="deg").separation(SkyCoord("5h34m31.94s +22d00m52.2s")) < 1e-6 * units.arcsec
    assert radius == 5 / 3600
    assert position_in_name("J0534-2200 2 arcmin")[2] == pytest.approx(2 / 60)
    assert position_in_name("RR Lyr") is None


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("J0012+0034", "0h13m +0d35m"),
        ("J001234+0034", "0h12m35s +0d35m"),
        ("J0012+003456", "0h13m +0d34m57s"),
        ("J001234+003456", "0h12m35s +0d34m57s"),
        ("J001234.5-003456.7", "0h12m34.6s -0d34m56.8s"),
    ],
)
def test_the_circle_of_a_name_covers_all_positions_with_its_digits(name, last):
    ra, dec, radius = position_in_name(name)
    farthest = SkyCoord(ra, dec, unit="deg").separation(SkyCoord(last)).deg
    assert farthest == pytest.approx(radius, rel=1e-3) or farthest < radius == 5 / 3600


@pytest.mark.parametrize(
    "position", [(83.6329166, 22.0144444), (359.9999999, -0.0000001), (0, -90), (211.7353, 12.6127)]
)
def test_sexagesimal_is_read_back(position):
    ra, dec, _ = parse_position(sexagesimal(*position))
    assert SkyCoord(ra, dec, unit="deg").separation(SkyCoord(*position, unit="deg")) < 0.11 * units.arcsec


def test_angles_have_the_unit_that_fits():
    angles = (4.2 / 3600, 9.9 / 3600, 12 / 3600, 59 / 3600, 1.5 / 60, 12 / 60, 59 / 60, 1, 3.4, 9.9, 10.6, 48)
    expected = ['4.2"', '9.9"', '12"', '59"', "1.5'", "12'", "59'", "1°", "3.4°", "9.9°", "11°", "48°"]
    assert [angle(one) for one in angles] == expected
