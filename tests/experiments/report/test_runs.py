"""A run as arrays: what stands where, and what is NaN."""

import json
import pathlib

import numpy as np
import pytest
from records_by_hand import make_records, write_run

from experiments.plan.strategies import Strategy
from experiments.report.runs import load, of_lanes, of_records


@pytest.fixture
def records():
    """us has seeds 2 and 5, the second without cycle 1; random has seed 5 alone, and nothing but cycle 0."""
    records = make_records({"us": {2: (0.1, 0.2, 0.3), 5: (0.4, 0.5, 0.6)}, "random": {5: (0.7,)}})
    return [r for r in records if (r["strategy"], r["seed"], r["cycle"]) != ("us", 5, 1)]


def test_arrays_by_hand(records):
    records[0] |= {"macro_f1": None, "recall": [0.5, None, 1.0], "scheme": "svm"}
    records[1]["cbi"] = float("inf")
    run = of_records(records)
    assert list(run.lanes) == ["random", "us"] and run.seeds == [2, 5] and run.last_cycle == 2
    us, random = run.lanes["us"], run.lanes["random"]
    assert us.strategy == Strategy("us") and us.seeds == (2, 5) and random.seeds == (5,)
    np.testing.assert_array_equal(us.recorded, [[True, True, True], [True, False, True]])
    np.testing.assert_array_equal(us.whole, [True, False])
    np.testing.assert_array_equal(us.metrics["macro_f1"], [[np.nan, 0.2, 0.3], [0.4, np.nan, 0.6]])
    np.testing.assert_array_equal(us.metrics["cbi"], [[2.1, np.nan, 2.3], [2.4, np.nan, 2.6]])
    np.testing.assert_array_equal(us.metrics["num_labelled"], [[10, 20, 30], [10, np.nan, 30]])
    np.testing.assert_array_equal(us.counts[0], [[6, 3, 1], [12, 6, 2], [18, 9, 3]])
    np.testing.assert_array_equal(us.recall[0, :2], [[0.5, np.nan, 1.0], [np.nan] * 3])
    assert us.schemes.tolist() == [["svm", "", ""], ["", "", ""]]
    np.testing.assert_array_equal(random.recorded, [[True, False, False]])


def test_of_the_counts(records):
    """Counts 6, 3, 1 have a deviation of sqrt(38 / 9) over a mean of 10 / 3; 0, 5, 0 are one class found."""
    records[1]["counts"] = [0, 5, 0]
    del records[2]["counts"]
    us = of_records(records).lanes["us"]
    np.testing.assert_array_equal(us.counted, [[True, True, False], [True, False, True]])
    np.testing.assert_allclose(us.metrics["imbalance_ratio"][0], [np.sqrt(38) / 10, np.sqrt(2), np.nan])
    np.testing.assert_array_equal(us.metrics["found"][0], [3, 1, np.nan])
    for record in records:
        record.pop("counts", None)
    bare = of_records(records).lanes["us"]
    assert bare.counts.shape == (2, 3, 0) and not bare.counted.any() and np.isnan(bare.metrics["found"]).all()


def test_some_lanes_of_a_run(records):
    run = of_records(records)
    random = of_lanes(run, [run.lanes["random"]])
    assert random.last_cycle == 0 and random.lanes["random"].counts.shape == (1, 1, 3)
    renamed = of_lanes(run, [own._replace(strategy=own.strategy._replace(scheme="svm")) for own in run.lanes.values()])
    assert list(renamed.lanes) == ["random:svm", "us:svm"] and renamed.last_cycle == 2


def test_a_run_is_read_with_what_stands_beside_it(tmp_path, records):
    write_run(tmp_path, records, dataset="letter")
    bare = load(str(tmp_path))
    assert bare.config == {"dataset": "letter"} and bare.environment == {} and bare.timings == []
    (tmp_path / "environment.json").write_text('{"backend": "cpu"}')
    (tmp_path / "timings.jsonl").write_text('{"train_s": 1.0}\n')
    run = load(tmp_path)
    assert run.environment == {"backend": "cpu"} and run.timings == [{"train_s": 1.0}]
    assert run.folder == pathlib.Path(tmp_path) and list(run.lanes) == ["random", "us"]
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match="config.json: not a JSON object"):
        load(tmp_path)


def test_lam_curves_are_those_of_cycle_0(records):
    curve = {"lam": [0.0, 0.1], "l1": [2.0, 1.0], "utility": [3.0, 2.0]}
    records[3] |= {"lam": 0.1, "lam_curve": curve}
    assert json.loads(json.dumps(records[3]))["seed"] == 5
    us = of_records(records).lanes["us"]
    assert us.lam_curves == {5: curve} and us.metrics["lam"][1, 0] == 0.1
