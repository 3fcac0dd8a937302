"""Runs an experiment: python -m experiments.run --config=configs/letter.py --workdir=runs/letter

--config.FIELD=VALUE changes a field, --resume goes on after an interruption, --overwrite starts again.
"""

import pathlib
import sys

import jax
from absl import app, logging
from ml_collections import ConfigDict, FrozenConfigDict
from rich.console import Console

from experiments import command_line
from experiments.command_line import CONFIG, DISTRIBUTED, OVERWRITE, RESUME, WORKDIR
from experiments.engines import choose, compile_cache, distributed
from experiments.engines.choose import LOCAL, Settings
from experiments.learning import loop, problem
from experiments.plan import check, strategies
from experiments.report import page
from experiments.report.summary import load_records
from experiments.store import records, workdir


def run(
    config: ConfigDict | dict,
    folder: str | pathlib.Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    settings: Settings = LOCAL,
) -> list[dict]:
    """Runs every strategy of a config under every seed and writes the report.

    Args:
      config: the experiment, as from a config file.
      folder: the workdir.
      resume: go on with the run there, if there is one.
      overwrite: delete the run there first.
      settings: on which engine, and how; by default in processes of this machine.

    Returns:
      the records of `metrics.jsonl`; nothing in a process other than the first of several.

    Raises:
      ValueError, FileNotFoundError: bad input; says what and where. Nothing is written before the checks.
      RuntimeError: a unit of work failed, or lost its worker again and again; what was done is kept.
    """
    config = config.to_dict() if isinstance(config, ConfigDict) else dict(config)
    folder = pathlib.Path(folder)
    check.check_config(config)
    choose.check(settings)
    split = config["parallel"] == "pool"
    if split and settings.engine != "local":
        raise ValueError(f"--engine: a pool that is split is run by --distributed, got {settings.engine!r}")
    frozen = FrozenConfigDict(config)
    dataset = problem.load_dataset(frozen)
    check.check_inputs(config, dataset.x_train.shape[1:])
    if config["source"]:
        problem.load_source(frozen)
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    check.check_budget(config, min(int(problem.seed_pool(frozen, dataset, seed).available.sum()) for seed in seeds))
    together = config["parallel"] == "vmap" or (config["parallel"] == "auto" and jax.default_backend() != "cpu")
    groups = strategies.groups(config, seeds, together)

    num_rows = len(dataset.y_train) + len(dataset.y_test)
    data = {"rows": num_rows, "published": num_rows + dataset.num_missing, "classes": list(dataset.class_names)}
    with distributed.on_first(workdir.claim(folder, config, data, resume=resume, overwrite=overwrite)):
        _refuse_other_groups(folder / "checkpoints", groups)
        if not distributed.is_first():
            for group in groups:
                loop.run_lanes(frozen, group, folder / "checkpoints", lambda *_: None)
            return []
        with records.Recorder(folder, config, Console()) as recorder:
            if split or (together and settings.engine == "local"):
                choose.run_here(frozen, groups, folder, recorder.add)
            else:
                choose.run_groups(config, groups, folder, settings, recorder.add)
        page.write_report(folder)
    return load_records(folder)


def main(argv: list[str]) -> None:
    """Command line: runs, prints the table, ends with exit code 1 and one line where something is wrong."""
    logging.set_verbosity(logging.ERROR)
    command_line.refuse_arguments(argv)
    try:
        distributed.start(DISTRIBUTED.value, CONFIG.value["parallel"])
        settings = choose.settings()
        compile_cache.use(settings.compile_cache)
        records = run(CONFIG.value, WORKDIR.value, resume=RESUME.value, overwrite=OVERWRITE.value, settings=settings)
    except (ValueError, OSError, RuntimeError) as error:
        distributed.leave(error)
    except KeyboardInterrupt:
        sys.exit(f"stopped; --resume goes on with {WORKDIR.value}")
    if not distributed.is_first():
        return
    Console().print(page.summary_table(records, CONFIG.value.to_dict()))
    print(f"report: {pathlib.Path(WORKDIR.value) / 'report.md'}")


def _refuse_other_groups(checkpoints, groups):
    """Lanes done in processes cannot go on under vmap, nor the other way round."""
    names = {strategies.group_name(group) for group in groups}
    for path in sorted(checkpoints.iterdir()) if checkpoints.exists() else []:
        if path.name not in names:
            raise ValueError(f"{path}: was written under another config.parallel or on another kind of device")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parser("config", "workdir"))
