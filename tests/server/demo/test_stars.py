"""The formulas of the demo, and the light curves that they make."""

import numpy as np
import pandas as pd
import pytest

from photseries.lightcurve.statistics import summarize
from photseries.server.demo import STARS, shapes
from photseries.server.demo.stars import tables

TIME = np.linspace(59000, 59010, 20_001)


def test_a_transit_is_as_deep_and_as_long_as_it_was_asked_for():
    light = shapes.transit(TIME, period=2.5, epoch=59001, depth=0.01, duration=0.2)
    lost = 1 - light
    assert lost[TIME == 59001].item() == pytest.approx(
        0.01 / (1 - 0.40 / 3 - 0.25 / 6)
    )  # the middle of a disk is bright
    inside = TIME[(lost > 0) & (np.abs(TIME - 59001) < 1)]
    assert inside.max() - inside.min() == pytest.approx(0.2, abs=2e-3)
    assert ((lost > 0) == (np.abs((TIME - 59001 + 1.25) % 2.5 - 1.25) < 0.1))[::7].all()


def test_an_rr_lyrae_rises_faster_than_it_falls_and_repeats():
    shape = {"period": 0.5, "epoch": 59000, "amplitude": 1.0}
    light = shapes.pulsation(TIME, **shape)
    assert 2.5 * np.log10(light.max() / light.min()) == pytest.approx(1.1, abs=0.15)
    assert (np.diff(light) > 0).mean() < 0.3
    np.testing.assert_allclose(shapes.pulsation(TIME + 0.5, **shape), light, rtol=1e-5)


def test_the_deeper_eclipse_is_the_primary():
    light = shapes.eclipses(TIME, period=2, epoch=59001, depths=(0.4, 0.1), width=0.03, ellipsoidal=0.0)
    assert light[TIME == 59001].item() == pytest.approx(0.6)
    assert light[TIME == 59002].item() == pytest.approx(0.9)
    assert light[TIME == 59001.5].item() == pytest.approx(1)


def test_a_supernova_is_brightest_at_one_and_fades():
    light = shapes.supernova(TIME, epoch=59004, rise=0.3, fall=2.0)
    assert light.max() == pytest.approx(1, abs=1e-6)
    assert light[0] < 1e-4
    assert light[-1] == pytest.approx(np.exp(-6 / 2.0) / np.exp(-(TIME[light.argmax()] - 59004) / 2.0), rel=0.2)


def test_a_flare_has_its_height_and_its_width():
    light = shapes.flares(TIME, [(59003, 0.05, 2.0)])
    assert light.max() == 3
    above = TIME[light >= 2]
    assert above.max() - above.min() == pytest.approx(0.05, rel=0.15)
    assert light[TIME < 59002.9].max() == 1


@pytest.mark.parametrize("star", STARS, ids=lambda star: star.obj_id)
def test_a_star_is_the_same_each_time_and_looks_observed(star):
    for (name, columns), again in zip(tables(star), tables(star), strict=True):
        assert again == (name, columns)
        mjd, flux = np.array(columns["mjd"]), np.array(columns["flux"], float)
        assert np.all(np.diff(mjd) > 0)
        assert np.diff(mjd).max() > 3 * np.median(np.diff(mjd)), "gaps"
        assert any(columns["quality"])
        assert np.isfinite(flux).mean() > 0.99
        assert np.all(np.array(columns["fluxerr"]) > 0)


def test_the_rr_lyrae_is_detected_in_every_row():
    star = next(star for star in STARS if star.obj_id == "Demo RR Lyrae")
    for _, table in tables(star):
        snr = np.asarray(table["flux"]) / np.asarray(table["fluxerr"])
        summary = summarize(pd.DataFrame(table))
        assert summary.worst_snr == pytest.approx(snr.min(), rel=1e-12)
        assert snr.min() > 67
        assert summary.num_detected == summary.num_exp == len(snr)
