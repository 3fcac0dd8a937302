"""The examples in the docstrings of what people import first: every public function has one, and says what it says."""

import doctest
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import (
    acquisition,
    balance,
    balance_lp,
    clusters,
    coverage,
    cycle,
    diversity,
    dropquery,
    falcun,
    flqmi,
    laplace,
    last_layer,
    metrics,
    out_of_core,
    subpool,
    typicality,
    updates,
)

FRONT = (acquisition, balance, balance_lp, clusters, coverage, cycle, diversity, dropquery, falcun, flqmi)
FRONT += (laplace, last_layer, metrics, out_of_core, subpool, typicality, updates)


def functions(module):
    """The public functions of a module: those that it lists, or those that are its own."""
    listed = getattr(module, "__all__", ())
    for name, thing in vars(module).items():
        own = name in listed or getattr(thing, "__module__", "") == module.__name__
        if own and not name.startswith("_") and inspect.isfunction(inspect.unwrap(thing)):
            yield name, thing


def test_functions_are_found():
    assert {name for name, _ in functions(balance_lp)} == {"choose_lambda", "select_batch", "solve_dual"}
    steps = {"acquire", "count", "init", "num_invalid", "query", "run", "score", "update"}
    assert {name for name, _ in functions(cycle)} == steps


@pytest.mark.slow
@pytest.mark.parametrize("module", FRONT, ids=lambda module: module.__name__)
def test_every_public_function_has_an_example_that_runs(module):
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for name, function in functions(module):
        test = parser.get_doctest(
            inspect.getdoc(function), {"jax": jax, "jnp": jnp, "np": np}, name, module.__file__, 0
        )
        assert test.examples, name
        said = []
        assert runner.run(test, out=said.append).failed == 0, "".join(said)
