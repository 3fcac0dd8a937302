"""Strategy names, what they stand for, and what is refused of them."""

import pytest

from configs.base import ALL, get_base
from experiments.learning import methods
from experiments.learning.methods import lam_of, method_of
from experiments.plan.choices import FULL, Choice
from experiments.plan.choices import parse as parse_choice
from experiments.plan.strategies import SCHEMES, Strategy, group_name, lanes_of, parse

CONFIG = {"budget": 8, "bald_samples": 0, "count_cycle": True, "implicit_update": False, "shrink_lam": False}


def test_a_name_is_taken_apart():
    assert parse("us") == Strategy("us")
    assert parse("margin-alfamous@8:cs-svm") == Strategy("margin", "alfamous", "8", "cs-svm")
    assert parse("cds-bal-pred:svm") == Strategy("cds-bal-pred", scheme="svm")
    assert parse("vabal-cb@prior") == Strategy("vabal", "cb", "prior")
    assert parse("mine.pick:select") == Strategy("mine.pick:select")
    assert parse("mine:doubt-fbu@2:network") == Strategy("mine:doubt", "fbu", "2", "network")
    assert parse("mine.pick:svm") == Strategy("mine.pick:svm"), "a module with a dot is the user's"


@pytest.mark.parametrize(
    "name", [*methods.names(), *(f"us-fbu@4:{scheme}" for scheme in SCHEMES), "mine.pick:s-cb@2:svm"]
)
def test_a_name_comes_back(name):
    assert str(parse(name)) == name


def test_forms():
    assert [(parse(f"us{form}").balanced, parse(f"us{form}").updates) for form in ("", "-cb", "-fbu", "-alfamous")] == [
        (False, False), (True, False), (False, True), (True, True),
    ]  # fmt: skip
    assert parse("us-alfamous@8").program("svm") == parse("us-fbu@8:svm"), "lam is an argument of the program"


def test_what_a_name_means_to_its_method():
    def settings(name):
        strategy = parse(name)
        return method_of(strategy).settings(CONFIG, strategy, None)

    assert settings("us-cb")[:4] == ("least_confidence", 8, 8, False)
    assert settings("us")[:4] == ("least_confidence", 8, 1, False), (
        "without balance a batch is the best rows one by one"
    )
    assert settings("bald-fbu")[:4] == ("bald", 8, 1, True)
    assert settings("margin-alfamous@4")[:4] == ("margin", 8, 4, True)
    assert (settings("umcs-marg").within, settings("umcs-marg").auxiliary) == ("uncertain", "margin")


def test_every_utility_comes_in_four_forms():
    names = methods.names()
    assert {
        f"{base}{form}" for base in ("us", "margin", "entropy", "bald") for form in ("", "-cb", "-fbu", "-alfamous")
    } <= {*names}
    assert {*ALL} <= {*names} and len({*names}) == len(names)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("us-alfamos", "'us-alfamos' is not one of random, random-cb"),
        ("us-cb@4", "'us-cb@4': only strategies with updates"),
        ("us-fbu@0", "'us-fbu@0': the minibatch after @ must be"),
        ("us-fbu@x", "'us-fbu@x': the minibatch after @ must be"),
        ("us-fbu@", "'us-fbu@': expected BASE"),
        ("", "'': expected BASE"),
        ("us-fbu@3", "'us-fbu@3': 3 does not divide config.budget 8"),
        ("vabal@8", "'vabal@8': after @ comes one of likelihood, prior"),
        ("vabal@weight", "'vabal@weight': after @ comes one of .*, or weight and a number >= 0"),
        ("vabal@weight-1", "'vabal@weight-1': after @ comes one of"),
        ("vabal@weightinf", "'vabal@weightinf': after @ comes one of"),
        ("badge@8", "'badge@8': takes nothing after @"),
        ("kcenter-fbu", "'kcenter-fbu' is not one of kcenter, kcenter-cb"),
        ("us:svn", "'us:svn': after : comes one of network"),
        ("us:svm:svm", "'us:svm:svm': after : comes one of network"),
        ("nowhere.pick:select", "'nowhere.pick:select': there is no module 'nowhere'"),
        ("json:select", "'json:select': .* has no attribute 'select'"),
        ("json:dumps", r"'json:dumps': must take \(key, view, lam, budget\) or .*, takes \(obj\)"),
        ("json:dumps-cb", r"'json:dumps': must take"),
    ],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError, match=message):
        strategy = parse(name)
        method_of(strategy).check(CONFIG, strategy)


def test_weights_of_vabal():
    """Eq. 10's lambda after @, 0 among them; nothing else changes."""
    config = get_base().to_dict() | CONFIG

    def settings(name):
        strategy = parse(name)
        method = method_of(strategy)
        method.check(config, strategy)
        return method.settings(config, strategy, None)

    usual = settings("vabal")
    for name, weight in (("vabal@weight0", 0.0), ("vabal@weight0.05", 0.05), ("vabal-cb@weight5e-05", 5e-5)):
        assert settings(name) == usual._replace(training=usual.training._replace(weight=weight))
    assert usual.training.weight == 0.005


def test_lam_of_a_strategy():
    config = {"lam": 0.1, "lams": {"kcenter-cb": 0.5}}
    assert [lam_of(config, parse(name)) for name in ("kcenter-cb", "us-alfamous@8", "us")] == [0.5, 0.1, 0.0]
    assert lam_of(config, parse("entropy-pseudo")) == 0.1, "it balances without a form"
    assert lam_of({**config, "lam": "auto"}, parse("entropy-cb")) == "auto"
    assert lam_of({**config, "lams": {"us-alfamous": 0.2}}, parse("us-alfamous@8")) == 0.2


def test_lanes_and_the_names_of_their_files():
    lanes = lanes_of(["us", "us-cb"], range(2))
    assert [(str(lane.strategy), lane.seed) for lane in lanes] == [("us", 0), ("us", 1), ("us-cb", 0), ("us-cb", 1)]
    assert group_name(lanes) == "us+us-cb-seed0-1" and group_name(lanes[:1]) == "us-seed0"


def test_names_of_selections():
    assert parse_choice("ent-inv-div-bal+ens") == Choice("ent-inv-div-bal+ens", "entropy", True, "candidates", True)
    assert parse_choice("kcenter-cen") == Choice("kcenter-cen", "core", False, "centroid", False)
    assert str(FULL) == "full" and FULL not in map(parse_choice, ("random", "kcenter"))
