"""Times at the barycentre and at the Sun, against astropy's light travel times."""

import io

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from astropy.time import Time
from astropy.utils import iers

from photseries.errors import InvalidError
from photseries.formats.registry import WRITERS
from photseries.lightcurve.barycentre import FRAMES, derived_time
from photseries.lightcurve.select import select
from photseries.lightcurve.selection import Selection

SITE = {"longitude": -70.4042, "latitude": -24.6272, "height": 2635.0}
MJD = np.sort(np.random.default_rng(3).uniform(48000, 61000, 200))
DENSE = 59000 + np.arange(1000) / 5000
TEN_MICROSECONDS = 1e-5 / 86400


def metadata(**more):
    return {"ra": 75.43, "dec": -69.17, "time_scale": "utc", "time_refpos": "topocenter", **SITE, **more}


def truth(name, mjd, fields):
    """The same by astropy."""
    place = EarthLocation.from_geodetic(*(fields[part] for part in ("longitude", "latitude", "height")))
    if fields["time_refpos"] == "geocenter":
        place = EarthLocation.from_geocentric(0, 0, 0, unit=u.m)
    times = Time(np.full(len(mjd), 2400000.5), mjd, format="jd", scale=fields["time_scale"], location=place)
    star = SkyCoord(fields["ra"], fields["dec"], unit="deg")
    kind = {"bjd_tdb": "barycentric", "hjd_utc": "heliocentric", "mjd_tdb": None}[name]
    travelled = 0 if kind is None else times.light_travel_time(star, kind, ephemeris="builtin").to_value("d")
    return getattr(times, FRAMES[name][0]).mjd + travelled


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("scale", ["utc", "tai", "tt", "tdb"])
@pytest.mark.parametrize("place", ["topocenter", "geocenter"])
@pytest.mark.parametrize("mjd", [MJD, DENSE], ids=["sparse", "dense"])
def test_times_are_those_of_astropy(name, scale, place, mjd):
    fields = metadata(time_scale=scale, time_refpos=place)
    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("iers_degraded_accuracy", "ignore"):
        right = truth(name, mjd, fields)
    assert np.abs(derived_time(name, mjd, fields) - right).max() < TEN_MICROSECONDS


def test_the_correction_is_that_of_a_source_on_the_ecliptic():
    """Over a year the light of such a source is early and late by the radius of the Earth's orbit."""
    mjd = 59000 + np.arange(0, 366.0)
    fields = metadata(ra=0.0, dec=0.0, time_scale="tdb", time_refpos="geocenter")
    shift = (derived_time("bjd_tdb", mjd, fields) - mjd) * 86400
    assert np.ptp(shift) / 2 == pytest.approx(499, abs=9)


def test_barycentric_times_are_only_converted_in_scale():
    fields = metadata(time_refpos="barycenter", time_scale="tdb", longitude=None)
    assert derived_time("bjd_tdb", MJD, fields).tolist() == MJD.tolist()
    assert derived_time("mjd_tdb", MJD, fields).tolist() == MJD.tolist()


def test_absent_times_stay_absent():
    found = derived_time("bjd_tdb", np.array([np.nan, 59000.0]), metadata())
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "changed", "words"),
    [
        ("bjd_tdb", {"time_scale": None}, "the time_scale of the series is unknown"),
        ("mjd_tdb", {"time_scale": None}, "the time_scale of the series is unknown"),
        ("bjd_tdb", {"time_refpos": None}, "the time_refpos of the series is unknown"),
        ("hjd_utc", {"time_refpos": "barycenter"}, "the time_refpos of the series is barycenter"),
        ("bjd_tdb", {"height": None}, "the instrument has no longitude, latitude and height"),
    ],
)
def test_missing_metadata_are_requested(name, changed, words):
    frame = pd.DataFrame({"mjd": MJD, "flux": 1.0})
    with pytest.raises(InvalidError, match=words) as caught:
        select(frame, Selection(derive=(name,)), metadata(**changed))
    assert set(caught.value.fields) == {"derive"}
    assert np.isnan(derived_time(name, MJD, metadata(**changed))).all()


def test_a_time_that_is_no_date_is_refused():
    with pytest.raises(InvalidError, match="not a date"):
        derived_time("bjd_tdb", np.array([-1e12]), metadata())


@pytest.fixture
def part():
    return select(pd.DataFrame({"mjd": MJD, "flux": 1.0}), Selection(derive=tuple(FRAMES)), metadata())


SYSTEMS = {
    "mjd": ("UTC", "TOPOCENTER"),
    "bjd_tdb": ("TDB", "BARYCENTER"),
    "hjd_utc": ("UTC", "HELIOCENTER"),
    "mjd_tdb": ("TDB", "TOPOCENTER"),
}


def test_a_fits_file_states_the_frame_of_each_time_column(part):
    with fits.open(io.BytesIO(WRITERS["fits"].write(part, metadata()))) as hdus:
        header = hdus[1].header
        for number, column in enumerate(hdus[1].columns.names, 1):
            if column in SYSTEMS:
                scale, place = SYSTEMS[column]
                assert header[f"TCTYP{number}"] == scale
                assert header.get(f"TRPOS{number}", header["TREFPOS"]) == place


def test_a_votable_says_the_frame_of_each_time(part):
    table = parse(io.BytesIO(WRITERS["votable"].write(part, metadata())))
    systems = {one.ID: (one.timescale, one.refposition) for one in table.resources[0].time_systems}
    found = {field.name: systems[field.ref] for field in table.get_first_table().fields if field.ref in systems}
    assert found == SYSTEMS


def test_words_say_the_frame_of_each_time(part):
    text = WRITERS["ecsv"].write(part, metadata()).decode()
    for scale, place in SYSTEMS.values():
        assert f"scale {scale}, reference position {place}" in text
