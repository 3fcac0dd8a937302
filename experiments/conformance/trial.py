"""Small hard pools, and the picks of a strategy on them."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from alfamous_jax.core.contract import Selection
from alfamous_jax.laplace import Posterior
from configs.base import get_base
from experiments.learning.methods import Method, balances, method_of
from experiments.learning.view import View
from experiments.plan.strategies import Strategy, parse

N, K, D, H, S, B = 40, 3, 6, 4, 5, 6
KEY = jax.random.key(0)
CONFIG = get_base().to_dict() | {"budget": B, "num_samples": S, "vae_steps": 3, "dropout": 0.25}
CONFIG["vabal"] |= {"epochs": 2, "num_samples": 3}

HostView = Any  # a `View` of NumPy arrays


class Trial(NamedTuple):
    """A strategy to be tried."""

    strategy: Strategy
    method: Method
    draws: str  # what its noise belongs to, see `Method.draws`


def trial_of(name: str) -> Trial:
    """A strategy by its name; whether one of the user's own draws is found out with three keys.

    Raises:
      ValueError: there is no such strategy.
    """
    strategy = parse(name)
    method = method_of(strategy)
    method.check(CONFIG, strategy)
    trial = Trial(strategy, method, method.draws)
    if strategy.own:
        first, *others = (pick(trial, pool(8), seed).indices for seed in range(3))
        if any((other != first).any() for other in others):
            return trial._replace(draws="rows")
    return trial


def pool(seed: int = 0, dtype: Any = np.float32) -> HostView:
    """A pool with a rare class: 12 rows labelled, 25 available, 3 neither; inputs are phi, stages features and phi."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(K, D))
    labels = rng.choice(K, N, p=[0.6, 0.3, 0.1])
    phi = 0.6 * centres[labels] + rng.normal(size=(N, D))
    order = rng.permutation(N)
    labelled, available = order < 12, order >= 15
    mean = 0.5 * centres + 0.3 * rng.normal(size=(K, D))
    logits = phi[labelled] @ mean.T
    top = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    cov = np.linalg.inv(np.eye(D) + (phi[labelled].T * (top * (1 - top))) @ phi[labelled])
    counts = np.bincount(labels[labelled], minlength=K)
    features = (phi @ rng.normal(size=(D, H))).astype(dtype)
    samples = rng.dirichlet(np.ones(K), size=(S, N)).astype(dtype)
    inputs = phi.astype(dtype)
    head: list[Any] = [mean.astype(dtype), cov.astype(dtype)]
    arrays: list[Any] = [inputs, labels, available, labelled, counts, features, (features, inputs), samples, inputs]
    arrays.append(np.arange(N))
    return View(Posterior(*head), *arrays)


def function_of(strategy: Strategy, budget: int = B) -> Callable[[jax.Array, View, Any], Selection]:
    """(key, view, lam) -> picks."""
    method = method_of(strategy)
    return partial(_pick, method, method.settings(CONFIG | {"budget": budget}, strategy, None))


def _pick(method: Method, settings: Any, key: jax.Array, view: HostView, lam: Any) -> Selection:
    return method.pick(key, view, lam, settings)


@cache
def program(strategy: Strategy, transform: Callable[..., Any] | None = None) -> Any:
    """Jitted; strategies that differ in lam alone share it."""
    function = function_of(strategy)
    return jax.jit(function if transform is None else transform(function))


def lam_of(trial: Trial, lam: float = 0.3) -> float:
    """The lam that a strategy is tried with."""
    return lam if balances(trial.strategy) else 0.0


def pick(trial: Trial, view: HostView, seed: int = 0, lam: float = 0.3) -> Any:
    """The picks on the host, a `Selection` of NumPy arrays."""
    picks = program(trial.strategy.program(""))(jax.random.key(seed), view, lam_of(trial, lam))
    return jax.tree.map(np.asarray, picks)


def expect_picks(picks: Any, view: HostView, num: int = B) -> None:
    """`num` different available rows, then padding."""
    found = picks.indices[:num].tolist()
    assert picks.num_selected == num, f"num_selected is {picks.num_selected}, expected {num}"
    assert len(set(found)) == num, f"a row was picked twice: {found}"
    assert view.available[picks.indices[:num]].all(), f"a row was picked that is not available: {found}"
    assert (picks.indices[num:] == -1).all(), f"expected -1 after {num} picks, got {picks.indices[num:].tolist()}"


def moved(view: HostView, order: np.ndarray) -> HostView:
    """The pool in another order."""
    rows = {name: getattr(view, name)[order] for name in ("phi", "labels", "available", "labelled", "features", "rows")}
    stages = tuple(stage[order] for stage in view.stages or ())
    return view._replace(**rows, stages=stages, prob_samples=view.prob_samples[:, order])


def spoilt(view: HostView, rows: Any, value: float, add: bool = False) -> HostView:
    """Other numbers in some rows."""

    def changed(x: np.ndarray, where: Any) -> np.ndarray:
        x = np.array(x)
        x[where] = x[where] + value if add else value
        return x

    place = (rows,) if add else (rows, 1)
    phi, features, inputs = (changed(x, place) for x in (view.phi, view.features, view.inputs))
    samples = np.array(view.prob_samples)
    samples[(slice(None), *place)] = [1.0, 0.0, 0.0] if add else value
    return view._replace(phi=phi, features=features, inputs=inputs, stages=(features, phi), prob_samples=samples)


def only(view: HostView, keep: np.ndarray) -> HostView:
    """Fewer rows available."""
    return view._replace(available=view.available & keep)
