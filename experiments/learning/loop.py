"""The active-learning loop of a group of lanes: train, evaluate, query, record, save."""

import math
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from experiments.learning import checkpoint, problem
from experiments.learning.programs import build_programs
from experiments.plan.strategies import NETWORKS, Lane, group_name, lam_of, scheme_of, strategy

SWITCH = ("cs-svm", "network-th")  # where a lane that may switch starts, and where it ends
VALIDATION = 1_000_000  # streams of the cross-validation lie beyond those of the cycles
OnCycle = Callable[[list[dict], dict | None], None]


def kind_of(scheme: str) -> str:
    """Which of a problem's start variables a scheme takes."""
    return "network" if scheme in NETWORKS else "machine"


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
    setting, wanted_scheme = strategy(lanes[0].strategy)._replace(balanced=False), scheme_of(config, lanes[0].strategy)
    learners = {
        name: build_programs(config, setting._replace(scheme=name), len(lanes))
        for name in (SWITCH if wanted_scheme == "switch" else (wanted_scheme,))
    }
    scheme = next(iter(learners))
    rows, keys = task.rows, [problem.seed_keys(lane.seed) for lane in lanes]
    labels = problem.load_dataset(config).y_train
    buffer = np.zeros((len(lanes), config.initial + config.cycles * config.budget), np.int32)
    buffer[:, : config.initial] = task.initial
    wanted = [lam_of(config, lane.strategy) for lane in lanes]
    lams = [0.0 if lam == "auto" else lam for lam in wanted]
    records, first = [], 0

    state = task.variables if len(learners) > 1 else task.variables[kind_of(scheme)]
    with checkpoint.manager(folder / group_name(lanes)) as checkpoints:
        saved = checkpoint.restore(checkpoints, {"indices": buffer, "variables": state})
        if saved is not None:
            first, buffer, records = saved[0] + 1, np.array(saved[1]["indices"]), saved[2]
            lams = [next(r["lam"] for r in records if (r["strategy"], r["seed"]) == lane) for lane in lanes]
            scheme = _next_scheme(records[-1]) if len(learners) > 1 else scheme
            on_cycle(records, None)
        for cycle in range(first, config.cycles + 1):
            timing = {"strategy": "+".join(dict.fromkeys(lane.strategy for lane in lanes))}
            timing |= {"seeds": sorted({lane.seed for lane in lanes}), "cycle": cycle}
            streams = problem.Keys(
                *(jnp.stack([jax.random.fold_in(key, cycle) for key in stream]) for stream in zip(*keys, strict=True))
            )
            count = config.initial + cycle * config.budget
            labelled = labels[np.take_along_axis(rows, buffer[:, :count], axis=1)]
            counts = np.stack([np.bincount(known, minlength=config.num_classes) for known in labelled])
            now = _Now(streams, jnp.asarray(buffer), jnp.int32(count), jnp.asarray(counts, jnp.int32))
            programs, start = learners[scheme], task.variables[kind_of(scheme)]
            variables, loss, scores = _train(programs, task, start, now, timing)
            picks = curves = None
            if cycle < config.cycles:
                if cycle == 0 and "auto" in wanted:
                    chosen, curves = _choose_lambda(programs, task, now, variables, timing)
                    nearest = [min(config.lam_grid, key=lambda x, lam=lam: abs(x - lam)) for lam in chosen]
                    lams = [new if lam == "auto" else lam for new, lam in zip(nearest, wanted, strict=True)]
                picks = _query(programs, task, now, variables, jnp.asarray(lams), timing)
            new = []
            for i, lane in enumerate(lanes):
                of_lane = jax.tree.map(lambda x, i=i: x[i], (loss, scores, picks))
                _refuse_trouble(lane, cycle, of_lane[0], of_lane[2], config.budget)
                new.append(_record(lane, cycle, lams[i], counts[i], *of_lane[1:], rows[i]))
                if curves is not None and wanted[i] == "auto":
                    new[-1]["lam_curve"] = {
                        name: [_number(x) for x in getattr(curves, name)[i]] for name in ("lam", "l1", "utility")
                    }
            if len(learners) > 1:
                accuracies = None if scheme == SWITCH[1] else _cross_validate(learners, task, keys, now, cycle, timing)
                new[0] |= {"scheme": scheme, "cv_accuracies": accuracies}
                state = task.variables | {kind_of(scheme): variables}
                scheme = _next_scheme(new[0])
            else:
                state = variables
            if picks is not None:
                buffer[:, count : count + config.budget] = picks.indices
            records = records + new
            start = time.perf_counter()
            checkpoint.save(checkpoints, cycle, {"indices": buffer, "variables": state}, records)
            timing["checkpoint_s"] = round(time.perf_counter() - start, 4)
            on_cycle(new, timing)


class _Now(NamedTuple):
    """What the steps of a cycle share; the first axis is the lane."""

    streams: problem.Keys
    indices: jax.Array  # labelled, padded
    count: jax.Array
    counts: jax.Array


def _timed(timing, name, function, *args):
    """Calls and waits; the time goes into `timing`."""
    start = time.perf_counter()
    result = jax.block_until_ready(function(*args))
    timing[name] = round(time.perf_counter() - start, 4)
    return result


def _train(programs, task, start, now, timing):
    labelled = (task.data, task.pool, now.indices, now.count)
    variables, loss = _timed(timing, "train_s", programs.train, now.streams.train, start, *labelled)
    scores = _timed(timing, "evaluate_s", programs.evaluate, variables, task.data, now.counts)
    return variables, *jax.device_get((loss, scores))


def _cross_validate(learners, task, keys, now, cycle, timing):
    """Accuracy of every scheme of a lane that may switch, on folds of what is labelled."""
    streams = jnp.stack([jax.random.fold_in(key.train, VALIDATION + cycle) for key in keys])
    labelled = (task.data, task.pool, now.indices, now.count)
    accuracies = [
        _timed(
            timing,
            f"cross_validate_{name}_s",
            programs.cross_validate,
            streams,
            task.variables[kind_of(name)],
            *labelled,
        )
        for name, programs in learners.items()
    ]
    return [_number(accuracy[0]) for accuracy in jax.device_get(accuracies)]


def _next_scheme(record):
    """The scheme of the cycle after a record's; from the second there is no way back."""
    accuracies = record["cv_accuracies"]
    return SWITCH[1] if record["scheme"] == SWITCH[1] or accuracies[1] > accuracies[0] else SWITCH[0]


def _choose_lambda(programs, task, now, variables, timing):
    pool = (task.data, task.pool, task.available, now.indices, now.count, now.counts)
    return jax.device_get(_timed(timing, "lambda_s", programs.choose_lambda, now.streams.query, variables, *pool))


def _query(programs, task, now, variables, lams, timing):
    pool = (task.data, task.pool, task.available, now.indices, now.count, now.counts, lams)
    return jax.device_get(_timed(timing, "query_s", programs.query, now.streams.query, variables, *pool))


def _refuse_trouble(lane, cycle, loss, picks, budget):
    where = f"{lane.strategy}, seed {lane.seed}, cycle {cycle}"
    if not np.isfinite(loss).all():
        raise ValueError(f"{where}: the training loss is not finite; lower config.learning_rate")
    if picks is not None and picks.num_invalid:
        raise ValueError(f"{where}: {picks.num_invalid} pool rows have a NaN or infinite utility")
    if picks is not None and picks.num_selected < budget:
        raise ValueError(f"{where}: the pool has only {picks.num_selected} rows left for a budget of {budget}")


def _record(lane, cycle, lam, counts, scores, picks, rows):
    return {
        "strategy": lane.strategy,
        "seed": lane.seed,
        "cycle": cycle,
        "lam": lam,
        "num_labelled": int(counts.sum()),
        **{name: _number(score) for name, score in scores._asdict().items() if name != "recall"},
        "recall": [_number(x) for x in scores.recall],
        "counts": counts.tolist(),
        "ed_diversity": None if picks is None else _number(picks.ed_diversity),
        "kl_diversity": None if picks is None else _number(picks.kl_diversity),
        "selected": [] if picks is None else rows[picks.indices].tolist(),
    }


def _number(value):
    return round(float(value), 6) if math.isfinite(value) else None
