"""Trains a source network: python -m experiments.train_source --config=configs/source.py --target=runs/source.npz

It is `config.backbone` under a linear head, trained on all training rows of `config.dataset`. Another config takes the
file as --config.source=FILE: its network starts from the backbone, its SVM sees the features, and single-stage
strategies rank rows by the probabilities of the source's classes.
"""

import pathlib
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, logging
from ml_collections import ConfigDict, FrozenConfigDict

from alfamous_jax.networks import train
from alfamous_jax.networks.linear import Linear
from experiments import command_line, stopping
from experiments.command_line import CONFIG, OVERWRITE, RESUME, TARGET, WORKDIR
from experiments.learning import check, models, problem, schemes, sources
from experiments.learning.trouble import advice
from experiments.plan.check import as_tuples


def train_source(config: ConfigDict | dict, target: str | pathlib.Path) -> dict[str, float]:
    """Trains a source network on all training rows and writes it.

    Args:
      config: as of an experiment; its data set, backbone and training count, and `snapshots`.
      target: the file to write.

    Returns:
      accuracy and macro F1 on the test rows, after the last epoch. ValueError or FileNotFoundError for bad input,
      before anything is written.
    """
    config = as_tuples(config.to_dict() if isinstance(config, ConfigDict) else config)
    target, num_snapshots = pathlib.Path(target), config["snapshots"]
    if not target.parent.is_dir():
        raise FileNotFoundError(f"--target: no folder {target.parent}")
    check.check(config)
    if config["epochs"] % num_snapshots:
        raise ValueError(f"config.snapshots: must divide {config['epochs']} epochs, got {num_snapshots}")
    config = FrozenConfigDict(config)
    check.check_rows(config, config)
    data = problem.load_data(config)
    model, key = Linear(models.build_backbone(config), config.num_classes), jax.random.key(config.first_seed)
    init_key, train_key = jax.random.split(key)
    rows = jnp.arange(len(data.labels))
    variables, info = train.fit(
        train_key, model.init(init_key, data.inputs[:1]), data.inputs, data.labels, rows, jnp.int32(len(rows)),
        **schemes.training(config), model=model, num_snapshots=num_snapshots,
    )  # fmt: skip
    if not np.isfinite(info.loss).all():
        raise ValueError(advice(config, "network", None, data.inputs))
    if num_snapshots == 1:
        variables = jax.tree.map(lambda x: x[None], variables)
    last = jax.tree.map(lambda x: x[-1], variables)
    scores = train.evaluate(last, data.x_test, data.y_test, model=model, num_classes=config.num_classes)
    sources.save(target, variables)
    return {"accuracy": float(scores.accuracy), "macro_f1": float(scores.macro_f1)}


def main(argv: list[str]) -> None:
    """Command line: trains, prints the scores, ends with exit code 1 and one line where something is wrong."""
    logging.set_verbosity(logging.ERROR)
    command_line.refuse_arguments(argv)
    if given := next((flag.name for flag in (RESUME, OVERWRITE, WORKDIR) if flag.value), ""):
        sys.exit(f"error: --{given}: is for runs; a source is trained from the start and replaces --target at its end")
    config, start = CONFIG.value, time.perf_counter()
    print(f"training {config.backbone} on {config.dataset}, {config.epochs} epochs")
    with stopping.in_order("stopped; nothing was written"):
        try:
            scores = train_source(config, str(TARGET.value))
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            sys.exit(f"error: {(str(error).strip().splitlines() or ['no message'])[0]}")
    print(", ".join(f"{name} {value:.3f}" for name, value in scores.items()), end=" ")
    print(f"on the test rows, after {time.perf_counter() - start:.0f} s: {TARGET.value}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parser("config", "target"))
