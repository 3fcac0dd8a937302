"""Parts merged into one run: the bytes of the run that was never split, and whatever does not fit is refused."""

import json
import shutil

import numpy as np
import pytest
from data_files import write

from configs.base import get_base
from experiments.merge import main, merge
from experiments.run import run

pytestmark = pytest.mark.slow

FIELDS = {"num_classes": 4, "seeds": 3, "initial": 8, "budget": 4, "cycles": 1, "epochs": 1, "minority_share": 0.0}
FIELDS |= {"backbone": "identity", "num_features": 16, "learning_rate": 1.0, "parallel": "vmap"}
FIELDS |= {"strategies": ("us", "random")}
PARTS = {
    "later": {"first_seed": 1, "seeds": 2},
    "first": {"seeds": 1, "strategies": ("us",)},
    "random": {"seeds": 1, "strategies": ("random",)},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a whole run and its parts."""
    folder = tmp_path_factory.mktemp("merge")
    rng, y = np.random.default_rng(0), np.arange(120) % 4
    x = (rng.normal(size=(120, 6)) + 2 * np.eye(4, 6)[y]).astype(np.float32)
    data = write(folder / "data.npz", x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    config = get_base().to_dict() | FIELDS | {"dataset": data}
    for name, fields in {"whole": {}, **PARTS}.items():
        run(config | fields, folder / name)
    return folder


@pytest.fixture
def copies(runs, tmp_path):
    for name in PARTS:
        shutil.copytree(runs / name, tmp_path / name)
    return tmp_path


def read(path):
    return json.loads(path.read_text())


def change(path, **fields):
    path.write_text(json.dumps(read(path) | fields))


def test_parts_make_the_run_that_was_never_split(runs, tmp_path):
    report = merge([runs / name for name in PARTS], tmp_path / "merged")
    for name in ("metrics.jsonl", "config.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (runs / "whole" / name).read_bytes()
    text = report.read_text()
    assert "seeds 0-2; cycles 0 to 1" in text
    assert "without cycles" not in text and "not run" not in text
    times = (tmp_path / "merged" / "timings.jsonl").read_text().splitlines()
    lanes = {(time["strategy"], seed) for time in map(json.loads, times) for seed in time["seeds"]}
    assert lanes == {(name, seed) for name in ("us", "random") for seed in range(3)}


def test_every_parts_machine_is_kept_and_what_differs_is_in_the_report(copies):
    change(copies / "random" / "environment.json", cpu="another CPU", parts=[{"date": "2026-01-02", "jax": "0.1"}])
    report = merge([copies / name for name in PARTS], copies / "merged").read_text()
    found = read(copies / "merged" / "environment.json")
    assert found["data"] == read(copies / "first" / "environment.json")["data"]
    assert [part.get("cpu") for part in found["parts"]] == ["another CPU", None, found["cpu"]]
    assert "data" not in found["parts"][0] and f"cpu {found['cpu'][:60]} (now another CPU)" in report


def test_a_part_that_is_not_finished_is_missed_by_the_report(copies):
    path = copies / "later" / "metrics.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert (
        "random, seeds 2: without cycles 1" in merge([copies / name for name in PARTS], copies / "merged").read_text()
    )


def test_what_is_in_two_parts_must_be_equal(copies):
    for folder, parts in (("merged", ("first", "first", "later")), ("once", ("first", "later"))):
        merge([copies / part for part in parts], copies / folder)
    for name in ("metrics.jsonl", "timings.jsonl"):
        assert (copies / "merged" / name).read_bytes() == (copies / "once" / name).read_bytes()
    path = copies / "again" / "metrics.jsonl"
    shutil.copytree(copies / "first", path.parent)
    path.write_text(path.read_text().replace('"accuracy": 0', '"accuracy": 1'))
    with pytest.raises(ValueError, match="us, seed 0, cycle 0: .*first and .*again have other numbers"):
        merge([copies / "first", path.parent], copies / "not_written")
    assert not (copies / "not_written").exists()


def test_parts_of_other_experiments_are_refused(copies):
    change(copies / "later" / "config.json", copies=2)
    config = read(copies / "first" / "config.json")
    assert config.pop("copies") == 1  # as if from before this field
    (copies / "first" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="config.copies: .*first has 1, .*later has 2"):
        merge([copies / "first", copies / "later"], copies / "merged")
    change(copies / "later" / "config.json", copies=1, budget=5)
    with pytest.raises(ValueError, match="config.budget: .*first has 4, .*later has 5"):
        merge([copies / "first", copies / "later"], copies / "merged")
    data = read(copies / "random" / "environment.json")["data"]
    data["digests"]["dataset"]["sha256"] = "0" * 64
    change(copies / "random" / "environment.json", data=data)
    with pytest.raises(ValueError, match=r"dataset: .* learnt from data with the digest .* 0{64}"):
        merge([copies / "first", copies / "random"], copies / "merged")
    change(copies / "later" / "config.json", budget=4, selections=["random"])
    with pytest.raises(ValueError, match="a run in cycles and one in a single stage"):
        merge([copies / "first", copies / "later"], copies / "merged")


def test_what_holds_no_run_and_a_full_target_end_in_one_line(copies, capsys):
    for parts, said in (
        (["nothing"], "holds no run"),
        (["first", "later", "--workdir", str(copies / "random")], "must be a new or an empty folder"),
    ):
        parts = [str(copies / part) if "/" not in part and part[0] != "-" else part for part in parts]
        assert main([*parts, *(() if "--workdir" in parts else ("--workdir", str(copies / "merged")))]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (copies / "merged").exists()
