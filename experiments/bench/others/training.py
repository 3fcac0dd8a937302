"""Seconds of a training step on one core, in a process of its own; `experiments.bench training` compares.

    python -m experiments.bench training --torch PYTHON --json FILE

PYTHON is an interpreter with the CPU build of PyTorch, which is no dependency of this project; without it only
the JAX times are taken. Both train the same network by the same optimiser on the same number of rows.
"""

import os
import sys
import time

NETWORKS = {  # shape of a row, classes, batch, rows, epochs that are timed
    "mlp": ((16,), 26, 16, 640, 20),
    "resnet6": ((28, 28), 10, 20, 400, 5),
    "tcn": ((96,), 7, 20, 400, 5),
}


def main() -> None:
    """Prints the seconds of a step of one network in one library."""
    library, network = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    if library == "jax":
        run_epochs = _jax(network)
    else:
        sys.path.insert(0, os.path.dirname(__file__))
        import torch_networks

        run_epochs = torch_networks.trainer(network, *NETWORKS[network][:4])
    _, _, batch, rows, epochs = NETWORKS[network]
    times = []
    for _ in range(6):
        start = time.perf_counter()
        run_epochs(epochs)
        times.append(time.perf_counter() - start)
    print(sorted(times[1:])[2] / (epochs * rows // batch))


def _jax(network):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from alfamous_jax.networks import train
    from alfamous_jax.networks.mlp import ResidualMLP
    from alfamous_jax.networks.resnet import resnet6
    from alfamous_jax.networks.sngp import SNGP
    from alfamous_jax.networks.tcn import TCN

    shape, classes, batch, rows, epochs = NETWORKS[network]
    rng = np.random.default_rng(0)
    inputs = jnp.asarray(rng.normal(size=(rows, *shape)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, classes, rows), jnp.int32)
    model = SNGP({"mlp": ResidualMLP, "resnet6": resnet6, "tcn": TCN}[network](), classes)
    optimizer = train.direction("adam" if network == "tcn" else "sgd", weight_decay=1e-3)
    schedule = optax.cosine_decay_schedule(1e-3, epochs)
    start = model.init(jax.random.key(0), inputs[:1])

    def run_epochs(epochs):
        settings = {"model": model, "optimizer": optimizer, "schedule": schedule, "epochs": epochs, "batch_size": batch}
        fitted = train.fit(jax.random.key(1), start, inputs, labels, jnp.arange(rows), jnp.int32(rows), **settings)
        jax.block_until_ready(fitted)

    return run_epochs


if __name__ == "__main__":
    main()
