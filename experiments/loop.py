"""The active-learning loop of a group of lanes: train, evaluate, query, record, save."""

import math
import pathlib
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from experiments import checkpoint, problem
from experiments.strategies import STRATEGIES, Lane

OnCycle = Callable[[list[dict], dict | None], None]


def group_name(lanes: tuple[Lane, ...]) -> str:
    """Name of a group's checkpoint folder."""
    strategies = dict.fromkeys(lane.strategy for lane in lanes)
    seeds = sorted({lane.seed for lane in lanes})
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    return f"{'+'.join(strategies)}-seed{span}"


def run_lanes(config: FrozenConfigDict, lanes: tuple[Lane, ...], folder: pathlib.Path, on_cycle: OnCycle) -> None:
    """Runs lanes of one program in step from their last checkpoint to the end.

    Args:
      config: the experiment.
      lanes: they may differ in seed and in lam.
      folder: where the checkpoints of all groups are.
      on_cycle: called with (records, timing) for what a checkpoint already held (timing None) and
        after every cycle, once its checkpoint is on disk.

    Raises:
      ValueError: a damaged checkpoint, a NaN in training or in the pool; names where.
    """
    task = problem.build_problem(config, lanes)
    strategy = STRATEGIES[lanes[0].strategy]
    programs = problem.build_programs(config, strategy.utility, strategy.sequential, len(lanes))
    keys = [problem.seed_keys(lane.seed) for lane in lanes]
    buffer = np.zeros((len(lanes), config.initial + config.cycles * config.budget), np.int32)
    buffer[:, : config.initial] = task.initial
    records, first = [], 0

    with checkpoint.manager(folder / group_name(lanes)) as checkpoints:
        saved = checkpoint.restore(checkpoints, {"indices": buffer, "variables": task.variables})
        if saved is not None:
            first, buffer, records = saved[0] + 1, np.array(saved[1]["indices"]), saved[2]
            on_cycle(records, None)
        for cycle in range(first, config.cycles + 1):
            timing = {"strategy": "+".join(dict.fromkeys(lane.strategy for lane in lanes))}
            timing |= {"seeds": sorted({lane.seed for lane in lanes}), "cycle": cycle}
            streams = problem.Keys(
                *(jnp.stack([jax.random.fold_in(key, cycle) for key in stream]) for stream in zip(*keys, strict=True))
            )
            count = config.initial + cycle * config.budget
            labelled = np.take_along_axis(np.asarray(task.labels), buffer[:, :count], axis=1)
            counts = np.stack([np.bincount(labels, minlength=config.num_classes) for labels in labelled])
            variables, loss, scores, picks = _one_cycle(
                programs, task, streams, buffer, counts, cycle < config.cycles, timing
            )
            new = []
            for i, lane in enumerate(lanes):
                of_lane = jax.tree.map(lambda x, i=i: x[i], (loss, scores, picks))
                _refuse_trouble(lane, cycle, of_lane[0], of_lane[2], config.budget)
                new.append(_record(lane, cycle, counts[i], *of_lane[1:], task.rows[i]))
            if picks is not None:
                buffer[:, count : count + config.budget] = picks.indices
            records = records + new
            start = time.perf_counter()
            checkpoint.save(checkpoints, cycle, {"indices": buffer, "variables": variables}, records)
            timing["checkpoint_s"] = round(time.perf_counter() - start, 4)
            on_cycle(new, timing)


def _one_cycle(programs, task, streams, buffer, counts, queries, timing):
    """Trains and evaluates, and queries unless it is the last cycle; times go into `timing`."""

    def timed(name, function, *args):
        start = time.perf_counter()
        result = jax.block_until_ready(function(*args))
        timing[name] = round(time.perf_counter() - start, 4)
        return result

    indices, count = jnp.asarray(buffer), jnp.int32(counts[0].sum())
    counts = jnp.asarray(counts, jnp.int32)
    variables, info = timed(
        "train_s", programs.train, streams.train, task.variables, task.inputs, task.labels, indices, count
    )
    scores = timed("evaluate_s", programs.evaluate, variables, task.x_test, task.y_test, counts)
    picks = None
    if queries:
        pool = (task.inputs, task.raw, task.labels, task.available)
        picks = timed("query_s", programs.query, streams.query, variables, *pool, indices, count, counts, task.lam)
    return variables, *jax.device_get((info.loss, scores, picks))


def _refuse_trouble(lane, cycle, loss, picks, budget):
    where = f"{lane.strategy}, seed {lane.seed}, cycle {cycle}"
    if not np.isfinite(loss).all():
        raise ValueError(f"{where}: the training loss is not finite; lower config.learning_rate")
    if picks is not None and picks.num_invalid:
        raise ValueError(f"{where}: {picks.num_invalid} pool rows have a NaN or infinite utility")
    if picks is not None and picks.num_selected < budget:
        raise ValueError(f"{where}: the pool has only {picks.num_selected} rows left for a budget of {budget}")


def _record(lane, cycle, counts, scores, picks, rows):
    return {
        "strategy": lane.strategy,
        "seed": lane.seed,
        "cycle": cycle,
        "num_labelled": int(counts.sum()),
        **{name: _number(score) for name, score in scores._asdict().items()},
        "counts": counts.tolist(),
        "ed_diversity": None if picks is None else _number(picks.ed_diversity),
        "kl_diversity": None if picks is None else _number(picks.kl_diversity),
        "selected": [] if picks is None else rows[picks.indices].tolist(),
    }


def _number(value):
    return round(float(value), 6) if math.isfinite(value) else None
