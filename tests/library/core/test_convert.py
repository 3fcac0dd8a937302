"""What numbers are taken as, and that functions take what a user's arrays happen to be of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_matrix

from alfamous_jax import cycle, laplace, metrics
from alfamous_jax.core import convert
from alfamous_jax.networks import svm
from alfamous_jax.selection import balance, balance_lp, centroids, diversity

N, K = 80, 3
RNG = np.random.default_rng(0)
PROBS = jax.nn.softmax(3 * jnp.asarray(RNG.normal(size=(N, K)), jnp.float32))
LABELLED = jnp.arange(N) < 10
DEMAND = jnp.array([3.0, 3.0, 2.0])


def test_labels():
    for dtype in ("int8", "uint8", "int16", "uint32", "int32"):
        labels = convert.as_labels(jnp.array([0, 1, 5]).astype(dtype))
        assert labels.dtype == jnp.int32 and labels.tolist() == [0, 1, 5]
    assert convert.as_labels(jnp.array([True, False])).tolist() == [1, 0]
    assert convert.as_labels(np.array([2**32 - 1], np.uint32)).tolist() == [-1]
    with pytest.raises(ValueError, match="answers must be whole numbers from 0 to K - 1, got float32"):
        convert.as_labels(jnp.ones(3), "answers")


def test_common_dtype():
    half, whole = jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.int8)
    assert [x.dtype for x in convert.in_common(half, whole, 0.5)] == [jnp.float32] * 3
    with jax.enable_x64(True):
        assert [x.dtype for x in convert.in_common(jnp.ones(2, jnp.float32), jnp.array([1, 2]), 0.5)] == [
            jnp.float32
        ] * 3
        assert [x.dtype for x in convert.in_common(half, jnp.ones(2))] == [jnp.float64] * 2


class Series:
    """What pandas and polars have in common."""

    def __init__(self, array):
        self.array = array

    def to_numpy(self):
        return self.array


class Tensor:
    """What is needed of a torch tensor: no NumPy form until it is detached and on the host."""

    def __init__(self, array, ready=False):
        self.array, self.ready = array, ready

    def detach(self):
        return self

    def cpu(self):
        return Tensor(self.array, ready=True)

    def __array__(self, dtype=None, copy=None):
        if not self.ready:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")
        return np.asarray(self.array, dtype)


FORMS = {"list": lambda x: x.tolist(), "series": Series, "tensor": Tensor, "numpy": np.asarray}


class TestDoors:
    """Arrays of other libraries at the public functions."""

    phi = RNG.normal(size=(20, 4)).astype(np.float32)
    known = np.arange(20) < 5

    def steps(self, form):
        posterior = laplace.fit(form(np.zeros((2, 4), np.float32)), form(self.phi), form(self.known))
        state = cycle.init(posterior, form(self.phi), form(~self.known), form(np.array([3, 2])))
        indices, _ = cycle.query(state, jax.random.key(0), lam=0.1, num=2)
        state = cycle.update(state, form(self.phi), form(np.asarray(indices)), form(np.array([0, 1])))
        return state, indices

    @pytest.mark.slow
    @pytest.mark.parametrize("form", FORMS)
    def test_a_cycle(self, form):
        for ours, theirs in zip(
            jax.tree.leaves(self.steps(FORMS[form])), jax.tree.leaves(self.steps(jnp.asarray)), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.slow
    @pytest.mark.parametrize("form", FORMS)
    def test_selectors(self, form):
        form, probs = FORMS[form], np.asarray(PROBS)
        utility, mask = 1 - probs.max(1), np.asarray(~LABELLED)
        for select in (balance_lp.select_batch, balance.select_greedy):
            expected = select(utility, probs, DEMAND, 0.5, mask, budget=4).indices
            arrays = form(utility), form(probs), form(np.asarray(DEMAND)), 0.5, form(mask)
            np.testing.assert_array_equal(select(*arrays, budget=4).indices, expected)
        expected = diversity.k_center(probs, ~mask, mask, budget=4).indices
        picks = diversity.k_center(form(probs), form(~mask), form(mask), budget=4).indices
        np.testing.assert_array_equal(picks, expected)

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (csr_matrix, r"features is a sparse matrix of shape \(20, 4\); give features.toarray"),
            (lambda x: x.astype(str), "features must hold numbers, got str"),
            (lambda x: x.astype(object), "features must hold numbers, got object"),
            (lambda x: x.astype(complex), "features must hold numbers, got complex128"),
            (lambda x: (1e6 * x).astype("datetime64[s]"), "features must hold numbers, got datetime64"),
            (lambda x: [[1.0, 2.0], [1.0]], "features must be rows of equal length"),
        ],
        ids=["sparse", "text", "objects", "complex", "times", "ragged"],
    )
    def test_what_holds_no_numbers(self, spoil, message):
        for keyword in (False, True):
            given = {"features": spoil(self.phi)} if keyword else {}
            positional = () if keyword else (spoil(self.phi),)
            rest = {"labelled": self.known, "available": ~self.known} if keyword else {}
            masks = () if keyword else (self.known, ~self.known)
            with pytest.raises(ValueError, match=message):
                diversity.k_center(*positional, *masks, **given, **rest, budget=2)

    def test_arrays_tracers_and_settings_pass_as_they_are(self):
        posterior = laplace.Posterior(jnp.zeros((2, 4)), jnp.eye(4))
        for x in (jnp.ones(3), np.ones(3), jax.random.key(0), posterior, 3, 0.5, "entropy", None):
            assert convert.as_array(x, "x") is x
        jax.make_jaxpr(lambda x: convert.as_array(x, "x") + 1)(1.0)

    def test_a_number_of_numpy_is_one_of_python_and_compiles_nothing_anew(self):
        for x, taken in ((np.int64(20), 20), (np.float32(2), 2.0), (np.bool_(True), True), (np.uint8(255), 255)):
            assert convert.as_array(x, "x") == taken and type(convert.as_array(x, "x")) is type(taken)
        with pytest.raises(ValueError, match="x must hold numbers, got complex128"):
            convert.as_array(np.complex128(1j), "x")
        probs, available = jnp.asarray(PROBS), ~LABELLED
        before = [
            balance.select_greedy(probs[:, 0], probs, DEMAND, 0.5, available, budget=3).indices.tolist(),
            balance._select_greedy._cache_size(),
        ]
        picks = balance.select_greedy(probs[:, 0], probs, DEMAND, np.float64(0.5), available, budget=np.int64(3))
        assert [picks.indices.tolist(), balance._select_greedy._cache_size()] == before

    def test_a_door_is_still_a_compiled_function(self):
        posterior = laplace.Posterior(jnp.zeros((2, 4)), jnp.eye(4))
        cycle.init(posterior, jnp.asarray(self.phi), self.known, jnp.array([1, 1]))
        before = cycle.init._cache_size()
        for phi in (self.phi.tolist(), Series(self.phi), Tensor(self.phi)):
            cycle.init(posterior, phi, self.known, jnp.array([1, 1]))
        assert cycle.init._cache_size() == before
        assert "stablehlo" in cycle.init.lower(posterior, self.phi, self.known, jnp.array([1, 1])).as_text()


def select(probs, demand):
    utility = -jnp.sum(probs * jnp.log(probs), axis=1)
    arrays = utility, probs, demand, 0.5, ~LABELLED
    return {
        "balance_lp.select_batch": lambda: balance_lp.select_batch(*arrays, budget=8),
        "balance.select_greedy": lambda: balance.select_greedy(*arrays, budget=8),
        "balance.select_pseudo_label": lambda: balance.select_pseudo_label(
            utility, jnp.argmax(probs, axis=1), demand, 0.5, ~LABELLED, budget=8
        ),
        "diversity.k_center_balanced": lambda: diversity.k_center_balanced(
            probs, demand, 0.5, probs, LABELLED, ~LABELLED, budget=8
        ),
        "diversity.badge": lambda: diversity.badge(jax.random.key(0), probs, probs, ~LABELLED, budget=8),
        "svm.fit": lambda: svm.fit(probs, jnp.argmax(PROBS, axis=1), LABELLED, K)[0],
        "laplace.fit": lambda: laplace.fit(jnp.zeros((K, K), probs.dtype), probs, LABELLED),
    }


NAMES = list(select(PROBS, DEMAND))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
class TestDtypes:
    """Selectors and fits in the types of a user's arrays."""

    def test_whole_numbers_as_demand(self, name):
        got, expected = (select(PROBS, demand)[name]() for demand in (DEMAND.astype(int), DEMAND))
        for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_array_equal(ours, theirs)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_half_precision(self, name, dtype):
        """The answer is in float32; but for the utility, which is rounded, it is that of the rounded numbers."""
        half = PROBS.astype(dtype)
        got, expected = (select(probs, DEMAND)[name]() for probs in (half, half.astype(jnp.float32)))
        for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            assert ours.dtype == theirs.dtype and jnp.isnan(ours).sum() == jnp.isnan(theirs).sum()
            if "balance" not in name:
                np.testing.assert_array_equal(ours, theirs)

    def test_float32_under_x64(self, name):
        expected = select(PROBS, DEMAND)[name]()
        with jax.enable_x64(True):
            got = select(PROBS, np.array([3, 3, 2]))[name]()
        for ours, theirs in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", [metrics.recall, metrics.macro_f1])
def test_metrics_of_labels_of_any_type(function):
    truth, predictions = RNG.integers(0, 2, (2, 50))
    expected = function(truth, predictions, 2)
    for dtype in (bool, np.uint8, np.int8):
        np.testing.assert_array_equal(function(truth.astype(dtype), predictions.astype(dtype), 2), expected)


def test_recall_of_256_classes_in_8_bits():
    labels = np.arange(256).astype(np.uint8)
    np.testing.assert_array_equal(metrics.recall(labels, labels, 256), 1.0)


def test_pools_without_rows_are_refused():
    none, no_rows = jnp.zeros((0, K)), jnp.zeros(0, bool)
    for call in (
        lambda: diversity.k_center(none, no_rows, no_rows, budget=2),
        lambda: diversity.badge(jax.random.key(0), none, none, no_rows, budget=2),
        lambda: balance_lp.select_batch(none[:, 0], none, DEMAND, 0.5, no_rows, budget=2),
        lambda: balance.select_greedy(none[:, 0], none, DEMAND, 0.5, no_rows, budget=2),
    ):
        with pytest.raises(ValueError, match="the pool has no rows, N = 0"):
            call()


@pytest.mark.slow
def test_an_answer_that_is_no_class_moves_no_centroid():
    """A row without an answer counts for no class; before, -1 was the last."""
    features = jnp.asarray(RNG.normal(size=(12, 2)), jnp.float32).at[6:].add(8.0)
    known, labels = jnp.arange(12) < 6, jnp.array([0, 1, 2, 0, 1, 2, *[-1] * 6])
    picks = [
        centroids.select(features, x, known, ~known, num_classes=num, budget=6, order="centroid").indices.tolist()
        for x, num in ((labels, 3), (jnp.where(labels < 0, 99, labels), 3))
    ]
    assert picks[0] == picks[1] and sorted(picks[0]) == list(range(6, 12))
