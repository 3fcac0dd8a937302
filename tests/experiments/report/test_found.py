"""What is said of the data, by hand."""

from experiments.report import found
from experiments.report.markdown import plain

DATA = {
    "classes": ["often", "a|b $[x]"], "counts": [1200, 12], "tested": [300, 3], "left": [1200, 12], "shape": [16],
    "scaling": "clipped", "range": [-2.5, 4.0], "constant": 2, "notes": ["The labels are in column 'a_b'."],
}  # fmt: skip


def test_sentences():
    assert found.lines(DATA, "mine.csv") == [
        "Rows: 1,212 to learn from, 303 to test, each 16 features, from mine.csv.",
        "Classes: 2, with so many training rows: often (1,200), a|b $[x] (12).",
        "The rarest class is a|b $[x]: 12 training rows of 1,212 (0.99%), 3 tested.",
        "Nothing was cut: every training row is in the pool.",
        "Scaled (config.scaling 'clipped'): each feature to mean 0 and deviation 1 over the training rows, then cut at "
        "4 deviations; training rows then lie between -2.5 and 4; 2 features that never vary became 0.",
        "The labels are in column 'a_b'.",
    ]
    written = found.lines(DATA, "mine.csv", plain)
    assert r"a\|b \$\[x\] (12)" in written[1] and written[-1] == r"The labels are in column 'a\_b'."


def test_a_cut_and_classes_without_rows():
    data = DATA | {"classes": [], "counts": [100, 50, 0], "tested": [5, 0, 5], "left": [10, 50, 0], "range": None}
    said = found.lines(data, "letter")
    assert "Classes with no training row, so that nothing can be learnt of them: 2." in said
    assert "Classes with no test row, so that no score: 1." in said
    assert "The rarest class is 2: 0 training rows of 150 (0.00%), 5 tested." in said
    assert any(
        line.startswith("The pool was cut to 60 of 150 training rows, ") and "0 100 to 10" in line for line in said
    )


def test_balanced_classes_have_no_rarest():
    data = DATA | {"classes": [], "counts": [5, 5], "tested": [2, 2], "left": [5, 5], "shape": [8, 8, 3]}
    said = found.lines(data, "photos.npz")
    assert said[0].endswith("each 8 x 8 x 3 numbers, from photos.npz.")
    assert said[2] == "All classes have as many training rows." and "all places of a channel" in said[4]


def test_many_classes_are_told_by_their_ends():
    counts = list(range(1, 31))
    said = found.lines(DATA | {"classes": [], "counts": counts, "tested": counts, "left": counts}, "mine.csv")
    assert said[1] == (
        "Classes: 30, with so many training rows: 29 (30), 28 (29), 27 (28), 26 (27), ..., 3 (4), 2 (3), 1 (2), 0 (1)."
    )


def test_runs_of_earlier_versions_say_nothing():
    assert found.lines({"rows": 3, "classes": []}, "letter") == []
