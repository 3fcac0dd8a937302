"""The first rows of a run, by strategies that look at the rows alone."""

import jax
import numpy as np
import pytest
from data_files import write
from tiny_letter import tiny

from alfamous_jax import datasets
from alfamous_jax.datasets import Pool
from configs.base import get_base
from experiments.learning.check import check
from experiments.learning.conditions import first_rows
from experiments.run import run

SIZES = [60, 14, 8]  # TypiClust leaves clusters of five to the end
CLASSES = np.repeat(np.arange(3), SIZES)


def clouds():
    """Three directions, of which the last is rare; rows 0 to 9 stand in no pool."""
    noise = np.random.default_rng(0).normal(scale=0.05, size=(len(CLASSES), 4))
    rows = (np.eye(3, 4)[CLASSES] + noise).astype(np.float32)
    places = np.concatenate([np.arange(10, len(rows)), [0, 0]])  # the last two are padding
    return rows, Pool(places, np.arange(len(places)) < len(rows) - 10, np.zeros(len(places), bool))


@pytest.mark.parametrize(("start", "num"), [("kcenter", 3), ("maxherding", 3), ("typiclust", 6)])
def test_a_few_rows_see_every_direction(start, num):
    """By k-means of as many clusters as rows, a large cloud may have two of three."""
    rows, pool = clouds()
    for seed in range(3):
        found = first_rows(start, jax.random.key(seed), rows, pool, num)
        assert set(CLASSES[pool.rows[found]]) == {0, 1, 2} and pool.available[found].all()
    many = first_rows(start, jax.random.key(0), rows, pool, 20)
    assert len(set(many)) == 20 and pool.available[many].all()


def test_chance_is_the_chance_that_it_was():
    rows, pool = clouds()
    found = first_rows("random", jax.random.key(3), rows, pool, 7)
    assert (found == datasets.initial_rows(jax.random.key(3), pool, 7)).all()


@pytest.mark.parametrize("change", [{"backbone": "mlp"}, {"backbone": "identity", "balanced_initial": True}])
def test_a_start_by_features_needs_features(change):
    with pytest.raises(ValueError, match="config.start: needs rows that are features, .*'typiclust'"):
        check(tiny(start="typiclust", initial=26, **change))
    with pytest.raises(ValueError, match="config.start: expected 'random', .* or 'typiclust', got 'dense'"):
        check(tiny(start="dense"))


@pytest.mark.slow
def test_a_run_starts_with_them_and_says_so(tmp_path, capsys):
    rows, _ = clouds()
    data = write(tmp_path / "data.npz", x_train=rows, y_train=CLASSES, x_test=rows, y_test=CLASSES)
    fields = {"num_classes": 3, "strategies": ("random",), "seeds": 2, "initial": 3, "budget": 2, "cycles": 1}
    fields |= {"backbone": "identity", "head": "map", "minority_share": 0.0, "parallel": "vmap", "start": "maxherding"}
    records = run(get_base().to_dict() | fields | {"dataset": data}, tmp_path / "run")
    assert [r["counts"] for r in records if r["cycle"] == 0] == [[1, 1, 1]] * 2
    assert "found by 'maxherding', not by chance (config.start)" in capsys.readouterr().out
