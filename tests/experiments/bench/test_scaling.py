"""The weak-scaling command: what it measures is the same cycle on every layout; its model, by hand."""

import argparse

import pytest
from drawn import legend, lines

from experiments.bench import hlo, scaling

pytestmark = pytest.mark.slow

SETTINGS = {"rows": 16, "blocks": 2, "features": 8, "classes": 3, "budget": 5}


def test_two_devices_pick_what_one_does_and_send_a_row_of_features():
    alone, split = scaling.measure(1, 1, SETTINGS), scaling.measure(1, 2, SETTINGS)
    assert len(set(alone["indices"])) == 5 and alone["indices"] == split["indices"]
    assert max(alone["indices"]) >= 16, "no pick lies on the second device"
    assert (alone["bytes_a_label"], split["bytes_a_label"]) == (0, 4 * (8 + 5))


def test_the_model():
    """4 rows of 10 bytes on each of 4 devices, 2 exchanges of 3 us in two rounds."""
    args = argparse.Namespace(pool=16, pool_devices=4, latency_us=3.0, bandwidth_GBps=1e-3)
    found = scaling.elsewhere({"fixed_s": 1e-6, "bytes_row": 10}, 2, args)
    assert found["pass_s"] == pytest.approx(40e-6) and found["exchanges_s"] == pytest.approx(12e-6)
    assert found["label_s"] == pytest.approx(53e-6)


def test_the_figure(tmp_path, drawn):
    row = {"devices": 1, "label_s": 1e-3, "model_s": 2e-3, "one_device_s": 3e-3, "fixed_s": 4e-3}
    rows = {"1 x 1": row, "1 x 2": row | {"devices": 2}, "2 x 2": row | {"devices": 4, "label_s": 5e-3}}
    scaling.draw({"rows": rows}, tmp_path / "scaling.png")
    assert [[[round(y, 9) for y in xy] for xy in points] for _, points in lines(drawn[0].axes[0])] == [
        *([[1, ms], [2, ms]] for ms in (1, 2, 3, 4)),
        [[4, 5]],
    ]
    assert legend(drawn[0])[0] == "measured, one process" and legend(drawn[0])[-1] == "measured, two processes"
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_collectives_are_read_from_the_text():
    text = """
      %a = (f32[8,3]{1,0}, s32[]) all-reduce-start(%x, %y), metadata={op_name="jit(f)/while/body/psum"}
      %b = pred[4]{0} all-gather(%z), dimensions={0}, metadata={op_name="jit(f)/all_gather"}
      %c = f32[8]{0} add(%p, %q), metadata={op_name="jit(f)/add"}
    """
    first, second = hlo.collectives(text)
    assert (first.kind, first.bytes, second.kind, second.bytes) == ("all-reduce", 100, "all-gather", 4)
    assert hlo.in_loops(text) == [first]
