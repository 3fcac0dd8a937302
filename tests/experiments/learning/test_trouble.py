"""Which field is to blame for a loss that is not finite."""

import jax
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from experiments.learning.models import build_model
from experiments.learning.trouble import advice


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)


def said(rows, scheme="network", **changes):
    config = FrozenConfigDict(tiny(**{"head": "linear", "refit": False, **changes}))
    variables = build_model(config).init(jax.random.key(0), rows[:1] * 0 + 1)
    return advice(config, scheme, variables, rows).removeprefix("the training loss is not finite")


@pytest.mark.slow
def test_who_is_to_blame(rows):
    assert said(rows) == "; lower config.learning_rate"
    assert said(np.full_like(rows, 3e38)).endswith("they are too large; see config.scaling")
    assert said(rows, head="sngp", kernel_scale=1e-9) == (
        "; config.kernel_scale 1e-09 multiplies its gradients, raise it"
    )
    assert said(rows, scheme="svm", svm_cost=1e30) == "; config.svm_cost 1e+30 or the features are too large"
