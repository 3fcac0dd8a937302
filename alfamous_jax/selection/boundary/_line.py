"""The pool as a line: its rows ranked by how sure the classifier is that they are of one class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Line(NamedTuple):
    """The rows in falling order of a class; those that are neither labelled nor usable stand at the end."""

    order: jax.Array  # [N], the row at each position
    signs: jax.Array  # [N], by position: 1 labelled with the class, -1 with another, 0 not labelled
    free: jax.Array  # [N], by position: whether the row may be asked for


def line(probs: jax.Array, number: jax.Array, labels: jax.Array, labelled: jax.Array, usable: jax.Array) -> Line:
    """Ranks the rows for one class.

    First those that the class leads, the most probable first; then the others, by how little it lacks to lead.

    Args:
      probs: class probabilities [N, K].
      number: of the class [].
      labels: [N]; only those of labelled rows are looked at.
      labelled: [N].
      usable: rows that may be asked for [N].
    """
    own, best = probs[:, number], jnp.max(probs, axis=1)
    worth = jnp.where(jnp.argmax(probs, axis=1) == number, best, own - best)
    known = labelled & jnp.isfinite(worth)
    order = jnp.argsort(jnp.where(known | usable, -worth, jnp.inf), stable=True)
    signs = jnp.where(known, jnp.where(labels == number, 1, -1), 0)
    return Line(order, signs[order], (usable & ~known)[order])


def usable_rows(probs: jax.Array, available: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The available rows whose probabilities are numbers [N], and how many are not []."""
    usable = available & jnp.all(jnp.isfinite(probs), axis=1)
    return usable, jnp.sum(available & ~usable)
