"""Workdirs that no run has left so: a report, or one line; and nothing but the report's own files is written."""

import contextlib
import copy
import io
import json
import pathlib
from unittest import mock

import numpy as np
from matplotlib.figure import Figure

from experiments.paper import figures
from experiments.paper.__main__ import main as paper
from experiments.paper.others import PAPERS
from experiments.report import FILES
from experiments.report.page import main as report
from tests.fuzz import damage, hostile
from tests.support.records_by_hand import make_records

KINDS = ("records", "config", "environment", "timings", "names", "bytes", "single_stage", "paper", "others")
DATA = {
    "rows": 90, "published": 90, "classes": ["a", "b", "c"], "shape": [4], "counts": [60, 20, 10], "tested": [6, 2, 1],
    "left": [60, 20, 10], "scaling": "feature", "range": [-2.0, 2.0], "constant": 0, "notes": ["As it was."],
}  # fmt: skip
CONFIG = {"dataset": "mine.npz", "seeds": 2, "first_seed": 0, "cycles": 1, "minority": [0], "lam": 0.1, "budget": 10}
CONFIG |= {"strategies": ["random", "us", "us-alfamous@2"], "head": "sngp", "minority_ratio": 0.1, "initial": 10}
SAVEFIG = Figure.savefig
TIMING = {"strategy": "us", "seeds": [0], "cycle": 0, "train_s": 1.5, "query_s": 0.5}
F1 = {name: {0: (0.1, 0.2), 1: (0.3, 0.4)} for name in ("random", "us", "us-alfamous@2")}
NAMES = (
    "$0_$10", "[a](b)", "<script>alert(1)</script>", "a|b", "a\nb", "\\", "x" * 3000, "", " ", "\u540d\u524d", "_a_*b*",
    "`", "#", "\x1b[31m", "\\frac{", "$$", "&amp;", "\t", "\u202e", "{0}", "%s", "$\\sum$", "^_^", "\ud83d\ude00",
)  # fmt: skip


def trial(kind: str, rng: np.random.Generator, folder: pathlib.Path) -> str:
    """Writes a workdir, with something wrong in the part that the kind names, and has it reported."""
    run = folder / "run"
    run.mkdir()
    parts = {
        "records": [record | {"recall": [0.5, None, 1.0]} for record in make_records(F1)],
        "config": copy.deepcopy(CONFIG),
        "environment": {"data": copy.deepcopy(DATA), "date": "2026-11-24", "jax": "0.10", "devices": ["cpu"]},
        "timings": [dict(TIMING), dict(TIMING, strategy="random")],
    }
    if kind == "single_stage":
        parts["config"] |= {"selections": ["random", "kcenter"], "schemes": ["svm"], "profile": "transfer"}
        for record in parts["records"]:
            record["strategy"] = {"us": "kcenter:svm", "random": "random:svm"}.get(record["strategy"], "full:svm")
    elif kind == "paper":
        parts["config"] |= {"dataset": "letter", "minority": "drawn"}
    elif kind == "others":
        _of_another_paper(parts, rng)
    elif kind == "names":
        _name(parts, rng)
    if kind in ("records", "config", "environment", "timings", "single_stage", "paper", "others"):
        for _ in range(rng.choice([0, 1, 1, 2])):
            _spoil(parts[kind] if kind in parts else parts[("records", "config", "environment")[rng.integers(3)]], rng)
    _write(run, parts, rng)
    if kind == "bytes":
        written = sorted(run.iterdir())
        path = written[rng.integers(len(written))]
        path.write_bytes(damage.broken(path.read_bytes(), rng))
    command, options = (paper if kind in ("paper", "others") else report), []
    if kind == "others":
        options = ["--paper", hostile.drawn(rng, tuple(PAPERS))]
    pages = ("paper.md", *(f"paper-{name.replace('_', '-')}.md" for name in PAPERS))
    may = tuple(f"run/{name}" for name in (*FILES, *pages, *(name for _, name in figures.FILES)))
    return hostile.judged(lambda: _said(command, str(run), *options), folder, (ValueError,), may)


def _of_another_paper(parts, rng):
    """Strategies that CBAL, VaB-AL and the ICPR paper compare, or a single stage."""
    names = {"random": "entropy", "us": "entropy-cb", "us-alfamous@2": ("vabal", "dmcs-rand")[rng.integers(2)]}
    if rng.random() < 0.3:
        names = {"random": "random:svm", "us": "random-bal:svm", "us-alfamous@2": "full:svm"}
        parts["config"] |= {"selections": ["random", "random-bal"], "budgets": [4, 8], "profile": "transfer"}
    parts["config"] |= {"strategies": list(names.values()), "num_classes": 3}
    for record in parts["records"]:
        record["strategy"] = names[record["strategy"]]


def _said(command, *args):
    """A command's answer; what it says on stderr as the ValueError that it was."""
    out, said = io.StringIO(), io.StringIO()
    quick = mock.patch.object(Figure, "savefig", _coarse)
    with quick, contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        code = command(list(args))
    if code:
        raise ValueError(said.getvalue())


def _coarse(figure, *args, **named):
    """All that a figure is drawn by, in few points."""
    return SAVEFIG(figure, *args, **named | {"dpi": 15})


def _name(parts, rng):
    name = hostile.drawn(rng, NAMES)
    where = rng.integers(4)
    if where == 0:
        parts["environment"]["data"]["classes"][int(rng.integers(3))] = name
    elif where == 1:
        parts["config"]["dataset"] = name
    elif where == 2:
        parts["environment"]["data"]["notes"].append(name)
    else:
        for record in parts["records"]:
            record["strategy"] = record["strategy"].replace("us", name or "us")


def _spoil(place, rng):
    """Another value, another key, or nothing in the place of something, at any depth."""
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = keys[rng.integers(len(keys))]
        inner = place[key]
        if isinstance(inner, (dict, list)) and inner and rng.random() < 0.8:
            place = inner
            continue
        how = rng.random()
        if how < 0.1:
            del place[key]
        elif how < 0.2 and isinstance(place, list):
            place.append(copy.deepcopy(inner))
        else:
            place[key] = hostile.drawn(rng)
        return


def _write(run, parts, rng):
    def text(value):
        try:
            return json.dumps(value, default=str)
        except (ValueError, TypeError):  # a number of thousands of digits, or a key that is none of JSON's
            return '{"digits": ' + "9" * 5000 + "}"

    for name, value in (("metrics", parts["records"]), ("timings", parts["timings"])):
        lines = "".join(f"{text(line)}\n" for line in value)
        (run / f"{name}.jsonl").write_text(lines, encoding="utf-8", errors="surrogatepass")
    for name in ("config", "environment"):
        if rng.random() < 0.95:
            (run / f"{name}.json").write_text(text(parts[name]), encoding="utf-8", errors="surrogatepass")
