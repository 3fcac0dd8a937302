"""The driver on a file that it has never seen: a table with labels in words, by configs/own.py alone."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from configs import own
from experiments.report import page
from experiments.run import run

ROOT = pathlib.Path(__file__).parents[2]
NAMES = np.array(["walk", "sit [still]", "fall"])


def command(*arguments):
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    line = [sys.executable, "-m", "experiments.run", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env=env)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """150 + 60 + 10 rows, text and a number of the row beside four features, the last of which never varies."""
    path, y = tmp_path_factory.mktemp("own") / "mine.csv", np.repeat([0, 1, 2], [150, 60, 10])
    x = np.random.default_rng(0).normal(size=(220, 4)) + 3 * np.eye(4)[y]
    lines = ["id,a,b,c,d,file,label"]
    lines += [
        f"{i},{row[0]},{row[1]},{row[2]},0.1,{i}.wav,{NAMES[k]}" for i, (row, k) in enumerate(zip(x, y, strict=True))
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.slow
def test_a_table_is_enough(table, tmp_path):
    workdir = tmp_path / "run"
    done = command(
        "--config=configs/own.py:smoke", f"--config.dataset={table}", f"--workdir={workdir}", "--config.workers=1"
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == f"Rows: 176 to learn from, 44 to test, each 4 features, from {table}."
    assert said[1] == "Classes: 3, with so many training rows: walk (120), sit [still] (48), fall (8)."
    assert said[2] == "The rarest class is fall: 8 training rows of 176 (4.55%), 2 tested."
    assert said[3] == "Nothing was cut: every training row is in the pool."
    assert said[4].endswith("; a feature that never varies became 0.")
    assert "Left out of the features (numbers of the rows): 'id'." in said
    report = (workdir / "report.md").read_text()
    assert report.index("## Data\n\n- Rows: 176") < report.index("## Run") < report.index("## Results")
    assert r"sit \[still\] (48)" in report and "paper" not in report.lower() and "nan" not in report
    config, environment = (json.loads((workdir / f"{name}.json").read_text()) for name in ("config", "environment"))
    assert config["classes"] == ["fall", "sit [still]", "walk"] and config["num_classes"] == 3
    assert (config["initial"], config["budget"], config["cycles"], config["backbone"]) == (10, 10, 2, "identity")
    assert environment["data"]["counts"] == environment["data"]["left"] == [8, 48, 120]
    records = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert all(sum(record["counts"]) == record["num_labelled"] for record in records) and len(records) == 6
    before = report
    page.write_report(workdir)
    assert (workdir / "report.md").read_text() == before, "written again from the files alone"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_images_in_an_npz(tmp_path, capsys):
    y = np.arange(60) % 3
    x = np.random.default_rng(0).integers(0, 200, size=(60, 8, 8)).astype(np.uint8) + (20 * y[:, None, None]).astype(
        np.uint8
    )
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    config = own.get_config("smoke")
    config.dataset, config.cycles, config.strategies = str(tmp_path / "mine.npz"), 1, ("margin-alfamous",)
    records = run(config, tmp_path / "run")
    said = capsys.readouterr().out
    assert len(records) == 2 and "Network: 'resnet6' under the head" in said
    assert "Nothing was cut: every training row is in the pool." in said


ONE_LINE = {
    "no file": (["--config=configs/own.py"], "error: dataset: no file is named; give the path of yours"),
    "absent": (["--config=configs/own.py", "--config.dataset=none.csv"], "error: dataset: no file none.csv"),
    "the base": (
        ["--config=configs/base.py"],
        "error: configs/base.py lists the fields and is no experiment; for your",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("arguments, message", ONE_LINE.values(), ids=ONE_LINE)
def test_what_is_missing_is_one_line(tmp_path, arguments, message):
    done = command(*arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode != 0 and re.match(message, done.stderr), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not (tmp_path / "run").exists()
