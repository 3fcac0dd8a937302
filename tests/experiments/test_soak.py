"""A round of the soak: python -m tests.soak has more of them. Kills one by one are tests of their own."""

import pytest

from tests.soak.__main__ import soak


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_disturbed_run_ends_as_an_undisturbed_one(tmp_path, monkeypatch):
    for name in ("ALFAMOUS_COMPILE_CACHE", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "PYTHONWARNINGS"):
        monkeypatch.setenv(name, "")  # so that it is put back
    counts = soak(192, tmp_path, tmp_path / "cache", rounds=1, kinds=("vmap",))
    assert counts["failed"] == 0 and counts["equal bytes"] + counts["one line"] == counts["rounds"] == 1
