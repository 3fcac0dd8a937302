"""The smoothed dual on a window: its root, its derivatives, the step in a box and the maximum."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from scipy.optimize import Bounds, lsq_linear, minimize
from scipy.special import entr

from alfamous_jax.selection.balance_lp import _dual
from experiments.bench.others.instances import generate, highs_lp

pytestmark = pytest.mark.slow

soften, hessian, box_step = jax.jit(_dual.soften), jax.jit(_dual.hessian), jax.jit(_dual.box_step)
maximize = jax.jit(_dual.maximize)


def window(seed, rows=60, classes=5, budget=12):
    """A window and the same numbers in float64."""
    rng = np.random.default_rng(seed)
    utility, probs = rng.uniform(0, 1, rows), rng.dirichlet(np.full(classes, 0.5), rows)
    demand = np.maximum(rng.uniform(-2, 5, classes), 0)
    arrays = tuple(x.astype(np.float32) for x in (utility, probs, demand))
    return as_window(*arrays, budget), (*(x.astype(float) for x in arrays), budget)


def as_window(utility, probs, demand, budget, usable=None):
    usable = jnp.ones(len(utility), bool) if usable is None else jnp.asarray(usable)
    return _dual.Window(*map(jnp.asarray, (utility, probs)), usable, jnp.asarray(demand), jnp.float32(budget))


def multipliers(seed, classes=5):
    return np.random.default_rng([seed, 1]).uniform(-0.5, 0.5, classes).astype(np.float32)


class TestSoften:
    """Shares that sum to the budget."""

    @pytest.mark.parametrize("guess", [0.0, -100.0, 100.0], ids="guess_{}".format)
    @pytest.mark.parametrize("mu", [3e-4, 0.01, 0.3, 10.0], ids="mu_{}".format)
    def test_equals_the_root_in_float64(self, mu, guess):
        for seed in range(10):
            rows, arrays = window(seed)
            point = soften(rows, multipliers(seed), jnp.float32(mu), jnp.float32(guess))
            _, gradient, z = oracles.smooth_dual(multipliers(seed).astype(float), *arrays, mu)
            assert abs(np.sum(point.z, dtype=float) - 12) < 1.1e-3
            np.testing.assert_allclose(point.z, z, atol=2e-3)
            np.testing.assert_allclose(point.gradient, gradient, atol=2e-3)
            np.testing.assert_allclose(point.gradient, arrays[2] - np.asarray(point.z, float) @ arrays[1], atol=1e-5)
            np.testing.assert_array_equal(point.nu, multipliers(seed))

    def test_rows_that_are_not_usable_get_nothing(self):
        _, (utility, probs, demand, _) = window(0)
        usable = np.arange(60) % 3 > 0
        rows = as_window(*(np.float32(x) for x in (utility, probs, demand)), 12, usable)
        point = soften(rows, multipliers(0), jnp.float32(0.05), jnp.float32(0.0))
        kept = utility[usable], probs[usable], demand, 12
        _, gradient, z = oracles.smooth_dual(multipliers(0).astype(float), *kept, 0.05)
        np.testing.assert_array_equal(point.z[~usable], 0)
        np.testing.assert_allclose(point.z[usable], z, atol=2e-3)
        np.testing.assert_allclose(point.gradient, gradient, atol=2e-3)

    @pytest.mark.parametrize("mu", [1e-3, 0.1], ids="mu_{}".format)
    def test_scores_that_are_all_equal(self, mu):
        rows = as_window(np.full(40, 0.5, np.float32), np.full((40, 2), 0.5, np.float32), np.ones(2, np.float32), 10)
        point = soften(rows, jnp.zeros(2), jnp.float32(mu), jnp.float32(0.0))
        np.testing.assert_allclose(point.z, 0.25, atol=1e-4)

    def test_nothing_usable(self):
        rows = window(0)[0]._replace(usable=jnp.zeros(60, bool))
        point = soften(rows, jnp.zeros(5), jnp.float32(0.1), jnp.float32(0.0))
        assert np.isfinite(point.threshold)
        np.testing.assert_array_equal(point.z, 0)


@pytest.mark.parametrize(
    ("z", "expected"),
    [((0.5, 0.5), 2 * np.log(2)), ((0.0, 1.0), 0.0), ((0.1,), -0.1 * np.log(0.1) - 0.9 * np.log(0.9))],
    ids=["halves", "integral", "tenth"],
)
def test_entropy(z, expected):
    np.testing.assert_allclose(_dual.entropy(jnp.array(z), jnp.float32(0.3)), 0.3 * expected, rtol=1e-6)


class TestHessian:
    """Minus the second derivative of the smoothed dual, and a ridge."""

    def differences(self, nu, arrays, mu, step=1e-5):
        """Central differences of the gradient in float64."""
        directions = step * np.eye(len(nu))
        ends = [[oracles.smooth_dual(nu + sign * d, *arrays, mu)[1] for sign in (1, -1)] for d in directions]
        return np.array([(low - high) / (2 * step) for high, low in ends])

    def assert_close(self, got, expected):
        """Up to rounding and the ridge, 1e-5 of the largest diagonal entry and 1e-6."""
        expected = expected + (1e-5 * np.diagonal(expected).max() + 1e-6) * np.eye(len(expected))
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())

    @pytest.mark.parametrize("mu", [0.02, 0.3], ids="mu_{}".format)
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_finite_differences(self, seed, mu):
        rows, arrays = window(seed)
        nu = multipliers(seed).astype(float)
        z = oracles.smooth_dual(nu, *arrays, mu)[2].astype(np.float32)
        self.assert_close(hessian(rows, z, jnp.float32(mu)), self.differences(nu, arrays, mu))

    def test_many_classes_need_only_the_heavy_rows(self):
        """Of 1,500 rows 900 lie near the threshold; the rest weigh nothing."""
        rng = np.random.default_rng(0)
        utility = np.concatenate([rng.uniform(0.4, 0.6, 900), rng.uniform(9, 10, 300), rng.uniform(-10, -9, 300)])
        order, mu = rng.permutation(1500), 0.1
        probs, demand = rng.dirichlet(np.full(40, 0.5), 1500), rng.uniform(0, 5, 40)
        arrays = tuple(x.astype(np.float32) for x in (utility[order], probs, demand))
        exact = (*(x.astype(float) for x in arrays), 750)
        z = oracles.smooth_dual(np.zeros(40), *exact, mu)[2]
        assert np.sum(z * (1 - z) > 1e-6) == 900
        got = hessian(as_window(*arrays, 750), z.astype(np.float32), jnp.float32(mu))
        self.assert_close(got, self.differences(np.zeros(40), exact, mu))

    def test_many_classes_keep_the_total_weight(self):
        """Where all 1,500 rows weigh the same, 1,024 of them stand for all, and P is the same in all of them."""
        rng = np.random.default_rng(1)
        probs = np.zeros((1500, 40), np.float32)
        probs[np.arange(1500), np.arange(1500) % 2] = 1
        rows = as_window(np.zeros(1500, np.float32), probs[rng.permutation(1500)], np.ones(40, np.float32), 750)
        matrix = hessian(rows, jnp.full(1500, 0.5), jnp.float32(0.5))
        expected = 1500 * 0.25 / 4 / 0.5
        np.testing.assert_allclose(matrix[:2, :2], expected * np.array([[1, -1], [-1, 1]]), rtol=0.01)

    def test_integral_shares_leave_the_ridge(self):
        rows, _ = window(0)
        matrix = hessian(rows, (jnp.arange(60) < 12).astype(jnp.float32), jnp.float32(0.1))
        np.testing.assert_allclose(matrix, 1e-6 * np.eye(5), atol=1e-12)


class TestBoxStep:
    """A concave quadratic over a box."""

    def problem(self, seed, classes, size):
        rng = np.random.default_rng(seed)
        root = rng.normal(size=(2 * classes, classes))
        matrix = (root.T @ root / classes + 1e-3 * np.eye(classes)).astype(np.float32)
        return (
            matrix,
            rng.normal(size=classes).astype(np.float32),
            -size * rng.random(classes),
            size * rng.random(classes),
        )

    @pytest.mark.parametrize("size", [0.01, 0.3, 30.0], ids="size_{}".format)
    @pytest.mark.parametrize("classes", [3, 12], ids="K_{}".format)
    def test_equals_bounded_least_squares(self, classes, size):
        """g'd - d'Hd/2 is, up to a constant, minus half of ||L'd - L^-1 g||^2 with H = LL'."""
        for seed in range(20):
            matrix, gradient, low, high = self.problem(seed, classes, size)
            low, high = low.astype(np.float32), high.astype(np.float32)
            root = np.linalg.cholesky(matrix.astype(float))
            exact = lsq_linear(root.T, np.linalg.solve(root, gradient.astype(float)), (low, high), method="bvls")
            step = box_step(matrix, gradient, low, high)
            assert (step >= low).all() and (step <= high).all()
            np.testing.assert_allclose(step, exact.x, atol=1e-4 * np.abs(exact.x).max())

    def test_empty_box(self):
        matrix, gradient, *_ = self.problem(0, 3, 1.0)
        np.testing.assert_array_equal(box_step(matrix, gradient, jnp.zeros(3), jnp.zeros(3)), 0)


def float64_maximum(arrays, lam, mu, classes):
    """The smoothed dual over the box, by L-BFGS-B."""

    def minus(nu):
        value, gradient, _ = oracles.smooth_dual(nu, *arrays, mu)
        return -value, -gradient

    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9}
    done = minimize(minus, np.zeros(classes), jac=True, method="L-BFGS-B", bounds=Bounds(-lam, lam), options=options)
    return -done.fun


class TestMaximize:
    """Newton steps down to the last smoothing."""

    def maximize(self, rows, lam, mu, mu_end, target=0.0):
        box = jnp.full(rows.demand.shape, lam, jnp.float32)
        point, added = maximize(rows, 0 * box, -box, box, *map(jnp.float32, (mu, mu_end, target)))
        return np.asarray(point.nu, float), float(added)

    @pytest.mark.parametrize("mu", [0.1, 0.01, 0.001], ids="mu_{}".format)
    @pytest.mark.parametrize("lam", [0.1, 0.5, 2.0], ids="lam_{}".format)
    def test_reaches_the_maximum_of_the_smoothed_dual(self, lam, mu):
        """The slope that is left is at most a tenth of what the smoothing adds."""
        for seed in range(5):
            rows, arrays = window(seed)
            nu, added = self.maximize(rows, lam, mu, 0.99 * mu)
            assert (np.abs(nu) <= np.float32(lam)).all()
            value, _, z = oracles.smooth_dual(nu, *arrays, mu)
            best = float64_maximum(arrays, lam, mu, 5)
            np.testing.assert_allclose(added, mu * np.sum(entr(z) + entr(1 - z)), rtol=0.01, atol=1e-6)
            assert best - 0.1 * added - 1e-6 <= value <= best + 1e-6

    @pytest.mark.parametrize("lam", [0.1, 0.5, 2.0], ids="lam_{}".format)
    @pytest.mark.parametrize("shape", [(600, 5, 20), (600, 30, 40)], ids=["5_classes", "30_classes"])
    @pytest.mark.parametrize("family", ["A", "B"])
    def test_what_the_smoothing_adds_bounds_the_error(self, family, shape, lam):
        """D(nu) + added is above the value of the LP, D(nu) below; 1e-6 for lam in float32."""
        instance = generate(family, *shape)
        value, _ = highs_lp(instance, lam, shape[-1])
        mu = 0.1 * instance.utility.std()
        nu, added = self.maximize(as_window(*instance, shape[-1]), lam, mu, 1e-3 * mu)
        arrays = (x.astype(float) for x in instance)
        dual = oracles.dual_value(nu, *arrays, shape[-1])
        assert dual <= value + 1e-6 * abs(value)
        assert value <= dual + added + 1e-6 * abs(value)

    def test_stops_at_the_target(self):
        rows, _ = window(0)
        _, coarse = self.maximize(rows, 0.5, 0.1, 1e-5, target=0.05)
        _, fine = self.maximize(rows, 0.5, 0.1, 1e-5)
        assert 0.005 < coarse <= 0.05 and fine < 1e-3
