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
            cycle_keys = [
                jnp.stack([jax.random.fold_in(k, cycle) for k in stream]) for stream in zip(*keys, strict=True)
            ]
            streams = problem.Keys(*cycle_keys)
            count = config.initial + cycle * config.budget
            variables, points, picks = _one_cycle(programs, task, streams, buffer, count, cycle < config.cycles, timing)
            _refuse_trouble(lanes, cycle, points, picks, config.budget)
            new = [_record(config, task, lane, cycle, count, buffer, points, picks, i) for i, lane in enumerate(lanes)]
            if picks is not None:
                buffer[:, count : count + config.budget] = picks.indices
            records = records + new
            start = time.perf_counter()
            checkpoint.save(checkpoints, cycle, {"indices": buffer, "variables": variables}, records)
            timing["checkpoint_s"] = round(time.perf_counter() - start, 4)
            on_cycle(new, timing)


def _one_cycle(programs, task, streams, buffer, count, queries, timing):
    """Trains and evaluates, and queries unless it is the last cycle; times go into `timing`."""

    def timed(name, function, *args):
        start = time.perf_counter()
        result = jax.block_until_ready(function(*args))
        timing[name] = round(time.perf_counter() - start, 4)
        return result

    counts = _class_counts(task, buffer, count)
    indices, num = jnp.asarray(buffer), jnp.int32(count)
    variables, info = timed(
        "train_s", programs.train, streams.train, task.variables, task.inputs, task.labels, indices, num
    )
    points = timed("evaluate_s", programs.evaluate, variables, task.x_test, task.y_test, counts)
    picks = None
    if queries:
        pool = (task.inputs, task.raw, task.labels, task.available)
        picks = timed("query_s", programs.query, streams.query, variables, *pool, indices, num, counts, task.lam)
    return variables, (info.loss, jax.device_get(points)), jax.device_get(picks)


def _class_counts(task, buffer, count):
    labels = np.take_along_axis(np.asarray(task.labels), buffer[:, :count], axis=1)
    return jnp.asarray(np.stack([np.bincount(row, minlength=_num_classes(task)) for row in labels]), jnp.int32)


def _num_classes(task):
    return task.variables["params"]["head"]["kernel"].shape[-1]


def _refuse_trouble(lanes, cycle, points, picks, budget):
    for i, lane in enumerate(lanes):
        where = f"{lane.strategy}, seed {lane.seed}, cycle {cycle}"
        if not np.isfinite(points[0][i]).all():
            raise ValueError(f"{where}: the training loss is not finite; lower config.learning_rate")
        if picks is not None and picks.num_invalid[i]:
            raise ValueError(f"{where}: {picks.num_invalid[i]} pool rows have a NaN or infinite utility")
        if picks is not None and picks.num_selected[i] < budget:
            raise ValueError(f"{where}: the pool has only {picks.num_selected[i]} rows left for a budget of {budget}")


def _record(config, task, lane, cycle, count, buffer, points, picks, i):
    scores = points[1]
    labelled = np.asarray(task.labels[i])[buffer[i, :count]]
    return {
        "strategy": lane.strategy,
        "seed": lane.seed,
        "cycle": cycle,
        "num_labelled": count,
        **{name: _number(getattr(scores, name)[i]) for name in scores._fields},
        "counts": np.bincount(labelled, minlength=config.num_classes).tolist(),
        "ed_diversity": None if picks is None else _number(picks.ed_diversity[i]),
        "kl_diversity": None if picks is None else _number(picks.kl_diversity[i]),
        "selected": [] if picks is None else task.rows[i][picks.indices[i]].tolist(),
    }


def _number(value):
    return round(float(value), 6) if math.isfinite(value) else None
