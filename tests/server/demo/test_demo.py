"""`photseries demo` as a newcomer uses it."""

import pytest
from click.testing import CliRunner

from photseries.cli import main
from photseries.server.demo import STARS
from tests.forked import ForkedService


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    with ForkedService(tmp_path_factory.mktemp("demo") / "data", verb="demo") as running:
        yield running


def test_demo_has_every_star_in_every_filter(demo):
    with demo.client() as client:
        found = client.get("/api/photometric_series").json()["data"]["series"]
    assert {(one["obj_id"], one["filter"]) for one in found} == {(s.obj_id, band) for s in STARS for band in s.bands}
    assert len({one["content_hash"] for one in found}) == len(found)
    assert [g["name"] for g in found[0]["groups"]] == ["Sitewide Group", "admin"]


def test_demo_prints_its_address_and_token_file(demo):
    said = demo.log.read_text()
    assert f"Open {demo.url} and sign in with the token" in said
    assert f"cat {demo.directory / 'admin-token'}\n" in said
    assert demo.token not in said
    assert all(star.obj_id in said for star in STARS)


@pytest.mark.parametrize("there", ["demo itself", "a file"])
def test_a_folder_that_is_not_empty_is_left_alone(demo, tmp_path, there):
    folder = demo.directory if there == "demo itself" else tmp_path
    (tmp_path / "file").write_text("mine")
    before = sorted(path.name for path in folder.iterdir())
    outcome = CliRunner().invoke(main, ["demo", "--port", "0", "--data", str(folder)])
    assert outcome.exit_code == 2
    assert "is not empty" in outcome.output
    assert sorted(path.name for path in folder.iterdir()) == before
