"""Gains of class balance, by hand, and the history of the classes."""

import json

import numpy as np
import pytest
from drawn import legend

from experiments.paper import runs
from experiments.plan.strategies import parse
from experiments.published import alfamous
from experiments.report import gains, page
from experiments.report.runs import family, of_records

pytestmark = pytest.mark.slow

COUNTS = {"entropy": [[4, 2], [7, 3], [11, 3]], "entropy-cb": [[4, 2], [6, 4], [8, 6]]}
ACCURACY = {"entropy": [0.5, 0.60, 0.70], "entropy-cb": [0.5, 0.61, 0.74]}


def record(name, seed, cycle):
    counts = COUNTS[name][cycle][:: 1 if seed == 0 else -1]
    extra = 0.02 * seed * (name == "entropy-cb") if cycle else 0.0
    l1 = abs(counts[0] - counts[1]) / sum(counts)
    scores = {"accuracy": ACCURACY[name][cycle] + extra, "macro_f1": 0.5, "cbi": None, "l1_score": l1}
    return {"strategy": name, "seed": seed, "cycle": cycle, "num_labelled": sum(counts), **scores, "counts": counts}


RECORDS = [record(name, seed, cycle) for name in COUNTS for seed in (0, 1) for cycle in range(3)]


def shares(records, name):
    run = of_records(records)
    return gains._shares(run, run.lanes[name])


def test_pairs():
    names = ["random", "kcenter", "us-cb", "bald-mc", "bald-mc-cb", "kcenter-cb", "bald"]
    assert gains.balanced_pairs([parse(name) for name in names]) == [
        ("bald-mc-cb", "bald-mc"),
        ("kcenter-cb", "kcenter"),
    ]


def test_gains_by_hand():
    """Seed 0 gains 1 and 4 points, seed 1 two more in each cycle; L1 falls from (.4, .571) to (.2, .143)."""
    header, rows = gains.gain_table(of_records(RECORDS), [("entropy-cb", "entropy")])
    assert header == ["comparison", "seeds", "cycle 1", "cycle 2", "L1 score"]
    assert rows == [["entropy-cb vs entropy", "2", "+2.00 ± 1.00", "+5.00 ± 1.00", "-0.314 ± 0.000"]]


def test_published_gains_stand_under_a_run_of_their_settings():
    config = {"dataset": "cifar10", "minority_ratio": 0.1, "profile": "step", "minority": "last"}
    config["balanced_initial"] = True
    _, rows = gains.gain_table(of_records(RECORDS, config=config), [("entropy-cb", "entropy")])
    assert rows[1] == ["CBAL", "-", "+0.54", "+0.86", "-"]
    features = of_records(RECORDS, config=config | {"dataset": "cifar10_lite0"})
    assert gains.gain_table(features, [("entropy-cb", "entropy")])[1][1] == ["CBAL, images", *rows[1][1:]]


def test_history_orders_the_classes_within_each_seed():
    """Seed 1 has the classes of seed 0 the other way round: both put the frequent one first."""
    np.testing.assert_allclose(shares(RECORDS, "entropy-cb"), [[8 / 6, 4 / 6], [1.2, 0.8], [16 / 14, 12 / 14]])
    unfinished = [r for r in RECORDS if (r["seed"], r["cycle"]) != (1, 2)]
    assert shares(unfinished, "entropy").shape == (3, 2)
    assert shares([r for r in RECORDS if r["cycle"] < 2 or r["strategy"] != "entropy"], "entropy") is None


def test_the_report_shows_them(tmp_path, drawn):
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in RECORDS))
    text = page.write_report(tmp_path).read_text()
    assert "| entropy-cb vs entropy | 2 | +2.00 ± 1.00 |" in text and "(history.png)" in text
    (history,) = [figure for figure in drawn if any(axis.images for axis in figure.axes)]
    panels = {axis.get_title(loc="left"): axis.images[0].get_array() for axis in history.axes if axis.images}
    assert list(panels) == ["entropy", "entropy-cb"]
    for name, image in panels.items():
        np.testing.assert_allclose(image, shares(RECORDS, name).T)
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")


def test_families_and_variants():
    cases = {"us": ("us", ""), "bald-mc": ("bald-mc", ""), "bald-mc-cb": ("bald-mc", "cb")}
    cases |= {"us-alfamous@8": ("us", "alfamous@8"), "entropy-pseudo": ("entropy-pseudo", ""), "random": ("random", "")}
    cases |= {"us-cb:svm": ("us-cb:svm", ""), "mine.pick:select-cb": ("mine.pick:select", "cb")}
    assert {name: family(parse(name)) for name in cases} == cases


def test_many_families_get_a_panel_each(tmp_path, drawn):
    names = ["random", "us", "us-cb", "entropy", "margin", "badge", "kcenter"]
    records = [record("entropy", seed, cycle) | {"strategy": n} for n in names for seed in (0, 1) for cycle in range(3)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    page.write_report(tmp_path)
    panels = {axis.get_title(loc="left"): axis for axis in drawn[0].axes if axis.axison}
    assert list(panels) == ["us", "entropy", "margin", "badge", "kcenter"]
    assert legend(drawn[0]) == [
        "random", "us", "us-cb", "random", "entropy", "random", "margin", "random", "badge", "random", "kcenter"
    ]  # fmt: skip
    for axis in panels.values():  # pale lines of all strategies, then those of the family
        f1 = [np.mean([r["macro_f1"] for r in records if r["strategy"] == "us" and r["cycle"] == c]) for c in range(3)]
        assert len(axis.lines) == len(names) + (3 if axis is panels["us"] else 2)
        np.testing.assert_allclose(axis.lines[-1].get_ydata(), f1)


@pytest.mark.parametrize("change", [{"backbone": "identity"}, {"balanced_initial": True}], ids=["features", "cbal"])
def test_other_experiments_do_not_stand_beside_alfamous(tmp_path, change):
    config = {"dataset": "letter", "backbone": "mlp", "balanced_initial": False, "epochs": 7}
    assert alfamous.counterpart(config) == "letter" and alfamous.counterpart(config | change) == ""
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r | {"strategy": "us"}) + "\n" for r in RECORDS[:6]))
    text = page.write_report(tmp_path).read_text()
    assert text.startswith("# Active learning on letter\n") and "Other settings" not in text
    with pytest.raises(ValueError, match="no run on one of letter"):
        runs.find_runs([tmp_path])
