"""Strategies by name for a pool that somebody labels: what each asks for next, from the pool's state alone.

The names are those of the experiments, without the strategies that train a network of their own. Distances are taken
between the rows as the last layer sees them, phi. Labels not known yet are nowhere assumed.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import cycle, laplace
from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.cycle import PoolState
from alfamous_jax.selection import (
    balance,
    batch_bald,
    boundary,
    centroids,
    coverage,
    diversity,
    dropquery,
    falcun,
    flqmi,
    minority,
    typicality,
)

UTILITIES = {"random": "random", "us": "least_confidence", "margin": "margin", "entropy": "entropy", "bald": "bald"}
FORMS = ("", "cb", "fbu", "alfamous")
WITHIN = {"cmcs": "certain", "umcs": "uncertain", "dmcs": "diverse"}
AUXILIARY = {"rand": "random", "marg": "margin"}
MINORITY = {f"{within}-{rest}": (WITHIN[within], AUXILIARY[rest]) for within in WITHIN for rest in AUXILIARY}
HERDING = ("maxherding", "maxherding-cb", "uherding", "uherding-cb")
BY_BALL = ("probcover", "probcover-cb")
BY_DISTANCE = ("kcenter", "kcenter-cb", *HERDING, *BY_BALL, "typiclust")
BY_LINE = ("galaxy", "galaxy-fbu", "direct")
BY_GRADIENT = ("badge", "flqmi")
BY_CHANGE = ("falcun", "dropquery", "base")
OTHERS = (*BY_DISTANCE, *BY_LINE, *BY_GRADIENT, *BY_CHANGE, "batchbald", "entropy-pseudo", "cds-bal", *MINORITY)
NAMES = (*(base + f"-{form}" * bool(form) for base in UTILITIES for form in FORMS), *OTHERS)
# Beside the forms of random, and minority with the rest at random.
DRAWN = ("badge", "falcun", "dropquery", "batchbald", "galaxy", "direct", *BY_BALL, "typiclust")
NUM_SAMPLES = 100  # of the weights, for batchbald


class Strategy(NamedTuple):
    """A name taken apart; static."""

    name: str
    utility: str = ""  # of `utilities.UTILITIES`, "" if it ranks by no utility
    balanced: bool = False
    updates: bool = False  # whether a label moves the posterior before the next pick

    @property
    def draws(self) -> bool:
        """Whether chance decides, so that a pick has no probability of 1."""
        return self.utility == "random" or self.name in DRAWN or self.name.endswith("-rand")


class Labelled(NamedTuple):
    """What some strategies look at beside the state of the pool."""

    phi: jax.Array  # [N, D]
    labels: jax.Array  # [N], -1 where there is none
    labelled: jax.Array  # [N]


def parse(name: str) -> Strategy:
    """The strategy of a name.

    Raises:
      ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"strategy must be one of {', '.join(NAMES)}, got {name!r}")
    base, _, form = name.partition("-")
    if name in OTHERS:
        return Strategy(name, balanced=form == "cb", updates=form == "fbu")
    return Strategy(name, UTILITIES[base], form in ("cb", "alfamous"), form in ("fbu", "alfamous"))


def default_lam(strategy: Strategy, counts: jax.Array) -> jax.Array:
    """How much the balance of the classes counts [], unless told otherwise: distances want more than utilities.

    As far as the labels known are less even than chance makes those of an even pool, counts [K].
    """
    most = 0.5 if strategy.balanced and not strategy.utility else 0.1
    return most * balance.shrinkage(counts)


def is_cold(strategy: Strategy, num_classes: int) -> bool:
    """Whether a strategy has nothing to rank by yet: labels of fewer than two classes."""
    by_features = ("kcenter", "maxherding", "typiclust")
    return num_classes < 2 and strategy.utility != "random" and not strategy.name.startswith(by_features)


def pick(
    strategy: Strategy, state: PoolState, key: jax.Array, lam: jax.Array | float | None, known: Labelled, num: int
) -> tuple[jax.Array, jax.Array]:
    """The next rows to label.

    Args:
      strategy: of `parse`, static.
      state: the pool.
      key: consumed by strategies that draw.
      lam: weight of the balance [], `default_lam` if None; strategies without a balance do not look at it.
      known: what else there is to look at.
      num: b, static.

    Returns:
      indices [b], -1 where no row is left, and how many available rows were passed over for a NaN [].
    """
    slow_to_run = strategy.utility == "bald"  # whose integrals quick code takes three times as long for
    picks: tuple[jax.Array, jax.Array] = (_pick if slow_to_run else _quick_pick)(strategy, state, key, lam, known, num)
    return picks


def _picked(
    strategy: Strategy, state: PoolState, key: jax.Array, lam: jax.Array | float | None, known: Labelled, num: int
) -> tuple[jax.Array, jax.Array]:
    lam = default_lam(strategy, state.counts) if lam is None else lam
    if strategy.utility and (strategy.balanced or num == 1):
        lam = lam if strategy.balanced else 0.0
        indices, info = cycle.query(state, key, utility=strategy.utility, lam=lam, num=num)
        return indices, info.num_invalid
    if strategy.utility:
        worth = cycle.score(state, key, strategy.utility)[0]
        usable = state.available & jnp.isfinite(worth)
        worth, indices = jax.lax.top_k(jnp.where(usable, worth, -jnp.inf), num)
        return jnp.where(jnp.isfinite(worth), indices, -1), jnp.sum(state.available & ~usable)
    selection = _other(strategy.name, state, key, lam, known, num)
    return selection.indices, selection.num_invalid


_STATIC = ("strategy", "num")
_pick, _quick_pick = jax.jit(_picked, static_argnames=_STATIC), quick_jit(static_argnames=_STATIC)(_picked)


def _other(name: str, state: PoolState, key: jax.Array, lam: jax.Array | float, known: Labelled, num: int) -> Selection:
    """A batch by a method that ranks by no utility of a posterior."""
    phi, labels, labelled = known
    available, num_classes = state.available, state.counts.shape[0]
    probs = laplace.mean_field(state.logits, state.variance)
    demand = balance.class_demand(state.counts, jnp.sum(state.counts) + num)
    predicted = jnp.argmax(state.logits, axis=-1)
    believed = jnp.where(labelled, labels, predicted)  # a batch asks for a row after rows whose labels are not known
    rows = phi, labelled, available
    found: Selection
    if name == "kcenter":
        found = diversity.k_center(*rows, budget=num)
    elif name == "kcenter-cb":
        found = diversity.k_center_balanced(probs, demand, lam, *rows, budget=num)
    elif name == "badge":
        found = diversity.badge(key, jax.nn.softmax(state.logits), phi, available, budget=num)
    elif name == "entropy-pseudo":
        worth, probs = cycle.score(state, key, "entropy")
        found = balance.select_pseudo_label(worth, jnp.argmax(probs, axis=-1), demand, lam, available, budget=num)
    elif name == "batchbald":
        weights_key, key = jax.random.split(key)
        weights = laplace.sample_weights(weights_key, state.posterior, NUM_SAMPLES)
        logits = jnp.einsum("nd,skd->snk", phi, weights, precision=HIGHEST)
        found = batch_bald.select(key, jax.nn.softmax(logits), available, budget=num)
    elif name in HERDING:
        share = lam if name.endswith("-cb") else 0.0
        weights = coverage.class_weights(probs, demand, share, available | labelled)
        radius: jax.Array | float = 1.0
        if name.startswith("uherding"):
            weights, radius = weights * coverage.doubt(probs, labelled), coverage.least_distance(phi, labelled)
        found = coverage.select(weights, *rows, budget=num, radius=radius)
    elif name in BY_BALL:
        weights = coverage.class_weights(probs, demand, lam if name.endswith("-cb") else 0.0, available | labelled)
        found = coverage.prob_cover(key, weights, *rows, budget=num, num_classes=num_classes)
    elif name == "typiclust":
        found = typicality.select(key, *rows, budget=num)
    elif name == "falcun":
        found = falcun.select(key, probs, available, budget=num)
    elif name == "dropquery":
        drop_key, key = jax.random.split(key)
        doubt = dropquery.disagreement(drop_key, state.posterior.mean, phi)
        found = dropquery.select(key, doubt, phi, available, budget=num)
    elif name == "base":
        found = boundary.base(state.logits, state.posterior.mean, state.counts, available, budget=num)
    elif name == "flqmi":
        targets = jnp.where(labelled & (demand[labels] > 0), 1.0, 0.0)
        found = flqmi.select(jax.nn.softmax(state.logits), phi, believed, targets, available, budget=num)
    elif name in BY_LINE:
        of_boundary = boundary.direct if name == "direct" else boundary.galaxy
        found = of_boundary(key, probs, believed, labelled, available, budget=num)
    elif name == "cds-bal":
        found = centroids.select(phi, believed, labelled, available, budget=num, num_classes=num_classes)
    else:
        within, auxiliary = MINORITY[name]
        known_rows = phi, believed, labelled, available
        how = {"within": within, "auxiliary": auxiliary, "budget": num}
        found = minority.select(key, probs, state.counts, *known_rows, **how)
    return found
