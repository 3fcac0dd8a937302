"""The published tables of single-stage selection agree with their own sums, but for the cells named here."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import metrics
from experiments.published.minority import INDUCED
from experiments.published.single_stage import BUDGETS, CELLS, CLASSES, load_accuracy, load_found

PLAIN = ["random", "ent-inv-div", "ls-inv-div", "kcenter"]
ENSEMBLES = ["random", "ent-inv-div", "ent-inv-div+ens", "ls-inv-div", "ls-inv-div+ens", "kcenter", "kcenter+ens"]
STRATEGIES = {6: ENSEMBLES, 7: ENSEMBLES, 8: PLAIN, 9: PLAIN}
DISAGREE = {(7, "ls-inv-div+ens"): -0.5812, (7, "kcenter+ens"): -0.5599}  # printed -.576 and -.554
SLACK = 1.01  # times half of the last digit: the paper rounds .5965, .6315 and 91.275 down


def values(row):
    return jnp.asarray(list(row.cells.values()))


def triple(row, dataset):
    return [row.cells[dataset, budget] for budget in BUDGETS]


@pytest.mark.parametrize(("table", "strategy"), [(t, s) for t, names in STRATEGIES.items() for s in names])
def test_g_al_follows_from_its_row(table, strategy):
    rows = load_accuracy(table)
    got = float(metrics.g_al(values(rows[strategy]), values(rows["full"])))
    if (table, strategy) in DISAGREE:
        assert got == pytest.approx(DISAGREE[table, strategy], abs=6e-5)
        assert abs(got - rows[strategy].overall) > 0.005
    else:
        assert got == pytest.approx(rows[strategy].overall, abs=SLACK * 5e-4)


def test_tables_are_complete():
    for table, names in STRATEGIES.items():
        rows = load_accuracy(table)
        assert list(rows) == [*names, "full"] and math.isnan(rows["full"].overall)
        assert all(tuple(row.cells) == CELLS for row in rows.values())
        full = (65.85, 59.49, 70.20, 72.43) if table < 8 else (68.53, 63.02, 72.89, 65.47)
        np.testing.assert_array_equal(list(rows["full"].cells.values()), np.repeat(full, 3))
    assert load_accuracy(12) == load_accuracy(6, "svm") == load_accuracy(10) == {}


def test_schemes_are_the_rows_of_table_6():
    """Table 6 has fine-tuning on Food-101 and the SVM on CIFAR-100; every label goes with fine-tuning."""
    svm, network, best = load_accuracy(12, "svm"), load_accuracy(12, "network"), load_accuracy(6)
    for name in PLAIN:
        assert tuple(svm[name].cells) == tuple(network[name].cells) == CELLS[:6]
        assert triple(network[name], "food101") == triple(best[name], "food101")
        assert triple(svm[name], "cifar100") == triple(best[name], "cifar100")
    for dataset, full in (("food101", 42.84), ("cifar100", 50.4)):
        assert triple(svm["full"], dataset) == [full] * 3
        assert triple(network["full"], dataset) == triple(best["full"], dataset)


@pytest.mark.parametrize(("quantity", "digit"), [("classes", 0.01), ("ratio", 0.001)])
@pytest.mark.parametrize("table", [10, 11])
def test_averages_follow_from_their_rows(table, quantity, digit):
    rows = load_found(table, quantity)
    assert list(rows) == [*PLAIN, "full"]
    for row in rows.values():
        assert tuple(row.cells) == CELLS
        assert np.mean(list(row.cells.values())) == pytest.approx(row.overall, abs=SLACK * digit / 2)


def test_classes_found_are_means_of_five_runs_but_for_one():
    odd = []
    for table in (10, 11):
        rows = load_found(table, "classes")
        assert rows["full"].cells == {(dataset, budget): CLASSES[dataset] for dataset, budget in CELLS}
        for name, row in rows.items():
            assert all(row.cells[cell] <= rows["full"].cells[cell] for cell in CELLS)
            odd += [(table, name, *cell) for cell in CELLS if not np.isclose(5 * row.cells[cell] % 1, (0, 1)).any()]
    assert odd == [(11, "kcenter", "cifar100", 500)]  # 98.3


def test_table_11_repeats_triples():
    """CIFAR-100 and IMN-100 are told alike in both inverted strategies of Table 11, and nowhere else."""
    alike = {
        (table, name)
        for table in (10, 11)
        for name, row in load_found(table, "ratio").items()
        if name != "full" and triple(row, "cifar100") == triple(row, "imagenet100")
    }
    assert alike == {(11, "ent-inv-div"), (11, "ls-inv-div")}
    rows = load_found(11, "ratio")
    assert triple(rows["ent-inv-div"], "cifar100") == [0.261, 0.192, 0.134]
    assert triple(rows["ls-inv-div"], "cifar100") == [0.192, 0.191, 0.149]


@pytest.mark.parametrize("dataset", INDUCED)
def test_induced_imbalance_by_hand(dataset):
    row = INDUCED[dataset]
    assert row.classes == CLASSES[dataset]
    assert row.images / row.classes == pytest.approx(row.mean, abs=0.01)  # 227.287 is cut, 213.149 rounded
    two = jnp.asarray([row.mean - row.deviation, row.mean + row.deviation])  # classes of that mean and deviation
    assert float(metrics.imbalance_ratio(two)) == pytest.approx(row.ratio, abs=5e-4)


def test_accuracy_over_all_classes_by_hand():
    """80 % on the 87 classes found of 101: 80 * 87 / 101; what the other 14 would reach does not count."""
    found = jnp.arange(101) < 87
    got = 100 * metrics.found_accuracy(jnp.where(found, 0.8, 0.5), 3 * found)
    assert float(got) == pytest.approx(68.911, abs=5e-4)
