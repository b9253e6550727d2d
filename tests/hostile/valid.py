"""Everything that pandas 1.5 to 3 and numpy 1 and 2 write, and that must be read."""

import pickle

import numpy as np
import pandas as pd

from tests.hostile.cases import ACCEPT, REJECT, Case, good, new_table, some_frame, spoiled, with_attribute, written

OPTIONS = {
    "plain": {},
    "another key": {"key": "deep/er/key"},
    "zlib": {"complib": "zlib", "complevel": 9},
    "bzip2": {"complib": "bzip2", "complevel": 1},
    **{
        f"blosc {codec or 'default'}": {"complib": f"blosc{codec and ':'}{codec}", "complevel": 5}
        for codec in ("", "blosclz", "lz4", "lz4hc", "zlib", "zstd")
    },
    "fletcher32": {"fletcher32": True},
    "zlib and fletcher32": {"fletcher32": True, "complib": "zlib", "complevel": 1},
    "data columns": {"data_columns": True},
    "some data columns": {"data_columns": ["note", "mjd"]},
    "with an index table": {"index": True, "data_columns": ["mjd"]},
    "nan_rep": {"nan_rep": "missing"},
    "wide text": {"min_itemsize": 60},
    "latin-1": {"encoding": "latin-1"},
    "times tracked": {"track_times": True},
}

INDEXES = {
    "offset": pd.RangeIndex(5, 15),
    "backwards": pd.RangeIndex(10, 0, -1),
    "small integers": pd.Index(range(10), dtype="u1"),
    "named": pd.RangeIndex(10, name="row"),
    "floats": pd.Index(np.arange(10) / 3),
    "texts": pd.Index([f"é{number}" for number in range(10)]),
    "datetimes": pd.date_range("2020-01-01", periods=10, freq="h"),
    "repeated": pd.Index([1] * 10),
}


def _rich():
    frame = some_frame(300)
    frame["half"] = frame["flux"].astype("f2")
    frame["single"] = frame["flux"].astype("f4")
    frame["gaps"] = frame["flux"].where(frame["flag"] > 3)
    frame["infinite"] = np.where(frame["flag"] > 5, np.inf, -1.5)
    frame["good"] = frame["flag"] > 4
    frame["when"] = pd.date_range("2019-01-01", periods=300, freq="37min")
    frame["lasted"] = pd.to_timedelta(np.arange(300), "s")
    frame["text"] = [None if number % 5 == 0 else f"é{number}" for number in range(300)]
    for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        frame[code] = np.linspace(0, np.iinfo(code).max / 2, 300).astype(code)
    return frame


def _big_endian(file, rows):
    fields = [
        (name, np.dtype((rows.dtype[name].base.newbyteorder(">"), rows.dtype[name].shape))) for name in rows.dtype.names
    ]
    file.create_dataset("phot/table", data=rows.astype(np.dtype(fields)))


def _layout(**options):
    return lambda traps: new_table(lambda file, rows: file.create_dataset("phot/table", data=rows, **options))


def _without(*names):
    def edit(file):
        for name in names:
            if name in file["phot"].attrs:
                del file["phot"].attrs[name]

    return lambda traps: spoiled(good({}), edit)


def _text_of(name, value):
    return lambda traps: with_attribute(value, name)


#: numpy scalars as each numpy pickles them: module and how the payload is written differ.
def _scalars(module, protocol):
    values = {"altdata": {"x": np.float64(1.5), "n": np.int64(-3), "b": np.bool_(True), "s": np.str_("é")}}
    content = pickle.dumps(values, protocol)
    for known in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        if protocol < 4:
            content = content.replace(known, module)
        else:  # the length of the name stands before it
            content = content.replace(bytes([len(known)]) + known, bytes([len(module)]) + module)
    # A frame says how long it is; without one the pickle is as valid.
    return content if protocol < 4 else content[:2] + content[11:]


def _moments():
    frame = some_frame()
    frame["when"] = pd.date_range("2019-01-01", periods=10, freq="37min").as_unit("ns")
    return frame


def _old_moments(traps):
    """pandas before 2.0 wrote no unit and meant nanoseconds."""
    frame = _moments()

    def edit(file):
        attributes = file["phot/table"].attrs
        for name, value in list(attributes.items()):
            if isinstance(value, bytes | np.bytes_) and value.startswith(b"datetime64["):
                attributes[name] = np.bytes_(b"datetime64")

    return spoiled(written(frame, {}), edit)


def _units(unit):
    frame = some_frame()
    frame["when"] = pd.date_range("2019-01-01", periods=10, freq="37min").as_unit(unit)
    return frame


def accepted():
    """Yield the cases that must read back exactly."""
    for name, options in OPTIONS.items():
        frame = some_frame(3000)
        yield Case(f"pandas: {name}", ACCEPT, lambda traps, f=frame, o=options: written(f, {"origin": "x"}, **o), frame)
    rich = _rich()
    for name in ("plain", "data columns", "zlib", "blosc lz4"):
        yield Case(f"all types: {name}", ACCEPT, lambda traps, o=OPTIONS[name]: written(rich, {}, **o), rich)
    for name, index in INDEXES.items():
        frame = some_frame().set_index(index)
        yield Case(f"index: {name}", ACCEPT, lambda traps, f=frame: written(f), frame)
    for unit in ("s", "ms", "us", "ns"):
        frame = _units(unit)
        yield Case(f"datetimes in {unit}", ACCEPT, lambda traps, f=frame: written(f), frame)
    yield Case("datetimes of pandas 1.5", ACCEPT, _old_moments, _moments())
    for module in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            yield Case(
                f"scalars of {module.decode()}, protocol {protocol}",
                ACCEPT,
                lambda traps, m=module, p=protocol: with_attribute(_scalars(m, p), "metadata"),
                some_frame(),
            )
    one = some_frame(1)
    yield Case("one row", ACCEPT, lambda traps: written(one), one)
    wide = pd.DataFrame({**some_frame(), **{f"column {number}": np.arange(10.0) for number in range(1019)}})
    yield Case("1,024 columns", ACCEPT, lambda traps: written(wide), wide)
    yield Case(
        "16 groups deep",
        ACCEPT,
        lambda traps: spoiled(good(), lambda f: f.create_group("/".join("g" * 15))),
        some_frame(),
    )
    for name, make in {
        "big-endian": lambda traps: new_table(_big_endian),
        "contiguous": _layout(),
        "chunks of 3": _layout(chunks=(3,)),
        "shuffled chunks": _layout(chunks=(3,), shuffle=True, compression=9, fletcher32=True),
        "no pandas_version, as pandas 3.1": _without("pandas_version"),
        "pandas_version of 1.5": _text_of("pandas_version", b"0.15.2"),
        "no nan_rep": _without("nan_rep"),
        "no errors": _without("errors"),
        "no encoding": _without("encoding"),
        "no metadata": _without("metadata"),
        "no info": _without("info"),
        "metadata as JSON alone": lambda traps: with_attribute(
            b'{"origin": "x"}', "metadata_json", blob=_without("metadata")(traps)
        ),
    }.items():
        yield Case(f"layout: {name}", ACCEPT, make, some_frame())
    for number in range(8):
        frame = some_frame(200, seed=number)
        yield Case(f"at once: {number}", ACCEPT, lambda traps, f=frame: written(f), frame)


def refused():
    """Yield what pandas writes and is not kept: refused with words, not half-read."""
    frame = some_frame()
    for name, other, options in (
        ("a fixed frame", frame, {"format": "fixed"}),
        ("a categorical column", frame.assign(kind=pd.Categorical(["a", "b"] * 5)), {}),
        ("a column in a time zone", frame.assign(when=pd.date_range("2020", periods=10, tz="CET")), {}),
        ("an index in a time zone", frame.set_index(pd.date_range("2020", periods=10, tz="UTC")), {}),
        ("a MultiIndex", frame.set_index(["mjd", "flag"]), {}),
        ("a Series", frame["flux"], {}),
        ("columns named by numbers", pd.DataFrame({1: [1.0], 2: [2.0]}), {}),
        ("an index of periods", frame.set_index(pd.period_range("2020", periods=10, freq="D")), {}),
        ("no time", frame[["flux"]], {}),
        ("no brightness", frame[["mjd", "flag"]], {}),
        ("no finite time", frame.assign(mjd=np.nan), {}),
    ):
        yield Case(f"not kept: {name}", REJECT, lambda traps, f=other, o=options: written(f, None, **o))
    for name, value in {
        "a path as series_name": {"channel": "../../x"},
        "a path as origin": {"origin": "/etc/passwd"},
        "NUL in the metadata": {"origin": "a\0b"},
        "an unknown key": {"colour": "red"},
        "numbers as keys": {1: 2},
        "nested keys that are numbers": {"altdata": {1: 2}},
        "a long integer": {"altdata": {"n": 2**70}},
        "altdata 40 deep": {"altdata": _nested(40)},
        "a list": [1],
        "a text": "text",
        "a complex number": {"altdata": {"x": 1j}},
        "a set": {"altdata": {"x": {1}}},
        "an array": {"altdata": {"x": np.arange(3)}},
        "a date": {"altdata": {"x": pd.Timestamp("2020")}},
    }.items():
        yield Case(f"metadata: {name}", REJECT, lambda traps, v=value: written(frame, v))


def _nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def cases():
    """Yield the cases."""
    yield from accepted()
    yield from refused()
