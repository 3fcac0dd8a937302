"""Drivers of tiny runs in processes of their own, forked from one that has imported all that they need."""

import multiprocessing
import os
import pathlib
import random
import re
import shutil
import sys
import time
from typing import NamedTuple

import numpy as np

PATIENCE_S = 180.0  # for one process on a crowded machine
SAID = ("note: ", "waiting for ")
SETTINGS = {
    "num_classes": 4, "strategies": "('us',)", "seeds": 2, "initial": 8, "budget": 4, "cycles": 4, "epochs": 1,
    "backbone": "identity", "head": "linear", "minority_share": 0.0, "test_rows": 0, "workers": 2,
}  # fmt: skip


class Failed(Exception):
    """A round that ended as none may."""


class Place(NamedTuple):
    """Where a round is run, and how."""

    folder: pathlib.Path  # with the data, and undisturbed runs by kind
    kind: str  # config.parallel: "vmap", one process, or "processes", a driver and its workers
    rng: random.Random

    @property
    def workdir(self) -> pathlib.Path:
        """Of the round."""
        return self.folder / "run"

    @property
    def undisturbed(self) -> pathlib.Path:
        """Of a run that was left alone."""
        return self.folder / self.kind


def prepare(folder: pathlib.Path, cache: pathlib.Path, kinds) -> None:
    """Writes the data and makes the undisturbed runs."""
    os.environ |= {
        "ALFAMOUS_COMPILE_CACHE": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONWARNINGS": "ignore",  # that of JAX at a fork: of its threads there are none yet
    }
    write_data(folder)
    for kind in kinds:
        place = Place(folder, kind, random.Random(0))
        code, said = finish(start(place, place.undisturbed))
        if code:
            raise RuntimeError(f"an undisturbed run ended so: {said}")


def write_data(folder: pathlib.Path) -> pathlib.Path:
    """Features of four classes; the file."""
    rng, y, path = np.random.default_rng(0), np.arange(120) % 4, folder / "data.npz"
    x = (rng.normal(size=(120, 6)) + 2 * np.eye(4, 6)[y]).astype(np.float32)
    np.savez(path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    return path


def start(place: Place, workdir: pathlib.Path | None = None):
    """A driver that goes on with the run; `log` of the process is what it says on stderr."""
    log = place.folder / f"log{time.monotonic_ns()}"
    settings = SETTINGS | {"dataset": place.folder / "data.npz", "parallel": place.kind}
    command = ["experiments.run", "--config=configs/letter.py", f"--workdir={workdir or place.workdir}", "--resume"]
    command += [f"--config.{name}={value}" for name, value in settings.items()]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["experiments.run"])
    process = context.Process(target=_drive, args=(command, str(log)))
    process.start()
    process.log = log
    log.touch()
    return process


def _drive(command: list[str], log: str) -> None:
    """What the command does, with its words in a file."""
    for descriptor, path in ((1, os.devnull), (2, log)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), descriptor)
    sys.argv = command  # overrides of a config are read from there
    from absl import app

    from experiments import command_line, run

    app.run(run.main, flags_parser=command_line.parser("config", "workdir"))


def finish(process) -> tuple[int, str]:
    """Exit code and words of a driver that is left alone; what went wrong is one line, what went well is none."""
    process.join(PATIENCE_S)
    if process.is_alive():
        process.kill()
        raise Failed(f"no end after {PATIENCE_S:.0f} s: {process.log.read_text()[-300:]}")
    text = process.log.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(SAID)]
    if len(lines) != bool(process.exitcode) or (lines and not lines[0].startswith("error: ")):
        raise Failed(f"exit code {process.exitcode} and not one line: {text[-1500:]!r}")
    return process.exitcode, text


def left_alone(place: Place) -> bool:
    """Whether the records are those of the undisturbed run."""
    return _records(place.workdir) == _records(place.undisturbed)


def _records(workdir: pathlib.Path) -> bytes:
    path = workdir / "metrics.jsonl"
    return path.read_bytes() if path.exists() else b""


def delete_as_told(workdir: pathlib.Path, said: str) -> str:
    """Deletes what the last line says to delete, if it says so and it is there."""
    found = re.search(rf"{re.escape(str(workdir))}/[^\s,:;)]+", said.splitlines()[-1])
    path = pathlib.Path(found[0]) if found and "delete" in said else None
    if not path or not (path.exists() or path.is_symlink()):
        return ""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return f"deleted as told: {path.relative_to(workdir)}"
