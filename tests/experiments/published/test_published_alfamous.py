"""What AL-FaMoUS publishes is complete and agrees with its prose, but for three sentences."""

import math

import pytest

from experiments.published import _csv, alfamous

DATASETS = tuple(alfamous.TITLES)


def test_paper_results_are_complete():
    rows = _csv.rows("alfamous_results.csv")
    assert len(rows) == 63
    names = alfamous.load_results("letter")
    assert [(row["dataset"], row["strategy"]) for row in rows] == [(d, name) for d in DATASETS for name in names]
    assert alfamous.load_results("letter")["us-alfamous"] == {"accuracy": 0.627, "macro_f1": 0.609, "cbi": 4.33}
    assert alfamous.load_results("ecg5000")["bald-alfamous"] == {"accuracy": 0.937, "macro_f1": 0.537, "cbi": 3.05}
    assert alfamous.load_results("iris") == {} and set(alfamous.PAPER_SETTINGS) == set(alfamous.PAPER_TRAINING) == set(
        DATASETS
    )


@pytest.mark.parametrize(
    "dataset, first, second, metric, points",
    [
        ("letter", "us-alfamous", "us", "macro_f1", 9.7),
        ("letter", "bald-alfamous", "bald", "macro_f1", 9.1),
        ("letter", "us-alfamous", "us-fbu", "macro_f1", 1.2),
        ("letter", "bald-alfamous", "bald-fbu", "macro_f1", 1.9),
        ("letter", "bald-fbu", "bald", "macro_f1", 7.2),
        ("fmnist", "bald-alfamous", "bald-fbu", "accuracy", 0.4),
        ("fmnist", "bald-alfamous", "bald-cb", "accuracy", 1.0),
        ("cifar10", "us-fbu", "us", "macro_f1", -0.7),
        ("cifar10", "us-fbu", "us", "accuracy", -0.5),
        ("electric_devices", "us-alfamous", "us", "macro_f1", 1.1),
        ("electric_devices", "us-alfamous", "us-fbu", "macro_f1", 0.4),
        ("electric_devices", "bald", "us", "accuracy", -1.2),
    ],
)
def test_paper_results_agree_with_the_prose(dataset, first, second, metric, points):
    paper = alfamous.load_results(dataset)
    assert 100 * (paper[first][metric] - paper[second][metric]) == pytest.approx(points)


def test_orderings_of_the_paper():
    def count(metric, first, second):
        pairs = [(alfamous.load_results(d), family) for d in DATASETS for family in ("us", "bald")]
        return sum(paper[family + first][metric] >= paper[family + second][metric] for paper, family in pairs)

    for metric in ("cbi", "macro_f1"):
        assert [count(metric, "-alfamous", other) for other in ("", "-cb", "-fbu")] == [14, 14, 14]
    assert (count("cbi", "-cb", ""), count("macro_f1", "-cb", ""), count("macro_f1", "-fbu", "")) == (14, 10, 11)


def test_diversity_of_the_paper_is_complete():
    names = [f"{family}-{variant}" for family in ("us", "bald") for variant in ("cb", "fbu", "alfamous")]
    for dataset in alfamous.TITLES:
        assert list(alfamous.load_diversity(dataset)) == ["us", "bald", *names]
    assert alfamous.load_diversity("iris") == {}
    assert alfamous.difference("cifar10", "us-alfamous", "us-fbu", "ed_diversity") == pytest.approx(4.26 - 1.09)
    assert alfamous.difference("mnist", "us-cb", "us", "ed_diversity") == -0.08
    assert math.isnan(alfamous.difference("mnist", "us-cb", "bald", "ed_diversity"))


def test_claims_agree_with_the_tables_but_for_three():
    odd = set()
    for claim in alfamous.load_claims():
        published = alfamous.difference(*claim[:4])
        assert claim.statistic in ("mean", "peak", "labels") and claim.sentence
        if claim.statistic == "labels":
            assert claim.level > 0 and float(claim.claimed) > 1
            continue
        if (claim.dataset, claim.statistic, claim.metric) != ("ecg5000", "peak", "macro_f1") or claim.sign > 0:
            assert claim.sign * published > 0, claim
        if claim.statistic == "mean" and claim.claimed not in "+-":
            if float(claim.claimed) != pytest.approx(100 * published):
                odd.add((claim.dataset, claim.second, claim.claimed))
    # sentences that the paper's own tables do not give
    assert odd == {("letter", "bald-fbu", "+1.5"), ("fmnist", "bald-fbu", "+1.5"), ("fmnist", "bald-cb", "+2.7")}
