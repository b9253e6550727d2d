"""Portions of a bulk body: each table stands in one block, which is small."""

import numpy as np

from photseries.server.archive.portions import BLOCK, PORTION, portions_of
from photseries.server.sandbox.bulk_wire import Slab


def slab(lengths):
    values = np.random.default_rng(3).normal(size=(2, sum(lengths)))
    columns = {name: ("<f8", [values[place]]) for place, name in enumerate(("mjd", "flux"))}
    return Slab(list(lengths), columns, {"series_obj_id": [str(place) for place in range(len(lengths))]}, None)


def test_blocks_hold_the_tables_and_are_small():
    lengths = [1000] * 150 + [7, 1000, 7] + [1000] * 40 + [BLOCK + 1] * 2
    received = slab(lengths)
    entries = [entry for portion in portions_of(iter([received]), {}) for entry in portion]
    assert [entry.index for entry in entries] == list(range(len(lengths)))
    stop = 0
    for entry, length in zip(entries, lengths, strict=True):
        start, stop = stop, stop + length
        expected = {name: buffers[0][start:stop] for name, (_, buffers) in received.columns.items()}
        for name, values in expected.items():
            np.testing.assert_array_equal(entry.upload.frame[name], values)
            np.testing.assert_array_equal(entry.upload.block.columns[name], values)
        tables, rows = entry.upload.block.block.columns["mjd"].shape
        assert rows == length
        assert tables == 1 or tables * rows <= BLOCK
    assert len({id(entry.upload.block.block) for entry in entries}) == 2 + 1 + 1 + 2  # of 65, 65, 61 (mixed), 2, 1, 1


def test_a_portion_is_bounded():
    portions = list(portions_of(iter([slab([2] * (2 * PORTION + 1))]), {}))
    assert [len(portion) for portion in portions] == [PORTION, PORTION, 1]
