"""Random bodies and metadata, and the files on which the fuzzer once failed."""

import base64
import json
import pickle

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photseries.errors import InvalidError, UnreadableFileError
from photseries.fields import METADATA
from photseries.formats import json_columns
from photseries.hdf5.metadata import from_pickle
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import SandboxSettings
from tests.hostile.cases import some_frame, with_attribute, written
from tests.hostile.damage import SEEDS
from tests.hostile.fuzz import LIMITS, outcome
from tests.support import columns

MODEST = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["all", "..", "/", "\0", "\ud800", "é☃", "nan", "1e999", -0.0, 1e308, 2**31, 2**63])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from([*METADATA, "data", "group_ids", "stream_ids", "owner_id", "more"])


FILE = written(some_frame(), {})


@pytest.fixture(scope="module")
def sandbox():
    sandbox = Sandbox(SandboxSettings(deadline=10.0), LIMITS)
    sandbox.start()
    yield sandbox
    sandbox.close()


def body(**more):
    return {
        "obj_id": "star", "instrument_id": 7, "series_name": "fuzz", "series_obj_id": "1", "ra": 1.0, "dec": 2.0,
        "exp_time": 3.0, "filter": "ztfg", "data": columns(),
    } | more  # fmt: skip


def check_created_or_refused(services, principal, content):
    """Whatever is not refused is stored, and found again."""
    try:
        created = services.archive.create(principal, content)
    except InvalidError:  # a 400
        return
    services.archive.delete(principal, created.id)


@MODEST
@given(changes=st.dictionaries(fields, values, min_size=1, max_size=3))
def test_fields_of_any_kind(services, principal, changes):
    check_created_or_refused(services, principal, body(**changes))


@MODEST
@given(
    table=st.dictionaries(
        st.sampled_from(["mjd", "flux", "fluxerr", "mag", "x", ""]), st.lists(scalars, max_size=3) | scalars
    )
)
def test_columns_of_any_kind(services, principal, table):
    check_created_or_refused(services, principal, body(data=table))


@MODEST
@given(changes=st.dictionaries(fields.filter(lambda name: name != "data"), values, min_size=1, max_size=3))
def test_metadata_of_files(services, principal, changes):
    """The pickle holds what PyTables would write; the fields of the file count where the body has none."""
    content = with_attribute(pickle.dumps(changes, 2), "metadata", blob=FILE)
    given_fields = {name: value for name, value in body().items() if name not in changes}
    given_fields["data"] = base64.b64encode(content).decode()
    check_created_or_refused(services, principal, given_fields)


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")  # of pickletools
@settings(max_examples=300)
@given(content=st.binary(max_size=60))
def test_pickles_of_any_bytes(content):
    try:
        found = from_pickle(content, LIMITS)
    except UnreadableFileError:
        return
    assert isinstance(found, dict)


@settings(max_examples=300)
@given(document=values, noise=st.binary(max_size=4), place=st.integers(0, 200))
def test_bodies_of_any_bytes(document, noise, place):
    """What comes through is what any JSON parser reads."""
    text = json.dumps({"a": document}).encode()
    text = text[:place] + noise + text[place:]
    try:
        found = json_columns.parse(text, LIMITS)
    except InvalidError:
        return
    assert orjson.dumps(found) == orjson.dumps(orjson.loads(text))


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.h5")), ids=lambda path: path.stem)
def test_seed_cases_are_handled(sandbox, path):
    assert outcome(sandbox, path.read_bytes()) in ("refused", "stored", "death")


def test_signalling_nan(sandbox):
    """Found by the fuzzer: numpy warns when it widens one."""
    frame = some_frame().astype({"flux": "f4", "fluxerr": "f4"})
    bits = frame["fluxerr"].to_numpy().copy()
    bits.view("u4")[3] = 0x7FA00000
    assert np.isnan(bits[3])
    assert outcome(sandbox, written(frame.assign(fluxerr=bits))) == "stored"
