"""Configs with values that nobody means, as fields, as flags and as files: each is taken, or refused in one line.

Nothing is trained: what a driver would carry out is where a try ends, and no folder may be there by then.
"""

import contextlib
import io
import pathlib
from unittest import mock

import numpy as np

from configs import letter, own, single_stage
from experiments import run as active_door
from experiments import single_stage as single_stage_door
from tests.fuzz import damage, hostile
from tests.support import command_lines

KINDS = ("fields", "own", "single_stage", "flags", "files")
SMALL = {"num_classes": 3, "initial": 6, "budget": 2, "cycles": 1, "seeds": 1, "epochs": 1, "test_rows": 0}
ROOT = pathlib.Path(__file__).parents[2]
FLAGS = ("config.strategies", "config.lams", "config.lam", "config.cycles", "config.dataset", "config.refit")
FLAGS += ("config.minority", "config.vabal", "config.vabal.weight", "config.milestones", "config.x", "config.lam.x")
FLAGS += ("config", "resume", "workdir", "config.lams.kcenter-cb", "config.strategies[0]", "config.", "engine", "x")
WORDS = ("us,random", "('us',)", "(1,", "{'us': 1}", "{'us': x}", "f(x)", "1e400", "((((", "a b", "0x", "1_0", "'", ",")


def trial(kind: str, rng: np.random.Generator, folder: pathlib.Path) -> str:
    """One config, and what came of it."""
    return {"fields": _fields, "own": _own, "single_stage": _single_stage, "flags": _flags, "files": _files}[kind](
        rng, folder
    )


def _fields(rng, folder):
    config = _with_wrong_ones(letter.get_config().to_dict() | SMALL | {"dataset": _rows(folder)}, rng)
    return _run(active_door, config, folder)


def _own(rng, folder):
    config = own.get_config().to_dict() | {"dataset": _rows(folder), "seeds": 1}
    return _run(active_door, _with_wrong_ones(config, rng), folder)


def _single_stage(rng, folder):
    config = single_stage.get_config("features").to_dict()
    config |= SMALL | {"dataset": _rows(folder, with_source=True), "budgets": (2, 4), "initial": 1, "cycles": 1}
    config |= {"profile": "step", "minority_share": 0.0, "class_mean": 0.0}
    return _run(single_stage_door, _with_wrong_ones(config, rng), folder)


def _with_wrong_ones(config, rng):
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        place = config
        if rng.random() < 0.15:
            place = config["vabal"] = dict(config["vabal"]) if isinstance(config.get("vabal"), dict) else {}
        names = [*place, "unknown"]
        name = names[rng.integers(len(names))]
        if rng.random() < 0.05:
            place.pop(name, None)
        else:
            place[name] = hostile.drawn(rng)
    return config


def _run(door, config, folder):
    documented = (ValueError, OSError)
    with mock.patch.object(door, "carry_out", lambda *args, **named: []), contextlib.redirect_stdout(io.StringIO()):
        return hostile.judged(lambda: door.run(config, folder / "run"), folder, documented)


def _rows(folder, with_source=False):
    path, rng = folder / "rows.npz", np.random.default_rng(0)
    parts = {"x": rng.normal(size=(60, 4)).astype(np.float32), "y": np.arange(60) % 3}
    if with_source:
        parts["source_probs"] = np.full((60, 3), 1 / 3, np.float32)
    np.savez(path, **parts)
    return str(path)


def _flags(rng, folder):
    argv = [f"--workdir={folder / 'run'}"]
    if rng.random() < 0.9:
        argv.append(f"--config={ROOT}/configs/{('letter.py', 'own.py', 'letter.py:smoke')[rng.integers(3)]}")
    for _ in range(rng.integers(1, 4)):
        flag = f"--{FLAGS[rng.integers(len(FLAGS))]}"
        word = str(hostile.drawn(rng, (*WORDS, *hostile.TEXTS, *map(repr, hostile.OTHERS[:-3]), "9" * 5000)))
        argv += [f"{flag}={word}"] if rng.random() < 0.8 else [flag, word] if rng.random() < 0.5 else [flag]
    return _parsed(argv, folder)


def _files(rng, folder):
    text = (ROOT / "configs" / ("letter.py", "own.py")[rng.integers(2)]).read_bytes()
    path = folder / "mine.py"
    path.write_bytes(damage.broken(text, rng, int(rng.integers(1, 4))))
    return _parsed([f"--workdir={folder / 'run'}", f"--config={path}"], folder)


def _parsed(argv, folder):
    """A command line up to its config."""
    return hostile.judged(lambda: command_lines.parse(*argv), folder, (SystemExit,))
