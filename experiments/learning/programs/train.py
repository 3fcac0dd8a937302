"""Training on what is labelled, the scores on the test set, and the accuracy on held-out folds."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import metrics
from alfamous_jax.core import collectives
from alfamous_jax.networks import cross_validation
from alfamous_jax.networks import train as networks_train
from experiments.learning.programs._setup import Labelled, Setup, taken
from experiments.learning.schemes import Learned


class Scores(NamedTuple):
    """One point of a learning curve."""

    accuracy: jax.Array
    macro_f1: jax.Array
    recall: jax.Array  # [K]
    balanced_accuracy: jax.Array  # the mean of the recall, of classes that are tested
    worst_recall: jax.Array  # of the class that is recognised least
    log_loss: jax.Array  # of the softmax of the mean weights; NaN for a scheme without probabilities
    calibration_error: jax.Array  # likewise
    cbi: jax.Array  # min-max scaled, the scale of the published tables
    cbi_sum: jax.Array  # Eq. 9 as printed
    l1_score: jax.Array
    train_accuracy: jax.Array  # on what is labelled; far from 1, the network does not fit its own labels


def train(setup: Setup, key: jax.Array, start: Any, known: Labelled) -> tuple[Any, Learned]:
    """Trains from `start`: variables, and what the scheme says of its fit."""
    data, pool, indices, num = known
    fit = setup.scheme.fit
    if setup.axis_name is None:
        return fit(key, start, data, pool[indices], num)
    inputs, labels = (taken(setup, array, pool, indices) for array in (data.inputs, data.labels))
    fitted = fit(key, start, data._replace(inputs=inputs, labels=labels), jnp.arange(indices.size), num)
    return collectives.first(fitted, setup.axis_name)


def evaluate(setup: Setup, variables: Any, known: Labelled, counts: jax.Array) -> Scores:
    """Scores on the test set and on what is labelled, and the balance of the labels."""
    data, pool, indices, num = known
    (seen, inputs), model, num_classes = setup.scheme.inputs(data), setup.scheme.model, setup.num_classes
    test = networks_train.evaluate(variables, inputs, data.y_test, model=model, num_classes=num_classes)
    rows, labels = (taken(setup, array, pool, indices) for array in (seen, data.labels))
    predicted = networks_train.in_chunks(lambda x: jnp.argmax(model.apply(variables, x).logits, axis=-1), rows)
    right = jnp.sum((predicted == labels) & (jnp.arange(indices.size) < num)) / jnp.maximum(num, 1)
    cbi, cbi_sum = (metrics.class_balance_index(counts, how) for how in ("minmax", "sum"))
    sure = test.log_loss, test.calibration_error
    if not setup.scheme.has_logits:
        sure = jnp.full((), jnp.nan), jnp.full((), jnp.nan)
    by_class = test.recall, jnp.nanmean(test.recall), jnp.nanmin(test.recall)
    balance = cbi, cbi_sum, metrics.l1_score(counts)
    return Scores(test.accuracy, test.macro_f1, *by_class, *sure, *balance, right)


def cross_validate(setup: Setup, key: jax.Array, start: Any, known: Labelled) -> jax.Array:
    """Accuracy of the scheme on folds of what is labelled []."""
    rows, scheme = known.pool[known.indices], setup.scheme
    inputs = scheme.inputs(known.data)[0]

    def predict(variables: Any) -> jax.Array:
        return networks_train.in_chunks(
            lambda chunk: jnp.argmax(scheme.model.apply(variables, inputs[chunk]).logits, axis=-1), rows
        )

    def refit(key: jax.Array, order: jax.Array, number: jax.Array) -> Any:
        return scheme.fit(key, start, known.data, rows[order], number)[0]

    labels = known.data.labels[rows]
    return cross_validation.cross_validate(key, labels, known.num, num_folds=setup.folds, fit=refit, predict=predict)
