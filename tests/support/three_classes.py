"""Forty rows of three classes with names, and a last layer of few random features, which is fitted in milliseconds."""

import numpy as np
import pytest

from alfamous_jax import last_layer

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 40)
ROWS = 2 * np.eye(3)[TRUTH] + RNG.normal(size=(40, 3))
NAMES = np.array(["ant", "bee", "cow"])


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Of every file that imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_layer, "NUM_FEATURES", 16)
        yield
