"""BatchBALD (Kirsch et al., 2019): the batch whose labels together tell most about the weights."""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from alfamous_jax import acquisition
from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy

BLOCK = 16  # configurations whose predictions are held at a time


class _Joint(NamedTuple):
    """The labels that the picks may turn out to have, M configurations of them."""

    weights: jax.Array  # [M, S], the posterior over the samples given the configuration
    mass: jax.Array  # [M], its probability, 0 for the unused
    live: jax.Array  # [], how many are used; they come first
    information: jax.Array  # [], of the picks so far, nats
    number: jax.Array  # [], of picks


class _Rows(NamedTuple):
    probs: jax.Array  # [n, K, S]
    noise: jax.Array  # [n, S], entropy given the weights


@convert.door
@partial(jax.jit, static_argnames=("budget", "num_configurations"))
def select(
    key: jax.Array, prob_samples: jax.Array, available: jax.Array, *, budget: int, num_configurations: int = 256
) -> Selection:
    """Repeats: the row whose label adds most to the mutual information of the batch's labels and the weights.

    Minimises minus that information, in nats, without a certificate.
    By the chain rule the gain of a row is E H(y_n | labels of the picks) - E H(y_n | weights). The outer mean is over
    the configurations of labels that the picks may have. It is exact while at most `num_configurations` of them have
    a probability above 0; beyond that they are resampled to this number (stratified resampling, unbiased).

    Args:
      key: consumed, by the resampling alone.
      prob_samples: class probabilities under S samples of the weights [S, N, K]. Samples must be of the weights, the
        same for all rows (`laplace.sample_weights`, dropout masks), or the batch's redundancy is lost.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      num_configurations: M, static. A pick costs at most 2 M S K operations for each row it looks at; most picks look
        at 512 rows (`_greedy.lazy_greedy`), of which 16 K numbers a row are held.

    Returns:
      the selection in the order picked, ties to the lowest index; its objective is minus the mutual information of
      the batch in nats, and its bound -inf. The information cannot exceed log S: once it is near, S samples tell no
      row from another, and the rest of the batch is arbitrary.

    Raises:
      ValueError: budget or num_configurations below 1.
    """
    chex.assert_rank(prob_samples, 3)
    contract.check_pool(prob_samples.shape[1])
    contract.check_shapes(prob_samples[0, :, 0], prob_samples[0], prob_samples[0, 0], available, budget)
    if num_configurations < 1:
        raise ValueError(f"num_configurations must be at least 1, got {num_configurations}")
    num_samples, dtype = prob_samples.shape[0], prob_samples.dtype
    noise = acquisition.entropy(prob_samples).T
    valid = available & jnp.all(jnp.isfinite(noise), axis=1)
    size = -(-num_configurations // BLOCK) * BLOCK
    start = _Joint(
        weights=jnp.full((size, num_samples), 1.0 / num_samples, dtype),
        mass=jnp.zeros(size, dtype).at[0].set(1.0),
        live=jnp.int32(1),
        information=jnp.zeros((), dtype),
        number=jnp.int32(0),
    )
    rows = _Rows(jnp.transpose(prob_samples, (1, 2, 0)), noise)
    update = partial(_extend, key, num_configurations)
    joint, indices = _greedy.lazy_greedy(start, _gain, update, rows, valid, budget)
    num_invalid = jnp.sum(available & ~valid)
    bound = jnp.full((), -jnp.inf, dtype)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, -joint.information, bound)


def _gain(joint: _Joint, rows: _Rows) -> jax.Array:
    """What the label of each row would add [n]: never negative, as its two entropies share the configurations."""

    def add(i: jax.Array, total: jax.Array) -> jax.Array:
        weights = jax.lax.dynamic_slice_in_dim(joint.weights, i * BLOCK, BLOCK)
        mass = jax.lax.dynamic_slice_in_dim(joint.mass, i * BLOCK, BLOCK)
        predicted = dot(rows.probs, weights.T)  # [n, K, BLOCK]
        return total + dot(jnp.sum(entr(predicted), axis=1), mass)

    noise = dot(rows.noise, dot(joint.mass, joint.weights))
    gained: jax.Array = jax.lax.fori_loop(0, -(-joint.live // BLOCK), add, -noise)
    return gained


def _extend(key: jax.Array, limit: int, joint: _Joint, row: _Rows) -> _Joint:
    """Every configuration with every label of the new pick, resampled where they become too many."""
    num_classes, size = row.probs.shape[0], joint.mass.size
    predicted = dot(joint.weights, row.probs.T)  # [M, K]
    mass = (joint.mass[:, None] * predicted).ravel()
    mass /= jnp.sum(mass)
    many = jnp.sum(mass > 0)
    exact = many <= limit

    kept = jnp.argsort(mass <= 0, stable=True)[:size]
    ends = jnp.cumsum(mass)
    slots = jnp.arange(size)
    # A draw for each slot: with one for all, as in systematic resampling, every configuration would get the label at
    # the same quantile of its prediction.
    shifts = jax.random.uniform(jax.random.fold_in(key, joint.number), (size,), mass.dtype)
    drawn = jnp.searchsorted(ends, (slots + shifts) / limit * ends[-1])
    chosen = jnp.where(exact, kept, jnp.minimum(drawn, mass.size - 1))

    parent, label = chosen // num_classes, chosen % num_classes
    weights = joint.weights[parent] * row.probs[label]
    total = jnp.sum(weights, axis=1, keepdims=True)
    live = jnp.minimum(many, limit)
    return _Joint(
        weights=jnp.where(total > 0, weights / total, joint.weights),
        mass=jnp.where(slots < live, jnp.where(exact, mass[chosen], 1.0 / limit), 0.0),
        live=live.astype(jnp.int32),
        information=joint.information + _gain(joint, jax.tree.map(lambda x: x[None], row))[0],
        number=joint.number + 1,
    )
