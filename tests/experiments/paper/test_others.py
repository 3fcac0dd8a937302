"""The pages of the four papers beside AL-FaMoUS, on runs small enough to work out by hand."""

import importlib
import pathlib
import re

import numpy as np
import pytest
from trials import records, write

from experiments.paper import __main__ as command
from experiments.paper import others, single_stage
from experiments.paper.groups import find

ROOT = pathlib.Path(__file__).parents[3]
PAIR = {"entropy": [0.5, 0.6, 0.6], "entropy-cb": [0.5, 0.7, 0.7]}
SPLITS = {k: [c for c in range(10) if c != k] for k in (0, 4, 9)}
DOMINANT = {"dataset": "cifar10", "num_classes": 10, "budget": 500, "initial": 500, "cycles": 5}
COUNTS = [[5] * 10] * 6


def place(paper, config, mode):
    return others.PAPERS[paper].place_of(importlib.import_module(f"configs.{config}").get_config(mode).to_dict())


@pytest.mark.parametrize(
    ("paper", "mode", "title", "settings"),
    [
        ("cbal", "cifar10-0.3", "cifar10 0.3", {"", "imbalanced", "cifar10 0.3"}),
        ("cbal", "cifar100-1", "cifar100 1", {"", "cifar100 1"}),
        ("cbal", "tiny_imagenet-0.1", "tiny_imagenet_features 0.1", {"", "imbalanced", "tiny_imagenet_features 0.1"}),
        ("vabal", "cifar10+5", "cifar10 dominant", {"", "dominant", "cifar10", "cifar10 dominant"}),
        ("vabal", "cifar10-10", "cifar10 rare", {"", "rare", "cifar10", "cifar10 rare"}),
        ("vabal", "cifar100+45..55", "cifar100 dominant", {"", "dominant", "cifar100", "cifar100 dominant"}),
        ("vabal", "neu", "neu whole", {"", "whole", "neu", "neu whole"}),
        ("minority", "cifar100", "cifar100", {"", "cifar100"}),
        ("single_stage", "cifar100", "cifar100 imbalanced", {"", "imbalanced", "cifar100 imbalanced"}),
        ("single_stage", "cifar100-balanced", "cifar100 balanced", {"", "balanced", "cifar100 balanced"}),
    ],
)
def test_modes_of_the_papers_are_their_settings(paper, mode, title, settings):
    found = place(paper, paper, mode)
    assert (found.title, found.settings, found.published) == (title, settings, True)


def test_other_runs_are_the_paper_s_in_kind_alone():
    for paper, mode in (("vabal", ""), ("minority", ""), ("single_stage", ""), ("cbal", "cifar10-exp")):
        found = place(paper, paper, mode)
        assert not found.published and found.title not in found.settings
    for paper, config in (("cbal", "letter"), ("vabal", "minority"), ("minority", "vabal"), ("single_stage", "cbal")):
        assert place(paper, config, "") is None
    assert place("vabal", "vabal", "cifar10+1@lambda") is None, "a sweep, whose random is that of cifar10+1"
    assert place("cbal", "features", "").settings == {"", "imbalanced"}
    other = place("vabal", "vabal", "cifar10+1@250")
    assert (other.title, other.published) == ("cifar10 dominant, 250 + 11 x 250", False), "another budget"


@pytest.mark.slow
@pytest.mark.parametrize("paper", others.PAPERS)
def test_the_pages_that_are_kept_are_those_of_the_runs_that_are_kept(paper, tmp_path):
    """From the first section on; before it stand links that depend on where the page is."""
    made = others.write_page(paper, [ROOT / "results"], tmp_path)
    kept = ROOT / "results" / made.name
    texts = [path.read_text(encoding="utf-8").partition("## In the paper's own settings") for path in (made, kept)]
    assert texts[0][1:] == texts[1][1:] and texts[0][1]


@pytest.mark.parametrize("paper", others.PAPERS)
def test_the_table_of_the_pages_has_what_they_say(paper):
    page = f"paper-{paper.replace('_', '-')}.md"
    text = (ROOT / "results" / page).read_text(encoding="utf-8")
    (said,) = re.findall(r"Of (\d+) differences (\d+) go .* (\d+) are significant for it and (\d+) against", text)
    table = (ROOT / "results/README.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| \[[^|]*\]\({page}\)[^|]*\|(.*)\|$", table, re.MULTILINE)
    assert [cell.strip() for cell in row.split("|")] == [f"{said[1]} of {said[0]}", said[2], said[3]]


def test_nine_runs_are_averaged(tmp_path):
    """Three splits of three seeds: accuracies .6, .7 and .8 at the end, and the seeds in steps of .01."""
    for i, (whole, minority) in enumerate(SPLITS.items()):
        ends = {"random": 0.5 + 0.1 * i, "vabal": 0.6 + 0.1 * i}
        curves = {name: [0.4] * 5 + [end] for name, end in ends.items()}
        counts = {name: COUNTS for name in curves}
        found = records(curves, counts, seeds=(0, 1, 2), step=0.01)
        write(tmp_path / "runs" / f"plus{whole}", found, minority=minority, **DOMINANT)
    text = others.write_page("vabal", [tmp_path], tmp_path / "out").read_text(encoding="utf-8")
    ends = np.array([0.6, 0.7, 0.8])[:, None] + [0, 0.01, 0.02]
    rounds = np.array([2.6, 2.7, 2.8])[:, None] / 6 + [0, 0.01, 0.02]
    mean, last = (f"{100 * x.mean():.2f} ± {100 * x.std(ddof=1) / 3:.2f}" for x in (rounds, ends))
    assert f"| cifar10 dominant | vabal | 9 | {mean} | {last} | 0.900 ± 0.000 | 0.900 ± 0.000 |" in text
    assert "| ahead of random sampling | vabal vs random, accuracy | + | - | +1.67 ± 0.00 | 9 of 9 | - | - |" in text
    assert "have `vabal` +6.55 and +10.15 points over" in text
    own, other = text.split("## In other settings")
    assert "### cifar10 dominant" in own and other.startswith("\n\nNone was run.")
    assert "- neu: vabal vs random, accuracy, early (+); vabal vs bald-mc" in text


def test_a_lane_in_two_runs_of_one_split_is_refused(tmp_path):
    curves = {"random": [0.4, 0.5], "vabal": [0.4, 0.6]}
    for name in ("one", "two"):
        write(tmp_path / name, records(curves), dataset="fmnist", minority=[1, 2], budget=5, cycles=1)
    with pytest.raises(ValueError, match=r"one and .*two: both have random, seed 0, of fmnist dominant"):
        find([tmp_path], others.PAPERS["vabal"].place_of, lambda run: run)
    found = find([tmp_path / "one", tmp_path / "one" / ".." / "one"], others.PAPERS["vabal"].place_of, lambda run: run)
    assert len(found) == 1 and len(found[0].runs) == 1


def test_page_of_cbal(tmp_path):
    curves = PAIR | {"random": [0.5, 0.6, 0.6]}
    cifar = {"dataset": "cifar10", "profile": "step", "minority": "last", "balanced_initial": True}
    write(tmp_path / "a" / "cifar", records(curves, seeds=(0, 1)), minority_ratio=0.1, **cifar)
    write(tmp_path / "b", records(curves), dataset="mine[1].npz", minority_ratio=0.1, initial=9, budget=3, cycles=2)
    write(tmp_path / "c", records({"random": [0.1, 0.2]}), dataset="letter")
    text = others.write_page("cbal", [tmp_path], tmp_path).read_text(encoding="utf-8")
    gain = "| balancing raises the accuracy of entropy | entropy-cb vs entropy, accuracy | + "
    assert text.count(gain) == 2 and gain.removesuffix("+ ") + "2 of 2 | 0 / 0 |" in text
    assert f"{gain}| +0.56 | +10.00 ± 0.00 | 2 of 2 | - | - | same sign, not significant |" in text
    assert f"{gain}| - | +10.00 | 1 of 1 | - | - | same sign, not significant |" in text
    assert "| entropy-cb vs entropy | 2 | +10.00 ± 0.00 | +10.00 ± 0.00 |" in text
    assert r"### mine\[1\].npz, IF 0.1, 9 + 2 x 3" in text and "letter" not in text
    assert "| = | - | +0.000 ± 0.000 | 0 of 2 | - | - | not told apart |" in text
    assert text.index("### cifar10 0.1") < text.index(r"### mine\[1\].npz")


def test_page_of_minority_class_sampling(tmp_path):
    curves = {"random": [0.5, 0.6], "dmcs-rand": [0.5, 0.7]}
    counts = {"random": [[4, 1, 1], [8, 2, 2]], "dmcs-rand": [[4, 1, 1], [4, 4, 4]]}
    found = records(curves, counts, seeds=(0, 1))
    for record in found:
        record["scheme"] = "cs-svm" if record["cycle"] == 0 or record["strategy"] == "random" else "network-th"
    write(tmp_path / "run", found, dataset="mnist", initial=6, budget=6, cycles=1, scheme="switch")
    text = others.write_page("minority", [tmp_path], tmp_path).read_text(encoding="utf-8")
    ratio = np.std([8, 2, 2]) / 4
    assert f"| - | - | {-ratio:+.3f} ± 0.000 | 2 of 2 | - | - | same sign, not significant |" in text
    assert "| mnist, 6 + 1 x 6 | dmcs-rand | 2 | 70.00 ± 0.00 | 70.00 ± 0.00 | 0.000 ± 0.000 | 0.000 ± 0.000 |" in text
    assert "## The switch" in text and "| mnist, 6 + 1 x 6 | dmcs-rand | 12, 12 |" in text


def single(folder, dataset, random, full, timings=()):
    """Two budgets; the recall of two classes, of which random has found the first alone at the first budget."""
    recall = {"random:svm": [[random, 0.9], [random, random]], "random:network": [[0.1, 0.1]] * 2}
    recall |= {"full:svm": [[full, full]], "full:network": [[0.2, 0.2]]}
    counts = {"random:svm": [[4, 0], [4, 4]], "random:network": [[4, 0], [4, 4]], "full:svm": [[9, 9]]}
    counts["full:network"] = [[9, 9]]
    found = records({name: [0.5] * len(rows) for name, rows in recall.items()}, counts, recall)
    settings = {"selections": ["random"], "budgets": [4, 8], "profile": "transfer", "source_ratio": 0.8}
    return write(folder, found, timings, dataset=dataset, **settings)


def test_single_stage_runs_as_the_claims_see_them(tmp_path):
    single(tmp_path / "run", "mnist", 0.6, 0.8)
    (group,) = find([tmp_path], others.PAPERS["single_stage"].place_of, single_stage.view)
    (run,) = group.runs
    np.testing.assert_allclose(run.lanes["random"].metrics["accuracy"], [[0.3, 0.6]], err_msg="0 if not found")
    np.testing.assert_allclose(run.lanes["random:network"].metrics["accuracy"], [[0.05, 0.1]])
    np.testing.assert_allclose(run.lanes["full:svm"].metrics["accuracy"], [[0.8, 0.8]], err_msg="at every budget")
    assert {"random", "full", "random:svm"} <= run.lanes.keys(), "the SVM is the better scheme"
    # (30 - 80) / 20 and (60 - 80) / 20
    assert single_stage.g_al(run, "random") == {0: pytest.approx(-1.75)}
    assert single_stage.g_al(run, "random:svm") == single_stage.g_al(run, "full") == {}


def test_g_al_over_data_sets_and_the_cost_of_rounds(tmp_path):
    times = [{"strategy": "ent-inv", "seed": 0, "cycle": c, "query_s": t} for c, t in enumerate((9.0, 0.2, 0.2))]
    times += [{"strategy": "ent-inv-div", "seed": 0, "cycle": c, "query_s": 0.25} for c in range(2)]
    single(tmp_path / "a", "mnist", 0.6, 0.8, times)
    single(tmp_path / "b", "fmnist", 0.4, 0.6)
    text = others.write_page("single_stage", [tmp_path], tmp_path).read_text(encoding="utf-8")
    # fmnist: (20 - 60) / 40 and (40 - 60) / 40
    assert "| selection | fmnist | mnist | data sets | G_AL | paper, four data sets |" in text
    assert f"| random | -0.750 | -1.750 | 2 | {-1.25:.3f} | -0.792 |" in text
    assert "## G_AL over the data sets, balanced" not in text
    assert "| mnist imbalanced, 4, 8 labels | ent-inv | 0.2000 | 0.2500 | 3, 2 |" in text
    assert "| full:network vs full:svm, accuracy | + | - | -60.00 | 0 of 1 |" in text


def test_errors_are_one_line_and_nothing_is_written(tmp_path, capsys):
    write(tmp_path / "runs" / "letter", records({"us": [0.1, 0.2]}), dataset="letter")

    def fail(*args):
        assert command.main([str(arg) for arg in args]) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and not said.out
        return said.err

    runs, out = tmp_path / "runs", tmp_path / "out"
    assert f"{runs}: no run with strategies that cbal compares" in fail(runs, "--paper", "cbal", "--out", out)
    assert f"{tmp_path / 'absent'}: no such folder" in fail(tmp_path / "absent", "--paper", "vabal", "--out", out)
    write(runs / "bad", records(PAIR), dataset="mnist", strategies="entropy")
    assert "config.json: strategies must be a list of names" in fail(runs, "--paper", "cbal", "--out", out)
    assert not out.exists()


def test_command_line_prints_where_the_page_is(tmp_path, capsys):
    write(tmp_path / "run", records(PAIR), dataset="mnist", minority_ratio=0.1)
    assert command.main([str(tmp_path), "--paper", "cbal"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'paper-cbal.md'}\n"
