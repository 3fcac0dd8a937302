"""Values that no field may have: of another type, beyond what is computed with, larger than any run can want."""

import pytest
from tiny_letter import tiny

from experiments.learning.check import OWNED
from experiments.plan.check import as_tuples, check_config, shown

REFUSED = {
    "a million seeds": ({"seeds": 10**6}, "config.seeds: expected an integer from 1 to 200, got 1000000"),
    "a depth": ({"depth": 10**20}, "config.depth: expected an integer from 0 to 100, got 1000"),
    "64 bits": ({"batch_size": 2**64}, "config.batch_size: expected an integer from 1 to 100,000, got 1844"),
    "5000 digits": ({"epochs": 10**5000}, "config.epochs: .* got a int that cannot be written"),
    "nothing to see": (
        {"unseen": 3, "num_classes": 3},
        "config.unseen: must be below the 3 classes and goes without config.balanced_initial, got 3",
    ),
    "seeds that come again": (
        {"first_seed": 2**32 - 1, "seeds": 2},
        r"config.first_seed: 2 seeds from 4294967295 on lead beyond 2\*\*32 - 1",
    ),
    "no float32": ({"learning_rate": 1e39}, r"config.learning_rate: expected a finite number above 0, got 1e\+39"),
    "0 as a float32": ({"kernel_scale": 1e-300}, "config.kernel_scale: expected a finite number above 0, got 1e-300"),
    "400 digits": ({"lam": 10**400}, "config.lam: expected a finite number of at least 0 or 'auto', got 1000"),
    "strategies of numbers": (
        {"strategies": (1, 2)},
        r"config.strategies: expected a tuple of .* random,us, got \(1, 2\)",
    ),
    "strategies of lists": ({"strategies": (["us"],)}, r"config.strategies: expected a tuple .*, got \(\['us'\],\)"),
    "a long strategy": ({"strategies": ("us@" + "9" * 300,)}, r"config.strategies: .* \(30. signs\)$"),
    "names that are no text": ({"lams": {1: 2}}, r"config.lams: expected strategy names with .*, got \{1: 2\}"),
    "a flag as a number": ({"momentum": True}, "config.momentum: expected a number between 0 and 1, got True"),
    "no fields": ({"vabal": 3}, "config.vabal: expected fields, as configs/base.py has them, got 3"),
    "a milestone": ({"milestones": (1, 2**70)}, "config.milestones: expected a rising tuple of integers above 0"),
    "a plateau and milestones": (
        {"plateau": 10, "milestones": (40,)},
        r"config.plateau: the rate falls where the loss stays, which needs config.* \(\) .*, got \(40,\) and 0.5",
    ),
    "a plateau without a fall": ({"plateau": 10, "decay": 1.0}, r"config.plateau: the rate .*, got \(\) and 1.0"),
    "a path of a page": ({"dataset": "x" * 1001}, r"config.dataset: .* got 'xxx.*\.\.\. \(1,003 signs\)"),
}


@pytest.mark.parametrize("change, message", REFUSED.values(), ids=REFUSED)
def test_refused(change, message):
    check_config(tiny(), *OWNED)
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        check_config(tiny(**change), *OWNED)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_value_in_a_message():
    class Rude:
        def __repr__(self):
            raise RuntimeError

    assert shown("us") == "'us'" and shown(Rude()) == "a Rude that cannot be written (RuntimeError)"
    assert shown("x" * 998) == "'" + "x" * 99 + "... (1,000 signs)"


def test_lists_become_tuples():
    assert as_tuples({"a": [1, [2]], "b": {"c": [], "d": 3}}) == {"a": (1, [2]), "b": {"c": (), "d": 3}}
