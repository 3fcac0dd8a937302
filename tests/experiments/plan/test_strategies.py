"""Strategy names and the settings they stand for."""

import pytest

from experiments.learning.selectors import METHODS
from experiments.plan.strategies import STRATEGIES, Strategy, lam_of, strategy


def test_names_of_the_paper():
    assert strategy("us") == Strategy("least_confidence")
    assert strategy("bald-cb") == Strategy("bald", None, update=False, balanced=True)
    assert strategy("us-fbu") == Strategy("least_confidence", 1, update=True, balanced=False)
    assert strategy("entropy-cb") == Strategy("entropy", None, update=False, balanced=True)
    assert strategy("kcenter-cb") == Strategy(balanced=True, method="k_center")
    assert {strategy(name) for name in STRATEGIES} == set(STRATEGIES.values())


def test_minibatch_after_the_name():
    assert strategy("us-alfamous@8") == strategy("us-alfamous")._replace(minibatch=8)
    assert strategy("bald-fbu@1") == strategy("bald-fbu")


def test_form_after_the_name():
    assert strategy("vabal@prior") == Strategy("prior", method="vabal")
    assert strategy("vabal-cb@sigmoid") == Strategy("sigmoid", method="vabal", balanced=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("us-alfamos", "'us-alfamos' is not one of random, us"),
        ("us-cb@4", "'us-cb@4': only strategies with updates"),
        ("us-fbu@0", "'us-fbu@0': the minibatch after @ must be"),
        ("us-fbu@x", "'us-fbu@x': the minibatch after @ must be"),
        ("us-fbu@", "'us-fbu@': the minibatch after @ must be"),
        ("vabal@8", "'vabal@8': after @ comes one of likelihood, prior"),
    ],
    ids=["unknown", "no update", "zero", "no number", "empty", "no such form"],
)
def test_bad_names(name, message):
    with pytest.raises(ValueError, match=message):
        strategy(name)


def test_every_method_has_a_strategy():
    assert {settings.method for settings in STRATEGIES.values()} == METHODS.keys()


def test_lam_of_a_strategy():
    config = {"lam": 0.1, "lams": {"kcenter-cb": 0.5}}
    assert [lam_of(config, name) for name in ("kcenter-cb", "us-alfamous@8", "us")] == [0.5, 0.1, 0.0]
    assert lam_of({**config, "lam": "auto"}, "entropy-cb") == "auto"
    assert lam_of({**config, "lams": {"us-alfamous": 0.2}}, "us-alfamous@8") == 0.2
