"""A last layer with its feature map and its ridge, chosen from the labelled rows alone, in one program."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.numerics import dot
from alfamous_jax.networks import map_head
from alfamous_jax.networks.cross_validation import stratified_folds
from alfamous_jax.networks.evidence import leave_one_out_loss, log_evidence
from alfamous_jax.networks.map_head import Basis, HeadInfo

CRITERIA = ("loo", "evidence", "folds")
NUM_FOLDS = 5
TOLERANCE = 1e-4  # of the fits that are compared
UNUSABLE = -1e30  # the score of a fit that did not converge, and lower


class Choice(NamedTuple):
    """The head that scored best, and the scores of all that were fitted."""

    place: jax.Array  # [], of its map
    ridge: jax.Array  # []
    mean: jax.Array  # [K, D]
    info: HeadInfo  # of its fit
    scores: jax.Array  # [P, G], -inf where a fit did not converge or none was needed


class Walk(NamedTuple):
    """A climb over the ridges of one map, from neighbour to neighbour."""

    which: jax.Array  # [], the best ridge so far
    weights: jax.Array  # [K, R], of its fit
    info: HeadInfo  # of its fit
    scores: jax.Array  # [G], NaN where nothing was fitted


@quick_jit(static_argnames=("num_classes", "criterion"))
def choose(
    key: jax.Array,
    phi: Sequence[jax.Array],
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridges: jax.Array,
    *,
    criterion: str = "loo",
) -> Choice:
    """The map and the ridge that suit the labels best by a criterion, and the exact fit under them.

    Each map climbs from the ridge that suited the map before it, the first from the middle one, to the next larger or
    smaller ridge for as long as the score rises: some three fits a map instead of one for each ridge. The ridge is
    better than its neighbours, and the best of all where the score has one peak.

    Args:
      key: consumed; deals the folds.
      phi: the labelled rows under each of P maps, [M, D] each, where D may differ from map to map. Neighbours of one
        width share a program: give them one after the other.
      labels: a padded buffer [M].
      mask: which rows of the buffer count [M]; or how much, numbers of at least 0. A row is left out as a whole.
      num_classes: K, static.
      ridges: [G], in falling order.
      criterion: "loo", minus `evidence.leave_one_out_loss`; "evidence", `evidence.log_evidence`; or "folds", minus the
        mean cross-entropy of rows left out, in five stratified folds, which takes several times as long. Static.

    Returns:
      the head, its mean as wide as the widest map, with zeros behind a narrower one. Where no fit converged, that of
      the first map at the largest ridge, and `info.converged` says so. Scores of maps compare only if the rows have a
      norm of about 1 under each.

    Raises:
      ValueError: the criterion is another.
    """
    chex.assert_rank([*phi, labels, mask, ridges], [*[2] * len(phi), 1, 1, 1])
    if criterion not in CRITERIA:
        raise ValueError(f"criterion must be 'loo', 'evidence' or 'folds', got {criterion!r}")

    def of_map(before: tuple[jax.Array, jax.Array], rows: jax.Array) -> tuple[tuple[jax.Array, jax.Array], Any]:
        base = map_head.basis(rows, mask)
        walk = _climb(key, base, labels, mask, num_classes, ridges, *before, criterion)
        return (walk.which, dot(base.rows, walk.weights.T)), (dot(walk.weights, base.directions.T), walk)

    before = jnp.asarray(len(ridges) // 2), jnp.zeros(num_classes, phi[0].dtype) + 0.0 * labels[:, None]
    widest, found = max(rows.shape[1] for rows in phi), []
    for width, group in groupby(phi, key=lambda rows: rows.shape[1]):
        before, (means, walks) = jax.lax.scan(of_map, before, jnp.stack(list(group)))
        found.append((jnp.pad(means, ((0, 0), (0, 0), (0, widest - width))), walks._replace(weights=())))
    means, walks = jax.tree.map(lambda *parts: jnp.concatenate(parts), *found)
    scores = jnp.where(walks.scores > UNUSABLE, walks.scores, -jnp.inf)
    place = jnp.argmax(jnp.max(scores, axis=1))
    info = jax.tree.map(lambda x: x[place], walks.info)
    return Choice(place, ridges[walks.which[place]], means[place], info, scores)


def _climb(
    key: jax.Array,
    base: Basis,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridges: jax.Array,
    start: jax.Array,
    logits: jax.Array,
    criterion: str,
) -> Walk:
    """From a ridge to one that neither of its neighbours betters, each fit starting from the best before it.

    The first starts from weights that have nearly the logits [M, K] which another map ended with.
    """
    number = len(ridges)

    def neighbours(walk: Walk) -> tuple[jax.Array, jax.Array]:
        """The best ridge, the next larger and the next smaller one, and which of them wait for a fit."""
        places = walk.which + jnp.array([0, -1, 1])
        inside = (places >= 0) & (places < number)
        return places, inside & jnp.isnan(walk.scores[jnp.clip(places, 0, number - 1)])

    def step(walk: Walk) -> Walk:
        places, waiting = neighbours(walk)
        which = places[jnp.argmax(waiting)]
        weights, info = map_head.fit_in(
            base, labels, mask, num_classes, ridges[which], walk.weights, tolerance=TOLERANCE
        )
        if criterion == "folds":
            score = -_held_out_loss(key, base, labels, mask, num_classes, ridges[which], weights)
        elif criterion == "evidence":
            score = log_evidence(base, labels, mask, weights, ridges[which])
        else:
            score = -leave_one_out_loss(base, labels, mask, weights, ridges[which])
        # Below every score of a fit that converged, and the lower the smaller the ridge: the way out is up.
        score = jnp.where(info.converged & ~jnp.isnan(score), score, UNUSABLE * (1.0 + which / number))
        scores = walk.scores.at[which].set(score)
        better = jnp.isnan(walk.scores[walk.which]) | (score > walk.scores[walk.which])
        moved, stay = Walk(which, weights, info, scores), walk._replace(scores=scores)
        kept: Walk = jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, stay)
        return kept

    zero = jnp.zeros((), base.rows.dtype)
    unknown = HeadInfo(zero, zero, zero, jnp.asarray(0), jnp.zeros((), bool))
    near = dot((logits * mask[:, None]).T, base.rows) / (base.power + ridges[start])
    begin = Walk(start, near, unknown, jnp.full(number, jnp.nan, base.rows.dtype))
    return jax.lax.while_loop(lambda walk: jnp.any(neighbours(walk)[1]), step, begin)


def _held_out_loss(
    key: jax.Array,
    base: Basis,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridge: jax.Array,
    start: jax.Array,
) -> jax.Array:
    """Mean cross-entropy of rows left out."""
    folds = stratified_folds(key, jnp.where(mask != 0, labels, num_classes), jnp.asarray(len(labels)), NUM_FOLDS)

    def of_fold(number: jax.Array) -> jax.Array:
        held, kept = jnp.where(folds == number, mask, 0), jnp.where(folds == number, 0, mask)
        weights, _ = map_head.fit_in(base, labels, kept, num_classes, ridge, start, tolerance=1e-3)
        log_probs = jax.nn.log_softmax(dot(base.rows, weights.T))
        losses = -jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
        return jnp.sum(losses * held)

    return jnp.sum(jax.lax.map(of_fold, jnp.arange(NUM_FOLDS))) / jnp.where(jnp.any(mask != 0), jnp.sum(mask), 1)
