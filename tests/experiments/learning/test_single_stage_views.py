"""What single-stage selections look at: the same standardisation with an ensemble as without, and the paper's pools."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict

from alfamous_jax.networks.linear import Linear
from configs.single_stage import get_config
from experiments.learning import models, problem, single_stage, sources

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Rows of 300 numbers, and a source network of four snapshots whose features differ in size by far."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    np.savez(folder / "rows.npz", x=rng.normal(size=(300, 5)), y=rng.integers(0, 3, 300))
    changes = {"dataset": str(folder / "rows.npz"), "num_classes": 3, "backbone": "mlp", "width": 8, "depth": 1}
    changes |= {"test_rows": 30, "class_mean": 50.0, "selections": ("kcenter", "kcenter+ens"), "budgets": (40,)}
    changes |= {"source": str(folder / "source.npz"), "seeds": 1, "strategies": ("random:svm",), "augment": "none"}
    config = FrozenConfigDict(get_config().to_dict() | changes)
    model = Linear(models.build_backbone(config), 4)
    drawn = [model.init(jax.random.key(seed), jnp.zeros((1, 5))) for seed in range(4)]
    drawn = [jax.tree.map(lambda x, i=i: (1 + 20 * i) * x, one) for i, one in enumerate(drawn)]
    sources.save(folder / "source.npz", jax.tree.map(lambda *leaves: np.stack(leaves), *drawn))
    return config


def test_an_ensemble_of_one_snapshot_is_no_ensemble(config):
    """Rankings by distance are of the same features then, to the last pick."""
    view, alone = single_stage.source_views(FrozenConfigDict({**config, "ensemble": 1}))
    np.testing.assert_allclose(alone.features, view.features, atol=1e-5)
    np.testing.assert_allclose(alone.probs, view.probs, atol=1e-6)
    keys = problem.seed_keys(0)
    here = problem.build_problem(config, [0])
    rows, labels = here.pool[0], here.data.labels[here.pool[0]]
    picks = [
        single_stage.single_stage.select(
            keys.query, seen.probs[rows], seen.features[rows], labels, here.available[0],
            budget=40, num_classes=3, ranking="core",
        ).indices.tolist()
        for seen in (view, alone)
    ]  # fmt: skip
    assert picks[0] == picks[1]


def test_features_of_the_ensemble_are_standardised_averages(config):
    view, ensemble = single_stage.source_views(FrozenConfigDict({**config, "ensemble": 4}))
    source = problem.load_source(config, 4)
    inputs, parts = problem.load_data(config).inputs, []
    for i in range(4):
        snapshot = jax.tree.map(lambda x, i=i: x[i], source.variables)
        parts.append(np.asarray(source.model.apply(snapshot, inputs).features, float))
    wanted = np.mean(parts, axis=0)
    deviation = wanted.std(axis=0)
    wanted = (wanted - wanted.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    np.testing.assert_allclose(ensemble.features, wanted, atol=2e-4)
    for features in (view.features, ensemble.features):
        np.testing.assert_allclose(np.asarray(features).mean(axis=0), 0.0, atol=1e-4)


def test_a_balanced_pool_is_a_subset_with_as_many_rows_of_each_class(config):
    for mode, mean in (("balanced", 600.0), ("cifar100-balanced", 200.0), ("features-balanced", 200.0)):
        found = get_config(mode)
        assert (found.profile, found.source_ratio, found.class_mean) == ("transfer", 0.0, mean)
    balanced = FrozenConfigDict({**config, "source_ratio": 0.0, "class_mean": 40.0})
    dataset = problem.load_dataset(balanced)
    pool = problem.seed_pool(balanced, dataset, 0)
    assert np.bincount(dataset.y_train[pool.rows[pool.available]]).tolist() == [40] * 3
    other = problem.seed_pool(balanced, dataset, 1)
    assert set(other.rows) != set(pool.rows), "which rows is drawn by the seed"


def test_table_12_is_of_a_plain_svm():
    assert get_config().schemes == ("svm", "network") and get_config("features").schemes == ("svm",)
