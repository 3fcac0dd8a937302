"""What to change where a training has ended in a loss that is not finite."""

from typing import Any

import numpy as np
from ml_collections import FrozenConfigDict

from experiments.learning.models import build_model
from experiments.plan.strategies import NETWORKS

SMALL_SCALE = 1e-3  # of a kernel, whose root divides the features and so multiplies the gradients of the backbone
ROWS = 64  # that the untrained network is tried on


def advice(config: FrozenConfigDict, scheme: str, variables: Any, inputs: Any) -> str:
    """What is said after the place: the field that is to blame.

    Args:
      config: of the run.
      scheme: of `SCHEMES`.
      variables: of the network before any training; None where it is not at hand.
      inputs: rows as it sees them.
    """
    said = "the training loss is not finite"
    if scheme not in NETWORKS:
        return f"{said}; config.svm_cost {config.svm_cost:g} or the features are too large"
    if config.head == "map":
        return f"{said}; the rows are too large for config.maps, or a number in config.ridges is too small"
    outputs: Any = None if variables is None else build_model(config).apply(variables, inputs[:ROWS])
    if outputs is not None and not np.isfinite(outputs.logits).all():
        return f"{said}, nor is what the untrained network says of the rows: they are too large; see config.scaling"
    if config.head == "sngp" and config.kernel_scale < SMALL_SCALE:
        return f"{said}; config.kernel_scale {config.kernel_scale:g} multiplies its gradients, raise it"
    return f"{said}; lower config.learning_rate"
