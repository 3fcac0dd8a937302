"""Every batch selector takes its arguments in one order and answers with one `Selection`."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance, balance_lp, batch_bald, centroids, diversity, minority, single_stage

pytestmark = pytest.mark.slow

N, K, H, BUDGET = 30, 3, 4, 6
MODULES = balance, balance_lp, batch_bald, centroids, diversity, minority, single_stage
RANKS = ("utility", "prob_samples", "source_probs", "probs", "predicted", "groups", "counts", "demand", "lam")
ORDER = ("key", *RANKS, "features", "labels", "labelled", "available")
SPOILT = 7  # an available row without a finite number


def public(module):
    """The functions of a module: those that it lists, or those that are its own."""
    listed = getattr(module, "__all__", ())
    for name, function in vars(module).items():
        if not name.startswith("_") and callable(function) and not inspect.isclass(function):
            if name in listed or function.__module__ == module.__name__:
                yield f"{module.__name__.rpartition('.')[2]}.{name}", function


FUNCTIONS = {name: function for module in MODULES for name, function in public(module)}
SELECTORS = {
    name: function for name, function in FUNCTIONS.items() if inspect.signature(function).return_annotation is Selection
}
ALIKE = ("balance.select_one", "balance_lp.choose_lambda", "balance_lp.solve_dual")  # their arguments are the same


def pool(num_available):
    """Everything that a selector may ask for, by the name of the argument."""
    rng = np.random.default_rng(0)
    rows, labels = np.arange(N), rng.choice(K, N, p=[0.6, 0.3, 0.1])
    arrays = {
        "utility": rng.random(N),
        "prob_samples": rng.dirichlet(np.ones(K), (5, N)),
        "source_probs": rng.dirichlet(np.ones(4), N),
        "probs": rng.dirichlet(np.ones(K), N),
        "demand": np.array([0.0, 2.0, 4.0]),
        "features": rng.normal(size=(N, H)),
    }
    arrays = {name: x.astype(np.float32) for name, x in arrays.items()}
    arrays["prob_samples"][:, SPOILT] = np.nan
    for name in ("utility", "source_probs", "probs", "features"):
        arrays[name][SPOILT] = np.nan
    labelled = rows >= N - 5
    return arrays | {
        "key": jax.random.key(0),
        "predicted": np.nan_to_num(arrays["probs"]).argmax(axis=1),
        "groups": rng.integers(0, 4, N),
        "counts": np.array([6, 3, 1]),
        "lam": 0.5,
        "labels": labels,
        "labelled": labelled,
        "available": ~labelled & (rows >= SPOILT) & (rows < SPOILT + num_available),
    }


def arguments(function):
    """Names of the arguments by position, and of those by name alone."""
    parameters = inspect.signature(function).parameters.values()
    positional = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
    return positional, [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


def call(function, arrays, budget=BUDGET):
    """Calls a selector with what it asks for."""
    given = {"budget": budget, "num_classes": K, "ranking": "entropy"}
    positional, named = arguments(function)
    return function(*(arrays[name] for name in positional), **{name: given[name] for name in named if name in given})


def test_every_module_has_a_selector():
    assert {name.partition(".")[0] for name in SELECTORS} == {m.__name__.rpartition(".")[2] for m in MODULES}
    assert len(SELECTORS) == 12


@pytest.mark.parametrize("name", [*SELECTORS, *ALIKE])
def test_arguments_stand_in_one_order(name):
    positional, named = arguments(FUNCTIONS[name])
    assert positional == [word for word in ORDER if word in positional]
    assert positional[-1] == "available"
    assert named[:1] == (["axis_name"] if name == "balance.select_one" else ["budget"])
    assert "axis_name" not in named[:-1]


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("num_available", [18, 4], ids=["plenty", "fewer_than_the_budget"])
def test_answers_with_a_selection(name, num_available):
    """Types and shapes, and what every batch holds: rows that are there, none twice, the spoilt one counted."""
    arrays = pool(num_available)
    batch = call(SELECTORS[name], arrays)
    assert isinstance(batch, Selection)
    assert batch.indices.shape == (BUDGET,) and batch.indices.dtype == jnp.int32
    for count in (batch.num_selected, batch.num_invalid):
        assert count.shape == () and jnp.issubdtype(count.dtype, jnp.integer)
    for value in (batch.objective, batch.bound):
        assert value.shape == () and value.dtype == jnp.float32
    count = min(BUDGET, num_available - 1)
    picked, rest = batch.indices[:count].tolist(), batch.indices[count:].tolist()
    assert set(picked) <= set(np.flatnonzero(arrays["available"])) - {SPOILT} and len(set(picked)) == count
    assert rest == [-1] * (BUDGET - count)
    assert batch.num_selected == count and batch.num_invalid == 1


@pytest.mark.parametrize("name", SELECTORS)
def test_says_what_it_minimises(name):
    """NaN and -inf where that is nothing; elsewhere a number that is not below the bound."""
    batch, text = call(SELECTORS[name], pool(18)), inspect.getdoc(SELECTORS[name])
    assert "inimises" in text
    if "Minimises nothing" in text:
        assert jnp.isnan(batch.objective) and batch.bound == -jnp.inf
    else:
        assert jnp.isfinite(batch.objective) and batch.bound <= batch.objective


@pytest.mark.parametrize("name", SELECTORS)
def test_a_batch_of_no_rows_is_refused(name):
    with pytest.raises(ValueError, match=r"budget must be at least 1.*got 0"):
        call(SELECTORS[name], pool(18), budget=0)
