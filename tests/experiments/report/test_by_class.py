"""Recall and labels of each class, averaged by hand."""

from experiments.report import by_class
from experiments.report.runs import of_records

DATA = {"classes": ["a|b", "c", "d"], "left": [500, 20, 90], "tested": [100, 0, 18]}


def record(strategy, seed, cycle, recall, counts):
    base = {"accuracy": 0.5, "macro_f1": 0.5, "cbi": 2.0, "l1_score": 0.3, "num_labelled": sum(counts)}
    return {"strategy": strategy, "seed": seed, "cycle": cycle, "recall": recall, "counts": counts, **base}


RECORDS = [
    record("random", 0, 0, [0.1, None, 0.1], [4, 0, 1]),
    record("random", 0, 1, [0.9, None, 0.25], [8, 0, 2]) | {"balanced_accuracy": 0.575, "worst_recall": 0.25},
    record("random", 1, 0, [0.1, None, 0.1], [4, 0, 1]),
    record("random", 1, 1, [0.7, None, 0.75], [7, 1, 2])
    | {"balanced_accuracy": 0.725, "log_loss": 1.5, "calibration_error": None},
    record("us", 0, 0, [0.1, None, 0.1], [4, 0, 1]),
    record("us", 0, 1, [0.8, None, 0.5], [5, 3, 2]),
    record("us", 1, 0, [0.2, None, 0.2], [4, 0, 1]),  # not finished
]


def test_recall_and_labels_of_each_class():
    text, (header, rows), _, (_, summary) = by_class.write_sections(of_records(RECORDS, environment={"data": DATA}))
    assert header == ["class", "pool", "tested", "random", "us"] and "Recall of every class at cycle 1" in text
    assert rows == [
        ["c", "20", "0", "- (0.5)", "- (3.0)"],
        ["d", "90", "18", "0.50 (2.0)", "0.50 (2.0)"],
        [r"a\|b", "500", "100", "0.80 (7.5)", "0.80 (5.0)"],
    ]
    assert summary[0] == ["random", "0.650", "0.250", "-", "0.500", "0.800", "1.500", "-"]


def test_of_many_classes_the_rarest():
    data = {"classes": [], "left": list(range(30, 0, -1)), "tested": [1] * 30}
    records = [record("us", 0, 0, [0.5] * 30, [1] * 30)]
    text, (_, rows), *_ = by_class.write_sections(of_records(records, environment={"data": data}))
    assert "the 20 rarest of 30 classes" in text and [row[0] for row in rows] == [str(k) for k in range(29, 9, -1)]


def test_runs_that_lack_it():
    assert by_class.write_sections(of_records(RECORDS)) == []
    without = [{**one, "recall": []} for one in RECORDS]
    assert by_class.write_sections(of_records(without, environment={"data": DATA})) == []
