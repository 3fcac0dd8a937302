"""VaB-AL's training and scoring of a pool, beside the matrix products that scoring cannot do without."""

import argparse
import resource
import sys
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.autoencoders import stage_vae, vabal
from alfamous_jax.autoencoders.stage_vae import WIDTH

NUM_STAGES = 4
PRODUCTS = 3  # of WIDTH x WIDTH for each decoding: two layers, and the last one's Gram matrix


def measure(args: argparse.Namespace, timed: Callable) -> dict:
    """An epoch, the scores of all rows, and those products alone.

    Args:
      args: rows, features (of four stages together), classes, draws, repeats.
      timed: of the bench command.

    Returns:
      the rows of the bench command, with the share of the products' rate that scoring reaches, and peak memory.
    """
    rng = np.random.default_rng(0)
    widths = [len(part) for part in np.array_split(np.arange(args.features), NUM_STAGES)]
    stages = tuple(jnp.asarray(rng.normal(size=(args.rows, width)), jnp.float32) for width in widths)
    labels = jnp.asarray(rng.integers(0, args.classes, args.rows), jnp.int32)
    labelled = jnp.arange(args.rows) < args.rows // 20
    model, scoring = stage_vae.StageVAE(args.classes, NUM_STAGES), vabal.Scoring(num_samples=args.draws)
    train = partial(stage_vae.fit, model=model, training=stage_vae.Training(epochs=1))
    models, _ = train(jax.random.key(0), stages, labels, ~labelled)
    score = jax.jit(partial(vabal.utility, model=model, scoring=scoring))
    block = max(1, vabal.DRAWN_AT_ONCE // (args.draws * WIDTH)) * args.draws
    square = jnp.asarray(rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5, jnp.float32)
    product = timed(jax.jit(jnp.matmul), jnp.ones((block, WIDTH)), square, repeats=50)
    needed = PRODUCTS * args.rows * args.draws * args.classes / block
    rows = {
        "an epoch of training": timed(
            jax.jit(train), jax.random.key(0), stages, labels, ~labelled, repeats=args.repeats
        ),
        "scores of all rows": timed(
            score, jax.random.key(0), models, stages, labels, labelled, ~labelled, repeats=args.repeats
        ),
        "its products alone": {
            name: value * needed if name != "compile_s" else value for name, value in product.items()
        },
    }
    for row in rows.values():
        row["ratio_to_products"] = row["median_s"] / rows["its products alone"]["median_s"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)  # bytes
    rate = 2 * WIDTH * WIDTH * block / product["median_s"]
    return {"gflops_of_a_product": rate / 1e9, "peak_host_memory_GB": peak / 1e9, "rows": rows}
