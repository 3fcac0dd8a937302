"""A damaged environment.json costs no report."""

import json

import pytest

from experiments.report import surroundings

DATA = {
    "rows": 8,
    "published": 8,
    "classes": ["a", "b"],
    "shape": [3],
    "counts": [3, 2],
    "tested": [1, 2],
    "left": [3, 2],
}
DATA |= {"scaling": "feature", "range": [-1.0, 2.0], "constant": 0, "notes": []}
OLD = (
    {"rows": 8, "published": 9},
    {"rows": 8, "published": 9, "classes": ["a"]},
    DATA | {"range": None, "classes": []},
)


@pytest.mark.parametrize("data", [DATA, *OLD, None])
def test_what_a_run_writes_is_read(tmp_path, data):
    written = {"jax": "0.10.0"} | ({} if data is None else {"data": data})
    (tmp_path / "environment.json").write_text(json.dumps(written))
    assert surroundings.read(tmp_path) == written and surroundings.missing(tmp_path, written) == []


WRONG = {"counts": [3, "2"], "tested": [1], "left": None, "classes": ["a"], "shape": [], "scaling": 1, "range": [1]}
WRONG |= {"constant": None, "notes": "none"}


HUGE = ({"counts": [10**400, 2]}, {"range": [0, 10**400]}, {"constant": 10**400})


@pytest.mark.parametrize(
    "data",
    [[1], "x", {"left": [1]}, *(DATA | {name: value} for name, value in WRONG.items()), *(DATA | x for x in HUGE)],
)
def test_data_that_are_not_as_written_are_left_out(tmp_path, data):
    (tmp_path / "environment.json").write_text(json.dumps({"jax": "0.10.0", "data": data}))
    assert surroundings.read(tmp_path) == {"jax": "0.10.0"}


@pytest.mark.parametrize("text", [b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_file_that_cannot_be_read_is_missing(tmp_path, text):
    assert surroundings.missing(tmp_path, surroundings.read(tmp_path)) == ["no environment.json"]
    (tmp_path / "environment.json").write_bytes(text)
    assert surroundings.missing(tmp_path, surroundings.read(tmp_path)) == ["an unreadable environment.json"]
