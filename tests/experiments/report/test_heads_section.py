"""The section about last layers, on records made by hand."""

import pytest
from records_by_hand import make_records

from experiments.report import checked, heads, runs


def section(config=None, **of_last):
    records = make_records()
    for record in records:
        record |= {"train_accuracy": 0.5 + 0.25 * (record["cycle"] > 0), "ridge": 0.1 * (1 + record["cycle"])}
        record |= {"map": "unit" if record["cycle"] else "common"}
    records[-1] |= of_last
    return heads.write_sections(runs.of_records(records, config=config))


def test_a_run_without_training_accuracy_has_none():
    assert heads.write_sections(runs.of_records(make_records())) == []


def test_accuracies_maps_and_ridges_by_hand():
    _, _, (header, rows) = section()
    assert header == ["strategy", "labelled rows", "test rows", "maps chosen", "ridges chosen"]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["random"] == [
        "0.667",
        "0.317",
        "unit 4, common 2",
        "0.1 to 0.3",
    ]  # (1/2 + 3/4 + 3/4) / 3, 1.6/6 + .05


def test_a_network_that_does_not_fit_is_warned_of_and_a_map_is_not():
    warning = section()[1]
    assert "does not fit its own labels" in warning and "random 0.75" in warning
    assert len(section({"head": "map"})) == 2


def test_fits_that_did_not_converge_are_counted():
    (_, warning, _) = section({"head": "map"}, converged=False)
    assert warning == "**random: 1 fits of the last layer did not converge.**"


@pytest.mark.parametrize("value", ["much", True])
def test_a_ridge_that_is_no_number_is_refused(value):
    record = make_records()[0] | {"ridge": value}
    assert "ridge must be a number" in checked.problem(record, 0)
