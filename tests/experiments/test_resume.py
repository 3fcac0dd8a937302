"""What a resume does with other data, damaged files and litter: equal bytes, or one clear line and nothing written."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from configs.base import get_base
from experiments import single_stage, train_source
from experiments.learning import problem
from experiments.run import run

pytestmark = pytest.mark.slow

FIELDS = {"num_classes": 4, "strategies": ("us",), "seeds": 1, "initial": 8, "budget": 4, "cycles": 2, "epochs": 1}
FIELDS |= {"backbone": "identity", "num_features": 16, "learning_rate": 1.0, "parallel": "vmap", "minority_share": 0.0}


def write(path, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(120) % 4
    x = (rng.normal(size=(120, 6)) + 2 * np.eye(4, 6)[y]).astype(np.float32)
    probs = rng.dirichlet(np.ones(4), 80).astype(np.float32)
    np.savez(path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:], source_probs_train=probs)
    for function in (problem.load_dataset, problem.load_arrays, problem.load_data, single_stage.source_views):
        function.cache_clear()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run, and its config."""
    folder = tmp_path_factory.mktemp("resume")
    write(folder / "data.npz", 0)
    config = get_base().to_dict() | FIELDS | {"dataset": str(folder / "data.npz")}
    run(config, folder / "run")
    return folder / "run", config


@pytest.fixture
def copy(finished, tmp_path):
    """Its workdir after cycle 1, as if it had been killed there."""
    shutil.copytree(finished[0], tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "us-seed0" / "2")
    for name in ("metrics.jsonl", "timings.jsonl"):
        lines = (tmp_path / "run" / name).read_bytes().splitlines(keepends=True)
        (tmp_path / "run" / name).write_bytes(b"".join(lines[:2]))
    return tmp_path / "run"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resumed_equal(finished, folder):
    run(finished[1], folder, resume=True)
    return (folder / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()


def test_other_data_under_the_same_path_are_refused_by_both_drivers(finished, copy, tmp_path):
    folder, config = finished
    one = tmp_path / "single"
    stage = {"selections": ("random",), "budgets": (8,), "schemes": ("cs-svm",), "milestones": ()}
    config_of_one = config | stage | {"balance_from": 0.5, "ensemble": 1}
    single_stage.run(config_of_one, one)
    before = content(copy) | content(one)
    write(config["dataset"], 1)
    try:
        for driver, settings, workdir in ((run, config, copy), (single_stage.run, config_of_one, one)):
            with pytest.raises(ValueError) as refused:
                driver(settings, workdir, resume=True)
            noted = json.loads((workdir / "environment.json").read_text())["data"]["digests"]["dataset"]
            said = str(refused.value)
            assert said.startswith(f"config.dataset: {config['dataset']} is not what the run in {workdir} began with ")
            assert f"digest then {noted['sha256']}, now " in said and "\n" not in said
            assert content(copy) | content(one) == before
        (copy / "environment.json").unlink()
        with pytest.raises(ValueError, match="checkpoint .*us-seed0/1 was written with other data"):
            run(config, copy, resume=True)
    finally:
        write(config["dataset"], 0)


def test_parts_and_versions_are_noted(finished, copy, capsys):
    path = copy / "environment.json"
    noted = json.loads(path.read_text())
    path.write_text(json.dumps(noted | {"jax": "0.0.1"}))
    assert resumed_equal(finished, copy)
    assert "note: the run began with jax 0.0.1 (now " in capsys.readouterr().err
    (part,) = json.loads(path.read_text())["parts"]
    assert part["jax"] == noted["jax"] and part["code"] == noted["code"]


def test_a_run_grows_by_a_strategy_and_is_as_if_begun_with_it(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "grown")
    more = finished[1] | {"strategies": ("random", "us")}
    run(more, tmp_path / "grown", resume=True)
    run(more, tmp_path / "whole")
    grown, whole = ((tmp_path / name / "metrics.jsonl").read_bytes() for name in ("grown", "whole"))
    assert grown == whole
    timed, before = ((folder / "timings.jsonl").read_bytes() for folder in (tmp_path / "grown", finished[0]))
    assert timed.startswith(before) and b'"us"' not in timed.removeprefix(before), "what was there is not run again"
    with pytest.raises(
        ValueError, match="us-seed0: was written under another config.parallel .* lanes that went in step"
    ):
        run(finished[1] | {"seeds": 2}, finished[0], resume=True)


DAMAGE = {
    "metrics cut": ("metrics.jsonl", lambda b: b[:-40]),
    "metrics cut within its first line": ("metrics.jsonl", lambda b: b[:40]),
    "a digit of metrics": ("metrics.jsonl", lambda b: b.replace(b'"accuracy": 0.', b'"accuracy": 1.')),
    "timings cut": ("timings.jsonl", lambda b: b[:-20]),
    "environment of another kind": ("environment.json", lambda b: b'{"data":[1]}'),
    "environment cut": ("environment.json", lambda b: b[:50]),
}
LITTER = (".DS_Store", "checkpoints/Thumbs.db", "checkpoints/.nfs00000000047", "checkpoints/us-seed0/.DS_Store")


def test_damage_that_the_checkpoints_mend(finished, copy, tmp_path):
    for case, (name, damage) in DAMAGE.items():
        folder = tmp_path / "damaged"
        shutil.copytree(copy, folder)
        path = folder / name
        path.write_bytes(damage(path.read_bytes()))
        for litter in LITTER:
            (folder / litter).write_bytes(b"\0")
        assert resumed_equal(finished, folder), case
        timed = [json.loads(line) for line in (folder / "timings.jsonl").read_bytes().splitlines()]
        assert len(timed) == len({row["cycle"] for row in timed}), case
        assert "## Results" in (folder / "report.md").read_text(), case
        shutil.rmtree(folder)


REFUSED = {
    "a record of another strategy": ("metrics.jsonl", b'{"strategy":"x","seed":0,"cycle":0}\n', "strategy 'x' is none"),
    "of another seed": ("metrics.jsonl", b'{"strategy":"us","seed":1,"cycle":0}\n', "seed 1 is none of"),
    "of a cycle far away": ("metrics.jsonl", b'{"strategy":"us","seed":0,"cycle":1000000000}\n', "cycle 1000000000 is"),
    "of no cycle": ("metrics.jsonl", b'{"strategy":"us","seed":0,"cycle":true}\n', "cycle True is none of this run's"),
    "of nothing": ("metrics.jsonl", b"{}\n", "strategy None is none of this run's"),
    "no JSON": ("metrics.jsonl", b"{\n", "not JSON"),
    "a timing of nothing": ("timings.jsonl", b"{}\n", "needs strategy, seeds and cycle"),
    "times that are none": (
        "timings.jsonl", b'{"strategy":"us","seeds":[0],"cycle":0,"train_s":"1"}\n', "what ends in _s must be seconds",
    ),
    "a time of 400 digits": (
        "timings.jsonl", b'{"strategy":"us","seeds":[0],"cycle":0,"train_s":1%b}\n' % (400 * b"0"), "what ends in _s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name, line, message", REFUSED.values(), ids=REFUSED)
def test_what_is_none_of_the_run_s_is_refused_and_nothing_is_written(finished, copy, name, line, message):
    path = copy / name
    path.write_bytes(path.read_bytes() + line)
    before = content(copy)
    with pytest.raises(ValueError, match=f"{path}, line 3: .*{message}.*; delete the file, "):
        run(finished[1], copy, resume=True)
    assert content(copy) == before


def test_a_source_has_nothing_to_resume(monkeypatch):
    monkeypatch.setattr(train_source, "RESUME", SimpleNamespace(name="resume", value=True))
    with pytest.raises(
        SystemExit, match="error: --resume: is for runs; a source is trained from the start and replaces"
    ):
        train_source.main(["train_source"])
