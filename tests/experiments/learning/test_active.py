"""A cycle of active learning: one compilation for all cycles, lam chosen once, any kind of row, every method."""

import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from scipy.stats import chisquare
from tiny_letter import lanes, tiny

from experiments.learning import loop, problem
from experiments.learning.programs import build_programs
from experiments.plan import work
from experiments.plan.strategies import parse

pytestmark = pytest.mark.slow


def test_one_compilation_for_a_whole_strategy_and_its_balanced_form(tmp_path):
    config = FrozenConfigDict(tiny(cycles=3, epochs=1, lam=0.5, shrink_lam=True))
    alone, together = [], []
    for lane in lanes("us-fbu", "us-alfamous"):
        loop.run_lanes(config, work.ACTIVE, (lane,), tmp_path, lambda records, timing: alone.extend(records))
    compiled = build_programs(config, parse("us-fbu").program("network"), 1)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1

    both = lanes("us-fbu", "us-alfamous")
    loop.run_lanes(config, work.ACTIVE, both, tmp_path, lambda records, timing: together.extend(records))
    compiled = build_programs(config, parse("us-fbu").program("network"), 2)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1
    firsts = [{r["strategy"]: set(r["selected"]) for r in run if r["cycle"] == 0} for run in (alone, together)]
    assert firsts[0] == firsts[1] and firsts[0]["us-fbu"] != firsts[0]["us-alfamous"]
    for record in alone + together:
        counts = np.array(record["counts"])
        statistic = chisquare(counts).statistic
        factor = max(1 - (len(counts) - 1) / statistic, 0) if record["strategy"] == "us-alfamous" else 0
        assert record["lam"] == pytest.approx(0.5 * factor, abs=1e-5)
    assert len({record["lam"] for record in alone}) > 2


def test_lam_is_chosen_once_and_survives_an_interruption(tmp_path):
    config = FrozenConfigDict(tiny(lam="auto", lam_grid=(0.5, 0.05, 2.0)))
    lane = lanes("us-alfamous@2")
    whole, first, rest = [], [], []
    loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "whole", lambda records, timing: whole.extend(records))

    def stop(records, timing):
        first.extend(records)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "cut", stop)
    loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "cut", lambda records, timing: rest.extend(records))
    assert first == whole[:1] and rest == whole

    curve = whole[0]["lam_curve"]
    assert curve["lam"] == pytest.approx([0, 0.05, 0.5, 2.0])
    lowest = min(curve["l1"])
    good = [
        lam
        for lam, l1 in zip(curve["lam"], curve["l1"], strict=True)
        if l1 <= lowest + 0.05 * (curve["l1"][0] - lowest)
    ]
    chosen = next(lam for lam in good if lam > 0)
    assert [record["lam"] for record in whole] == pytest.approx([chosen] * 3)
    assert all("lam_curve" not in record for record in whole[1:])


@pytest.mark.exhaustive
def test_lam_is_chosen_for_balanced_lanes_alone(tmp_path):
    records = []
    config = FrozenConfigDict(tiny(lam="auto", cycles=1))
    loop.run_lanes(
        config, work.ACTIVE, lanes("us-fbu", "us-alfamous"), tmp_path, lambda new, timing: records.extend(new)
    )
    by_name = {name: [r for r in records if r["strategy"] == name] for name in ("us-fbu", "us-alfamous")}
    assert [r["lam"] for r in by_name["us-fbu"]] == [0.0, 0.0] and "lam_curve" not in by_name["us-fbu"][0]
    assert by_name["us-alfamous"][0]["lam"] in (0.05, 0.1, 0.5) and "lam_curve" in by_name["us-alfamous"][0]


def own_file(folder, shape, kind, rows=60):
    """An easy problem of 3 classes: a level for each, and noise."""
    rng = np.random.default_rng(0)
    y = np.arange(rows + 30) % 3
    x = y.reshape(-1, *(1,) * len(shape)) * 60 + rng.integers(0, 60, size=(rows + 30, *shape))
    path = folder / f"{kind}.npz"
    np.savez(
        path, x_train=x[:rows].astype(np.uint8), y_train=y[:rows], x_test=x[rows:].astype(np.uint8), y_test=y[rows:]
    )
    return str(path)


KINDS = {
    "images": ((8, 8, 3), {"backbone": "resnet6", "augment": "flip_and_crop"}),
    "series": ((12,), {"backbone": "tcn", "scaling": "channel", "width": 4}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_series_run_and_compile_once(tmp_path, kind):
    shape, changes = KINDS[kind]
    changes |= {"dataset": own_file(tmp_path, shape, kind), "num_classes": 3, "initial": 6, "batch_size": 4}
    config = FrozenConfigDict(tiny(**changes, cycles=2, epochs=2, pool_subset=20, learning_rate=0.01))
    records = []
    build_programs.cache_clear()
    loop.run_lanes(
        config, work.ACTIVE, lanes("us-alfamous"), tmp_path / "checkpoints", lambda new, _: records.extend(new)
    )
    compiled = build_programs(config, parse("us-fbu").program("network"), 1)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1
    assert [record["num_labelled"] for record in records] == [6, 10, 14]
    picked = [row for record in records for row in record["selected"]]
    assert len(set(picked)) == len(picked) == 8
    assert all(0 <= record["accuracy"] <= 1 for record in records)
    assert all(record["ed_diversity"] > 0 for record in records[:2])


def test_a_pool_subset_is_drawn_from_what_is_available(tmp_path):
    """A query that sees as many rows as it asks for takes all of them: the draws are the picks."""
    runs = []
    for subset in (4, 0):
        config = FrozenConfigDict(tiny(pool_subset=subset, cycles=3, epochs=1))
        runs.append([])
        loop.run_lanes(
            config, work.ACTIVE, lanes("us-fbu"), tmp_path / str(subset), lambda new, _: runs[-1].extend(new)
        )
    runs = [[set(record["selected"]) for record in records[:-1]] for records in runs]
    assert runs[0] != runs[1]
    assert len(set().union(*runs[0])) == 12, "a row was drawn that had its label"


@pytest.mark.parametrize("name, head", [("kcenter-cb", "linear"), ("batchbald", "sngp"), ("badge", "linear")])
def test_strategies_on_given_features(tmp_path, name, head):
    """A balanced initial set, then picks that are new, with the labelled rows in view beside a subset of the pool."""
    changes = {"backbone": "identity", "head": head, "num_samples": 5, "pool_subset": 60, "balanced_initial": True}
    changes |= {"minority": "last", "profile": "exponential", "lams": {"kcenter-cb": 0.5}}
    config, records = FrozenConfigDict(tiny(**changes, cycles=3)), []
    loop.run_lanes(config, work.ACTIVE, lanes(name, seed=1), tmp_path, lambda new, _: records.extend(new))
    assert records[0]["counts"] == [1] * 26 and records[0]["lam"] == (0.5 if name == "kcenter-cb" else 0.0)
    picked = [row for record in records for row in record["selected"]]
    assert len(set(picked)) == len(picked) == 12
    pool = problem.seed_pool(config, problem.load_dataset(config), 1)
    assert set(picked) <= set(pool.rows[pool.available & ~pool.reserved].tolist())
