"""VaB-AL's validation split: training rows are scored, and no test row is looked at."""

import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from alfamous_jax.datasets import split
from experiments.learning import problem
from experiments.learning.check import check, check_data, facts


def test_a_share_of_each_class_is_drawn():
    labels = np.repeat(np.arange(4), [100, 31, 2, 1])
    aside = split.validation(labels, 0.1, 0)
    assert np.bincount(labels[aside], minlength=4).tolist() == [10, 3, 1, 0]
    assert (split.validation(labels, 0.1, 0) == aside).all() and (split.validation(labels, 0.1, 1) != aside).any()
    assert (split.validation(labels, 0.99, 0) != 1)[labels == 2].sum() == 1, "one of two rows stays"
    with pytest.raises(ValueError, match="no class has two rows"):
        split.validation(np.arange(3), 0.1, 0)


def test_a_run_on_it_has_other_rows_than_those_tested():
    whole, part = (FrozenConfigDict(tiny(validation=share)) for share in (0.0, 0.1))
    before, after = (problem.load_dataset(config) for config in (whole, part))
    both = np.concatenate([after.x_train, after.x_test])
    assert len(both) == len(before.x_train) == 15_000 and abs(len(after.x_test) - 1500) <= 13
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(before.x_train, axis=0))
    shares = np.bincount(after.y_test) / np.bincount(before.y_train)
    np.testing.assert_allclose(shares, 0.1, atol=0.001)
    config = tiny(validation=0.1)
    check(config)
    said = facts(check_data(config, part, range(1)), part, 0)["notes"][-1]
    assert said.startswith(f"Scores are of a validation set, {len(after.x_test):,} training rows (10% of each class")


def test_refused():
    with pytest.raises(ValueError, match="config.validation: expected a number from 0 to below 1, got 1.0"):
        check(tiny(validation=1.0))
