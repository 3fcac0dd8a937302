"""Strategies, networks and data of one's own, named in a config; the example is run as its README says."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from configs.letter import get_config
from experiments.plan.dotted import resolve
from experiments.run import run

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
TINY = {"epochs": 2, "num_features": 16, "initial": 12, "budget": 4, "cycles": 2, "seeds": 1, "workers": 1}
OWN = {"dataset": "mine:load", "backbone": "mine:Net", "num_classes": 3, "test_rows": 300}
BAD = """
import flax.linen as nn
import numpy as np

def select(view, key): ...
def stages(key, view, lam, budget): ...
stages.needs = ("gradients",)
def list_of_arrays(): return [np.zeros((4, 2))]
def no_labels(): return {"x": np.zeros((9, 2))}
def halves(): return {"x": np.zeros((9, 2)), "y": np.arange(9) / 2}
def wide(path): ...
class Narrow(nn.Module):
    @nn.compact
    def __call__(self, x, train, mask=None): return nn.Dense(4)(x)
class Fails(nn.Module):
    @nn.compact
    def __call__(self, x, train, mask=None): return x @ np.zeros((5, 3)), (x,)
class Needs(nn.Module):
    width: int
def none(): return None
def stops(): raise KeyError("no such\\ntable")
number = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "bad.py").write_text(BAD)
    (tmp_path / "broken.py").write_text("import nothing_of_the_kind")
    (tmp_path / "fails.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    yield
    for name in ("mine", "bad", "broken", "fails"):
        sys.modules.pop(name, None)


def test_all_of_ones_own_in_processes(own, tmp_path):
    names = ("mine:select", "mine:doubt-alfamous@2")
    records = run({**get_config().to_dict(), **TINY, **OWN, "strategies": names, "workers": 2}, tmp_path / "run")
    assert [r["strategy"] for r in records[::3]] == list(names)
    labels = np.arange(900) % 3
    for name in names:
        rows = [r for r in records if r["strategy"] == name]
        picked = [row for record in rows for row in record["selected"]]
        assert len(set(picked)) == len(picked) == 8
        for before, after in zip(rows, rows[1:], strict=False):
            gained = np.bincount(labels[before["selected"]], minlength=3)
            np.testing.assert_array_equal(np.array(before["counts"]) + gained, after["counts"])
    assert records[0]["lam"] == records[3]["lam"] == 0.1
    assert (tmp_path / "run" / "report.md").read_text().count("mine:select") > 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"strategies": ("bad:select",)},
            r"'bad:select': must take \(key, view, lam, budget\) or .* takes \(view, key",
        ),
        ({"strategies": ("bad:stages",)}, "'bad:stages': needs 'gradients', expected some of features, stages"),
        ({"strategies": ("bad:number",)}, "'bad:number': .* holds a int, no function or class, as 'number'"),
        ({"strategies": ("broken:select",)}, "'broken:select': its module needs 'nothing_of_the_kind'"),
        ({"strategies": ("fails:select",)}, "importing its module failed .ZeroDivisionError: division by zero"),
        (
            {"dataset": "bad:list_of_arrays"},
            "config.dataset: 'bad:list_of_arrays' must give a dict of arrays, got list",
        ),
        ({"dataset": "bad:no_labels"}, "bad:no_labels: needs arrays x, y or x_train"),
        (
            {"dataset": "bad:halves", "test_rows": 3},
            r"bad:halves: y\[1\] is 0.5: labels that are floats must have whole",
        ),
        ({"dataset": "bad:no_labels", "label_column": "kind"}, "config.label_column: is for tables, got 'kind'"),
        ({"dataset": "letter", "label_column": "kind"}, "label_column: is for tables, got 'kind' for 'letter'"),
        ({"dataset": "bad:stops"}, r"config.dataset: 'bad:stops' failed \(KeyError: 'no such.*table'\)"),
        ({"backbone": "bad:stops"}, r"config.backbone: 'bad:stops' failed \(KeyError"),
        ({"dataset": "bad:wide"}, r"config.dataset: 'bad:wide': must take \(\), takes \(path\)"),
        ({"backbone": "bad:Narrow"}, "'bad:Narrow' must answer with features .* and a tuple of stages"),
        ({"backbone": "bad:Fails"}, r"config.backbone: 'bad:Fails' called with \(x \[2, 8\], train, mask\) failed"),
        ({"backbone": "bad:Needs"}, r"config.backbone: 'bad:Needs': must take \(\), takes \(width\)"),
        ({"backbone": "bad:none"}, "config.backbone: 'bad:none' must give a flax module, got NoneType"),
        ({"backbone": "vit"}, "config.backbone: expected 'mlp', .*, or MODULE:ATTRIBUTE, got 'vit'"),
    ],
    ids=str,
)
def test_what_cannot_work_writes_nothing(own, tmp_path, changes, message):
    config = {**get_config().to_dict(), **TINY, **OWN, "strategies": ("us",), **changes}
    with pytest.raises(ValueError, match=message) as caught:
        run(config, tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_an_unknown_module_of_a_package_is_told_from_what_it_imports(own):
    with pytest.raises(ValueError, match="there is no module 'xml.nothing'"):
        resolve("xml.nothing:f", "config.strategies")


def test_the_example_is_short_and_its_commands_run(tmp_path):
    examples = ROOT / "examples"
    assert len((examples / "mine.py").read_text().splitlines()) < 30
    text = (examples / "README.md").read_text()
    command = re.search(r"python (-m experiments\.run .*?)\n\n", text, flags=re.DOTALL)[1].replace("\\\n", " ")
    arguments = [part.replace("runs/mine", str(tmp_path / "run")) for part in shlex.split(command)]
    done = subprocess.run(
        [sys.executable, *arguments, "--config.epochs=2", "--config.cycles=1"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": "examples"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0 and "mine:doubt-alfamous" in done.stdout, done.stderr
