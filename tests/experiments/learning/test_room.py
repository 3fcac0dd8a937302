"""An exact fit gets as many places as its cycle needs, within a third: the run is the same but for rounding."""

import numpy as np
import pytest
from data_files import write
from ml_collections import FrozenConfigDict

from configs.base import get_base
from experiments.learning import active
from experiments.run import run

FIELDS = {"num_classes": 3, "strategies": ("margin-alfamous",), "seeds": 1, "initial": 10, "budget": 5, "cycles": 8}
FIELDS |= {"backbone": "identity", "head": "map", "ridge": "auto", "minority_share": 0.0, "parallel": "vmap"}
FIELDS |= {"maps": ("common", "clipped"), "implicit_update": True}


def config(**changes):
    return FrozenConfigDict(get_base().to_dict() | FIELDS | changes)


def test_places_by_hand():
    """50 in all: 17, 34 and 50."""
    assert [active.room(config(), cycle) for cycle in range(9)] == [17, 17, 34, 34, 34, 50, 50, 50, 50]
    assert {active.room(config(cycles=7), cycle) for cycle in range(8)} == {45}
    assert {active.room(config(head="linear", ridge=1.0), cycle) for cycle in range(9)} == {50}


@pytest.mark.slow
def test_the_run_is_that_with_all_places(tmp_path, monkeypatch):
    rng, y = np.random.default_rng(0), np.repeat(np.arange(3), [60, 40, 20])
    x = (rng.normal(size=(120, 5)) + 2 * np.eye(3, 5)[y]).astype(np.float32)
    fields = config(dataset=write(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)).to_dict()
    parts = run(fields, tmp_path / "parts")
    monkeypatch.setattr(active, "PARTS_FROM", 100)
    whole = run(fields, tmp_path / "whole")
    for one, other in zip(parts, whole, strict=True):
        assert (one["ridge"], one["map"], one["counts"]) == (other["ridge"], other["map"], other["counts"])
        assert one["macro_f1"] == pytest.approx(other["macro_f1"], abs=1e-6) and one["selected"] == other["selected"]
