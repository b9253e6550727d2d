"""Analyses as use cases: they take plain values, return typed ones, and follow a series that changes under them."""

import numpy as np
import pytest

from photseries.errors import DamagedError, InvalidError, NotFoundError
from photseries.lightcurve.periodogram import SearchOptions
from photseries.server.archive.analysis import PointSelection
from photseries.server.principal import Principal
from tests.server.archive.test_order import body

#: A sinusoid of 0.8 d, with a column in which every fifth row is flagged.
MJD = 60000 + np.sort(np.random.default_rng(1).uniform(0, 20, 200))
FLUX = 100 + 10 * np.sin(2 * np.pi * MJD / 0.8)
TABLE = {
    "mjd": MJD.tolist(),
    "flux": FLUX.tolist(),
    "fluxerr": [1.0] * 200,
    "flag": [int(n % 5 == 0) for n in range(200)],
}


@pytest.fixture
def found(services, principal):
    return services.reader.get(principal, services.archive.create(principal, body(data=TABLE)).id)


def test_a_periodogram_of_selected_points(services, principal, found):
    chosen = PointSelection(quality="flag", mjd_max=60010.0)
    options = SearchOptions(min_period=0.5, max_period=1.5, max_peaks=3)
    seen, computed = services.analysis.periodogram(
        principal, found, chosen, options, method="lomb_scargle", max_points=50
    )
    assert seen == found
    assert computed["num_points"] == np.count_nonzero((MJD <= 60010) & (np.arange(200) % 5 != 0))
    assert (computed["brightness"], computed["weighted"]) == ("flux", True)
    assert computed["peaks"][0].period == pytest.approx(0.8, rel=1e-3)
    assert len(computed["peaks"]) <= 3
    assert len(computed["frequency"]) == len(computed["power"]) <= 50 < computed["num_frequencies"]
    assert 0.5 <= computed["min_period"] < computed["max_period"] == pytest.approx(1.5)
    steps = np.diff(computed["frequency"])
    assert steps[:24] == pytest.approx(steps[0])
    assert steps[24:].max() > 2 * steps[0], "only the lowest half of the frequencies is complete"


def test_a_folded_light_curve(services, principal, found):
    _, folded = services.analysis.fold(
        principal, found, PointSelection(), period=0.8, epoch=60000.0, bins=4, max_points=100
    )
    assert folded["num_points"] == 200
    assert folded["phase"] == pytest.approx((MJD[::2] - 60000) / 0.8 % 1)
    assert folded["value"].tolist() == FLUX[::2].tolist()
    quarter = np.floor((MJD - 60000) / 0.8 % 1 * 4)
    assert folded["bins"].mean == pytest.approx([FLUX[quarter == n].mean() for n in range(4)])
    _, by_default = services.analysis.fold(principal, found, PointSelection(), period=0.8, bins=4, max_points=100)
    assert by_default["epoch"] == MJD[0]


def test_series_changed_or_deleted_during_analysis_is_handled(services, principal, found):
    """Without grace its old file is gone: the analysis is of the new revision, and says so."""
    services.archive.update(principal, found.blob.series_id, {"data": {"mjd": [1, 2, 3], "flux": [4.0, 5.0, 6.0]}})
    fold = {"period": 2.0, "epoch": 0.0, "bins": 1, "max_points": 10}
    assert services.analysis.fold(principal, found, PointSelection(), **fold)[1]["num_points"] == 200, (
        "the file is kept"
    )
    services.store.delete(found.blob.filename)
    seen, folded = services.analysis.fold(principal, found, PointSelection(), **fold)
    assert (seen.revision, folded["value"].tolist()) == (2, [4, 5, 6])
    stranger = Principal(10**6, "stranger", 10**6)
    with pytest.raises(NotFoundError):
        services.analysis.fold(stranger, found, PointSelection(), **fold)
    services.store.delete(seen.blob.filename)
    with pytest.raises(DamagedError):
        services.analysis.fold(principal, seen, PointSelection(), **fold)


def test_plot_has_a_light_curve(services, principal, found):
    style = {"size": (300, 200), "theme": "light", "time": "mjd"}
    assert services.analysis.plot(principal, found, PointSelection("mag"), **style)[1].startswith(b"\x89PNG")
    with pytest.raises(InvalidError, match="No row"):
        services.analysis.plot(principal, found, PointSelection(mjd_min=7e4), **style)
