"""Runs an experiment: python -m experiments.run --config=configs/letter.py --workdir=runs/letter

--config.FIELD=VALUE changes a field, --resume goes on after an interruption, --overwrite starts again.
"""

import pathlib

from absl import app, logging
from ml_collections import ConfigDict, FrozenConfigDict

from alfamous_jax import compile_cache
from experiments import command_line, stopping
from experiments.command_line import CONFIG, DISTRIBUTED, OVERWRITE, RESUME, WORKDIR
from experiments.engines import choose, distributed
from experiments.engines.carry_out import carry_out, together
from experiments.engines.choose import LOCAL, Settings
from experiments.learning import origin
from experiments.learning.check import check, check_data, facts
from experiments.learning.settle import settle
from experiments.plan import work
from experiments.plan.check import as_tuples
from experiments.report import FILES, found, late


def run(
    config: ConfigDict | dict,
    folder: str | pathlib.Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    settings: Settings = LOCAL,
) -> list[dict]:
    """Runs every strategy of a config under every seed and writes the report; says first what was found in the data.

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
    config, notes = settle(as_tuples(config.to_dict() if isinstance(config, ConfigDict) else config))
    check(config)
    choose.check(settings)
    if config["parallel"] == "pool" and settings.engine != "local":
        raise ValueError(f"--engine: a pool that is split is run by --distributed, got {settings.engine!r}")
    seeds = range(config["first_seed"], config["first_seed"] + config["seeds"])
    frozen = FrozenConfigDict(config)
    data = facts(check_data(config, frozen, seeds), frozen, seeds[0], notes)
    if distributed.is_first():
        data |= {"digests": origin.of(frozen), "own_code": origin.code(frozen)}
        print(*found.lines(data, config["dataset"]), sep="\n", flush=True)
    plan = work.active(config, seeds, together(config), FILES)
    how = {"resume": resume, "overwrite": overwrite}
    return carry_out(plan, config, pathlib.Path(folder), settings, data=data, **how, finish=late.write)


def main(argv: list[str]) -> None:
    """Command line: runs, prints the table, ends with exit code 1 and one line where something is wrong."""
    logging.set_verbosity(logging.ERROR)
    command_line.refuse_arguments(argv)
    folder = pathlib.Path(str(WORKDIR.value))
    with stopping.in_order(f"stopped; --resume goes on with {folder}"):
        try:
            distributed.start(DISTRIBUTED.value, CONFIG.value["parallel"])
            settings = choose.settings()
            compile_cache.use(settings.compile_cache)
            run(CONFIG.value, folder, resume=RESUME.value, overwrite=OVERWRITE.value, settings=settings)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            distributed.leave(error)
    if not distributed.is_first():
        return
    late.show(folder)
    print(f"report: {folder / 'report.md'}")


if __name__ == "__main__":
    app.run(main, flags_parser=command_line.parser("config", "workdir"))
