"""The report on how a run finds its classes, by hand."""

import pathlib

import numpy as np
import pytest

from experiments.report import class_progress
from experiments.report.runs import of_records

COUNTS = {0: [4, 0], 1: [6, 2], 2: [6, 6]}
SCHEME = {0: "cs-svm", 1: "cs-svm", 2: "network-th"}


def record(seed, cycle, **fields):
    base = {"strategy": "margin", "accuracy": 0.5, "macro_f1": 0.5, "cbi": None, "scheme": SCHEME[cycle]}
    place = {"seed": seed, "cycle": cycle, "num_labelled": sum(COUNTS[cycle]), "counts": COUNTS[cycle]}
    return base | place | fields


def a_run(folder=pathlib.Path(), config=None, **fields):
    return of_records([record(seed, cycle, **fields) for seed in (0, 1) for cycle in COUNTS], folder, config)


def test_ratio_and_found():
    metrics = a_run().lanes["margin"].metrics
    np.testing.assert_array_equal(metrics["imbalance_ratio"], [[1.0, 0.5, 0.0]] * 2)
    np.testing.assert_array_equal(metrics["found"], [[1, 2, 2]] * 2)
    header, rows = class_progress.ratio_table(a_run())
    assert header == ["strategy", "4 labels", "8 labels", "12 labels"]
    assert rows == [["margin", "**1.000 ± 0.000**", "**0.500 ± 0.000**", "**0.000 ± 0.000**"]]


def test_switches():
    assert class_progress.switches(a_run()) == [["margin", "12, 12"]]
    assert class_progress.switches(a_run(scheme="cs-svm")) == [["margin", "never, never"]]
    assert class_progress.switches(a_run(scheme="")) == []


def test_schemes_are_compared_where_a_run_has_both():
    """Under the cost-sensitive SVM .6 and .8 in either seed after the start, under the other .5."""
    records = [record(seed, cycle, strategy="margin:svm") for seed in (0, 1) for cycle in COUNTS]
    records += [record(s, c, strategy="margin:cs-svm", accuracy=(0.5, 0.6, 0.8)[c]) for s in (0, 1) for c in COUNTS]
    assert class_progress.scheme_pairs(of_records(records)) == [
        ["margin", "cs-svm - svm", "+20.00 ± 0.00", "2 of 2", "-"]
    ]


@pytest.mark.parametrize(
    ("fields", "config", "sections"),
    [
        ({}, {"scheme": "network"}, 0),
        ({}, {"scheme": "switch"}, 6),
        ({"strategy": "margin:network"}, {}, 6),
        ({"strategy": "dmcs-marg", "scheme": ""}, {}, 4),
        ({"strategy": "cds-bal-pred", "scheme": ""}, {}, 4),
    ],
    ids=["network", "switch", "scheme of its own", "minority-class", "centroids"],
)
def test_runs_that_have_the_section(tmp_path, fields, config, sections):
    assert len(class_progress.write_sections(a_run(tmp_path, config, **fields))) == sections
    assert (tmp_path / "progress.png").exists() == bool(sections)
