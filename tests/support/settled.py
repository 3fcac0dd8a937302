"""A config that leaves fields to its file, with those of a small file."""

import numpy as np

from experiments.learning.settle import settle


def on_small_file(config, folder):
    """The fields, settled by 90 rows of three classes."""
    path = folder / "small.npz"
    np.savez(path, x=np.eye(3)[np.arange(90) % 3], y=np.arange(90) % 3)
    return settle({**config, "dataset": str(path), "label_column": ""}).config
