"""Which fields differ, by hand, and what a field that an older config lacks counts as."""

import pytest

from configs.base import get_base
from experiments.store.same_config import completed, differing

BASE = get_base().to_dict()


@pytest.mark.parametrize(
    ("one", "other", "fields"),
    [
        ({"budget": 3, "maps": ("unit",)}, {"budget": 3, "maps": ["unit"]}, []),
        ({"budget": 3, "seeds": 1}, {"budget": 4, "seeds": 2}, [("budget", 3, 4), ("seeds", 1, 2)]),
        ({}, {"copies": BASE["copies"]}, []),
        ({}, {"copies": 7}, [("copies", BASE["copies"], 7)]),
        ({"lams": {"us-cb": 0.5}}, {}, [("lams", {"us-cb": 0.5}, {})]),
        ({"of_mine": 1}, {}, [("of_mine", 1, None)]),
        ({"budget": {"a": 1}}, {"budget": 3}, [("budget", {"a": 1}, 3)]),
        ({"vabal": {}}, {"vabal": dict(BASE["vabal"])}, []),
    ],
    ids=[
        "the same",
        "others",
        "lacks a default",
        "lacks another",
        "lacks a dict",
        "unknown",
        "another kind",
        "lacks a part of one",
    ],
)
def test_fields_that_differ(one, other, fields):
    assert list(differing(one, other)) == fields
    assert list(differing(other, one)) == [(field, now, then) for field, then, now in fields]


def test_a_part_of_a_field():
    ((field, then, now),) = differing({"vabal": {"weight": 1.0}}, {"vabal": {}})
    assert field == "vabal" and then["weight"] == 1.0 and now == BASE["vabal"] | {"milestones": []}


def test_a_config_is_completed_to_the_fields_of_its_fields():
    whole = completed({"budget": 7, "vabal": {"weight": 3.0}, "lams": {"us-cb": 0.5}, "of_mine": 1})
    assert whole == BASE | {"budget": 7, "vabal": BASE["vabal"] | {"weight": 3.0}, "lams": {"us-cb": 0.5}, "of_mine": 1}
    assert completed({}) == BASE
