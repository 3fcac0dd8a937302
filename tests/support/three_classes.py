"""Forty rows of three classes with names."""

import numpy as np

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, 40)
ROWS = 2 * np.eye(3)[TRUTH] + RNG.normal(size=(40, 3))
NAMES = np.array(["ant", "bee", "cow"])
