"""Small data sets to write to files."""

import numpy as np


def write(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def good():
    x = np.arange(24, dtype=np.float32).reshape(6, 4)
    return {"x_train": x, "y_train": np.array([0, 1, 2, 0, 1, 2]), "x_test": x[:2], "y_test": np.array([1, 0])}
