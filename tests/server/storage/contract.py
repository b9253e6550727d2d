"""What every store must do: a class of tests to inherit, and a machine that compares any store with a dict."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from photseries.server.storage import Store, new_key

BAD_KEYS = [
    "",
    "/",
    ".",
    "..",
    "a",  # neither folder nor file
    "/etc/passwd.h5",
    "../a.h5",
    "a/../b.h5",
    "a/./b.h5",
    "a//b.h5",
    "a/",
    "a.h5/b.h5",
    ".partial/a.h5",
    "a/.h5",
    "a/b.",
    "a/b..h5",
    "-rf/a.h5",
    "a\\b.h5",
    "a\0.h5",
    "a.h5\n",
    "a b.h5",
    "é.h5",
    "x" * 250 + ".h5",
]


def key(name: str = "series") -> str:
    return new_key(name, "star", 1, "tess", None, None)


class StoreContract:
    """Inherit, and supply a fixture ``store`` that gives an empty one."""

    def test_the_mark_is_replaced_only_when_it_is_the_one_that_was_seen(self, store: Store) -> None:
        assert store.read_mark() is None
        assert not store.swap_mark(b"never there", b"one")
        assert store.read_mark() is None
        assert store.swap_mark(None, b"one")
        assert not store.swap_mark(None, b"two")
        assert store.swap_mark(b"one", b"two")
        assert not store.swap_mark(b"one", b"three")
        assert store.read_mark() == b"two"
        assert list(store.scan()) == [], "no sweep sees the mark"

    def test_one_of_many_who_replace_the_mark_at_once_succeeds(self, store: Store) -> None:
        writers = 8
        for seen in (None, b"mark"):
            if seen is not None:
                assert store.swap_mark(store.read_mark(), seen)
            barrier = Barrier(writers)

            def swap(number: int, seen: bytes | None = seen, barrier: Barrier = barrier) -> bool:
                barrier.wait()
                return store.swap_mark(seen, b"mark %d" % number)

            with ThreadPoolExecutor(writers) as pool:
                won = list(pool.map(swap, range(writers)))
            assert sum(won) == 1
            assert store.read_mark() == b"mark %d" % won.index(True)

    @pytest.mark.parametrize("blob", [b"", b"\0", b"blob" * 100_000], ids=["empty", "one byte", "400 kB"])
    @pytest.mark.parametrize("kind", [bytes, memoryview])
    def test_blob_survives_the_round_trip(self, store: Store, blob: bytes, kind: type) -> None:
        store.create("a/b/c.h5", kind(blob))
        assert store.read("a/b/c.h5") == blob
        assert store.size("a/b/c.h5") == len(blob)

    def test_blob_is_read_in_pieces(self, store: Store) -> None:
        blob = bytes(range(256)) * 10_000
        store.create("a/b.h5", blob)
        for bounds in (
            (),
            (0, 1),
            (0, len(blob)),
            (1, 2),
            (1_000_000, 2_000_000),
            (2_000_000,),
            (2_559_999, 5_000_000),
        ):
            pieces = store.chunks("a/b.h5", *bounds)
            assert pieces is not None
            assert b"".join(pieces) == blob[slice(*bounds, *[None] * (2 - len(bounds)))]
        store.create("a/empty.h5", b"")
        assert b"".join(store.chunks("a/empty.h5") or [b"missing"]) == b""

    def test_missing_blob_is_none(self, store: Store) -> None:
        store.create("a/b.h5", b"blob")
        for missing in ("a/c.h5", "b/b.h5", "a/b/b.h5", "b.h5"):
            assert store.read(missing) is None
            assert store.size(missing) is None
            assert store.chunks(missing) is None
            store.delete(missing)
        assert store.read("a/b.h5") == b"blob"

    def test_a_blob_is_never_replaced(self, store: Store) -> None:
        store.create("a/b.h5", b"first")
        with pytest.raises(FileExistsError):
            store.create("a/b.h5", b"second")
        assert store.read("a/b.h5") == b"first"
        assert [blob.key for blob in store.scan()] == ["a/b.h5"]

    def test_many_blobs_are_written_at_once(self, store: Store) -> None:
        blobs = {key(f"a/{number % 3}"): bytes(number) for number in range(20)}
        store.create_many(blobs)
        assert {name: store.read(name) for name in blobs} == blobs
        assert {blob.key for blob in store.scan()} == blobs.keys()
        taken = next(iter(blobs))
        with pytest.raises(FileExistsError):
            store.create_many({"b.h5": b"new", taken: b"second"})
        assert store.read(taken) == blobs[taken]

    def test_a_deleted_blob_is_gone(self, store: Store) -> None:
        store.create("a/b.h5", b"first")
        store.delete("a/b.h5")
        store.delete("a/b.h5")
        assert store.read("a/b.h5") is None
        assert list(store.scan()) == []
        store.create("a/b.h5", b"second")
        assert store.read("a/b.h5") == b"second"

    def test_scan_lists_every_blob_with_its_size(self, store: Store) -> None:
        sizes = {key(f"a/{number % 3}"): number for number in range(20)}
        for name, size in sizes.items():
            store.create(name, bytes(size))
        assert {blob.key: blob.size for blob in store.scan()} == sizes

    def test_a_blob_may_be_removed_during_a_scan(self, store: Store) -> None:
        names = {"a/b.h5", "a/c.h5", "d/e.h5", "d/f.h5"}  # whichever is first, its folder has another
        for name in names:
            store.create(name, b"blob")
        scan = store.scan()
        others = names - {next(scan).key}
        for name in others:
            store.delete(name)
        assert {blob.key for blob in scan} <= others

    def test_ages_are_by_the_clock_of_the_store(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        store.create("a/b.h5", b"blob")
        monkeypatch.setattr(time, "time", lambda: 0.0)
        (blob,) = store.scan()
        assert 0 <= blob.age < 600

    def test_a_probe_leaves_nothing(self, store: Store) -> None:
        store.check()
        assert list(store.scan()) == []

    @pytest.mark.parametrize("bad", BAD_KEYS)
    def test_invalid_keys_are_refused(self, store: Store, bad: str) -> None:
        writes = (lambda key: store.create(key, b"blob"), lambda key: store.create_many({key: b"blob"}))
        for use in (store.read, store.chunks, store.size, store.delete, *writes):
            with pytest.raises(ValueError, match="not a key"):
                use(bad)
        assert list(store.scan()) == []

    def test_one_of_many_writers_of_a_key_succeeds(self, store: Store) -> None:
        blobs = [bytes([number]) * 1000 for number in range(8)]
        together = Barrier(len(blobs))

        def write(blob: bytes) -> bytes | None:
            together.wait()
            try:
                store.create("a/b.h5", blob)
            except FileExistsError:
                return None
            return blob

        with ThreadPoolExecutor(len(blobs)) as pool:
            winners = [blob for blob in pool.map(write, blobs) if blob is not None]
        assert [store.read("a/b.h5")] == winners
        assert len(list(store.scan())) == 1

    def test_writers_and_removers_of_one_folder_do_not_meet(self, store: Store) -> None:
        def work(worker: int) -> None:
            for number in range(50):
                name = f"shared/folder/w{worker}_{number}.h5"
                store.create(name, b"blob")
                assert store.read(name) == b"blob"
                store.delete(name)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert list(store.scan()) == []


class StoreMachine(RuleBasedStateMachine):
    """Any sequence of calls does to a store what it does to a dict; inherit, and supply ``make_store``."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make_store()
        self.expected: dict[str, bytes] = {}

    def make_store(self) -> Store:
        raise NotImplementedError

    @rule(target=keys, name=st.sampled_from(["a", "a/b", "a/b/c", "b"]), star=st.sampled_from(["x", "a", "b"]))
    def name(self, name: str, star: str) -> str:
        return f"{name}/{star}.h5"

    @rule(key=keys, blob=st.binary(max_size=100))
    def create(self, key: str, blob: bytes) -> None:
        if key in self.expected:
            with pytest.raises(FileExistsError):
                self.store.create(key, blob)
        else:
            self.store.create(key, blob)
            self.expected[key] = blob

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.expected.pop(key, None)

    @rule(key=keys)
    def read(self, key: str) -> None:
        blob = self.expected.get(key)
        assert self.store.read(key) == blob
        pieces = self.store.chunks(key)
        assert (None if pieces is None else b"".join(pieces)) == blob
        assert self.store.size(key) == (None if blob is None else len(blob))

    @invariant()
    def lists_the_same(self) -> None:
        sizes = {key: len(blob) for key, blob in self.expected.items()}
        assert {blob.key: blob.size for blob in self.store.scan()} == sizes
