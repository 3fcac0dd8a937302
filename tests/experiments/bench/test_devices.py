"""The table of known devices, and what bounds a row, by hand."""

import json
import pathlib
import sys

import pytest

from experiments.bench import __main__ as bench
from experiments.bench import compare, devices

pytestmark = pytest.mark.slow

ROW = {
    "median_s": 0.004,
    "limit_s": 0.002,
    "fraction": 0.5,
    "bound": "memory",
    "bandwidth_GBps": 40.0,
    "rate_GFLOPs": 900.0,
}
RESULT = {
    "environment": {
        "backend": "gpu", "devices": ["Card 9"], "cpu": "any", "cores": 8,
        "jax": "0.10.2", "date": "2026-11-30T01",
    },
    "shape": devices.SHAPE,
    "bandwidth_GBps": 1234.5,
    "matmul_GFLOPs": {"highest": 5678.9, "default": 1.0},
    "rows": {"cycle: label, least_confidence": ROW, "kcenter: pick": {"median_s": 0.0123}},
}  # fmt: skip


def changed(**fields):
    return json.loads(json.dumps(RESULT)) | fields


def test_verdict():
    assert devices.verdict(ROW) == "reading and writing at 40 GB/s bound it: 2 times the least time"
    assert devices.verdict(ROW | {"bound": "compute"}) == "products at 900 GFLOP/s bound it: 2 times the least time"
    small = devices.verdict(ROW | {"bound": "overhead", "median_s": 0.05})
    assert small == "overhead: 25 times the least time, so that neither memory nor products bound it"
    assert devices.verdict({"median_s": 1.0}) == ""


def test_a_line():
    cells = [
        "Card 9",
        "gpu",
        "1234",
        "5679",
        "4",
        "",
        "",
        "",
        "12.3",
        "",
        "50% of the memory limit",
        "0.10.2",
        "2026-11-30",
    ]
    assert devices.line("card.json", RESULT) == cells
    on_cpu = RESULT["environment"] | {"backend": "cpu"}
    assert devices.line("cpu.json", changed(environment=on_cpu))[0] == "any (8 cores)"


def test_the_table_has_every_known_device_and_the_files(tmp_path, monkeypatch, capsys):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(RESULT))
    monkeypatch.setattr(sys, "argv", ["bench", "devices", str(path)])
    bench.main()
    head, rule, *lines = capsys.readouterr().out.splitlines()
    assert len({text.count("|") for text in (head, rule, *lines)}) == 1
    assert len(lines) == 1 + len(list(devices.KNOWN.glob("*.json"))) > 1 and lines[-1].startswith("| Card 9 | gpu |")
    for known in devices.KNOWN.glob("*.json"):
        assert compare.load(str(known))["environment"]["git_dirty"] is False


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"shape": {"rows": 3}}, r"card.json: measured at {'rows': 3}, expected the default sizes"),
        ({"matmul_GFLOPs": None}, "card.json: not a whole result of experiments.bench"),
        ({"environment": {"backend": "gpu", "devices": []}}, "card.json: not a whole result of experiments.bench"),
    ],
)
def test_what_is_no_result_is_named(fields, said):
    with pytest.raises(ValueError, match=said):
        devices.line("card.json", changed(**fields))


def test_docs_have_the_table():
    text = (pathlib.Path(__file__).parents[3] / "docs" / "speed.md").read_text(encoding="utf-8")
    assert devices.table([]) in text
