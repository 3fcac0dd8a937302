"""Runs a single-stage experiment: python -m experiments.single_stage --config=configs/single_stage.py --workdir=DIR

Rows are chosen from a source network's view of the pool, once for each budget; then they are labelled, and every scheme
of training learns from them. --config.FIELD=VALUE changes a field, --resume goes on, --overwrite starts again.
"""

import pathlib
import sys

from absl import app, logging
from ml_collections import ConfigDict, FrozenConfigDict

from alfamous_jax import compile_cache
from experiments import command_line, stopping
from experiments.command_line import CONFIG, OVERWRITE, RESUME, WORKDIR
from experiments.engines import choose
from experiments.engines.carry_out import carry_out
from experiments.engines.choose import LOCAL, Settings
from experiments.learning import methods, origin
from experiments.learning.check import OWNED, check_data, facts
from experiments.learning.single_stage import source_views
from experiments.plan import work
from experiments.plan.check import as_tuples
from experiments.plan.choices import check_choices
from experiments.report import FILES, found, late


def run(
    config: ConfigDict | dict,
    folder: str | pathlib.Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    settings: Settings = LOCAL,
) -> list[dict]:
    """Runs every selection of a config at every budget under every seed and writes the report.

    Args:
      config: the experiment, as from a config file.
      folder: the workdir.
      resume: go on with the run there, if there is one.
      overwrite: delete the run there first.
      settings: on which engine, and how; by default in processes of this machine.

    Returns:
      the records of `metrics.jsonl`: one for each selection, scheme, seed and budget, whose place is `cycle`.

    Raises:
      ValueError, FileNotFoundError: bad input; says what and where. Nothing is written before the checks.
      RuntimeError: a unit of work failed, or lost its worker again and again; what was done is kept.
    """
    config = as_tuples(config.to_dict() if isinstance(config, ConfigDict) else config)
    config = check_choices(config, *OWNED)
    methods.check(config)
    choose.check(settings)
    frozen = FrozenConfigDict(config)
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    largest = config | {"initial": max(config["budgets"]), "cycles": 0}
    data = facts(check_data(largest, frozen, seeds), frozen, seeds[0])
    data |= {"digests": origin.of(frozen), "own_code": origin.code(frozen)}
    print(*found.lines(data, config["dataset"]), sep="\n", flush=True)
    source_views(frozen)
    plan = work.single_stage(config, seeds, FILES)
    how = {"resume": resume, "overwrite": overwrite}
    return carry_out(plan, config, pathlib.Path(folder), settings, data=data, **how, finish=late.write)


def main(argv: list[str]) -> None:
    """Command line: runs, prints where the report is, ends with exit code 1 and one line where something is wrong."""
    logging.set_verbosity(logging.ERROR)
    command_line.refuse_arguments(argv)
    folder = pathlib.Path(str(WORKDIR.value))
    with stopping.in_order(f"stopped; --resume goes on with {folder}"):
        try:
            settings = choose.settings()
            compile_cache.use(settings.compile_cache)
            run(CONFIG.value, folder, resume=RESUME.value, overwrite=OVERWRITE.value, settings=settings)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            sys.exit(f"error: {str(error).strip()}")
    print(f"report: {folder / 'report.md'}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parser("config", "workdir"))
