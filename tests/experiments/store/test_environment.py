"""What is recorded of a machine, and what of it is said to have changed."""

import pytest

from experiments.report.markdown import machine
from experiments.store import environment


@pytest.mark.parametrize("flags", [None, "--xla_backend_optimization_level=0"])
def test_flags_of_the_compiler_are_recorded_and_shown(monkeypatch, flags):
    """They may make training several times slower, and change last digits."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    before = environment.environment()
    if flags:
        monkeypatch.setenv("XLA_FLAGS", flags)
    now = environment.environment()
    assert now["xla_flags"] == flags and ("xla_flags: --xla" in machine(now)) == bool(flags)
    assert environment.differences(before, now) == (f"xla_flags None (now {flags})" if flags else "")
    assert environment.differences({"jax": now["jax"]}, now) == "", "a run from before they were recorded"
