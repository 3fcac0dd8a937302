"""Every config: its modes are right, its settings are those of its paper, and what is wrong is named."""

import importlib
import pathlib
import re

import jax
import numpy as np
import pytest
from settled import on_small_file
from tiny_letter import tiny

from alfamous_jax.datasets.registry import SOURCES
from configs.letter import get_config
from experiments.learning import models
from experiments.learning.check import OWNED, check
from experiments.plan.check import check_inputs
from experiments.plan.choices import check_choices
from experiments.published import alfamous
from experiments.run import run

ROOT = pathlib.Path(__file__).parents[2]
MODES = {name: ("", "paper", "smoke") for name in alfamous.PAPER_SETTINGS}
MODES["mnist"] += ("lambda",)
MODES["cbal"] = ("", "cifar10-1", "cifar100-0.3", "cifar10-exp", "tiny_imagenet-0.1", "smoke")
MODES["cbal"] += ("cifar10_lite0-0.3", "cifar100_part_lite0-1", "cifar100-1@lambda", "cifar100_part_lite0-0.1@lambda")
MODES["vabal"] = ("", "fmnist+1", "letter-26", "cifar10", "cifar10+10", "cifar100+45..55", "neu", "smoke")
MODES["vabal"] += (
    "cifar10_lite0",
    "cifar10_lite0+5",
    "neu_cls_64_lite0",
    "fmnist+1@lambda",
    "cifar10+1@250",
    "cifar10-5@lambda",
)
MODES["features"] = ("", "sgd", "fmnist", "linear", "smoke")
MODES["minority"] = ("", "within", "schemes", "cifar100", "features", "features-schemes", "smoke")
MODES["single_stage"] = ("", "balanced", "cifar100", "cifar100-balanced", "features", "features-balanced", "smoke")
MODES["own"] = ("", "smoke")
MODES["source"] = ("", "cifar100", "smoke")


def test_every_config_is_tried():
    assert {path.stem for path in (ROOT / "configs").glob("*.py")} == {"base", *MODES}


@pytest.mark.parametrize("name", MODES)
def test_every_config_has_its_modes(name, tmp_path):
    module = importlib.import_module(f"configs.{name}")
    assert f"configs/{name}.py" in module.__doc__
    for mode in MODES[name]:
        config = module.get_config(mode).to_dict()
        if name == "own":
            config = on_small_file(config, tmp_path)
        if name == "single_stage":
            check_choices(config | {"source": "source.npz" * (config["backbone"] != "identity")}, *OWNED)
        else:
            check(config)
        name_of_mode = re.escape(re.split(r"[-+]", mode)[0] or "(none)")
        assert re.search(rf"^    {name_of_mode}(?!\w).*", module.__doc__, re.MULTILINE), "a line of the table of modes"
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
        model = models.build_model(config)
        variables = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32))
        assert variables.keys() == {"params", "batch_stats"}, "no spectral normalisation, no random features"
        assert variables["params"]["head"]["kernel"].shape == (513, config.num_classes)


def test_vaal_trains_as_long_as_its_authors_do():
    """100 epochs in batches of 128; what is meant for 2 cores has a short form and says so."""
    cbal, vabal = (importlib.import_module(f"configs.{name}") for name in ("cbal", "vabal"))
    for config in (cbal.get_config("cifar100-0.1"), vabal.get_config("cifar10+1"), vabal.get_config("cifar100")):
        assert "vaal" in config.strategies and config.vae_steps == 39_062
    assert vabal.get_config("neu").vae_steps == 100 * 5_778 // 128
    assert vabal.get_config("fmnist+1").vae_steps == 200 and "200 steps where the network is an MLP" in vabal.__doc__
    assert all(module.get_config("smoke").vae_steps == 20 for module in (cbal, vabal))


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
    sweep = get("cifar10+1@lambda")
    assert sweep.strategies[:2] == ("random", "vabal@weight0") and "vabal@weight0.005" in sweep.strategies
    assert (sweep.budget, sweep.cycles) == (500, 5)
    for budget, cycles in ((250, 11), (1000, 2)):
        other = get(f"cifar10+1@{budget}")
        assert (other.initial, other.budget, other.cycles) == (budget, budget, cycles)
        assert other.strategies == get("cifar10+1").strategies
    for size in ("", "0", "700", "3000", "x"):
        with pytest.raises(ValueError, match="after @ comes 'lambda' or a divisor of 3000, the labels in all, got"):
            get(f"cifar10+1@{size}")
    for mode, message in (("cifar10+11", "cifar10 has classes 1 to 10"), ("cifar10+5..3", "has classes 1 to 10")):
        with pytest.raises(ValueError, match=message):
            get(mode)


def test_augmented_images_have_one_scale():
    for scaling in ("feature", "common", "series"):
        with pytest.raises(ValueError, match=f"config.scaling: images that are augmented need one .* got '{scaling}'"):
            check_inputs(tiny(backbone="resnet6", augment="affine", scaling=scaling), (28, 28))


BAD_CONFIGS = {
    "unknown field": ({"lamda": 1.0}, "config.lamda: unknown field"),
    "unknown strategy": (
        {"strategies": ("us", "nearest")},
        "config.strategies: 'nearest' is not one of random, random-cb",
    ),
    "no dropout": ({"strategies": ("bald-mc",)}, "config.dropout: 'bald-mc' needs a rate above 0"),
    "lam of its own": ({"lams": {"kcenter": 0.5}}, "config.lams: 'kcenter' is not a strategy that balances classes"),
    "lam of a selection of one's own": (
        {"strategies": ("examples.mine:select",), "lam": "auto"},
        "config.lams: 'examples.mine:select' needs a number here, as config.lam is 'auto'",
    ),
    "head": ({"head": "mlp"}, "config.head: expected 'sngp', 'linear' or 'map', got 'mlp'"),
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
    "text for a number": ({"ridge": "one"}, "config.ridge: expected a finite number above 0 or 'auto', got 'one'"),
    "no seeds": ({"seeds": 0}, "config.seeds: expected an integer from 1 to 200, got 0"),
    "optimizer": ({"optimizer": "lion"}, "config.optimizer: expected .sgd. or .adam., got 'lion'"),
    "budget": ({"budget": 5000}, "config.budget: 26 initial labels and 2 cycles of 5000 need 10026 rows, the smallest"),
    "classes": ({"num_classes": 20}, "num_classes: letter has 26 classes, got 20"),
    "pool subset": ({"pool_subset": 3}, "config.pool_subset: must be 0 or at least config.budget 4, got 3"),
    "backbone": (
        {"backbone": "vit"},
        "config.backbone: expected .mlp., .tcn., .resnet6., .resnet18., .* or .identity., or MODULE:ATTRIBUTE, got",
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


def test_the_base_says_what_to_take_instead():
    with pytest.raises(ValueError, match="is no experiment; for your rows take --config=configs/own.py"):
        importlib.import_module("configs.base").get_config()


def test_missing_field_is_named(tmp_path):
    config = tiny()
    del config["ridge"]
    with pytest.raises(ValueError, match="config.ridge: missing"):
        run(config, tmp_path / "run")
