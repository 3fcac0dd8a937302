"""How many rows a run labels where the config leaves it open; small cases by hand."""

import hypothesis
import hypothesis.strategies as some
import pytest

from experiments.plan import automatic

OPEN = {"initial": "auto", "budget": "auto", "cycles": "auto", "balanced_initial": False}

CASES = {  # rows, classes, fields given -> labels
    "a percent": (5000, 4, {}, (50, 50, 8)),
    "at least ten": (400, 4, {}, (10, 10, 8)),
    "at most a hundred": (60_000, 10, {}, (100, 100, 8)),
    "two of each class": (5000, 60, {}, (120, 50, 8)),
    "half of a small pool": (60, 3, {}, (10, 2, 8)),  # 10 + 8 x 2 of 30
    "a tiny pool": (10, 2, {}, (2, 1, 3)),  # 2 + 3 of 5
    "four rows": (4, 2, {}, (1, 1, 1)),
    "a budget given": (5000, 4, {"budget": 400}, (400, 400, 5)),  # 400 + 5 x 400 of 2,500
    "cycles given": (100, 4, {"cycles": 3}, (10, 10, 3)),
    "more cycles than fit at ten": (100, 4, {"cycles": 20}, (10, 2, 20)),
    "no cycles": (100, 4, {"cycles": 0}, (10, 10, 0)),
    "an initial set given": (100, 4, {"initial": 40}, (40, 1, 8)),
    "as many of each class": (5000, 7, {"balanced_initial": True}, (49, 50, 8)),
}


@pytest.mark.parametrize("rows, classes, given, expected", CASES.values(), ids=CASES)
def test_labels_of_a_pool(rows, classes, given, expected):
    assert automatic.labels(OPEN | given, rows, classes) == expected


@hypothesis.given(some.integers(4, 200_000), some.integers(2, 300))
def test_at_most_half_of_the_pool_is_labelled(rows, classes):
    initial, budget, cycles = automatic.labels(OPEN, rows, classes)
    assert min(initial, budget, cycles) >= 1 and initial + cycles * budget <= rows / 2
    assert cycles == 8 or rows < 100 or budget == 1


def test_three_rows_are_no_pool():
    with pytest.raises(ValueError, match="a pool of at least 4 rows, there are 3"):
        automatic.labels(OPEN, 3, 2)


def test_networks():
    assert [automatic.backbone(shape) for shape in ((9,), (28, 28), (32, 32, 3))] == ["identity", "resnet6", "resnet6"]
    assert automatic.backbone((40, 2), series=True) == automatic.backbone((40,), series=True) == "tcn"
    assert automatic.training("tcn") == {"optimizer": "adam", "learning_rate": 1e-3}
    assert automatic.training("resnet6") == {"optimizer": "sgd", "learning_rate": 0.1}
    assert automatic.is_open({"num_classes": 3, "learning_rate": "auto"})
    assert automatic.is_open({"num_classes": 0}) and automatic.is_open({"num_classes": 3, "backbone": "auto"})
    assert not automatic.is_open({"num_classes": 3, "initial": 10, "budget": 10, "cycles": 0, "backbone": "mlp"})
