"""Published numbers that are quoted elsewhere: in the docstrings of the configs, in the settings of the configs, and in
tables of the documents."""

import importlib
import pathlib
import re

import pytest

from experiments.published import alfamous, cbal, minority, single_stage, vabal

ROOT = pathlib.Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NUMBER = r"-?\d*\.?\d+"


def docstring(name):
    """The docstring of a config on one line."""
    return re.sub(r"\s+", " ", importlib.import_module(f"configs.{name}").__doc__)


def numbers(text):
    return [float(x) for x in re.findall(NUMBER, text)]


def tables():
    """Every table of the documents: header and rows, as lists of cells."""
    for path in DOCUMENTS:
        lines = path.read_text(encoding="utf-8").splitlines()
        for i, line in enumerate(lines[:-1]):
            if line.startswith("|") and re.fullmatch(r"[|:\- ]+", lines[i + 1]):
                end = next((j for j in range(i, len(lines)) if not lines[j].startswith("|")), len(lines))
                header, _, *rows = ([cell.strip() for cell in x.strip("|").split("|")] for x in lines[i:end])
                yield header, rows


@pytest.mark.parametrize("name", alfamous.TITLES)
def test_macro_f1_in_the_docstrings(name):
    (quoted,) = re.findall(r"Expected macro F1, mean over the cycles \(paper\): (.*?)\.(?: |$)", docstring(name))
    told = dict(pair.rsplit(" ", 1) for pair in quoted.split(", "))
    published = alfamous.load_results(name)
    assert {strategy: float(x) for strategy, x in told.items()} == {s: row["macro_f1"] for s, row in published.items()}


@pytest.mark.parametrize("name", alfamous.TITLES)
def test_settings_of_alfamous(name):
    config = importlib.import_module(f"configs.{name}").get_config("paper")
    assert tuple(config[field] for field in alfamous.SETTINGS) == alfamous.PAPER_SETTINGS[name]
    assert tuple(config[field] for field in alfamous.TRAINING) == alfamous.PAPER_TRAINING[name]
    assert config.seeds == alfamous.SEEDS and set(config.strategies) == set(alfamous.load_results(name))
    assert {field: config[field] for field in alfamous.CODE_SETTINGS} == alfamous.CODE_SETTINGS
    assert tuple(config[field] for field in alfamous.CODE_TRAINING) == alfamous.CODE_SETTINGS_OF[name]


def test_what_is_not_in_the_paper_is_said_to_come_from_elsewhere():
    page = re.sub(r"\s+", " ", (ROOT / "docs" / "papers.md").read_text(encoding="utf-8"))
    (row,) = re.findall(r"\| Nesterov[^|]*\| from elsewhere \|[^|]*\|", page)
    for word in ("cosine", "weight decay", "spectral bound", "augmentation", "authors' code of the fast update"):
        assert word in row


def test_gains_in_the_docstring_of_cbal():
    """Four gains each, in this order, at an imbalance factor of .1."""
    (quoted,) = re.findall(r"\(paper, IF \.1\): (.*)\.", docstring("cbal"))
    config = {"profile": "step", "minority": "last", "balanced_initial": True, "minority_ratio": 0.1}
    names = {"cifar10": ("entropy", "kcenter", "vaal")} | {"cifar100": ("entropy", "kcenter", "vaal")}
    names["tiny_imagenet_features"] = ("entropy", "bald-mc")
    published = [cbal.load_gains(config | {"dataset": d})[strategy] for d, own in names.items() for strategy in own]
    without_names = re.sub(r"CIFAR-10+|k-center", "", quoted)
    assert numbers(without_names) == [gain for row in published for gain in row]


@pytest.mark.parametrize("factor", cbal.RATIOS)
@pytest.mark.parametrize("dataset", cbal.PAPER_SETTINGS)
def test_settings_of_cbal(dataset, factor):
    config = importlib.import_module("configs.cbal").get_config(f"{dataset}-{factor:g}")
    code = {field: value for field, value in cbal.CODE_SETTINGS.get(dataset, {}).items() if field != "lam_kcenter"}
    settings = {**cbal.PAPER_SETTINGS[dataset], **code, "seeds": cbal.SEEDS, "minority_ratio": factor}
    assert {field: config[field] for field in settings} == settings
    if code:
        assert config.lams["kcenter-cb"] == cbal.CODE_SETTINGS[dataset]["lam_kcenter"]


def test_accuracies_in_the_docstring_of_vabal():
    text = docstring("vabal")
    (quoted,) = re.findall(r"Expected \(paper; accuracy in %, mean over rounds, last\): (.*?)\. The images", text)
    splits, terms = quoted.split("; there ")
    found = re.findall(rf"(cifar10|)(\+\d+|) ({NUMBER}) ({NUMBER})", splits.replace("cifar10; cifar10", "cifar10"))
    assert [split for _, split, *_ in found] == ["", "+1", "+5", "+10"]
    for _, split, mean, last in found:
        cut = [k for k in range(10) if split and k + 1 != int(split)]
        published = vabal.load_accuracies({"dataset": "cifar10", "num_classes": 10, "minority": cut})
        assert published["vabal"] == (float(mean), float(last))
    ablations = vabal.load_accuracies({"dataset": "cifar10", "num_classes": 10, "minority": list(range(1, 10))})
    names = ("vabal@likelihood", "vabal@prior", "vabal@difficulty")
    assert numbers(terms) == [x for name in names for x in ablations[name]]


@pytest.mark.parametrize("dataset", vabal.LABELS)
def test_settings_of_vabal(dataset):
    config = importlib.import_module("configs.vabal").get_config(dataset)
    assert {field: config[field] for field in vabal.TRAINING} == vabal.TRAINING
    assert {field: config.vabal[field] for field in vabal.AUTOENCODER} == vabal.AUTOENCODER
    assert (config.budget, config.cycles + 1, config.seeds) == (*vabal.LABELS[dataset], vabal.SEEDS)
    assert config.initial == config.budget


def test_pools_in_the_docstring_of_minority_class_sampling():
    text = docstring("minority")
    food, mit, cifar = (minority.INDUCED[name] for name in ("food101", "mit67", "cifar100"))
    assert f"pools have {food.images:,} and {mit.images:,} rows" in text
    fields = re.search(
        r"class_mean=(\S+) --config.source_ratio=(\S+) and\s(\S+), (\S+); CIFAR-100's has (\S+), (\S+) a", text
    )
    for (mean, ratio), row in ((fields.groups()[:2], food), (fields.groups()[2:4], mit)):
        assert round(float(mean) * row.classes) == row.images
        assert float(ratio) == pytest.approx(row.deviation / row.mean, abs=1e-4)
    assert fields.groups()[4:] == (f"{cifar.images:,}", f"{cifar.mean:.2f}")
    assert f"deviation over mean of the class sizes {minority.RATIO:.3f}".replace("0.", ".") in text


def test_settings_of_minority_class_sampling():
    config = importlib.import_module("configs.minority").get_config("cifar100")
    settings = {**minority.SETTINGS, **minority.FINE_TUNING, "seeds": minority.SEEDS}
    assert {field: config[field] for field in settings} == settings
    induced = minority.INDUCED["cifar100"]
    assert (config.class_mean, config.num_classes) == (induced.mean, induced.classes)
    assert config.source_ratio == pytest.approx(induced.deviation / induced.mean, abs=1e-4)
    assert importlib.import_module("configs.minority").get_config().source_ratio == minority.RATIO


def test_g_al_in_the_docstring_of_single_stage_selection():
    (quoted,) = re.findall(r"Published G_AL .*?: (random.*) with balancing", docstring("single_stage"))
    names = ("random", "ent-inv-div", "kcenter")
    tables_6_and_7 = [single_stage.load_accuracy(table) for table in (6, 7)]
    assert numbers(re.sub("ent-inv-div", "", quoted)) == [
        rows[name].overall for rows in tables_6_and_7 for name in names
    ]


def test_settings_of_single_stage_selection():
    config = importlib.import_module("configs.single_stage").get_config("cifar100")
    assert config.budgets == single_stage.BUDGETS and config.seeds == single_stage.SEEDS
    assert config.ensemble == single_stage.SNAPSHOTS
    source = importlib.import_module("configs.source").get_config("cifar100")
    assert (source.snapshots, source.epochs) == (single_stage.SNAPSHOTS, single_stage.SOURCE_EPOCHS)


def test_columns_of_the_paper_in_the_documents():
    """A column "paper" behind one of a metric quotes Tables 1 and 4 on LETTER."""
    labels = {"accuracy": "accuracy", "macro F1": "macro_f1", "class balance index": "cbi"}
    checked = 0
    for header, rows in tables():
        columns = [(labels[before], i) for i, (before, name) in enumerate(zip(header, header[1:], strict=False), 1)
                   if name == "paper" and before in labels]  # fmt: skip
        for row in rows if header[0] == "strategy" else ():
            for metric, i in columns:
                assert float(row[i]) == alfamous.load_results("letter")[row[0]][metric], row
                checked += 1
    assert checked == 33


def test_data_sets_of_the_paper_in_the_documents():
    """Labels as initial + cycles x budget, and the F1 of us and of us-alfamous."""
    found = [row for header, rows in tables() if "paper's F1: us, us-alfamous" in header for row in rows]
    assert [row[0].strip("`") for row in found] == list(alfamous.TITLES)
    for name, _, num_classes, _, labels, f1 in ([row[0].strip("`"), *row[1:]] for row in found):
        initial, budget, cycles, *_ = alfamous.PAPER_SETTINGS[name]
        assert labels == f"{initial} + {cycles} x {budget}"
        assert numbers(f1) == [alfamous.load_results(name)[strategy]["macro_f1"] for strategy in ("us", "us-alfamous")]
        assert int(num_classes) == importlib.import_module(f"configs.{name}").get_config().num_classes
