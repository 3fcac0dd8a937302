"""What `experiments.bench` times of networks: a training step, and one whole cycle of active learning by stage."""

import argparse
import time
from collections.abc import Iterator
from functools import partial

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import optax

from alfamous_jax import cycle, laplace
from alfamous_jax.networks import train
from alfamous_jax.networks.mlp import ResidualMLP
from alfamous_jax.networks.resnet import resnet6
from alfamous_jax.networks.sngp import SNGP, head_mean
from experiments.bench.jobs import Job
from experiments.bench.roofline import Work

NETWORKS = {"mlp": (ResidualMLP, (16,), 26, 16), "resnet6": (resnet6, (28, 28), 10, 20)}  # shape, classes, batch
TOUCHES = 5  # of a parameter in a step: it and its momentum read and written, its gradient


def products(jaxpr: jax.extend.core.Jaxpr) -> float:
    """Operations of all matrix products and convolutions in a program, loops of known length included."""
    total = 0.0
    for equation in jaxpr.eqns:
        shapes = [getattr(var.aval, "shape", ()) for var in equation.invars]
        result = next((getattr(var.aval, "shape", ()) for var in equation.outvars), ())
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += 2 * np.prod(result) * np.prod([shapes[0][axis] for axis in contracted])
        elif equation.primitive.name == "conv_general_dilated":
            out = equation.params["dimension_numbers"].rhs_spec[0]
            total += 2 * np.prod(result) * np.prod(shapes[1]) / shapes[1][out]
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        total += times * sum(
            products(getattr(inner, "jaxpr", inner)) for inner in jax.extend.core.jaxprs_in_params(equation.params)
        )
    return float(total)


def train_jobs(args: argparse.Namespace) -> Iterator[Job]:
    """A step of training, by SGD with momentum, on the batches of the experiments."""
    for name in NETWORKS:
        fit, arrays, start, batch, shape = _training(name, epochs=5, rows=640)
        size = sum(leaf.size for leaf in jax.tree.leaves(start["params"]))
        flops = products(jax.make_jaxpr(_gradient(name))(start, *(x[:batch] for x in arrays[2:4])).jaxpr)
        work = Work(4.0 * (TOUCHES * size + batch * int(np.prod(shape))), flops)
        once = _training(name, epochs=1, rows=batch)[:2]
        yield Job(f"step, {name}", fit, arrays, work, 4 * size, 5 * 640 // batch, once)


def experiment(args: argparse.Namespace) -> dict[str, dict]:
    """One cycle on data as large as LETTER's, a call of every stage after another; seconds and shares of the whole.

    Args:
      args: budget.

    Returns:
      a row for each stage: median_s of three cycles, low_s, high_s, share.
    """
    rows, count, model = 8274, 352, _model("mlp")
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(rows, 16)), jnp.float32), jnp.asarray(rng.integers(0, 26, rows), jnp.int32)
    settings = {"optimizer": train.direction("sgd", weight_decay=1e-3), "schedule": optax.constant_schedule(0.01)}
    fit = jax.jit(partial(train.fit, model=model, epochs=100, batch_size=16, **settings))
    features = jax.jit(lambda v, x: train.in_chunks(lambda chunk: model.apply(v, x[chunk]).phi, jnp.arange(rows)))
    posterior = jax.jit(lambda v, phi: laplace.fit(head_mean(v), phi[:count], jnp.ones(count, bool)))
    available, counts = jnp.arange(rows) >= count, jnp.bincount(y[:count], length=26)
    acquire = jax.jit(partial(cycle.acquire, lam=0.1, budget=args.budget))
    evaluate = jax.jit(partial(train.evaluate, model=model, num_classes=26))
    start, times = model.init(jax.random.key(0), x[:1]), []
    for _ in range(4):
        clock = _Clock()
        variables, _ = clock("train", fit, jax.random.key(1), start, x, y, jnp.arange(count), jnp.int32(count))
        phi = clock("features", features, variables, x)
        last_layer = clock("posterior", posterior, variables, phi)
        state = clock("logits and variances", cycle.init, last_layer, phi, available, counts)
        clock(f"query, {args.budget} labels", acquire, jax.random.key(2), state, phi, y)
        clock("evaluate", evaluate, variables, x[:5000], y[:5000])
        times.append(clock.seconds)
    quartiles = {name: np.percentile([row[name] for row in times[1:]], [25, 50, 75]) for name in times[0]}
    whole = sum(middle for _, middle, _ in quartiles.values())
    return {
        name: {"first_s": times[0][name], "median_s": middle, "low_s": low, "high_s": high, "share": middle / whole}
        for name, (low, middle, high) in quartiles.items()
    }


class _Clock:
    """Seconds of the calls made through it, by name."""

    def __init__(self):
        self.seconds = {}

    def __call__(self, name, function, *args):
        start = time.perf_counter()
        result = jax.block_until_ready(function(*args))
        self.seconds[name] = time.perf_counter() - start
        return result


def _model(name):
    backbone, _, classes, _ = NETWORKS[name]
    return SNGP(backbone(), classes)


def _gradient(name):
    """The gradient of a batch's loss, without the optimiser."""
    model = _model(name)

    def loss(params, variables, x, y):
        outputs, _ = model.apply(variables | {"params": params}, x, train=True, mutable=True)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs.logits, y))

    return lambda variables, x, y: jax.grad(loss)(variables["params"], variables, x, y)


def _training(name, epochs, rows):
    _, shape, classes, batch = NETWORKS[name]
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(rows, *shape)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, classes, rows), jnp.int32)
    model = _model(name)
    settings = {"optimizer": train.direction("sgd"), "schedule": optax.constant_schedule(1e-3)}
    fit = jax.jit(partial(train.fit, model=model, epochs=epochs, batch_size=batch, **settings))
    start = model.init(jax.random.key(0), inputs[:1])
    return fit, (jax.random.key(1), start, inputs, labels, jnp.arange(rows), jnp.int32(rows)), start, batch, shape
