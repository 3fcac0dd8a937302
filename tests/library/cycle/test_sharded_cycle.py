"""The cycle and the selectors on pools whose rows are split over devices: the picks of one device."""

import math
import re

import jax
import numpy as np
import pytest
from host_devices import output_of
from sharded_cycle import BUDGET, D, K, N, problems

from alfamous_jax.datasets import split_rows

pytestmark = pytest.mark.slow

BYTES = {"f32": 4, "s32": 4, "pred": 1}


@pytest.fixture(scope="module")
def output():
    return output_of("sharded_cycle.py")


def indices_of(leaves):
    """The picks: the first integers of their length among the results."""
    return next(x for x in map(np.array, leaves) if x.shape == (BUDGET,) and x.dtype.kind == "i")


@pytest.mark.parametrize(
    ("name", "meshes"),
    [
        ("least_confidence True", (1, 2, 4, 8)),
        *((f"{utility} True", (8,)) for utility in ("margin", "bald", "random")),
        *((f"{utility} False", (8,)) for utility in ("least_confidence", "margin", "bald", "random")),
        ("minibatch", (8,)),
        ("steps", (8,)),
        ("k_center", (8,)),
        ("k_center_balanced", (2, 8)),
        ("badge", (2, 8)),
        ("falcun", (2, 8)),
        ("maxherding", (2, 8)),
        ("uherding", (2, 8)),
        *((name, (8,)) for name in ("base", "galaxy", "direct")),
        ("fit", (8,)),
        ("root", (8,)),
    ],
    ids=str,
)
def test_as_on_one_device(output, name, meshes):
    """Every integer and mask is the same, floats are up to rounding; on hard pools, with lam 0 and above."""
    records = [record for record in output["records"] if record["name"] == name]
    assert len(records) in (3, 6)
    for record in records:
        assert set(record["split"]) == {str(devices) for devices in meshes}
        for leaves in record["split"].values():
            for alone, split in zip(map(np.array, record["alone"]), map(np.array, leaves), strict=True):
                tolerance = 1e-5 if alone.dtype.kind == "f" else 0
                np.testing.assert_allclose(split, alone, rtol=tolerance, atol=tolerance, err_msg=record["case"])


class TestHardPools:
    """That the pools are as hard as they should be."""

    def leaves(self, output, name, case):
        found = [record for record in output["records"] if (record["name"], record["case"]) == (name, case)]
        return found[0]["split"]["8"]

    @pytest.mark.parametrize("name", ["margin True", "random False", "minibatch"])
    def test_fewer_rows_than_the_budget(self, output, name):
        leaves = self.leaves(output, name, "few 0.3")
        indices = indices_of(leaves)
        assert sorted(indices[:3]) == [9, 57, 62] and (indices[3:] == -1).all()
        assert leaves[-3:-1] == [3, 1] and leaves[-1] < 1e-5  # num_selected, num_invalid, drift

    @pytest.mark.parametrize("name", ["badge", "k_center 0", "k_center_balanced 6", "falcun", "base", "maxherding 0"])
    def test_invalid_rows_are_counted_over_all_devices(self, output, name):
        name, case = (name.split() + [""])[:2]
        leaves = self.leaves(output, name, f"mixed {case}".strip())
        assert leaves[1:3] == [BUDGET, 2]  # num_selected, num_invalid
        assert not set(indices_of(leaves)) & {3, 45}

    @pytest.mark.parametrize("name", ["least_confidence False", "margin False", "bald False", "minibatch"])
    def test_equal_rows_of_two_devices_go_by_their_number(self, output, name):
        indices = indices_of(self.leaves(output, name, "twins 0.0"))
        if name == "minibatch":
            indices = indices[: BUDGET // 2]
        np.testing.assert_array_equal(indices[1::2], indices[::2] + N // 2)

    def test_pools(self):
        pools = dict(problems())
        assert not pools["mixed"].available[16:24].any() and np.isnan(pools["mixed"].phi[[3, 45]]).all()
        assert np.isin([3, 45], np.flatnonzero(pools["mixed"].available)).all()


@pytest.mark.parametrize(("num_rows", "share"), [(16, 2), (19, 3)])
def test_a_file_is_read_in_equal_shares(output, num_rows, share):
    """Of 19 rows the seventh device has the last one and two of padding, the eighth nothing but padding."""
    shards, real, split = output["files"][str(num_rows)]
    expected = np.zeros((8 * share, 2))
    expected[:num_rows] = np.arange(num_rows * 2).reshape(-1, 2)
    np.testing.assert_array_equal(shards, expected.reshape(8, share, 2))
    np.testing.assert_array_equal(real, np.arange(8 * share) < num_rows)
    assert split


def test_a_process_reads_nothing_but_its_rows(tmp_path, monkeypatch):
    """The callback is what reads: it is asked for a share, and the map is read there alone."""
    np.save(tmp_path / "rows.npy", np.arange(40.0).reshape(-1, 2))
    asked = []
    monkeypatch.setattr(jax, "make_array_from_callback", lambda shape, sharding, share: asked.append((shape, share)))
    split_rows(tmp_path / "rows.npy", jax.make_mesh((1,), ("pool",)), "pool")
    (shape, share), (_, real) = asked
    assert shape == (20, 2)
    part = share((slice(15, 25), slice(None)))
    np.testing.assert_array_equal(part[:5], np.arange(30, 40).reshape(-1, 2))
    assert part.shape == (5, 2) and part.dtype == np.float32 and real((slice(15, 25),)).all()


def test_a_single_number_is_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.float32(1))
    with pytest.raises(ValueError, match="one.npy"):
        split_rows(tmp_path / "one.npy", jax.make_mesh((1,), ("pool",)), "pool")


class TestTraffic:
    """Bytes that a device sends for a pick: the shapes of the collectives inside the loop of the compiled program."""

    def of_a_pick(self, output, name):
        return sum(
            BYTES[kind] * math.prod(int(n) for n in size.split(",") if n)
            for _, shapes, op in output["traffic"][name]
            if re.search("while/body/(closed_call|eval_jaxpr)", op)  # the body of a scan, before and from JAX 0.12 on
            for kind, size in shapes
        )

    def test_a_label_takes_one_row_of_the_features_whatever_the_pool(self, output):
        """Score, row number, utility, label, the rows that are invalid, and the features."""
        assert self.of_a_pick(output, "cycle") == self.of_a_pick(output, "longer cycle") == 4 * (D + 5)
        outside = [shapes for _, shapes, op in output["traffic"]["longer cycle"] if "while/body" not in op]
        assert outside == [[["f32", str(BUDGET)]]]  # once, for the drift

    def test_a_pick_that_covers_takes_one_row(self, output):
        """Score, row number, features and probabilities; BADGE the length of the embedding too."""
        assert self.of_a_pick(output, "k_center_balanced") == 4 * (D + K + 2)
        assert self.of_a_pick(output, "badge") == 4 * (D + K + 3)
