"""The utilities that a cycle knows by name, and how a name or a function of one's own is applied to a pool.

To add one, write its formula in `acquisition` and give it a name here.
"""

from collections.abc import Callable
from functools import partial

import jax

from alfamous_jax import acquisition, laplace
from alfamous_jax.core import collectives

Utility = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (logits [N, K], variance [N], key) -> [N]

UTILITIES: dict[str, Utility] = {
    "random": lambda logits, variance, key: jax.random.uniform(key, variance.shape, variance.dtype),
    "least_confidence": lambda logits, variance, key: acquisition.least_confidence(
        laplace.mean_field(logits, variance)
    ),
    "margin": lambda logits, variance, key: acquisition.margin(laplace.mean_field(logits, variance)),
    "entropy": lambda logits, variance, key: acquisition.entropy(laplace.mean_field(logits, variance)),
    "bald": lambda logits, variance, key: acquisition.bald_gaussian(logits, variance),
}
# Of those that cost much more than class probabilities [N, K]: a limit [N] from these and the variances [N].
CEILINGS: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {"bald": acquisition.bald_ceiling}


def named(utility: str | Utility) -> Utility:
    """The function behind a name in `UTILITIES`; a function is given back as it is.

    Raises:
      ValueError: no such name.
    """
    if callable(utility):
        return utility
    if utility not in UTILITIES:
        raise ValueError(f"utility must be a function or one of {', '.join(UTILITIES)}, got {utility!r}")
    return UTILITIES[utility]


def evaluate(
    utility: str | Utility, logits: jax.Array, variance: jax.Array, key: jax.Array, axis_name: str | None = None
) -> jax.Array:
    """How much a label of each row is worth.

    Args:
      utility: a name in `UTILITIES` or a function of one's own.
      logits: [N, K].
      variance: of the logits [N].
      key: for `random` and for functions that draw.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. `random` then gives every row
        what one device would; a function sees the rows of its device.

    Returns:
      utility [N], higher first.

    Raises:
      ValueError: no such name.
    """
    if utility == "random" and axis_name is not None:
        sample = partial(jax.random.uniform, key, dtype=variance.dtype)
        return collectives.draw(lambda size: sample((size,)), len(variance), axis_name)
    return named(utility)(logits, variance, key)
