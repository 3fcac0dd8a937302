"""Without config.posterior strategies rank by the softmax of their network, as CBAL, VaB-AL and the ICPR paper do."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from experiments.learning import problem
from experiments.learning.check import check
from experiments.learning.models import build_model
from experiments.learning.programs import Labelled, build_programs
from experiments.plan.strategies import parse

BUDGET, NUM = 64, 200
SETTINGS = {"backbone": "identity", "head": "linear", "epochs": 40, "learning_rate": 0.1, "initial": NUM}
SETTINGS |= {"budget": BUDGET, "seeds": 1, "cycles": 1}


def picks(strategy, **changes):
    """The rows of a query after training, and the softmax of the same network in float64, unavailable rows NaN."""
    config = FrozenConfigDict(tiny(**SETTINGS, strategies=(strategy,), **changes))
    task = problem.build_problem(config, [0])
    programs = build_programs(config, parse(strategy).program("network"), 1)
    buffer = np.zeros((1, NUM + BUDGET), np.int32)
    buffer[:, :NUM] = task.initial
    known, key = Labelled(task.data, task.pool, jnp.asarray(buffer), jnp.int32(NUM)), jax.random.key(0)[None]
    variables, _ = programs.train(key, task.variables["network"], known)
    pool = np.asarray(task.pool)[0]
    counts = np.bincount(np.asarray(task.data.labels)[pool[task.initial[0]]], minlength=26)[None]
    query = programs.query(key, variables, known, task.available, jnp.asarray(counts), jnp.zeros(1))
    one = jax.tree.map(lambda x: x[0], variables)
    logits = np.asarray(build_model(config).apply(one, task.data.inputs[pool]).logits, float)
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs = exps / exps.sum(axis=1, keepdims=True)
    probs[task.initial[0]] = np.nan
    return np.asarray(query.indices[0]), probs


UTILITIES = {
    "entropy": lambda p: -np.sum(p * np.log(p), axis=1),
    "us": lambda p: 1 - p.max(axis=1),
    "margin": lambda p: np.sort(p, axis=1)[:, -2] - np.sort(p, axis=1)[:, -1],
    "entropy-cb": lambda p: -np.sum(p * np.log(p), axis=1),  # at lam 0
}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", UTILITIES)
def test_the_batch_is_the_top_of_the_softmax(strategy):
    found, probs = picks(strategy, posterior=False)
    utility = UTILITIES[strategy](probs)
    wanted = np.sort(utility[~np.isnan(utility)])[::-1][:BUDGET]
    np.testing.assert_allclose(np.sort(utility[found])[::-1], wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.slow
def test_the_posterior_asks_for_other_rows():
    found, probs = picks("entropy", posterior=True)
    top = np.argsort(np.nan_to_num(UTILITIES["entropy"](probs), nan=-1.0))[::-1][:BUDGET]
    assert 0 < len({*found.tolist()} - {*top.tolist()}) < BUDGET


@pytest.mark.parametrize("strategy", ["bald", "bald-cb", "us-fbu", "margin-alfamous", "batchbald"])
def test_what_needs_a_posterior_is_refused(strategy):
    with pytest.raises(ValueError, match=f"config.posterior: '{strategy}' ranks by a posterior and needs True, got Fa"):
        check(tiny(posterior=False, strategies=(strategy,)))
    check(tiny(strategies=(strategy,)))
    check(tiny(posterior=False, dropout=0.1, strategies=("bald-mc", "us-cb", "badge", "kcenter-cb", "vabal")))


def test_the_papers_that_rank_by_the_softmax():
    for name, mode in (("cbal", "cifar10-0.1"), ("cbal", "tiny_imagenet-1"), ("vabal", ""), ("vabal", "neu")):
        assert importlib.import_module(f"configs.{name}").get_config(mode).posterior is False
    for name in ("minority", "single_stage"):
        assert all(
            importlib.import_module(f"configs.{name}").get_config(m).posterior is False for m in ("", "features")
        )
    assert importlib.import_module("configs.letter").get_config().posterior is True
