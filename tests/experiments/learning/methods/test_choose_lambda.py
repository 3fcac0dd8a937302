"""config.lam "auto" for every method that balances: by its own batches, against its own picks at each lam."""

import jax
import numpy as np
import oracles
import pytest

from experiments.conformance.trial import CONFIG, B, pool
from experiments.learning import methods
from experiments.plan.strategies import parse

GRID = np.array([0.03, 0.1, 0.3, 1.0, 5.0], np.float32)
BALANCED = [name for name in methods.names() if methods.balances(parse(name))]


def probabilities(base, view):
    """What the L1 term of a method counts, in float64."""
    if base == "bald-mc":
        return view.prob_samples.astype(float).mean(axis=0)
    mean, cov = (np.asarray(x, float) for x in view.posterior)
    probs = oracles.mean_field(*oracles.predict(mean, cov, view.phi.astype(float)))
    return np.eye(probs.shape[1])[probs.argmax(axis=1)] if base == "entropy-pseudo" else probs


def test_all_of_them_choose():
    assert {"kcenter-cb", "vaal-cb", "bald-mc-cb", "vabal-cb", "entropy-pseudo", "us-alfamous"} <= {*BALANCED}
    for name in BALANCED:
        methods.check(CONFIG | {"lam": "auto", "strategies": (name,)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("us-cb", "entropy-pseudo", "bald-mc-cb", "kcenter-cb", "maxherding-cb"),
        *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("vabal-cb", "vaal-cb")),
    ],
)
def test_the_rule_by_the_own_batches(name):
    strategy, view, key = parse(name), pool(1), jax.random.key(3)
    method = methods.method_of(strategy)
    settings = method.settings(CONFIG, strategy, None)
    lam, curve = jax.jit(lambda view: method.choose(key, view, settings, GRID))(view)
    pick = jax.jit(lambda view, lam: method.pick(key, view, lam, settings))
    probs, demand = probabilities(strategy.base, view), np.maximum((view.counts.sum() + B) / 3 - view.counts, 0)
    lams, batches = [0.0, *GRID.tolist()], []
    for one in lams:
        batches.append(np.asarray(pick(view, np.float32(one)).indices))
    l1 = np.array([np.abs(demand - probs[batch].sum(axis=0)).sum() for batch in batches])
    np.testing.assert_allclose(curve.lam, lams, rtol=1e-6)
    np.testing.assert_allclose(curve.l1, l1, atol=1e-4)
    assert l1[-1] < l1[0], "the balance does something here"
    good = [one for one, term in zip(lams, l1, strict=True) if term <= l1.min() + 0.05 * (l1[0] - l1.min()) + 1e-6]
    assert float(lam) == pytest.approx(next(one for one in good if one > 0))
    if name == "kcenter-cb":
        assert (np.asarray(curve.utility) < 0).all(), "minus the covering radius"


@pytest.mark.slow
def test_predicted_classes_are_not_probabilities():
    """The rule for pseudo-labels counts predicted classes, which are more than the probabilities say."""
    strategy, view = parse("entropy-pseudo"), pool(1)
    method = methods.method_of(strategy)
    _, curve = method.choose(jax.random.key(0), view, method.settings(CONFIG, strategy, None), GRID)
    soft = methods.method_of(parse("entropy-cb"))
    entropy = soft.settings(CONFIG, parse("entropy-cb"), None)
    _, other = soft.choose(jax.random.key(0), view, entropy, GRID)
    assert not np.allclose(curve.l1, other.l1, atol=0.1)
    one_hot = np.asarray(curve.l1)[:, None] * 3 % 1
    assert np.allclose(np.minimum(one_hot, 1 - one_hot), 0, atol=1e-3), "thirds, as the demand has, and whole rows"
