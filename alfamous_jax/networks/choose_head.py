"""A last layer with its feature map and its ridge, chosen from the labelled rows alone, in one program."""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core.numerics import HIGHEST, dot
from alfamous_jax.networks import map_head
from alfamous_jax.networks.cross_validation import stratified_folds
from alfamous_jax.networks.evidence import leave_one_out_loss, log_evidence
from alfamous_jax.networks.map_head import Basis, HeadInfo

CRITERIA = ("loo", "evidence", "folds")
NUM_FOLDS = 5
TOLERANCE = 1e-4  # of the fits that are compared


class Choice(NamedTuple):
    """The head that scored best, and the scores of all."""

    place: jax.Array  # [], of its map
    ridge: jax.Array  # []
    mean: jax.Array  # [K, D]
    info: HeadInfo  # of its fit
    scores: jax.Array  # [P, G], -inf where a fit did not converge


@partial(jax.jit, static_argnames=("num_classes", "criterion"))
def choose(
    key: jax.Array,
    phi: jax.Array,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridges: jax.Array,
    *,
    criterion: str = "loo",
) -> Choice:
    """The map and the ridge that suit the labels best by a criterion, and the exact fit under them.

    Args:
      key: consumed; deals the folds.
      phi: the labelled rows under each of P maps, [P, M, D]; narrower maps have zeros behind them.
      labels: a padded buffer [M].
      mask: which rows of the buffer count [M].
      num_classes: K, static.
      ridges: [G], in falling order, each fit starting from the one before.
      criterion: "loo", minus `evidence.leave_one_out_loss`; "evidence", `evidence.log_evidence`; or "folds", minus the
        mean cross-entropy of rows left out, in five stratified folds, which takes several times as long. Static.

    Returns:
      the head. Where no fit converged, that of the first map at the first ridge, and `info.converged` says so. Scores
      of maps compare only if the rows have a norm of about 1 under each.

    Raises:
      ValueError: the criterion is another.
    """
    chex.assert_rank([phi, labels, mask, ridges], [3, 1, 1, 1])
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be 'loo', 'evidence' or 'folds', got {criterion!r}")

    def of_map(rows: jax.Array) -> tuple[jax.Array, jax.Array, HeadInfo]:
        base = map_head.basis(rows, mask)
        weights, info = map_head.path(base, labels, mask, num_classes, ridges, tolerance=TOLERANCE)
        if criterion == "folds":
            score = -_held_out_loss(key, base, labels, mask, num_classes, ridges)
        elif criterion == "evidence":
            score = jax.lax.map(lambda one: log_evidence(base, labels, mask, *one), (weights, ridges))
        else:
            score = -jax.lax.map(lambda one: leave_one_out_loss(base, labels, mask, *one), (weights, ridges))
        means = jnp.einsum("gkr,dr->gkd", weights, base.directions, precision=HIGHEST)
        return means, jnp.where(info.converged, score, -jnp.inf), info

    means, scores, info = jax.lax.map(of_map, phi)
    place, which = jnp.unravel_index(jnp.argmax(scores), scores.shape)
    return Choice(place, ridges[which], means[place, which], jax.tree.map(lambda x: x[place, which], info), scores)


def _held_out_loss(
    key: jax.Array, base: Basis, labels: jax.Array, mask: jax.Array, num_classes: int, ridges: jax.Array
) -> jax.Array:
    """Mean cross-entropy of rows left out, for each ridge [G]."""
    folds = stratified_folds(key, jnp.where(mask, labels, num_classes), jnp.asarray(len(labels)), NUM_FOLDS)

    def of_fold(number: jax.Array) -> jax.Array:
        held = mask & (folds == number)
        weights, _ = map_head.path(base, labels, mask & ~held, num_classes, ridges, tolerance=1e-3)
        log_probs = jax.nn.log_softmax(jax.vmap(lambda one: dot(base.rows, one.T))(weights))
        losses = -jnp.take_along_axis(log_probs, labels[None, :, None], axis=2)[:, :, 0]
        return jnp.sum(losses * held, axis=1)

    return jnp.sum(jax.lax.map(of_fold, jnp.arange(NUM_FOLDS)), axis=0) / jnp.maximum(jnp.sum(mask), 1)
