"""What can be seen of a session: probabilities, how much labels still change, how good the head is."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import estimate, laplace, last_layer, stopping
from alfamous_jax.cycle import PoolState
from alfamous_jax.estimate import Estimate
from alfamous_jax.session import _rows
from alfamous_jax.session._ledger import Ledger
from alfamous_jax.session._model import Model, Setup


class Progress(NamedTuple):
    """Whether further labels still change anything."""

    num_labels: int  # that the head learns from
    kl: tuple[float, ...]  # how far each label since the last fit moved the posterior, nats
    agreement: dict[str, float]  # of the predictions of the last two fits, by class (`stopping.agreement`)
    least: float  # the smallest of these, NaN before the second fit


def map_name(model: Model) -> str:
    """Of the head as fitted, as in `feature_maps.parse`."""
    return "" if model.predicted is None else str(last_layer.MAPS[int(model.place)])


def predict_proba(setup: Setup, model: Model, rows: Any, features: Any) -> np.ndarray:
    """Of rows of the pool (None: all), or of other rows given as features."""
    if features is not None and rows is not None:
        raise ValueError("give rows of the pool or features of other rows, not both")
    if features is not None:
        new = _rows.take_rows(features, width=setup.rows.shape[1])
        return np.asarray(_of_phi(model.state.posterior, last_layer.phi_of(setup.maps, model.place, new)))
    if rows is None:
        return np.asarray(probabilities(model.state))
    numbers = np.array(_rows.check_rows(rows, len(setup.rows)), np.int64)
    logits, variance = (np.asarray(x)[numbers] for x in (model.state.logits, model.state.variance))
    return np.asarray(laplace.mean_field(jnp.asarray(logits), jnp.asarray(variance)))


@jax.jit
def probabilities(state: PoolState) -> jax.Array:
    """Of all rows [N, K]."""
    return laplace.mean_field(state.logits, state.variance)


@jax.jit
def _of_phi(posterior: laplace.Posterior, phi: jax.Array) -> jax.Array:
    return laplace.mean_field(*laplace.predict(posterior, phi))


def progress(model: Model, ledger: Ledger) -> Progress:
    """How much the last labels and the last fit changed."""
    num_labels, classes = len(ledger.training()[0]), ledger.classes
    shares = np.full(len(classes), np.nan)
    if model.before is not None and model.predicted is not None:
        shares = np.asarray(stopping.agreement(model.before, model.predicted, len(classes)))
    moved = tuple(float(x) for part in model.change for x in np.asarray(part))
    least = float(np.nanmin(shares)) if np.isfinite(shares).any() else math.nan
    return Progress(num_labels, moved, dict(zip(classes, map(float, shares), strict=True)), least)


def estimated(setup: Setup, model: Model, ledger: Ledger) -> Estimate:
    """From the draws of the audit in their order, up to the first that has no answer yet."""
    done = []
    for row, chance in ledger.drawn.items():
        if row not in ledger.labels and row not in ledger.skipped:
            break
        done.append((row, ledger.labels.get(row, -1), math.log(chance)))
    if not done:
        raise ValueError("estimate: no row of the audit has been answered, ask_audit draws them")
    size = 1 << (len(done) - 1).bit_length()  # a power of two, so that few sizes are compiled
    rows, labels, log_prob = (np.array(x) for x in zip(*done, *[(0, -1, 0.0)] * (size - len(done)), strict=True))
    predicted = np.asarray(model.state.logits)[rows].argmax(axis=1)
    whole, num = int(setup.held.sum()), len(done)
    arrays = labels, predicted, log_prob.astype(np.float32)
    found: Estimate = estimate.evaluate(*arrays, whole, len(ledger.classes), num)
    return found
