"""A cycle of active learning: train, evaluate, query, record."""

import operator
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax.selection import balance
from experiments.learning import problem
from experiments.learning.checkpoint import State
from experiments.learning.loop import Course, Timing, number, timed
from experiments.learning.methods import lam_of
from experiments.learning.problem import Problem
from experiments.learning.programs import Labelled, Programs, build_programs
from experiments.learning.trouble import advice
from experiments.plan.strategies import NETWORKS, Lane, scheme_of

SWITCH = ("cs-svm", "network-th")  # where a lane that may switch starts, and where it ends
PARTS_FROM = 8  # cycles; in a shorter run two more programs cost more than they save
VALIDATION = 1_000_000  # streams of the cross-validation lie beyond those of the cycles

_shrinkage = jax.jit(jax.vmap(balance.shrinkage))  # of counts [G, K]


class Task(NamedTuple):
    """What stays the same in all cycles of a group."""

    config: FrozenConfigDict
    lanes: tuple[Lane, ...]
    problem: Problem
    keys: list[problem.Keys]
    labels: np.ndarray  # of the training set
    learners: Mapping[str, Programs]  # by scheme; two where a lane may switch
    wanted: list[float | str]  # lam of each lane, as the config has it

    @property
    def switches(self) -> bool:
        """Whether the lane may go over to another scheme."""
        return len(self.learners) > 1


class Now(NamedTuple):
    """What the steps of a cycle share; the first axis is the lane."""

    scheme: str
    streams: problem.Keys
    known: Labelled
    counts: np.ndarray  # [G, K]


def kind_of(scheme: str) -> str:
    """Which of a problem's start variables a scheme takes."""
    return "network" if scheme in NETWORKS else "machine"


def course(config: FrozenConfigDict, lanes: tuple[Lane, ...]) -> Course:
    """Cycles 0 to `config.cycles` of lanes of one program."""
    strategy = lanes[0].strategy
    wanted_scheme = scheme_of(config, strategy)
    schemes = SWITCH if wanted_scheme == "switch" else (wanted_scheme,)
    task = Task(
        config,
        lanes,
        problem.build_problem(config, [lane.seed for lane in lanes]),
        [problem.seed_keys(lane.seed) for lane in lanes],
        np.asarray(problem.load_arrays(config).labels),
        {scheme: build_programs(config, strategy.program(scheme), len(lanes)) for scheme in schemes},
        [lam_of(config, lane.strategy) for lane in lanes],
    )
    buffer = np.zeros((len(lanes), config.initial + config.cycles * config.budget), np.int32)
    buffer[:, : config.initial] = task.problem.initial
    variables = task.problem.variables
    start = {"indices": buffer, "variables": variables if task.switches else variables[kind_of(schemes[0])]}
    return Course(State(0, start, []), config.cycles + 1, partial(one_cycle, task))


def one_cycle(task: Task, state: State, timing: Timing) -> tuple[State, list[dict]]:
    """Trains on what is labelled, scores it, and picks the next rows.

    Args:
      task: of `course`.
      state: `arrays` are the labelled rows [G, L] and the variables; lam and scheme of later cycles stand in `records`.
      timing: seconds by stage are added to it.

    Returns:
      the next state and a record for each lane.

    Raises:
      ValueError: a loss or a row of the pool is not finite, or the pool has run out; names the lane and the cycle.
    """
    config, cycle, now = task.config, state.cycle, _now(task, state)
    lams = _lams(task, state, now.counts)
    programs, start = task.learners[now.scheme], task.problem.variables[kind_of(now.scheme)]
    known = now.known._replace(indices=now.known.indices[:, : room(config, cycle)])
    variables, learned = timed(timing, "train_s", programs.train, now.streams.train, start, known)
    scores = timed(timing, "evaluate_s", programs.evaluate, variables, now.known, jnp.asarray(now.counts))
    learned, scores = jax.device_get((learned, scores))
    picks = curves = None
    if cycle < config.cycles:
        pool = variables, now.known, task.problem.available, jnp.asarray(now.counts)
        if cycle == 0 and "auto" in task.wanted:
            chosen = timed(timing, "lambda_s", programs.choose_lambda, now.streams.query, *pool)
            chosen, curves = jax.device_get(chosen)
            lams = [
                _nearest(config.lam_grid, new) if isinstance(lam, str) else lam
                for new, lam in zip(chosen, task.wanted, strict=True)
            ]
        picks = timed(timing, "query_s", programs.query, now.streams.query, *pool, jnp.asarray(lams))
        picks = jax.device_get(picks)
    records = []
    for i, lane in enumerate(task.lanes):
        own_fit, own_scores, own_picks = jax.tree.map(operator.itemgetter(i), (learned, scores, picks))
        _refuse_trouble(task, i, cycle, now.scheme, own_fit.loss, own_picks)
        records.append(_record(lane, cycle, lams[i], now.counts[i], own_scores, own_picks, task.problem.rows[i]))
        records[-1] |= _of_fit(config, own_fit)
        if curves is not None and task.wanted[i] == "auto":
            names = ("lam", "l1", "utility")
            records[-1]["lam_curve"] = {name: [number(x) for x in getattr(curves, name)[i]] for name in names}
    saved = variables
    if task.switches:
        accuracies = None if now.scheme == SWITCH[1] else _cross_validate(task, now, cycle, timing)
        records[0] |= {"scheme": now.scheme, "cv_accuracies": accuracies}
        saved = task.problem.variables | {kind_of(now.scheme): variables}
    indices = state.arrays["indices"].copy()
    if picks is not None:
        count = config.initial + cycle * config.budget
        indices[:, count : count + config.budget] = picks.indices
    return State(cycle + 1, {"indices": indices, "variables": saved}, state.records + records), records


def room(config: FrozenConfigDict, cycle: int) -> int:
    """Places for the labelled rows that a fit of a cycle is given.

    All of a run for a network, which is compiled once. The cost of an exact fit goes by their square: in a run that is
    long enough it gets a third of them, two thirds or all.
    """
    whole = config.initial + config.cycles * config.budget
    if config.head != "map" or config.cycles < PARTS_FROM:
        return whole
    count = config.initial + cycle * config.budget
    return next(size for size in (-(-whole // 3), -(-2 * whole // 3), whole) if count <= size)


def _now(task: Task, state: State) -> Now:
    config, cycle = task.config, state.cycle
    streams = problem.Keys(
        *(jnp.stack([jax.random.fold_in(key, cycle) for key in stream]) for stream in zip(*task.keys, strict=True))
    )
    indices = np.asarray(state.arrays["indices"])
    count = config.initial + cycle * config.budget
    labelled = task.labels[np.take_along_axis(task.problem.rows, indices[:, :count], axis=1)]
    counts = np.stack([np.bincount(known, minlength=config.num_classes) for known in labelled]).astype(np.int32)
    known = Labelled(task.problem.data, task.problem.pool, jnp.asarray(indices), jnp.int32(count))
    return Now(_scheme(task, state), streams, known, counts)


def _lams(task: Task, state: State, counts: np.ndarray) -> list[float]:
    """What the lanes have weighed classes by so far, or will unless it is chosen in this cycle."""
    if task.config.shrink_lam:
        return [round(float(lam * factor), 6) for lam, factor in zip(task.wanted, _shrinkage(counts), strict=True)]
    if state.records:
        by_lane = {(r["strategy"], r["seed"]): r["lam"] for r in reversed(state.records)}
        return [by_lane[str(lane.strategy), lane.seed] for lane in task.lanes]
    return [0.0 if isinstance(lam, str) else lam for lam in task.wanted]


def _nearest(grid: Sequence[float], value: float) -> float:
    """The number of the config that a program has rounded to float32."""
    return min(grid, key=lambda x: abs(x - value))


def _scheme(task: Task, state: State) -> str:
    """How this cycle learns; from the second scheme of a switch there is no way back."""
    if not (task.switches and state.records):
        return next(iter(task.learners))
    last = state.records[-1]
    accuracies = last["cv_accuracies"]
    return SWITCH[1] if last["scheme"] == SWITCH[1] or accuracies[1] > accuracies[0] else SWITCH[0]


def _cross_validate(task: Task, now: Now, cycle: int, timing: Timing) -> list[float | None]:
    """Accuracy of both schemes of a lane that may switch, on folds of what is labelled."""
    streams = jnp.stack([jax.random.fold_in(key.train, VALIDATION + cycle) for key in task.keys])
    accuracies = [
        timed(timing, f"cross_validate_{name}_s", step.cross_validate, streams, start, now.known)
        for name, step in task.learners.items()
        for start in (task.problem.variables[kind_of(name)],)
    ]
    return [number(accuracy[0]) for accuracy in jax.device_get(accuracies)]


def _refuse_trouble(task: Task, i: int, cycle: int, scheme: str, loss: Any, picks: Any) -> None:
    lane, budget = task.lanes[i], task.config.budget
    where = f"{lane.strategy}, seed {lane.seed}, cycle {cycle}"
    if not np.isfinite(loss).all() or (picks is not None and picks.num_invalid):
        problem.refuse_bad_rows(task.config)
    if not np.isfinite(loss).all():
        untrained = None  # of a pool that is split no process has the rows
        if task.config.parallel != "pool":
            untrained = jax.tree.map(operator.itemgetter(i), task.problem.variables["network"])
        raise ValueError(f"{where}: {advice(task.config, scheme, untrained, task.problem.data.inputs)}")
    if picks is not None and picks.num_invalid:
        raise ValueError(f"{where}: {picks.num_invalid} pool rows have a NaN or infinite utility")
    if picks is not None and picks.num_selected < budget:
        raise ValueError(f"{where}: the pool has only {picks.num_selected} rows left for a budget of {budget}")


def _of_fit(config: FrozenConfigDict, learned: Any) -> dict:
    """What a record says of the last layer: map and ridge where they were chosen, and a fit that did not converge."""
    said: dict[str, Any] = {}
    if np.isfinite(learned.ridge):
        said["ridge"] = number(learned.ridge)
    if learned.place >= 0:
        said["map"] = config.maps[int(learned.place)]
    return said if learned.converged else said | {"converged": False}


def _record(lane: Lane, cycle: int, lam: float, counts: Any, scores: Any, picks: Any, rows: Any) -> dict:
    return {
        "strategy": str(lane.strategy),
        "seed": lane.seed,
        "cycle": cycle,
        "lam": lam,
        "num_labelled": int(counts.sum()),
        **{name: number(score) for name, score in scores._asdict().items() if name != "recall"},
        "recall": [number(x) for x in scores.recall],
        "counts": counts.tolist(),
        "ed_diversity": None if picks is None else number(picks.ed_diversity),
        "kl_diversity": None if picks is None else number(picks.kl_diversity),
        "selected": [] if picks is None else rows[picks.indices].tolist(),
    }
