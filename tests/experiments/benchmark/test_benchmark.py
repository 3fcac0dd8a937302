"""The command over two small pools, as somebody would use it on files of his own."""

import json
import shutil

import numpy as np
import pytest

from experiments.benchmark import CURVES, FULL, PAGE
from experiments.benchmark.__main__ import main
from experiments.benchmark.pools import KNOWN, STRATEGIES, config_of, pools_of
from experiments.learning.methods import names


def clouds(path, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, 240, p=[0.7, 0.2, 0.1])
    rows = rng.normal(size=(240, 6)) + 2 * rng.normal(size=(3, 6))[labels]
    np.savez(path, x=rows.astype(np.float32), y=labels)
    return str(path)


@pytest.mark.slow
def test_a_pool_is_run_once_and_two_make_a_page(tmp_path, capsys):
    """The second is the first under another name: running it would show nothing more."""
    one, two = (clouds(tmp_path / f"{name}.npz", 0) for name in ("one", "two"))
    how = [f"--workdir={tmp_path / 'out'}", "--strategies=random,us", "--seeds=2", "--workers=1"]
    assert main([one, *how]) == 0
    full = json.loads((tmp_path / "out" / "one" / FULL).read_text())
    assert full["rows"] == 192 and full["converged"] and 0.5 < full["macro_f1"] <= 1
    before = (tmp_path / "out" / "one" / "metrics.jsonl").read_bytes()
    assert main([one, *how, "--resume"]) == 0
    assert (tmp_path / "out" / "one" / "metrics.jsonl").read_bytes() == before
    assert main([one, *how]) == 2
    assert "--resume" in capsys.readouterr().err

    shutil.copytree(tmp_path / "out" / "one", tmp_path / "out" / "two")
    assert main([one, two, *how, "--page"]) == 0
    text = (tmp_path / "out" / PAGE).read_text()
    for heading in ("## Ranking", "## Wins", "### one", "### two", "[two](two/report.md) | 192 | 3 |"):
        assert heading in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"one", "two", PAGE, CURVES}
    assert "over 2 pools" not in text

    three = clouds(tmp_path / "three.npz", 0)
    shutil.copytree(tmp_path / "out" / "one", tmp_path / "out" / "three")
    records = (tmp_path / "out" / "one" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out" / "three" / "metrics.jsonl").write_text("".join(r for r in records if '"random"' in r))
    assert main([one, two, three, *how, "--page"]) == 0
    text = (tmp_path / "out" / PAGE).read_text()
    assert "## Ranking of 2 strategies over 2 pools\n\nThose of one, two.\n\n| strategy |" in text


@pytest.mark.slow
def test_what_is_no_pool_is_refused_before_anything_is_written(tmp_path, capsys):
    file = clouds(tmp_path / "one.npz", 0)
    for given, message in (
        (["absent.npz"], "'absent.npz': there is no file 'absent.npz'"),
        ([file, file], "a pool called 'one' is there already"),
        ([file, "--strategies=us-best"], "us-best"),
        ([file, "--page"], "no run of one in it"),
    ):
        assert main([*given, f"--workdir={tmp_path / 'out'}"]) == 2
        assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_pools_known_are_whole_configs():
    assert set(STRATEGIES) <= set(names())
    for pool in KNOWN.values():
        config = config_of(pool, ("us", "margin-alfamous"), 3)
        assert (config["seeds"], config["strategies"], config["head"]) == (3, ("us", "margin-alfamous"), "auto")
    assert config_of(KNOWN["letter"], ("us",), 1)["minority_share"] == 0.5
    assert pools_of(["letter"])[0].dataset == "letter"
