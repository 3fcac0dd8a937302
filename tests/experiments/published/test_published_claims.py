"""The claims of the four papers beside AL-FaMoUS: what their files say can be tested, and agrees with the tables."""

import math

import pytest

from experiments.plan.choices import parse as parse_choice
from experiments.plan.strategies import parse
from experiments.published import cbal, claims, minority, single_stage

METRICS = ("accuracy", "l1_score", "imbalance_ratio", "rare_share")
CBAL = [
    f"{dataset} {ratio:g}" for dataset in ("cifar10", "cifar100", "tiny_imagenet_features") for ratio in cbal.RATIOS
]
POOLS = [f"{dataset} {pool}" for dataset in single_stage.CLASSES for pool in ("imbalanced", "balanced")]
SETTINGS = {
    "cbal": {"", "imbalanced", *CBAL},
    "vabal": {"", "dominant", "rare", "neu", "cifar100 dominant", "cifar10 whole", "cifar100 whole"},
    "minority": {"", *minority.INDUCED},
    "single_stage": {"", "imbalanced", "balanced", *POOLS},
}
TABLES = {"cbal": CBAL, "vabal": ["cifar10 dominant", "cifar10 whole"], "single_stage": POOLS, "minority": []}


@pytest.mark.parametrize("paper", claims.PAPERS)
def test_every_claim_can_be_tested(paper):
    loaded = claims.load(paper)
    assert len(loaded) >= 20 and len({claim[:5] for claim in loaded}) == len(loaded), "each comparison once"
    for claim in loaded:
        assert claim.setting in SETTINGS[paper] and claim.metric in METRICS, claim
        assert claim.over in claims.OVER or claim.over.removeprefix("cycle").isdecimal(), claim
        assert claim.sign in (-1, 0, 1) and (claim.claimed in "+-=" or float(claim.claimed)), claim
        assert claim.first != claim.second and claim.sentence and "|" not in claim.sentence
        for name in (claim.first, claim.second):
            short, _, scheme = name.partition(":")
            if paper == "single_stage" and short != "full":
                assert parse_choice(short) and scheme in ("", "svm", "network")
            else:
                assert str(parse(name)) == name


def of(paper, first, second, setting, over):
    return claims.printed(paper, claims.Claim("", first, second, "accuracy", over, "+", ""), setting)


@pytest.mark.parametrize(
    ("arguments", "points"),
    [
        (("cbal", "vaal-cb", "vaal", "cifar10 0.1", "mean"), (0.57 + 0.85 + 1.08 + 1.19) / 4),
        (("cbal", "vaal-cb", "vaal", "cifar10 0.1", "growth"), 1.19 - 0.57),
        (("cbal", "entropy-cb", "entropy", "cifar100 0.3", "cycle4"), 1.63),
        (("cbal", "bald-mc-cb", "bald-mc", "tiny_imagenet_features 1", "cycle3"), 1.11),
        (("vabal", "vabal", "vabal@absolute", "cifar10 dominant", "all"), (9.77 + 11.26 + 12.46) / 3),
        (("vabal", "vabal", "vabal@likelihood", "cifar10 dominant", "last"), 10.15),
        (("vabal", "vabal@prior", "vabal@likelihood", "cifar10 whole", "all"), 0.86),
        (("single_stage", "ent-inv-div", "random", "cifar100 imbalanced", "all"), (4.82 + 5.28 + 4.16) / 3),
        (("single_stage", "ent-inv-div", "random", "cifar100 imbalanced", "first"), 4.82),
        (("single_stage", "kcenter-bal+ens", "kcenter+ens", "mit67 imbalanced", "last"), 64.56 - 55.62),
        (("single_stage", "random-bal", "random", "food101 balanced", "last"), 44.11 - 43.20),
        (("single_stage", "random:svm", "random:network", "cifar100 imbalanced", "last"), 39.78 - 37.89),
        (("single_stage", "full:network", "full:svm", "food101 imbalanced", "all"), 65.85 - 42.84),
    ],
)
def test_differences_of_the_tables_by_hand(arguments, points):
    assert of(*arguments) == pytest.approx(points, abs=1e-9)


@pytest.mark.parametrize(
    "arguments",
    [
        ("cbal", "entropy-cb", "random", "cifar10 0.1", "mean"),
        ("vabal", "vabal", "random", "cifar10 dominant", "all"),
        ("vabal", "vabal", "vabal@prior", "cifar10 dominant", "early"),
        ("vabal", "vabal", "vabal@prior", "cifar100 dominant", "all"),
        ("minority", "dmcs-rand", "random", "cifar100", "mean"),
        ("single_stage", "random:svm", "random:network", "cifar100 balanced", "all"),
        ("single_stage", "kcenter+ens", "kcenter", "cifar100 balanced", "all"),
    ],
)
def test_what_is_not_printed_has_no_number(arguments):
    assert math.isnan(of(*arguments))


@pytest.mark.parametrize("paper", claims.PAPERS)
def test_sentences_agree_with_the_tables(paper):
    """A number or sign of the text on one setting is that of its table; what is said of all holds in nearly all."""
    same = other = 0
    for claim in claims.load(paper):
        for setting in TABLES[paper]:
            told = claims.printed(paper, claim, setting)
            if math.isnan(told) or not claim.sign:
                continue
            if claim.setting == setting:
                assert math.copysign(1, told) == claim.sign, claim
                if claim.claimed not in "+-":
                    assert told > 0.9 * float(claim.claimed), claim
            elif claim.setting in ("", setting.split()[-1]):
                same, other = same + (told * claim.sign > 0), other + (told * claim.sign < 0)
    assert same >= 7 * other and (same or not TABLES[paper])
