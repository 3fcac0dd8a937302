"""What `experiments.bench` times: the steps of the library on generated pools, with what each cannot do without.

Numbers take 4 bytes, flags one; softmax and other work on N x K numbers counts as bytes alone.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import cycle, laplace, updates
from alfamous_jax.selection import balance, balance_lp, diversity, single_stage
from experiments.bench.roofline import Work

SOURCE_CLASSES = 1000  # ImageNet's


class Job(NamedTuple):
    """A program to time."""

    name: str
    function: Callable  # jitted
    args: tuple
    work: Work  # of one unit
    size: float  # bytes of the arrays that it passes over
    units: int = 1  # labels or steps of one call
    once: tuple[Callable, tuple] | None = None  # a program of one unit and its arrays, for XLA's own count


def pool(args: argparse.Namespace, clustered: bool = False) -> tuple:
    """A pool of random Fourier features [N, D] with a posterior over it.

    Args:
      args: rows N, features D, classes K.
      clustered: whether rows lie around a centre for each class, so that a label tells of others and rows differ in
        what they are worth, as the time of BALD depends on it; or each on its own.

    Returns:
      posterior, phi [N, D], labels [N], available [N], counts [K].
    """
    rng = np.random.default_rng(0)
    angles = rng.normal(size=(args.rows, args.features)).astype(np.float32) * 2
    mean = jnp.asarray(rng.normal(size=(args.classes, args.features)), jnp.float32)
    labels = rng.integers(0, args.classes, args.rows)
    if clustered:
        rows = rng.normal(size=(args.classes, 16))[labels] + 0.5 * rng.normal(size=(args.rows, 16))
        angles = rows @ rng.normal(size=(16, args.features)) / 2 + rng.uniform(0, 2 * np.pi, args.features)
    phi = jnp.asarray(np.cos(angles) * np.sqrt(2 / args.features), jnp.float32)
    labels = jnp.asarray(labels, jnp.int32)
    num_labelled = min(100, args.rows - args.budget)
    posterior = jax.jit(laplace.fit)(mean, phi[:num_labelled], jnp.ones(num_labelled, bool))
    available = jnp.arange(args.rows) >= num_labelled
    counts = jnp.bincount(labels[:num_labelled], length=args.classes).astype(jnp.int32)
    return posterior, phi, labels, available, counts


def label_work(n: int, d: int, k: int) -> Work:
    """A label of AL-FaMoUS: Phi and the covariance read once, logits and variances read and written, a mask read.

    The gain of a row is a product with ones, once to see whether it is finite and once to find the best.
    """
    return Work(4 * (n * d + 2 * n * (k + 1) + d * d) + n, 2 * n * d + 2 * n * (k + 1) + 4 * n * k + 2 * d * d)


def cycle_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A label of AL-FaMoUS, and scoring the pool anew from mean and covariance, which the update saves."""
    posterior, phi, labels, available, counts = pool(args, clustered=True)
    state = cycle.init(posterior, phi, available, counts)
    work, arrays = label_work(args.rows, args.features, args.classes), (jax.random.key(0), state, phi, labels)
    for utility in ("least_confidence", "bald"):
        label = partial(cycle.acquire, utility=utility, lam=0.1)
        many, one = (jax.jit(partial(label, budget=budget)) for budget in (args.budget, 1))
        yield Job(f"label, {utility}", many, arrays, work, phi.nbytes, args.budget, (one, arrays))


def update_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """The posterior and the pool after one more label."""
    posterior, phi, labels, available, counts = pool(args)
    state = cycle.init(posterior, phi, available, counts)

    def update(posterior, logits, variance, phi, label):
        posterior, gain = updates.rank_one(posterior, phi[0], label)
        return posterior, updates.refresh(logits, variance, phi, gain)

    n, d, k = args.rows, args.features, args.classes
    work = Work(4 * (n * d + 2 * n * (k + 1) + 3 * d * d), 2 * n * d + 2 * n * (k + 1) + 4 * d * d)
    function, arrays = jax.jit(update), (posterior, state.logits, state.variance, phi, labels[0])
    yield Job("posterior and pool", function, arrays, work, phi.nbytes, once=(function, arrays))


def laplace_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """The posterior of labelled rows, and the logits and variances of the pool under it."""
    posterior, phi, *_ = pool(args)
    n, d, k, m = args.rows, args.features, args.classes, min(args.rows, 2000)
    arrays = posterior.mean, phi[:m], jnp.ones(m, bool)
    # The Gram matrix, a Cholesky factor, two triangular solves of the unit matrix; XLA does not see into the last two.
    work = Work(4 * (m * d + 2 * d * d), 2 * m * d * k + 2 * m * d * d + d**3 / 3 + 2 * d**3)
    yield Job(f"fit, {m} rows", jax.jit(laplace.fit), arrays, work, 4 * m * d, once=(jax.jit(laplace.fit), arrays))
    predict = jax.jit(laplace.predict)
    work = Work(4 * (n * d + d * d + n * (k + 1)), 2 * n * d * d + 2 * n * d * (k + 1))
    yield Job("logits and variances", predict, (posterior, phi), work, phi.nbytes, once=(predict, (posterior, phi)))


def selector_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A class-balanced batch of 300 with its certificate, beside a single pass over utilities and probabilities."""
    posterior, phi, _, available, counts = pool(args)
    probs = laplace.mean_field(*laplace.predict(posterior, phi))
    n, k, budget = args.rows, args.classes, min(300, args.rows // 2)
    demand = balance.class_demand(counts, budget + jnp.sum(counts))
    arrays = 1.0 - jnp.max(probs, axis=1), probs, demand, jnp.float32(0.5), available
    select = jax.jit(partial(balance_lp.select_batch, budget=budget))
    work = Work(4 * n * (k + 1) + n, 2 * n * k)
    yield Job(f"batch of {budget}", select, arrays, work, probs.nbytes)


def kcenter_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A pick by k-center and by its balanced form; the start, a pass for 128 labelled rows, is shared by the picks."""
    posterior, features, _, available, counts = pool(args)
    probs = laplace.mean_field(*laplace.predict(posterior, features))
    demand = balance.class_demand(counts, args.budget + jnp.sum(counts))
    n, d, k = args.rows, args.features, args.classes
    plain, balanced = (features, ~available, available), (probs, demand, 0.5, features, ~available, available)
    for name, function, arrays, numbers in (
        ("pick", diversity.k_center, plain, 4 * n),
        ("pick, balanced", diversity.k_center_balanced, balanced, 4 * n + n * k),
    ):
        many = jax.jit(partial(function, budget=args.budget))
        work = Work(4 * (n * d + numbers) + n, 2 * n * d)
        yield Job(name, many, arrays, work, features.nbytes, args.budget)


def badge_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A pick by BADGE."""
    posterior, features, _, available, _ = pool(args)
    probs = laplace.mean_field(*laplace.predict(posterior, features))
    n, d, k = args.rows, args.features, args.classes
    arrays = jax.random.key(0), probs, features, available
    many, one = (jax.jit(partial(diversity.badge, budget=budget)) for budget in (args.budget, 1))
    work = Work(4 * (n * (d + k) + 4 * n) + n, 2 * n * (d + k))
    yield Job("pick", many, arrays, work, features.nbytes, args.budget, (one, arrays))


def single_stage_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A batch by the certainty of a source network: the first, in rounds over its classes, the rounds alone."""
    rng = np.random.default_rng(0)
    probs = jax.nn.softmax(jnp.asarray(4 * rng.normal(size=(args.rows, SOURCE_CLASSES)), jnp.float32))
    unused, available = jnp.zeros((args.rows, 1)), jnp.ones(args.rows, bool)
    labels = jnp.zeros(args.rows, jnp.int32)
    select = partial(single_stage.select, budget=args.budget, num_classes=args.classes, ranking="largest")
    arrays = jax.random.key(0), probs, unused, labels, available
    work = Work(probs.nbytes + args.rows, 0)
    first = jax.jit(lambda key, probs, *rest: jax.lax.top_k(jnp.max(probs, axis=1), args.budget)[1])
    yield Job("the first", first, arrays, work, probs.nbytes)
    yield Job("in rounds", jax.jit(partial(select, diversified=True)), arrays, work, probs.nbytes)
    given = jnp.max(probs, axis=1), jnp.argmax(probs, axis=1), available
    rounds = jax.jit(partial(diversity.diversify, budget=args.budget))
    yield Job("rounds alone", rounds, given, Work(9 * args.rows, 0), 8 * args.rows)
