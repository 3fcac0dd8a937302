"""The examples that draw: what stands in the picture is what the run or the library says."""

import itertools
import json
import re
import runpy
import sys

import numpy as np
import pytest
from documents import ROOT
from matplotlib.figure import Figure
from ml_collections import FrozenConfigDict
from tiny_letter import tiny

from experiments.learning import problem

EXAMPLES = ROOT / "examples"


def run(name, monkeypatch, *arguments):
    """The script as from the command line, in this process."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_toy_says_and_draws(tmp_path, monkeypatch, capsys):
    """On two pools in the place of forty."""
    toy = runpy.run_path(str(EXAMPLES / "toy.py"))
    monkeypatch.setattr(sys, "argv", ["toy.py", "--out", str(tmp_path / "toy.png")])
    monkeypatch.setitem(toy["main"].__globals__, "POOLS", 2)
    toy["main"]()
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said[1:]] == list(toy["STRATEGIES"])
    assert all(0 <= float(line.split()[1]) <= 8 and float(line.split()[4]) > 0 for line in said[1:])
    assert (tmp_path / "toy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_picks_are_drawn_from_a_run(tmp_path, monkeypatch):
    """Those of the records, among rows of the run's own pool; the distances are of these places."""
    names = ("us", "us-cb", "us-fbu", "us-alfamous")
    config = FrozenConfigDict(tiny(strategies=names))
    dataset = problem.load_dataset(config)
    pool = problem.seed_pool(config, dataset, 1)
    rows = np.random.default_rng(0).permutation(pool.rows[pool.available])[:24].reshape(4, 6)
    records = [
        {"strategy": name, "seed": 1, "cycle": 2, "num_labelled": 9, "selected": some.tolist()}
        for name, some in zip(names, rows, strict=True)
    ]
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict()))
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: figures.append(self) or save(self, *a, **k))
    run("picks.py", monkeypatch, tmp_path, "--seed", 1, "--cycle", 2, "--rows", 80, "--out", tmp_path / "picks.png")
    assert (tmp_path / "picks.png").read_bytes().startswith(b"\x89PNG")
    for axis, some in zip(figures[0].axes, rows, strict=True):
        everything, picked = axis.collections
        assert len(everything.get_offsets()) == 80 and len(picked.get_offsets()) == 6
        classes, ratio = re.search(r": (\d+) classes, ([\d.]+)$", axis.get_title()).groups()
        assert int(classes) == len(set(dataset.y_train[some].tolist()))
        pairs = [np.asarray(part, float) for part in (picked.get_offsets(), everything.get_offsets()[-6:])]
        apart, usual = (np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(x, 2)]) for x in pairs)
        assert float(ratio) == pytest.approx(apart / usual, abs=0.006)


@pytest.mark.slow
def test_top_images_are_those_of_the_records(tmp_path, monkeypatch, capsys):
    x = np.random.default_rng(0).integers(0, 255, size=(60, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "rows.npz", x=x, y=np.arange(60) % 3, classes=["ant", "bee", "cat"])
    config = tiny(dataset=str(tmp_path / "rows.npz"), num_classes=3, test_rows=12, minority=(1, 2))
    (tmp_path / "config.json").write_text(json.dumps(config))
    picks = {"us": [3, 4, 6, 0], "random": [1, 2, 5, 9], "vaal": [7, 8, 9, 10]}
    rows = [
        {"strategy": name, "seed": 0, "cycle": c, "num_labelled": 9, "selected": some if c == 0 else some[::-1]}
        for name, some in picks.items()
        for c in (0, 1)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: figures.append(self))
    run("top_images.py", monkeypatch, tmp_path, "--images", 3, "--strategies=us,random", "--out", tmp_path / "x.png")
    assert re.findall(r"^(\w+) +(\d) of the first 3", capsys.readouterr().out, re.MULTILINE) == [
        ("us", "1"), ("random", "3")
    ]  # fmt: skip
    axes = figures[0].axes
    assert [axis.get_xlabel() for axis in axes] == ["ant", "bee", "ant", "bee", "cat", "cat"]
    for axis, place in zip(axes, [*picks["us"][:3], *picks["random"][:3]], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), x[place])


@pytest.mark.slow
def test_importance_orders_every_row_without_a_label(tmp_path, monkeypatch, capsys):
    """Shares of an order are .5 on average, whatever the strategy; core-set wants copies of known rows least."""
    x = np.random.default_rng(0).integers(0, 255, size=(300, 8, 8)).astype(np.uint8)
    x[::3] = x[0]  # the dominant class is copies of one row
    np.savez(tmp_path / "rows.npz", x=x, y=np.arange(300) % 3)
    config = tiny(dataset=str(tmp_path / "rows.npz"), num_classes=3, test_rows=12, minority=(1, 2), minority_ratio=0.5)
    config |= {"head": "linear", "dropout": 0.25, "initial": 20, "epochs": 2, "num_samples": 3, "posterior": False}
    config["vabal"] |= {"epochs": 1, "num_samples": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: figures.append(self))
    run("importance.py", monkeypatch, tmp_path, "--out", tmp_path / "x.png")
    lines = re.findall(r"^(\w+, \w+) +(\d+)((?: +[\d.]+){5})$", capsys.readouterr().out, re.MULTILINE)
    kinds = [kind for kind, *_ in lines]
    assert set(kinds) <= {"dominant, right", "dominant, wrong", "rare, right", "rare, wrong"}
    rows = np.array([int(number) for _, number, _ in lines])
    assert rows.sum() == 96 + 2 * 48 - 20
    means = np.array([shares.split() for *_, shares in lines], float)
    np.testing.assert_allclose(rows @ means / rows.sum(), 0.5, atol=0.006)
    copies = np.array([kind.startswith("dominant") for kind in kinds])
    behind_all_others = (rows[copies].sum() - 1) / 2 / (rows.sum() - 1)
    np.testing.assert_allclose(np.average(means[copies, 2], weights=rows[copies]), behind_all_others, atol=0.006)
    assert len(figures[0].axes) == sum(
        min(4, n) for k, n in zip(kinds, rows, strict=True) if k in ("dominant, right", "rare, wrong")
    )
