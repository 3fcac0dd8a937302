"""A run as units of work: which lanes advance in step, and in which order records stand."""

from experiments.plan.strategies import lanes_of, parse
from experiments.plan.work import active, groups, single_stage


def test_groups():
    seeds = range(2)
    config = {"strategies": ("us", "us-cb"), "scheme": "network"}
    assert groups(config, seeds, together=False) == [((parse(name), s),) for name in ("us", "us-cb") for s in seeds]
    assert groups(config | {"strategies": ("us", "us-fbu", "us-cb", "us-alfamous")}, seeds, together=True) == [
        tuple(lanes_of(("us",), seeds)),
        tuple(lanes_of(("us-fbu", "us-alfamous"), seeds)),
        tuple(lanes_of(("us-cb",), seeds)),
    ]


def test_records_stand_in_the_order_of_names_seeds_and_cycles():
    config = {"strategies": ("us-cb", "us"), "scheme": "network", "initial": 3, "budget": 2, "cycles": 1}
    plan = active(config, range(2), together=False)
    records = [
        {"strategy": str(lane.strategy), "seed": lane.seed, "cycle": cycle, "num_labelled": 3 + 2 * cycle}
        for (lane,) in plan.groups
        for cycle in range(plan.last_cycle(lane) + 1)
    ]
    assert sorted(records, key=plan.place) == records and len({plan.place(r) for r in records}) == len(records) == 8
    assert sum(map(plan.weight, records)) == plan.total == 4 * (3 + 5)


def test_a_single_stage_has_a_cycle_for_each_budget_and_one_for_all_labels():
    config = {"selections": ("random", "kcenter-bal"), "schemes": ("svm", "network"), "budgets": (5, 9, 20)}
    plan = single_stage(config, range(2))
    records = [
        {"strategy": f"{lane.strategy}:{scheme}", "seed": lane.seed, "cycle": cycle}
        for (lane,) in plan.groups
        for cycle in range(plan.last_cycle(lane) + 1)
        for scheme in config["schemes"]
    ]
    assert sorted(records, key=plan.place) == records and len({plan.place(r) for r in records}) == len(records)
    assert sum(map(plan.weight, records)) == plan.total == len(records) == 2 * 2 * (1 + 2 * 3)
