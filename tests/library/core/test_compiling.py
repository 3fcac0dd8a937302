"""Programs that compile quickly answer as those of jax.jit, whole or inside others, where the option is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.core import compiling

ROWS = np.arange(6, dtype=np.float32)


def total(x, power=2):
    """Of powers."""
    return jnp.sum(x**power)


quick = compiling.quick_jit(static_argnames="power")(total)


def test_answers_as_a_program_of_its_own_and_as_a_part_of_others():
    lanes = jnp.stack([ROWS, 2 * ROWS])
    assert quick(ROWS).item() == 55 and quick(ROWS, power=1).item() == 15
    assert jax.jit(quick)(ROWS) == 55 and jax.jit(lambda: quick(ROWS))() == 55
    np.testing.assert_array_equal(jax.vmap(quick)(lanes), [55, 220])
    np.testing.assert_array_equal(jax.vmap(lambda i: i * quick(ROWS))(jnp.arange(2)), [0, 55])
    np.testing.assert_array_equal(jax.grad(quick)(ROWS), 2 * ROWS)
    assert jax.lax.scan(lambda sum_, x: (sum_ + quick(x), None), 0.0, lanes)[0] == 275
    with jax.disable_jit():
        assert quick(ROWS) == 55
    assert quick.__doc__ == total.__doc__ and quick.lower(ROWS).compile()(ROWS) == 55


def test_one_compilation_serves_equal_shapes():
    quick(ROWS)
    before = quick._cache_size()
    quick(ROWS + 1)
    assert quick._cache_size() == before > 0
    quick.clear_cache()
    assert quick._cache_size() == 0


@pytest.mark.parametrize(("backend", "fails"), [("cpu", True), ("tpu", False)])
def test_options_are_for_whole_programs_of_a_cpu(monkeypatch, backend, fails):
    monkeypatch.setattr(compiling, "OPTIONS", {"xla_no_such_option": True})
    strange = compiling.quick_jit()(total)
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert jax.jit(strange)(ROWS) == 55
    if fails:
        with pytest.raises(RuntimeError, match="xla_no_such_option"):
            strange(ROWS)
    else:
        assert strange(ROWS) == 55


def test_without_options_it_is_jit(monkeypatch):
    monkeypatch.setattr(compiling, "OPTIONS", {})
    assert type(compiling.quick_jit()(total)) is type(jax.jit(total))
