"""Long tables are read once, while there is room for them."""

import dataclasses

import pandas as pd

from photseries.hdf5 import StoredContent
from photseries.server.archive.table_cache import LONG, TableCache
from photseries.server.catalogue.blobs import Blob

ROWS = 100
SIZE = 8 * 8 * ROWS + 132  # two columns, five arrays of the light curve, the S/N, the index


def blob(name, size=LONG):
    values = {field.name: None for field in dataclasses.fields(Blob)}
    return Blob(**{**values, "filename": name, "size": size})


class Store:
    def __init__(self):
        self.read = []

    def __call__(self, wanted):
        self.read.append(wanted.filename)
        frame = pd.DataFrame({"mjd": range(ROWS), "flux": 1.0}).astype(float)
        return StoredContent(frame, {"name": wanted.filename})


def test_cache_keeps_the_most_recent_tables():
    tables, store = TableCache(2 * SIZE), Store()
    for name in ("a", "b", "a", "c", "a", "b"):
        assert tables.get(blob(name), store).decoded.metadata == {"name": name}
    assert store.read == ["a", "b", "c", "b"]
    assert tables.get(blob("b"), store).curve.flux.tolist() == [1.0] * ROWS


def test_short_and_oversized_tables_are_not_cached():
    tables, store = TableCache(SIZE - 1), Store()
    for _ in range(2):
        tables.get(blob("large"), store)
    roomy = TableCache(2 * SIZE)
    for _ in range(2):
        roomy.get(blob("short", LONG - 1), store)
    assert store.read == ["large", "large", "short", "short"]


def test_texts_count():
    """Each row has a text of its own: 500 characters, and at least the 49 bytes of a Python string."""

    def read(wanted):
        texts = [f"{number:0500}" for number in range(ROWS)]
        return StoredContent(pd.DataFrame({"mjd": range(ROWS), "flux": 1.0, "note": texts}), {})

    assert TableCache(0).get(blob("texts"), read).size > SIZE + 549 * ROWS
    tables, store = TableCache(SIZE + 549 * ROWS), []
    for _ in range(2):
        tables.get(blob("texts"), lambda wanted: store.append(wanted) or read(wanted))
    assert len(store) == 2, "too large to be kept"
