"""What classes lack: how many labels, and whether more than chance has it so."""

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import convert


def class_demand(counts: jax.Array, total: jax.Array) -> jax.Array:
    """How many labels each class is short of an equal share: max(total / K - counts, 0).

    With total = sum(counts) it is AL-FaMoUS Eq. 2, with total = sum(counts) + b CBAL Eq. 4.

    Args:
      counts: labels known of each class [K], those of the running cycle included.
      total: how many labels the shares divide up [].

    Returns:
      demand [K], not rounded.

    Examples:
      >>> from alfamous_jax import balance
      >>> counts = jnp.array([6, 1, 2])
      >>> balance.class_demand(counts, counts.sum()).tolist()
      [0.0, 2.0, 1.0]
    """
    return jnp.maximum(total / counts.shape[-1] - counts, 0.0)


def shrinkage(counts: jax.Array) -> jax.Array:
    """How much of the unevenness of label counts chance does not explain: max(1 - (K - 1) / chi^2, 0).

    With chi^2 = sum_k (n_k - n / K)^2 / (n / K), which is K - 1 on average where all classes are as frequent. It is the
    factor of empirical Bayes (Efron and Morris, 1973) for what classes lack: lam times it leaves an even pool alone,
    where a lam that stays would weigh what chance alone has made of a few labels. Sessions, `PoolStrategy` and
    `config.shrink_lam` take it.

    Args:
      counts: labels known of each class [K].

    Returns:
      factor [] in [0, 1]; 0 without labels and where there is one class.

    Examples:
      >>> from alfamous_jax import balance
      >>> [round(balance.shrinkage(jnp.array(counts)).item(), 2) for counts in ([4, 3, 5], [9, 2, 1], [90, 20, 10])]
      [0.0, 0.79, 0.98]
    """
    counts = convert.as_float(counts)
    share = jnp.sum(counts) / counts.shape[-1]
    spread = jnp.sum((counts - share) ** 2)
    by_chance = (counts.shape[-1] - 1) * share / jnp.where(spread > 0, spread, 1.0)
    return jnp.where(spread > 0, jnp.maximum(1.0 - by_chance, 0.0), 0.0)


@convert.door
def expand_classes(probs: jax.Array, classes: jax.Array, num_classes: int) -> jax.Array:
    """Probabilities of a classifier that has not seen all classes, over all of them: 0 for the others.

    Args:
      probs: [..., C], of the classes that it knows.
      classes: which they are [C], in 0..K-1, such as `classes_` of a scikit-learn classifier.
      num_classes: K, static.

    Returns:
      probabilities [..., K].

    Raises:
      ValueError: another number of classes than columns; outside a trace also a class that is given twice or lies
        outside 0..K-1. Inside one, its column is added to that of its twin, or dropped.

    Examples:
      >>> from alfamous_jax import balance
      >>> balance.expand_classes(jnp.array([[0.25, 0.75], [1.0, 0.0]]), jnp.array([3, 1]), 4).tolist()
      [[0.0, 0.75, 0.0, 0.25], [0.0, 0.0, 0.0, 1.0]]
    """
    probs, classes = jnp.asarray(probs), convert.as_labels(classes, "classes")
    if classes.ndim != 1 or probs.shape[-1:] != classes.shape:
        raise ValueError(f"probs must have a column for each of the classes, got {probs.shape} and {classes.shape}")
    if not isinstance(classes, jax.core.Tracer):
        known = np.asarray(classes)
        if len(np.unique(known)) < len(known) or np.any((known < 0) | (known >= num_classes)):
            raise ValueError(f"classes must be distinct and in 0..{num_classes - 1}, got {known.tolist()}")
    places = jnp.where(classes >= 0, classes, num_classes)
    return jnp.zeros((*probs.shape[:-1], num_classes), probs.dtype).at[..., places].add(probs, mode="drop")
