"""Many series in one file, through the client: whole or not at all."""

import zipfile

import pandas as pd
import pyarrow.parquet
import pytest

from photseries.errors import InvalidError, UnauthorizedError, UnreachableError
from tests.client.between import Between, answer
from tests.support import columns


@pytest.fixture(scope="module")
def series(client, world):
    """The ids of two series."""
    common = world.fields(series_name="exported")
    return [client.upload({**columns(5), "sky": [1.0] * 5}, **common, channel=str(number)).id for number in range(2)]


def test_export_writes_all_matching_series(client, series, tmp_path):
    path = client.export(tmp_path / "long.h5", series_name="exported")
    assert path == tmp_path / "long.h5"
    assert pd.read_hdf(path, "light_curves")["series_id"].unique().tolist() == series
    client.export(str(path), format="parquet", columns=["mjd", "sky"], derive=["snr"], channel=["0", "x"])
    table = pyarrow.parquet.read_table(path)
    assert table.column_names[-3:] == ["mjd", "sky", "snr"]
    assert set(table["series_id"].to_pylist()) == {series[0]}
    with zipfile.ZipFile(client.export(tmp_path / "files.zip")) as archive:
        assert len(archive.namelist()) == 3
    assert sorted(one.name for one in tmp_path.iterdir()) == ["files.zip", "long.h5"]


def test_a_failed_download_keeps_the_existing_file(client, series, service, tmp_path):
    path = tmp_path / "long.h5"
    path.write_bytes(b"before")
    with pytest.raises(InvalidError, match="no criterion colour"):
        client.export(path, colour="red")
    with pytest.raises(InvalidError, match="'sea'"):
        client.export(path, columns=["sea"])
    with pytest.raises(InvalidError, match=r"one of \.h5"):
        client.export(tmp_path / "long.csv")
    with type(client)(service.url, "wrong") as stranger, pytest.raises(UnauthorizedError):
        stranger.export(path)
    with Between() as between:
        between.fates = [(200, {"Content-Type": "text/html"}, b"<p>Welcome")]
        with (
            type(client)(between.url, "x") as lost,
            pytest.raises(UnreachableError, match="is not a photseries service"),
        ):
            lost.export(path)
    assert [one.name for one in tmp_path.iterdir()] == ["long.h5"]
    assert path.read_bytes() == b"before"


def test_export_retries_while_the_service_is_busy(client, service, series, tmp_path, monkeypatch):
    monkeypatch.setattr("photseries.client.transport.FIRST_PAUSE", 0.0)
    refusal = answer(503, {"code": "unavailable", "fields": {}}, message="busy")
    with Between(service.url) as between, type(client)(between.url, service.token) as busy:
        between.fates = [refusal, refusal]
        path = busy.export(tmp_path / "long.h5", series_name="exported")
        assert len(between.seen) == 3
    assert len(pd.read_hdf(path, "light_curves")) == 10


def test_an_interrupted_download_is_removed(client, series, directory, tmp_path):
    file = directory / "store" / client.get(series[-1]).metadata["filename"]
    file.rename(file.with_suffix(".away"))
    for name in ("files.zip", "long.h5"):
        with pytest.raises(UnreachableError, match="broke off"):
            client.export(tmp_path / name, series_name="exported")
    file.with_suffix(".away").rename(file)
    assert list(tmp_path.iterdir()) == []
