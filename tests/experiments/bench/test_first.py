"""What a first answer costs: every function has its stages, and a command its time without and with kept programs."""

import argparse
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bench.others import first, ways

pytestmark = pytest.mark.slow

KEEPS = "import os, pathlib; pathlib.Path(os.environ['ALFAMOUS_COMPILE_CACHE']).mkdir(exist_ok=True)"


def test_functions_and_commands_have_their_times(monkeypatch, capsys):
    monkeypatch.setattr(first, "_commands", lambda folder: {"keeps": [sys.executable, "-c", KEEPS]})
    args = argparse.Namespace(rows=60, features=8, classes=3, budget=4)
    every = first._functions(args)
    monkeypatch.setattr(first, "_functions", lambda args: {name: every[name] for name in ("cycle.query", "badge")})
    rows = first.measure(args)
    assert rows.keys() == {"cycle.query", "badge", "keeps"}
    assert rows["keeps"].keys() == {"cold_s", "warm_s"} and min(rows["keeps"].values()) > 0
    assert all(rows[name].keys() == {"trace_s", "compile_s", "call_s"} for name in ("cycle.query", "badge"))
    ways.show({"rows": rows})
    header, query, *_ = capsys.readouterr().out.strip("\n").splitlines()
    assert header.split() == ["trace", "ms", "compile", "ms", "call", "ms", "cold", "ms", "warm", "ms"]
    assert len(query.split()) == 4


def test_a_program_that_was_compiled_before_is_compiled_again():
    function, arrays = jax.jit(lambda x: jnp.sort(x) @ x), (np.ones(7, np.float32),)
    for stages in (first._stages(function, arrays) for _ in range(2)):
        assert stages["compile_s"] > 1e-3 and stages["trace_s"] > 0 and stages["call_s"] > 0


def test_a_second_start_finds_what_the_first_has_kept(tmp_path):
    code = "import os, sys; kept = os.environ['ALFAMOUS_COMPILE_CACHE']; sys.exit(f'there is {os.path.isdir(kept)}')"
    with pytest.raises(RuntimeError, match=r"of x failed \(there is False\)"):
        first._twice("x", [sys.executable, "-c", code], str(tmp_path))
    os.mkdir(tmp_path / "compiled for x")
    with pytest.raises(RuntimeError, match=r"of x failed \(there is True\)"):
        first._twice("x", [sys.executable, "-c", code], str(tmp_path))
