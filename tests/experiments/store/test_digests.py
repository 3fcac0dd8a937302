"""Digests: those of the bytes, and other ones for whatever differs."""

import hashlib

import numpy as np

from experiments.store import digests

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_the_digest_is_that_of_the_bytes():
    by_hand = hashlib.sha256(b"'x' <f4 (4, 3)\n" + X.tobytes() + b"5 hello\n").hexdigest()[:32]
    assert digests.of({"x": X}, "hello") == by_hand


def test_reading_in_pieces_or_from_a_file_changes_nothing(tmp_path, monkeypatch):
    whole = digests.of({"x": X})
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(digests, "CHUNK", 25)  # two rows at a time
    assert digests.of({"x": X}) == whole == digests.of({"x": np.load(tmp_path / "x.npy", mmap_mode="r")})
    assert digests.of({"x": np.asfortranarray(X)}) == whole, "the order in memory is no part of an array"


def test_whatever_differs_gives_another_digest():
    flipped = X.copy()
    flipped.view(np.uint8)[3, 5] ^= 1
    swapped = X[[1, 0, 2, 3]]
    others = [{"x": flipped}, {"x": swapped}, {"x": X.reshape(3, 4)}, {"x": X.view(np.int32)}, {"y": X}, {"x": X[:3]}]
    others += [{"x": X, "y": X[:0]}, {"x": np.float32(0)}, {}]
    found = [digests.of(arrays) for arrays in ({"x": X}, *others)]
    found += [digests.of({"x": X}, *texts) for texts in (("ab",), ("a", "b"), ("", "ab"))]
    assert len(set(found)) == len(found)


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "x").write_bytes(X.tobytes())
    assert digests.of_file(tmp_path / "x") == hashlib.sha256(X.tobytes()).hexdigest()
