"""How the sky is divided for an export, and that every series is in one part; without the packages that write it."""

import sys

import numpy as np
import pytest

from photseries.errors import StartError
from photseries.fields import EXPORTED
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue.exporting import cells, fingerprint, members
from photseries.server.hats import Layout, Target, export
from photseries.server.hats.planning import MAX_DEPTH, partitions, span
from tests.support import columns

ROWS = 10


@pytest.fixture
def posted(services, principal):
    """Series all over the sky, five at one place, two of a source whose second lies elsewhere."""
    draw = np.random.default_rng(1)
    places = [*draw.uniform((0, -90), (360, 90), (12, 2)).tolist(), *[[10.0, -20.0]] * 5]
    for number, (ra, dec) in enumerate(places):
        services.accounts.create(OPERATOR, "sources", {"id": f"star {number}", "ra": ra, "dec": dec})
        services.archive.create(principal, series(f"star {number}", ra, dec))
    services.archive.create(principal, series("star 0", 100.0, 0.0, series_name="moved"))
    return len(places) + 1


def series(obj_id, ra, dec, **more):
    named = {"obj_id": obj_id, "instrument_id": 7, "series_name": "night", "series_obj_id": obj_id}
    return {**named, "ra": ra, "dec": dec, "exp_time": 1, "filter": "ztfg", "data": columns(ROWS), **more}


@pytest.mark.parametrize("by_source", [False, True])
@pytest.mark.parametrize("most", [1, 100, 10**6])
def test_every_series_is_in_one_partition(services, posted, by_source, most):
    found = []
    with services.catalogue.reading() as connection:
        planned = list(
            partitions(lambda order, within: cells(connection, OPERATOR, order, within, by_source=by_source), most)
        )
        for tile, cell in planned:
            inside = members(connection, OPERATOR, *span(tile), by_source=by_source)
            assert fingerprint(member.mark for member in inside) == cell.fingerprint
            assert cell.weight <= most or tile.order == 0 or cell.low >> 34 == cell.high >> 34
            assert [member.healpix for member in inside] == sorted(member.healpix for member in inside)
            found += [member.blob.series_id for member in inside]
    assert len(found) == len(set(found)) == posted
    assert max(tile.order for tile, _ in planned) <= MAX_DEPTH


def test_the_series_of_a_source_are_together(services, posted):
    with services.catalogue.reading() as connection:
        everything = members(connection, OPERATOR, 0, 12 * 4**29 - 1, by_source=True)
    names = [dict(zip(EXPORTED, member.values, strict=True))["obj_id"] for member in everything]
    first = names.index("star 0")
    assert names[first : first + 2] == ["star 0", "star 0"]
    assert everything[first].healpix == everything[first + 1].healpix


def test_without_the_packages_the_extra_is_named(services, monkeypatch, tmp_path):
    for name in ("hats", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StartError, match=r"needs hats and pyarrow: pip install 'photseries\[server,hats\]'"):
        export(services, OPERATOR, Target(str(tmp_path / "export")), Layout())
    assert not (tmp_path / "export").exists()
