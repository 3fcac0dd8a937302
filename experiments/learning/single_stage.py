"""A cycle of a single-stage experiment: rows chosen from a source's view, labelled, and learned by every scheme."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import FrozenConfigDict

from alfamous_jax.selection import single_stage
from experiments.learning import problem, sources
from experiments.learning.active import kind_of
from experiments.learning.checkpoint import State
from experiments.learning.loop import Course, Timing, number, timed
from experiments.learning.problem import Problem
from experiments.learning.programs import Labelled, build_programs
from experiments.learning.trouble import advice
from experiments.plan.choices import FULL, Choice, parse
from experiments.plan.strategies import Lane, Strategy


class SourceView(NamedTuple):
    """What a source network says of all rows."""

    features: jax.Array  # [M, H], standardised, with the ensemble as without
    probs: jax.Array  # [M, K']


class Task(NamedTuple):
    """A selection under a seed."""

    config: FrozenConfigDict
    choice: Choice
    seed: int
    problem: Problem
    keys: problem.Keys


@lru_cache(maxsize=1)
def source_views(config: FrozenConfigDict) -> tuple[SourceView, SourceView | None]:
    """What selections may look at: the last snapshots of the source, and an average over more of them if asked for.

    Raises:
      ValueError: there is neither a source network nor its probabilities in the data.
    """
    data = problem.load_data(config)
    if data.source_probs is None:
        raise ValueError(
            "config.source: single-stage selection needs a source network, or source_probs_train in the data"
        )
    features = data.inputs.reshape(len(data.inputs), -1) if data.fixed is None else data.fixed[0]
    view = SourceView(features, data.source_probs)
    if not any(parse(name).ensemble for name in config.selections):
        return view, None
    ensemble, probs = sources.look(problem.load_source(config, config.ensemble), data.inputs)
    return view, SourceView(sources.standardized(ensemble)[0], probs)


def course(config: FrozenConfigDict, lanes: tuple[Lane, ...]) -> Course:
    """The budgets of a config one after the other; all labels of the pool for `FULL`."""
    ((choice, seed),) = lanes
    task = Task(config, choice, seed, problem.build_problem(config, [seed]), problem.seed_keys(seed))
    num_cycles = 1 if choice == FULL else len(config.budgets)
    return Course(State(0, {"seed": np.int32(seed)}, []), num_cycles, partial(one_cycle, task))


def one_cycle(task: Task, state: State, timing: Timing) -> tuple[State, list[dict]]:
    """Chooses rows for a budget, labels them, and scores every scheme.

    Args:
      task: of `course`.
      state: nothing but records.
      timing: seconds by stage are added to it.

    Returns:
      the next state and a record for each scheme. ValueError for a loss or a row that is not finite.
    """
    config, place, here = task.config, state.cycle, task.problem
    rows, available = here.pool[0], here.available[0]
    if task.choice == FULL:
        chosen, size = np.flatnonzero(available), len(rows)
    else:
        chosen, size = timed(timing, "query_s", _choose, task, config.budgets[place]), max(config.budgets)
    buffer = np.zeros((1, size), np.int32)
    buffer[0, : len(chosen)] = chosen
    known = Labelled(here.data, here.pool, jnp.asarray(buffer), jnp.int32(len(chosen)))
    selected = np.asarray(rows)[chosen]
    counts = np.bincount(np.asarray(here.data.labels)[selected], minlength=config.num_classes)
    records = []
    for scheme in config.schemes:
        programs = build_programs(config, Strategy("random", scheme=scheme), 1)
        start, key = here.variables[kind_of(scheme)], jax.random.fold_in(task.keys.train, place)[None]
        variables, learned = timed(timing, f"train_{scheme}_s", programs.train, key, start, known)
        if not np.isfinite(learned.loss).all():
            problem.refuse_bad_rows(config)
            untrained = jax.tree.map(lambda leaf: leaf[0], here.variables["network"])
            what = advice(config, scheme, untrained, here.data.inputs)
            raise ValueError(f"{task.choice}, seed {task.seed}: {what}")
        labels = jnp.asarray(counts)[None]
        scores = timed(timing, f"evaluate_{scheme}_s", programs.evaluate, variables, known, labels)
        scores = jax.tree.map(lambda x: np.asarray(x)[0], scores)
        records.append(_record(task, scheme, place, scores, counts, selected))
    return State(place + 1, state.arrays, state.records + records), records


def _choose(task: Task, budget: int) -> np.ndarray:
    config, how, here = task.config, task.choice, task.problem
    view = source_views(config)[how.ensemble]
    assert view is not None
    rows = here.pool[0]
    selection = single_stage.select(
        task.keys.query, view.probs[rows], view.features[rows], here.data.labels[rows], here.available[0],
        budget=budget, num_classes=config.num_classes, ranking=how.ranking, diversified=how.diversified,
        balance_from=config.balance_from if how.balancing else 1.0, balancing=how.balancing or "candidates",
    )  # fmt: skip
    if selection.num_invalid:
        problem.refuse_bad_rows(config)
        raise ValueError(f"{how}: {selection.num_invalid} pool rows have a NaN or an infinity in the source's view")
    return np.asarray(selection.indices)


def _record(task: Task, scheme: str, place: int, scores: Any, counts: np.ndarray, selected: np.ndarray) -> dict:
    record = {"strategy": f"{task.choice}:{scheme}", "seed": task.seed, "cycle": place, "num_labelled": len(selected)}
    record |= {field: number(getattr(scores, field)) for field in ("accuracy", "macro_f1", "cbi", "l1_score")}
    record |= {"recall": [number(x) for x in scores.recall], "counts": counts.tolist()}
    return record | {"selected": [] if task.choice == FULL else selected.tolist()}
