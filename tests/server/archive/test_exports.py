"""What an export refuses before it begins, and what ends it."""

import sys

import pandas as pd
import pytest

from photseries.errors import DamagedError, InvalidError, NotInstalledError, UnavailableError
from photseries.formats import EXPORTS, long_hdf5, long_parquet
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.selection import Selection
from photseries.parameters import Query
from photseries.server.accounts import OPERATOR
from photseries.server.archive import exports
from tests.support import columns

BODY = {
    "obj_id": "star", "instrument_id": 7, "series_name": "night", "series_obj_id": "1", "ra": 1, "dec": 2,
    "exp_time": 1, "filter": "ztfg",
}  # fmt: skip


def export(services, principal, form, folder, part=None):
    exporter = exports.Exporter(services.catalogue, services.store, services.reader, folder)
    return exporter.export(principal, Query(), EXPORTS[form], part or Selection())


def test_missing_package_is_named(services, principal, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotInstalledError, match=r"photseries\[parquet\]"):
        export(services, principal, "parquet", tmp_path)
    assert b"".join(export(services, principal, "hdf5", tmp_path))


def test_too_many_columns_for_hdf5_are_refused(services, principal, tmp_path):
    wide = {f"{number:0>100}": [1.0, 2.0] for number in range(500)}
    services.archive.create(principal, {**BODY, "data": {**columns(2), **wide}})
    with pytest.raises(InvalidError, match="505 columns"):
        export(services, principal, "hdf5", tmp_path, Selection(columns=("*",)))
    assert b"".join(
        export(services, principal, "hdf5", tmp_path, Selection(columns=(*MEASUREMENTS, *list(wide)[:300])))
    )


def test_full_disk_and_damaged_files_end_an_export(services, principal, tmp_path):
    for form in ("hdf5", "zip"):
        with pytest.raises(UnavailableError, match="no space"):
            list(export(services, principal, form, tmp_path / "nowhere"))
    services.archive.create(principal, {**BODY, "data": columns(2)})
    (file,) = (tmp_path / "data" / "store").rglob("*.h5")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    for form in EXPORTS:
        with pytest.raises(DamagedError):
            list(export(services, principal, form, tmp_path))


def test_export_contains_each_series_once_with_its_own_rows(services, principal, tmp_path, monkeypatch):
    """What is renamed while pages are walked; units of several lengths; a table longer than what is written at once."""
    monkeypatch.setattr(exports, "MAX_PER_PAGE", 1)
    for module in (long_hdf5, long_parquet):
        monkeypatch.setattr(module, "GROUP", 7)
    services.accounts.create(OPERATOR, "sources", {"id": "zebra", "ra": 1, "dec": 2})
    archive = services.archive
    ids = [
        archive.create(
            principal,
            {
                **BODY,
                "channel": str(rows),
                "data": columns(rows),
                "flux_unit": unit,
            },
        ).id
        for rows, unit in ((20, "erg/s/cm2/AA"), (3, "ct"), (101, "uJy"))
    ]
    begun = {form: export(services, principal, form, tmp_path) for form in ("hdf5", "parquet")}
    begins = {form: [next(pieces) for _ in range(3)] for form, pieces in begun.items()}
    archive.update(principal, ids[0], {"obj_id": "zebra"})
    for form, pieces in begun.items():
        path = tmp_path / form
        path.write_bytes(b"".join([*begins[form], *pieces]))
        found = pd.read_hdf(path, "light_curves") if form == "hdf5" else pd.read_parquet(path)
        assert found["series_id"].tolist() == [ids[0]] * 20 + [ids[1]] * 3 + [ids[2]] * 101
        assert found["flux"].tolist() == [flux for rows in (20, 3, 101) for flux in columns(rows)["flux"]]
        assert set(found["obj_id"]) == {"star"}
        assert found["flux_unit"].tolist() == ["erg/s/cm2/AA"] * 20 + ["ct"] * 3 + ["uJy"] * 101
