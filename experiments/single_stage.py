"""Runs a single-stage experiment: python -m experiments.single_stage --config=configs/single_stage.py --workdir=DIR

Rows are chosen from a source network's view of the pool, once for each budget; then they are labelled, and every scheme
of training learns from them. --config.FIELD=VALUE changes a field, --resume goes on, --overwrite starts again.
"""

import pathlib
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, logging
from ml_collections import ConfigDict, FrozenConfigDict
from rich.console import Console

from alfamous_jax.selection.single_stage import select
from experiments import command_line
from experiments.command_line import CONFIG, OVERWRITE, RESUME, WORKDIR
from experiments.learning import problem, sources
from experiments.learning.loop import kind_of
from experiments.learning.programs import build_programs
from experiments.plan import check
from experiments.plan.strategies import SCHEMES, Lane, Strategy
from experiments.report.single_stage import write_report
from experiments.store import files, workdir

RANKINGS = {"random": "random", "ent-inv": "entropy", "ls-inv": "largest", "kcenter": "core"}
OWN = ("selections", "budgets", "balance_from", "ensemble", "schemes")  # fields that the other experiments lack


class Selection(NamedTuple):
    """How rows are chosen."""

    ranking: str
    diversified: bool
    balancing: str | None
    ensemble: bool


def selection(name: str) -> Selection:
    """The settings of a name such as ent-inv-div-bal+ens; ValueError for another."""
    rest, plus, ensemble = name.partition("+")
    balancing = {"-bal": "candidates", "-cen": "centroid"}.get(rest[-4:])
    rest = rest[:-4] if balancing else rest
    base, diversified = rest.removesuffix("-div"), rest.endswith("-div")
    if base not in RANKINGS or (base == "kcenter" and diversified) or (plus and ensemble != "ens"):
        known = ", ".join(RANKINGS)
        raise ValueError(f"{name!r} is not one of {known}, with -div (not kcenter), -bal or -cen and +ens after it")
    return Selection(RANKINGS[base], diversified, balancing, bool(plus))


def run(
    config: ConfigDict | dict, folder: str | pathlib.Path, *, resume: bool = False, overwrite: bool = False
) -> list[dict]:
    """Runs every selection of a config at every budget under every seed and writes the report.

    Args:
      config: the experiment, as from a config file.
      folder: the workdir.
      resume: go on with the run there, if there is one.
      overwrite: delete the run there first.

    Returns:
      the records of `metrics.jsonl`: one for each selection, scheme, seed and budget, whose place is `cycle`.

    Raises:
      ValueError, FileNotFoundError: bad input; says what and where. Nothing is written before the checks.
    """
    config = config.to_dict() if isinstance(config, ConfigDict) else dict(config)
    folder, frozen = pathlib.Path(folder), checked(config)
    dataset = problem.load_dataset(frozen)
    check.check_inputs(config, dataset.x_train.shape[1:])
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    check.check_budget(
        config | {"initial": max(config["budgets"]), "cycles": 0},
        min(int(problem.seed_pool(frozen, dataset, seed).available.sum()) for seed in seeds),
    )
    views = _views(frozen)
    rows = len(dataset.y_train) + len(dataset.y_test)
    data = {"rows": rows, "published": rows + dataset.num_missing, "classes": list(dataset.class_names)}
    units = [("full", seed, 0) for seed in seeds]
    units += [(name, seed, i) for name in config["selections"] for seed in seeds for i in range(len(config["budgets"]))]
    with workdir.claim(folder, config, data, resume=resume, overwrite=overwrite):
        records = files.read_json_lines(folder / "metrics.jsonl")
        done = {(record["strategy"].partition(":")[0], record["seed"], record["cycle"]) for record in records}
        with records.progress(Console()) as bar:
            task = bar.add_task("starting", total=len(units), completed=len(done & set(units)))
            for unit in units:
                if unit not in done:
                    bar.update(task, description=f"{unit[0]} seed {unit[1]}")
                    records += _learn(frozen, views, *unit)
                    files.write_json_lines(folder / "metrics.jsonl", records)
                    bar.update(task, advance=1)
        write_report(folder)
    return records


def checked(config: dict) -> FrozenConfigDict:
    """The config, frozen, with the fields that the other experiments have; ValueError for a bad one."""
    missing = next((field for field in OWN if field not in config), None)
    if missing:
        raise ValueError(f"config.{missing}: missing")
    common = {name: value for name, value in config.items() if name not in OWN}
    for field, known in (("schemes", SCHEMES[:-1]), ("selections", None)):
        if not config[field] or len(set(config[field])) < len(config[field]):
            raise ValueError(f"config.{field}: expected a tuple of different names, got {config[field]!r}")
        for name in config[field]:
            if known and name not in known:
                raise ValueError(f"config.{field}: {name!r} is not one of {', '.join(known)}")
    try:
        ensembles = [selection(name).ensemble for name in config["selections"]]
    except ValueError as error:
        raise ValueError(f"config.selections: {error}") from None
    if any(ensembles) and not config["source"]:
        raise ValueError("config.selections: +ens needs the snapshots of config.source")
    budgets = config["budgets"]
    if not budgets or list(budgets) != sorted({*budgets}) or not all(type(b) is int and b > 0 for b in budgets):
        raise ValueError(f"config.budgets: expected a rising tuple of integers above 0, got {budgets!r}")
    if not 0 < config["balance_from"] <= 1:
        raise ValueError(
            f"config.balance_from: expected a number above 0 and at most 1, got {config['balance_from']!r}"
        )
    if type(config["ensemble"]) is not int or config["ensemble"] < 1:
        raise ValueError(f"config.ensemble: expected an integer of at least 1, got {config['ensemble']!r}")
    common["strategies"] = tuple(f"random:{scheme}" for scheme in config["schemes"])
    check.check_config(common)
    return FrozenConfigDict(common | {field: config[field] for field in OWN})


class View(NamedTuple):
    """What a source network says of all rows."""

    features: jax.Array  # [M, H]
    probs: jax.Array  # [M, K']


def _views(config):
    """What selections may look at: (the last snapshots of the source, an average over more of them)."""
    data = problem.load_data(config)
    if data.source_probs is None:
        raise ValueError(
            "config.source: single-stage selection needs a source network, or source_probs_train in the data"
        )
    features = data.inputs.reshape(len(data.inputs), -1) if data.fixed is None else data.fixed[0]
    view = View(features, data.source_probs)
    if not any(selection(name).ensemble for name in config.selections):
        return view, None
    source = problem.load_source(config, config.ensemble)
    return view, View(*sources.look(source, data.inputs))


def _learn(config, views, name, seed, place):
    """Chooses rows, labels them, and scores every scheme: the records of a unit."""
    task = problem.build_problem(config, (Lane("random", seed),))
    rows, available = task.pool[0], task.available[0]
    keys = problem.seed_keys(seed)
    if name == "full":
        chosen = np.flatnonzero(available)
    else:
        chosen = _choose(config, views, name, config.budgets[place], keys.query, task, rows, available)
    size = len(rows) if name == "full" else max(config.budgets)
    buffer = np.zeros((1, size), np.int32)
    buffer[0, : len(chosen)] = chosen
    labels = np.asarray(task.data.labels)[np.asarray(rows)[chosen]]
    counts = np.bincount(labels, minlength=config.num_classes)
    records = []
    for scheme in config.schemes:
        programs = build_programs(config, Strategy("random", scheme=scheme), 1)
        labelled = task.data, task.pool, jnp.asarray(buffer), jnp.int32(len(chosen))
        start = task.variables[kind_of(scheme)]
        variables, loss = programs.train(jax.random.fold_in(keys.train, place)[None], start, *labelled)
        if not np.isfinite(loss).all():
            raise ValueError(f"{name}, seed {seed}: the training loss is not finite; lower config.learning_rate")
        scores = jax.tree.map(lambda x: x[0], programs.evaluate(variables, task.data, jnp.asarray(counts)[None]))
        record = {"strategy": f"{name}:{scheme}", "seed": seed, "cycle": place, "num_labelled": len(chosen)}
        record |= {field: _number(getattr(scores, field)) for field in ("accuracy", "macro_f1", "cbi", "l1_score")}
        record |= {"recall": [_number(x) for x in scores.recall], "counts": counts.tolist()}
        records.append(record | {"selected": [] if name == "full" else np.asarray(rows)[chosen].tolist()})
    return records


def _choose(config, views, name, budget, key, task, rows, available):
    how = selection(name)
    view = views[how.ensemble]
    indices, num_invalid = select(
        key, view.features[rows], view.probs[rows], task.data.labels[rows], available,
        num_classes=config.num_classes, budget=budget, ranking=how.ranking, diversified=how.diversified,
        balance_from=config.balance_from if how.balancing else 1.0, balancing=how.balancing or "candidates",
    )  # fmt: skip
    if num_invalid:
        raise ValueError(f"{name}: {num_invalid} pool rows have a NaN or an infinity in the source's view")
    return np.asarray(indices)


def _number(value):
    return round(float(value), 6) if np.isfinite(value) else None


def main(argv: list[str]) -> None:
    """Command line: runs, prints where the report is, ends with exit code 1 and one line where something is wrong."""
    logging.set_verbosity(logging.ERROR)
    command_line.refuse_arguments(argv)
    try:
        run(CONFIG.value, WORKDIR.value, resume=RESUME.value, overwrite=OVERWRITE.value)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(f"stopped; --resume goes on with {WORKDIR.value}")
    print(f"report: {pathlib.Path(WORKDIR.value) / 'report.md'}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parser("config", "workdir"))
