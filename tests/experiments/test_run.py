"""The driver: runs, resumes byte for byte, compiles once, refuses bad input before writing."""

import importlib
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from ml_collections import FrozenConfigDict

from alfamous_jax.datasets.registry import SOURCES
from configs.letter import get_config
from experiments.learning import loop, problem
from experiments.learning.check import OWNED, check
from experiments.learning.programs import build_programs
from experiments.plan import work
from experiments.plan.check import check_inputs
from experiments.plan.choices import check_choices
from experiments.plan.strategies import lanes_of, parse
from experiments.plan.work import groups
from experiments.published import alfamous
from experiments.run import run

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[2]
TINY = {"epochs": 2, "width": 8, "depth": 1, "num_features": 16, "bald_samples": 4, "initial": 26, "budget": 4}
TINY |= {"cycles": 2, "seeds": 2, "strategies": ("us", "us-alfamous")}
PAPER_FIELDS = ["strategy", "seed", "cycle", "num_labelled", "accuracy", "macro_f1", "cbi", "l1_score", "counts"]


def tiny(**changes):
    return {**get_config().to_dict(), **TINY, **changes}


def flags(workdir, *extra, **changes):
    fields = {**TINY, **changes}
    overrides = [f"--config.{name}={value}" for name, value in fields.items()]
    return [
        sys.executable,
        "-m",
        "experiments.run",
        "--config=configs/letter.py",
        f"--workdir={workdir}",
        *overrides,
        *extra,
    ]


def lanes(*names, seed=0):
    return tuple(lanes_of(names, range(seed, seed + 1)))


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "whole"
    records = run(tiny(), workdir)
    return workdir, records


def test_a_run_writes_what_it_promises(finished):
    workdir, records = finished
    assert {path.name for path in workdir.iterdir()} >= {
        "config.json", "environment.json", "metrics.jsonl", "timings.jsonl", "checkpoints", "report.md", "curves.png",
    }  # fmt: skip
    assert [(r["strategy"], r["seed"], r["cycle"]) for r in records] == [
        (strategy, seed, cycle) for strategy in TINY["strategies"] for seed in range(2) for cycle in range(3)
    ]
    assert json.loads((workdir / "environment.json").read_text())["jax"] == jax.__version__
    for record in records:
        assert set(PAPER_FIELDS) <= record.keys()
        assert record["num_labelled"] == sum(record["counts"]) == 26 + 4 * record["cycle"]
        assert not any(name.endswith("_s") for name in record), "times belong in timings.jsonl"
        assert len(record["selected"]) == (4 if record["cycle"] < 2 else 0)


def test_selected_rows_explain_the_counts(finished):
    _, records = finished
    labels = problem.load_dataset(FrozenConfigDict(tiny())).y_train
    for strategy in TINY["strategies"]:
        for seed in range(2):
            own = [r for r in records if (r["strategy"], r["seed"]) == (strategy, seed)]
            picked = [row for record in own for row in record["selected"]]
            assert len(set(picked)) == len(picked)
            for before, after in itertools.pairwise(own):
                gained = np.bincount(labels[before["selected"]], minlength=26)
                np.testing.assert_array_equal(np.array(before["counts"]) + gained, after["counts"])


def test_seeds_share_their_start_across_strategies(finished):
    _, records = finished
    first = [r for r in records if r["cycle"] == 0]
    by_seed = {seed: [r["counts"] for r in first if r["seed"] == seed] for seed in range(2)}
    assert by_seed[0][0] == by_seed[0][1] and by_seed[1][0] == by_seed[1][1] and by_seed[0] != by_seed[1]


@pytest.mark.parametrize("waits", [(0,), (1, 5)], ids=["before the first cycle", "twice, in the middle"])
def test_killed_and_resumed_is_byte_identical(finished, tmp_path, waits):
    """Kills the driver once `timings.jsonl` has so many lines; its workers must go with it."""
    workdir = tmp_path / "killed"
    for wanted in waits:
        process = subprocess.Popen(
            flags(workdir, "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(lines(workdir / "timings.jsonl")) < wanted or not (workdir / "config.json").exists():
            assert process.poll() is None, "the run ended before it was killed"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(flags(workdir, "--resume"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()
    timed = [json.loads(line) for line in lines(workdir / "timings.jsonl")]
    done = [(row["strategy"], *row["seeds"], row["cycle"]) for row in timed]
    assert len(set(done)) == len(done), "a finished cycle was done again"


def test_lanes_under_vmap_agree_with_lanes_alone(finished, tmp_path):
    together = run(tiny(parallel="vmap"), tmp_path / "vmap")
    for a, b in zip(finished[1], together, strict=True):
        assert (a["strategy"], a["seed"], a["cycle"]) == (b["strategy"], b["seed"], b["cycle"])
        if a["cycle"] == 0:
            assert a["counts"] == b["counts"]
            np.testing.assert_allclose(a["accuracy"], b["accuracy"], atol=2e-3)
            assert len(set(a["selected"]) & set(b["selected"])) >= 3
    names = {path.name for path in (tmp_path / "vmap" / "checkpoints").iterdir()}
    assert names == {"us-seed0-1", "us-alfamous-seed0-1"}
    with pytest.raises(ValueError, match="was written under another config.parallel"):
        _resume_as(tmp_path / "vmap", parallel="processes")


def _resume_as(workdir, **changes):
    config = tiny(**changes)
    (workdir / "config.json").write_text(json.dumps(config))
    run(config, workdir, resume=True)


def test_one_compilation_for_a_whole_strategy_and_its_balanced_form(tmp_path):
    config = FrozenConfigDict(tiny(cycles=3, epochs=1, lam=0.5))
    alone, together = [], []
    for lane in lanes("us", "us-cb"):
        loop.run_lanes(config, work.ACTIVE, (lane,), tmp_path, lambda records, timing: alone.extend(records))
    compiled = build_programs(config, parse("us").program("network"), 1)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1

    both = lanes("us", "us-cb")
    loop.run_lanes(config, work.ACTIVE, both, tmp_path, lambda records, timing: together.extend(records))
    compiled = build_programs(config, parse("us").program("network"), 2)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1
    firsts = [{r["strategy"]: set(r["selected"]) for r in run if r["cycle"] == 0} for run in (alone, together)]
    assert firsts[0] == firsts[1] and firsts[0]["us"] != firsts[0]["us-cb"]


def test_lam_is_chosen_once_and_survives_an_interruption(tmp_path):
    config = FrozenConfigDict(tiny(lam="auto", lam_grid=(0.5, 0.05, 2.0)))
    lane = lanes("us-alfamous@2")
    whole, first, rest = [], [], []
    loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "whole", lambda records, timing: whole.extend(records))

    def stop(records, timing):
        first.extend(records)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "cut", stop)
    loop.run_lanes(config, work.ACTIVE, lane, tmp_path / "cut", lambda records, timing: rest.extend(records))
    assert first == whole[:1] and rest == whole

    curve = whole[0]["lam_curve"]
    assert curve["lam"] == pytest.approx([0, 0.05, 0.5, 2.0])
    lowest = min(curve["l1"])
    good = [
        lam
        for lam, l1 in zip(curve["lam"], curve["l1"], strict=True)
        if l1 <= lowest + 0.05 * (curve["l1"][0] - lowest)
    ]
    chosen = next(lam for lam in good if lam > 0)
    assert [record["lam"] for record in whole] == pytest.approx([chosen] * 3)
    assert all("lam_curve" not in record for record in whole[1:])


def test_lam_is_chosen_for_balanced_lanes_alone(tmp_path):
    records = []
    config = FrozenConfigDict(tiny(lam="auto", cycles=1))
    loop.run_lanes(config, work.ACTIVE, lanes("us", "us-cb"), tmp_path, lambda new, timing: records.extend(new))
    by_name = {name: [r for r in records if r["strategy"] == name] for name in ("us", "us-cb")}
    assert [r["lam"] for r in by_name["us"]] == [0.0, 0.0] and "lam_curve" not in by_name["us"][0]
    assert by_name["us-cb"][0]["lam"] in (0.05, 0.1, 0.5) and "lam_curve" in by_name["us-cb"][0]


def own_file(folder, shape, kind, rows=60):
    """An easy problem of 3 classes: a level for each, and noise."""
    rng = np.random.default_rng(0)
    y = np.arange(rows + 30) % 3
    x = y.reshape(-1, *(1,) * len(shape)) * 60 + rng.integers(0, 60, size=(rows + 30, *shape))
    path = folder / f"{kind}.npz"
    np.savez(
        path, x_train=x[:rows].astype(np.uint8), y_train=y[:rows], x_test=x[rows:].astype(np.uint8), y_test=y[rows:]
    )
    return str(path)


KINDS = {
    "images": ((8, 8, 3), {"backbone": "resnet6", "augment": "flip_and_crop"}),
    "series": ((12,), {"backbone": "tcn", "scaling": "channel", "width": 4}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_series_run_and_compile_once(tmp_path, kind):
    shape, changes = KINDS[kind]
    changes |= {"dataset": own_file(tmp_path, shape, kind), "num_classes": 3, "initial": 6, "batch_size": 4}
    config = FrozenConfigDict(tiny(**changes, cycles=2, epochs=2, pool_subset=20, learning_rate=0.01))
    records = []
    build_programs.cache_clear()
    loop.run_lanes(
        config, work.ACTIVE, lanes("us-alfamous"), tmp_path / "checkpoints", lambda new, _: records.extend(new)
    )
    compiled = build_programs(config, parse("us-fbu").program("network"), 1)
    assert compiled.train._cache_size() == compiled.query._cache_size() == compiled.evaluate._cache_size() == 1
    assert [record["num_labelled"] for record in records] == [6, 10, 14]
    picked = [row for record in records for row in record["selected"]]
    assert len(set(picked)) == len(picked) == 8
    assert all(0 <= record["accuracy"] <= 1 for record in records)
    assert all(record["ed_diversity"] > 0 for record in records[:2])


def test_a_pool_subset_is_drawn_from_what_is_available(tmp_path):
    """A query that sees as many rows as it asks for takes all of them: the draws are the picks."""
    runs = []
    for subset in (4, 0):
        config = FrozenConfigDict(tiny(pool_subset=subset, cycles=3, epochs=1))
        runs.append([])
        loop.run_lanes(
            config, work.ACTIVE, lanes("us-fbu"), tmp_path / str(subset), lambda new, _: runs[-1].extend(new)
        )
    runs = [[set(record["selected"]) for record in records[:-1]] for records in runs]
    assert runs[0] != runs[1]
    assert len(set().union(*runs[0])) == 12, "a row was drawn that had its label"


def test_augmented_images_have_one_scale():
    with pytest.raises(ValueError, match="config.scaling: images that are augmented need one scale"):
        check_inputs(tiny(backbone="resnet6", augment="affine", scaling="feature"), (28, 28))


MODES = {name: ("", "paper", "smoke") for name in alfamous.PAPER_SETTINGS}
MODES["cbal"] = ("", "cifar10-1", "cifar100-0.3", "cifar10-exp", "tiny_imagenet-0.1", "smoke")
MODES["vabal"] = ("", "fmnist+1", "letter-26", "cifar10", "cifar10+10", "cifar100+45..55", "neu", "smoke")
MODES["features"] = ("", "fmnist", "linear", "smoke")
MODES["minority"] = ("", "within", "schemes", "cifar100", "features", "smoke")
MODES["single_stage"] = ("", "balanced", "cifar100", "features", "smoke")
MODES["source"] = ("", "cifar100", "smoke")


def test_every_config_is_tried():
    assert {path.stem for path in (ROOT / "configs").glob("*.py")} == {"base", *MODES}


@pytest.mark.parametrize("name", MODES)
def test_every_config_has_its_modes(name):
    module = importlib.import_module(f"configs.{name}")
    assert f"configs/{name}.py" in module.__doc__
    for mode in MODES[name]:
        config = module.get_config(mode).to_dict()
        if name == "single_stage":
            check_choices(config | {"source": "source.npz" * (config["backbone"] != "identity")}, *OWNED)
        else:
            check(config)
        assert re.split(r"[-+]", mode)[0] in module.__doc__
        if (source := SOURCES.get(config["dataset"])) is not None:
            check_inputs(config, source.shape)
            assert config["num_classes"] == source.num_classes
    with pytest.raises(ValueError, match="mode must be .*'smoke'.*, got 'papr'"):
        module.get_config("papr")


@pytest.mark.parametrize("name", alfamous.PAPER_SETTINGS)
def test_paper_modes_have_the_settings_of_the_paper(name):
    module = importlib.import_module(f"configs.{name}")
    assert all(module.get_config(mode).dataset == name for mode in MODES[name])
    settings = alfamous.PAPER_SETTINGS[name]
    paper = module.get_config("paper")
    assert tuple(paper[name] for name in ("initial", "budget", "cycles", "lam", "epochs")) == settings
    assert paper.seeds == 10 and len(paper.strategies) == 9


def test_class_balanced_active_learning_has_the_settings_of_its_paper():
    for mode, lam in (("cifar10-0.3", 0.6), ("cifar100-0.1", 2.0)):
        config = importlib.import_module("configs.cbal").get_config(mode)
        schedule = config.learning_rate, config.epochs, config.milestones, config.batch_size, config.weight_decay
        assert schedule == (0.02, 100, (60, 80), 256, 5e-4)
        assert (config.initial, config.budget, config.cycles, config.lam) == (5000, 2500, 4, lam)
        assert (config.minority, config.minority_share, config.minority_ratio) == ("last", 0.5, float(mode[-3:]))
        model = problem.build_model(config)
        variables = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))
        assert variables.keys() == {"params", "batch_stats"}, "no spectral normalisation, no random features"
        assert variables["params"]["head"]["kernel"].shape == (513, config.num_classes)


def test_vabal_has_the_settings_of_its_paper():
    get = importlib.import_module("configs.vabal").get_config
    rounds = {"cifar10-5": (500, 5), "cifar100+45..55": (1000, 4), "neu": (250, 4)}
    for mode, (labels, cycles) in rounds.items():
        config = get(mode)
        assert (config.initial, config.budget, config.cycles, config.seeds) == (labels, labels, cycles, 3)
        assert (config.learning_rate, config.milestones, config.decay, config.epochs) == (0.1, (160,), 0.1, 200)
        assert (config.batch_size, config.weight_decay, config.dropout, config.backbone) == (
            128,
            5e-4,
            0.25,
            "resnet18",
        )
    assert get("cifar10+1").minority == tuple(range(1, 10)) and get("cifar10-10").minority == (9,)
    assert get("cifar10").minority == get("neu").minority == ()
    assert get("cifar100+45..55").minority == (*range(44), *range(55, 100))
    assert [get(mode).minority_ratio for mode in ("cifar10+1", "cifar100+45..55")] == [0.1, 0.6]
    for mode, message in (("cifar10+11", "cifar10 has classes 1 to 10"), ("cifar10+5..3", "has classes 1 to 10")):
        with pytest.raises(ValueError, match=message):
            get(mode)


def test_groups():
    seeds = range(2)
    config = {"strategies": ("us", "us-cb"), "scheme": "network"}
    assert groups(config, seeds, together=False) == [((parse(name), s),) for name in ("us", "us-cb") for s in seeds]
    assert groups(config | {"strategies": ("us", "us-fbu", "us-cb")}, seeds, together=True) == [
        tuple(lanes_of(("us", "us-cb"), seeds)),
        tuple(lanes_of(("us-fbu",), seeds)),
    ]


@pytest.mark.parametrize("name, head", [("kcenter-cb", "linear"), ("batchbald", "sngp"), ("badge", "linear")])
def test_strategies_on_given_features(tmp_path, name, head):
    """A balanced initial set, then picks that are new, with the labelled rows in view beside a subset of the pool."""
    changes = {"backbone": "identity", "head": head, "num_samples": 5, "pool_subset": 60, "balanced_initial": True}
    changes |= {"minority": "last", "profile": "exponential", "lams": {"kcenter-cb": 0.5}}
    config, records = FrozenConfigDict(tiny(**changes, cycles=3)), []
    loop.run_lanes(config, work.ACTIVE, lanes(name, seed=1), tmp_path, lambda new, _: records.extend(new))
    assert records[0]["counts"] == [1] * 26 and records[0]["lam"] == (0.5 if name == "kcenter-cb" else 0.0)
    picked = [row for record in records for row in record["selected"]]
    assert len(set(picked)) == len(picked) == 12
    pool = problem.seed_pool(config, problem.load_dataset(config), 1)
    assert set(picked) <= set(pool.rows[pool.available & ~pool.reserved].tolist())


BAD_CONFIGS = {
    "unknown field": ({"lamda": 1.0}, "config.lamda: unknown field"),
    "unknown strategy": ({"strategies": ("us", "galaxy")}, "config.strategies: 'galaxy' is not one of random, us"),
    "no dropout": ({"strategies": ("bald-mc",)}, "config.dropout: 'bald-mc' needs a rate above 0"),
    "lam of its own": ({"lams": {"kcenter": 0.5}}, "config.lams: 'kcenter' is not a strategy that balances classes"),
    "lam without utility": (
        {"strategies": ("kcenter-cb",), "lam": "auto"},
        "config.lams: 'kcenter-cb' needs a number here, as config.lam is 'auto'",
    ),
    "head": ({"head": "mlp"}, "config.head: expected 'sngp' or 'linear', got 'mlp'"),
    "unequal start": (
        {"balanced_initial": True, "initial": 30},
        "config.initial: 30 labels cannot be as many for each of 26 classes",
    ),
    "classes cut": ({"minority": (3, 3)}, "config.minority: expected 'drawn', 'last' or a tuple of different classes"),
    "no such class": ({"minority": (3, 26)}, r"config.minority: 26 classes, got \(3, 26\)"),
    "field of a part": ({"vabal": {}}, "config.vabal.batch_norm: missing"),
    "value of a part": (
        {"vabal": {**get_config().to_dict()["vabal"], "likelihood": "sum"}},
        "config.vabal.likelihood: expected 'exp', 'inverse' or 'loss', got 'sum'",
    ),
    "ablation": ({"strategies": ("vabal@posterior",)}, "config.strategies: 'vabal@posterior': after @ comes one of"),
    "profile": ({"profile": "linear"}, "config.profile: expected 'step', 'exponential' or 'transfer', got 'linear'"),
    "milestones": ({"milestones": (5, 3)}, "config.milestones: expected a rising tuple of integers above 0"),
    "strategy twice": ({"strategies": ("us", "us")}, "config.strategies: expected a tuple of different names"),
    "negative lam": ({"lam": -1.0}, "config.lam: expected a finite number of at least 0 or 'auto', got -1.0"),
    "lam in words": ({"lam": "best"}, "config.lam: expected a finite number of at least 0 or 'auto', got 'best'"),
    "empty grid": ({"lam_grid": ()}, "config.lam_grid: expected a tuple of different numbers above 0"),
    "zero in the grid": ({"lam_grid": (0.0, 0.1)}, "config.lam_grid: expected a tuple of different numbers above 0"),
    "minibatch": ({"strategies": ("us-fbu@3",)}, "config.strategies: 'us-fbu@3': 3 does not divide config.budget 4"),
    "minibatch without update": ({"strategies": ("us@2",)}, "config.strategies: 'us@2': only strategies with updates"),
    "text for a number": ({"ridge": "one"}, "config.ridge: expected a finite number above 0, got 'one'"),
    "no seeds": ({"seeds": 0}, "config.seeds: expected an integer of at least 1, got 0"),
    "optimizer": ({"optimizer": "lion"}, "config.optimizer: expected .sgd. or .adam., got 'lion'"),
    "budget": ({"budget": 5000}, "config.budget: 26 initial labels and 2 cycles of 5000 need 10026 rows, the smallest"),
    "classes": ({"num_classes": 20}, "num_classes: letter has 26 classes, got 20"),
    "pool subset": ({"pool_subset": 3}, "config.pool_subset: must be 0 or at least config.budget 4, got 3"),
    "backbone": (
        {"backbone": "vit"},
        "config.backbone: expected .mlp., .tcn., .resnet6., .resnet18. or .identity., or MODULE:ATTRIBUTE, got",
    ),
    "backbone for images": ({"backbone": "resnet6"}, r"config.backbone: 'resnet6' takes images, .* shape \(16,\)"),
    "augmented table": ({"augment": "affine"}, r"config.augment: 'affine' takes images, the rows have shape \(16,\)"),
    "dataset": ({"dataset": "absent.npz"}, "dataset: no file absent.npz"),
}


@pytest.mark.parametrize("changes, message", BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_bad_configs_write_nothing(tmp_path, changes, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        run(tiny(**changes), tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_missing_field_is_named(tmp_path):
    config = tiny()
    del config["ridge"]
    with pytest.raises(ValueError, match="config.ridge: missing"):
        run(config, tmp_path / "run")


def test_existing_workdirs_are_left_alone(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    before = {path: path.stat().st_mtime_ns for path in workdir.rglob("*")}
    with pytest.raises(ValueError, match="is not empty; --resume goes on with its run, --overwrite starts again"):
        run(tiny(), workdir)
    with pytest.raises(ValueError, match="config.lam: the run in .* has 0.1, now it is 0.5"):
        run(tiny(lam=0.5), workdir, resume=True)
    assert {path: path.stat().st_mtime_ns for path in workdir.rglob("*") if path.name != ".lock"} == {
        path: stamp for path, stamp in before.items() if path.name != ".lock"
    }
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(ValueError, match="thesis.tex|is not empty"):
            run(tiny(), other, **how)
    assert (other / "thesis.tex").read_text() == "years of work"


def test_resuming_a_finished_run_changes_nothing(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    assert run(tiny(), workdir, resume=True) == finished[1]
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()
    assert lines(workdir / "timings.jsonl") == lines(finished[0] / "timings.jsonl")


def test_corrupt_checkpoint_is_named_and_earlier_ones_serve(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    latest = workdir / "checkpoints" / "us-seed1" / "2"
    for path in latest.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"checkpoint {latest} cannot be read .*; delete it to go on"):
        run(tiny(), workdir, resume=True)
    shutil.rmtree(latest)
    run(tiny(), workdir, resume=True)
    assert (workdir / "metrics.jsonl").read_bytes() == (finished[0] / "metrics.jsonl").read_bytes()


def test_overwrite_starts_again(finished, tmp_path):
    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    records = run(tiny(cycles=0, seeds=1), workdir, overwrite=True)
    assert [(r["strategy"], r["seed"], r["cycle"]) for r in records] == [("us", 0, 0), ("us-alfamous", 0, 0)]


def test_two_runs_cannot_share_a_workdir(finished, tmp_path):
    import fcntl

    workdir = tmp_path / "copy"
    shutil.copytree(finished[0], workdir)
    with (workdir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another process is running there"):
            run(tiny(), workdir, resume=True)


def test_training_that_diverges_says_where(tmp_path):
    with pytest.raises(ValueError, match="us, seed 0, cycle 0: the training loss is not finite; lower config.learning"):
        run(tiny(learning_rate=1e30, cycles=0, seeds=1, strategies=("us",)), tmp_path / "run")


COMMAND_LINES = {
    "typo": (["--config.lamb=1"], 'error: --config has no field .lamb.. Did you mean "lam"'),
    "wrong type": (["--config.cycles=many"], "error: flag --config.cycles=many: invalid literal"),
    "no such flag": (["--resum"], "error: Unknown command line flag 'resum'. Did you mean: resume"),
    "no such file": (["--config=configs/lettr.py"], "No such file or directory: 'configs/lettr.py'"),
    "no such mode": (["--config=configs/letter.py:papr"], "mode must be 'paper', 'smoke' or 'batch', got 'papr'"),
    "stray word": (["configs/letter.py"], "error: unexpected argument 'configs/letter.py'"),
    "budget": (["--config.budget=9000"], "error: config.budget: 26 initial labels and 2 cycles of 9000"),
}


@pytest.mark.parametrize("extra, message", COMMAND_LINES.values(), ids=COMMAND_LINES)
def test_command_line_errors_are_one_line(tmp_path, extra, message):
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(flags(tmp_path / "run", *extra), cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode != 0 and re.search(message, done.stderr) and not (tmp_path / "run").exists()
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
