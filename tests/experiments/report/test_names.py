"""Names of somebody's files, as terminals, pages and figures show them."""

import json

import pytest
from records_by_hand import make_records, write_run

from experiments.report import checked, names, page
from experiments.report.markdown import number

NAMES = ["$0_$10", "a|b\n<i>[x](y)", "\x1b[31m" + "x" * 500]


def test_what_cannot_be_seen_is_written_out():
    assert names.visible("a\nb\t\x1b[31m\u202e\ud800") == r"a\nb\t\x1b[31m\u202e\ud800"
    assert names.visible("Zürich 名前") == "Zürich 名前"
    assert names.visible("x" * 500) == "x" * 197 + "..." and names.visible("x" * 500, 9) == "xxxxxx..."
    assert names.plain("$a_|<b>&c[d]*`~^#") == r"\$a\_\|\<b\>\&c\[d\]\*\`\~\^\#"


@pytest.mark.slow
def test_a_report_shows_them(tmp_path, drawn, capsys):
    """Class names with signs of TeX, Markdown, HTML and terminals, a path with brackets."""
    data = {"classes": NAMES, "counts": [60, 20, 10], "tested": [6, 2, 1], "left": [60, 20, 10], "shape": [4]}
    data |= {"scaling": "none", "range": [0.0, 1.0], "constant": 0, "notes": ["one\ntwo"], "rows": 99, "published": 99}
    records = [record | {"recall": [0.5, None, 1.0]} for record in make_records()]
    write_run(tmp_path, records, dataset="x[/red]/pool[a].npz")
    (tmp_path / "environment.json").write_text(json.dumps({"data": data, "cpu": "a|b"}))
    assert page.main([str(tmp_path)]) == 0
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# Active learning on x\\[/red\\]/pool\\[a\\].npz\n")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    (row,) = [line for line in rows if line.startswith(r"| \$0\_\$10 |")]
    (other,) = [line for line in rows if line.startswith(r"| a\|b\\n\<i\>\[x\](y) |")]
    assert row.count(" | ") == other.count(" | ") == 6 - 1 and "\x1b" not in text and "- cpu: a\\|b" in text
    assert "- one\\\\ntwo" in text and max(map(len, rows)) < 400
    labels = {label.get_text() for figure in drawn for axis in figure.axes for label in axis.get_xticklabels()}
    assert {r"\$0_\$10", r"a|b\n<i>[x](y)"} <= labels, "a dollar that is not mathematics"
    printed = capsys.readouterr().out
    assert printed.startswith("x[/red]/pool[a].npz: mean") and "\x1b" not in printed


def test_numbers_of_any_size_take_a_cell():
    assert [number(x, 3) for x in (0.5, -1e9, 1e300, float("nan"))] == ["0.500", "-1e+09", "1e+300", "-"]
    assert number(1e300, 2, "+") == "+1e+300" and number(999999999.0, 0) == "999999999"


GOOD = make_records()[0]
BAD_RECORDS = {
    "400 digits": ({"accuracy": 10**400}, "accuracy must be a number or null, got 1000000000"),
    "a seed of 400 digits": ({"seed": 10**400}, "seed must lie below 2**53"),
    "a negative seed": ({"seed": -1}, "seed must not be negative, got -1"),
    "a count of 400 digits": ({"counts": [10**400, 1, 1]}, "counts must be a list of numbers from 0 on"),
    "a name with markup": ({"strategy": "us|<b>"}, "strategy must be a name, got 'us|<b>"),
    "a name of two lines": ({"strategy": "us\nus"}, "strategy must be a name"),
    "a long name": ({"strategy": "u" * 201}, "strategy must be a name"),
    "half a curve": ({"lam_curve": {"lam": [0.1], "l1": [1.0, 2.0], "utility": [1.0]}}, "lam_curve must hold"),
    "a map that is no name": ({"map": 3}, "map must be str, got 3"),
}


@pytest.mark.parametrize("change, message", BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_records_that_no_run_writes(change, message):
    assert checked.problem(GOOD, 0) is None
    said = checked.problem(GOOD | change, 0)
    assert message in said and "\n" not in said and len(said) < 300


def test_cycles_that_lie_too_far_apart():
    """No array is made for them, and no list of what is missing."""
    assert checked.too_far_apart(make_records()) is None
    assert (
        checked.too_far_apart([GOOD, GOOD | {"cycle": 10**9}])
        == "cycle 1000000000 is too far from the others for 2 records"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"seeds": 10**9}, "seeds must be a number from 0 to 99,999, got 1000000000"),
        ({"strategies": [1]}, r"strategies must be a list of names, got \[1\]"),
        ({"dataset": 3}, "dataset must be text, got 3"),
        ({"minority": [0, -1]}, "minority must be text or a list of classes"),
        ({"minority_ratio": "x"}, "minority_ratio must be a number, got 'x'"),
    ],
)
def test_configs_that_no_run_writes(tmp_path, config, message):
    with pytest.raises(ValueError, match=f"^{tmp_path}/config.json: {message}"):
        checked.check_config(config, tmp_path / "config.json")
    checked.check_config({"seeds": 3, "strategies": ["us"], "unknown": object()}, tmp_path)
