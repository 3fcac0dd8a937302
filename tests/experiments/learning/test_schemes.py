"""SVM, prior thresholding, the switch and source networks in the driver, on a small file of features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from ml_collections import FrozenConfigDict
from sklearn.metrics import log_loss
from sklearn.svm import LinearSVC

from alfamous_jax import imbalance
from alfamous_jax.networks.linear import NEVER, Identity, Linear, with_prior_threshold
from configs.base import get_base
from experiments import train_source
from experiments.learning import active, loop, problem, sources
from experiments.learning.check import check
from experiments.learning.models import build_model
from experiments.learning.programs import Labelled, build_programs
from experiments.plan import work
from experiments.plan.strategies import Strategy, lanes_of, parse, scheme_of
from experiments.run import run

pytestmark = pytest.mark.slow

K, H = 4, 6


@pytest.fixture(scope="module")
def pool_file(tmp_path_factory):
    """Classes of unequal size about centres that overlap."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, sizes in (("train", [120, 60, 30, 15]), ("test", [40] * K)):
        y = rng.permutation(np.repeat(np.arange(K), sizes))
        arrays |= {f"y_{part}": y, f"x_{part}": 1.2 * np.eye(K, H)[y] + rng.normal(size=(len(y), H))}
    path = tmp_path_factory.mktemp("data") / "pool.npz"
    np.savez(path, **arrays)
    return str(path)


def settings(pool_file, **changes):
    config = get_base().to_dict() | {"dataset": pool_file, "num_classes": K, "minority_share": 0.0, "head": "linear"}
    config |= {"backbone": "identity", "spectral_bound": 0.0, "epochs": 5, "initial": 12, "budget": 6, "cycles": 3}
    return config | {"seeds": 1, "strategies": ("random", "margin"), "workers": 1, **changes}


def one_step(config, scheme, count=40):
    """Start, trained variables and scores of a lane after `count` random labels."""
    config = FrozenConfigDict(config)
    task = problem.build_problem(config, [0])
    programs = build_programs(config, Strategy("random", scheme=scheme), 1)
    buffer = np.zeros((1, 60), np.int32)
    buffer[0, :count] = np.random.default_rng(1).choice(task.pool.shape[1], count, replace=False)
    key = jax.random.key(0)[None]
    start = task.variables[active.kind_of(scheme)]
    known = Labelled(task.data, task.pool, jnp.asarray(buffer), jnp.int32(count))
    variables, _ = programs.train(key, start, known)
    labels = np.asarray(task.data.labels)[np.asarray(task.pool)[0, buffer[0, :count]]]
    counts = np.bincount(labels, minlength=K)
    scores = programs.evaluate(variables, known, jnp.asarray(counts)[None])
    return task, jax.tree.map(lambda x: x[0], variables), jax.tree.map(lambda x: x[0], scores), buffer[0, :count]


@pytest.mark.parametrize("scheme", ["svm", "cs-svm"])
def test_accuracy_of_the_svm_is_that_of_scikit_learn(pool_file, scheme):
    task, _, scores, slots = one_step(settings(pool_file, scheme=scheme), scheme)
    rows = np.asarray(task.pool)[0, slots]
    x, y = np.asarray(task.data.inputs)[rows], np.asarray(task.data.labels)[rows]
    weight = len(y) / (K * np.bincount(y, minlength=K)[y]) if scheme == "cs-svm" else None
    machine = LinearSVC(dual=False, tol=1e-8).fit(x, y, sample_weight=weight)
    expected = machine.score(np.asarray(task.data.x_test), np.asarray(task.data.y_test))
    assert abs(scores.accuracy - expected) <= 2 / len(task.data.y_test)


def test_thresholding_divides_by_the_priors(pool_file):
    _, plain, *_ = one_step(settings(pool_file), "network")
    task, thresholded, _, slots = one_step(settings(pool_file), "network-th")
    counts = np.bincount(np.asarray(task.data.labels)[np.asarray(task.pool)[0, slots]], minlength=K)
    model, x = Linear(Identity(), K), task.data.x_test
    probs, divided = (jax.nn.softmax(model.apply(v, x).logits) for v in (plain, thresholded))
    np.testing.assert_allclose(divided, imbalance.prior_threshold(probs, counts), atol=1e-5)
    unseen = with_prior_threshold(plain, jnp.array([3, 0, 2, 0]))
    assert set(np.unique(jnp.argmax(model.apply(unseen, x).logits, axis=1))) <= {0, 2}
    assert (unseen["params"]["head"]["kernel"][-1, [1, 3]] == NEVER).all()


def test_a_lane_switches_once_and_resumes(pool_file, tmp_path):
    """Seed 1 is one in which the network is the better one; an interruption on either side changes nothing."""
    config = settings(pool_file, scheme="switch", strategies=("margin",), learning_rate=0.1, epochs=30, svm_cost=100.0)
    config["first_seed"] = 1
    whole = run(config, tmp_path / "whole")
    by_cycle = [(r["scheme"], r["cv_accuracies"]) for r in whole]
    assert [scheme for scheme, _ in by_cycle] == ["cs-svm"] + ["network-th"] * 3
    for (scheme, accuracies), (after, _) in zip(by_cycle, by_cycle[1:], strict=False):
        wins = scheme == "network-th" or accuracies[1] > accuracies[0]
        assert after == ("network-th" if wins else "cs-svm") and (accuracies is None) == (scheme == "network-th")

    class Killed(Exception):
        pass

    for last in (0, 2):
        records = []

        def stop(new, timing, records=records, last=last):
            records.extend(new)
            if timing is not None and timing["cycle"] == last:
                raise Killed

        lane, folder = tuple(lanes_of(["margin"], range(1, 2))), tmp_path / f"killed-{last}"
        with pytest.raises(Killed):
            loop.run_lanes(FrozenConfigDict(config), work.ACTIVE, lane, folder, stop)
        again = []
        loop.run_lanes(
            FrozenConfigDict(config), work.ACTIVE, lane, folder, lambda new, _, again=again: again.extend(new)
        )
        assert again == whole
    for scheme in active.SWITCH:
        programs = build_programs(FrozenConfigDict(config), parse("margin").program(scheme), 1)
        sizes = [f._cache_size() for f in (programs.train, programs.evaluate, programs.cross_validate, programs.query)]
        assert sizes == [1, 1, 1, 1], "nothing is compiled again from cycle to cycle"


@pytest.mark.parametrize("posterior", [True, False])
def test_a_network_says_probabilities_and_a_machine_none(pool_file, posterior):
    """Log loss is of the softmax of the mean weights, whether or not they have a posterior."""
    config = settings(pool_file, posterior=posterior)
    task, network, scores, _ = one_step(config, "network")
    logits = np.asarray(build_model(FrozenConfigDict(config)).apply(network, task.data.x_test).logits, float)
    expected = log_loss(task.data.y_test, scipy.special.softmax(logits, axis=1), labels=np.arange(K))
    assert scores.log_loss == pytest.approx(expected, rel=1e-5) and scores.calibration_error >= 0
    _, _, scores, _ = one_step(settings(pool_file, scheme="svm"), "svm")
    assert np.isnan([scores.log_loss, scores.calibration_error]).all()


def test_strategies_under_several_schemes_in_one_run(pool_file, tmp_path):
    names = ("random:svm", "random:cs-svm", "dmcs-rand:cs-svm", "dmcs-rand:network-th")
    records = run(settings(pool_file, strategies=names, seeds=2), tmp_path)
    assert [r["strategy"] for r in records[::8]] == list(names)
    text = (tmp_path / "report.md").read_text()
    assert "| random | cs-svm - svm |" in text and "| dmcs-rand | network-th - cs-svm |" in text
    assert (tmp_path / "progress.png").read_bytes().startswith(b"\x89PNG")


def test_lanes_that_may_switch_are_alone():
    names = ("margin", "random:svm", "random:switch")
    config = {"strategies": names, "scheme": "network"}
    assert [scheme_of(config, parse(name)) for name in names] == ["network", "svm", "switch"]
    alone = [group for group in work.groups(config, range(2), together=True) if len(group) == 1]
    assert alone == [(lane,) for lane in lanes_of(["random:switch"], range(2))]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ("us-fbu:svm",)}, "'us-fbu:svm' needs a posterior"),
        ({"strategies": ("bald",), "scheme": "switch"}, "'bald' needs a posterior"),
        ({"strategies": ("random:svn",)}, "after : comes one of network"),
        ({"scheme": "network-th", "head": "sngp"}, "config.head: scheme 'network-th'"),
        ({"scheme": "ft"}, "config.scheme: expected 'network', 'network-th', .* or 'switch'"),
        ({"folds": 1}, "config.folds: expected an integer from 2 to 1,000"),
        ({"profile": "transfer"}, "'transfer' needs config.class_mean"),
        ({"source": "s.npz"}, "'identity' has no parameters"),
    ],
    ids=["update", "bald", "no such scheme", "head", "scheme", "folds", "transfer", "identity"],
)
def test_bad_fields_are_named(pool_file, changes, message):
    with pytest.raises(ValueError, match=message):
        check(settings(pool_file, **changes))


@pytest.fixture(scope="module")
def source_file(pool_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "source.npz"
    network = {"backbone": "mlp", "width": 8, "depth": 1, "epochs": 30, "learning_rate": 0.05}
    config = settings(pool_file, **network, snapshots=3)
    return path, train_source.train_source(config, path)


class TestSources:
    """A network that is trained, written, and looked through."""

    def test_the_file_holds_what_was_scored(self, pool_file, source_file):
        path, scores = source_file
        frozen = FrozenConfigDict(settings(pool_file, backbone="mlp", width=8, depth=1, source=str(path)))
        source, data = problem.load_source(frozen), problem.load_data(frozen)
        predicted = np.argmax(sources.look(source, data.x_test)[1], axis=1)
        assert scores["accuracy"] == pytest.approx(np.mean(predicted == data.y_test)) and scores["accuracy"] > 1 / K

    def test_start_and_features_of_the_network(self, pool_file, source_file):
        source_file, _ = source_file
        config = settings(pool_file, backbone="mlp", width=8, depth=1, source=str(source_file))
        for num, kept in ((1, slice(2, None)), (3, slice(None))):
            frozen = FrozenConfigDict(config | {"snapshots": num})
            task, source = problem.build_problem(frozen, [0]), problem.load_source(frozen)
            with np.load(source_file) as arrays:
                for name in arrays.files:
                    found = source.variables
                    for part in name.split("/"):
                        found = found[part]
                    np.testing.assert_array_equal(found, arrays[name][kept])
            snapshots = [jax.tree.map(lambda x, i=i: x[i], source.variables) for i in range(num)]
            outputs = [source.model.apply(v, task.data.inputs) for v in snapshots]
            h = np.mean([o.features for o in outputs], axis=0)
            np.testing.assert_allclose(task.data.fixed[0], (h - h.mean(0)) / h.std(0), atol=1e-4)
            probs = np.mean([jax.nn.softmax(o.logits) for o in outputs], axis=0)
            np.testing.assert_allclose(task.data.source_probs, probs, atol=1e-5)
            start, last = task.variables["network"]["params"], snapshots[-1]["params"]
            jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[0], b), start["backbone"], last["backbone"])
            assert not start["head"]["kernel"].any(), "the head starts anew"

    def test_bad_files_are_named(self, pool_file, source_file, tmp_path):
        source_file, _ = source_file
        config = settings(pool_file, backbone="mlp", width=8, depth=1)
        (tmp_path / "broken.npz").write_bytes(b"PK no archive")
        np.savez(tmp_path / "other.npz", x=np.zeros(3))
        for path, changes, message in (
            (tmp_path / "none.npz", {}, "no file"),
            (tmp_path / "broken.npz", {}, "not a readable .npz"),
            (tmp_path / "other.npz", {}, "holds no network"),
            (source_file, {"width": 16}, "is of another network: params/backbone"),
            (source_file, {"snapshots": 4}, "has 3 snapshots, got 4"),
        ):
            with pytest.raises((ValueError, FileNotFoundError), match=message):
                problem.load_source(FrozenConfigDict(config | {"source": str(path)} | changes))

    def test_nothing_is_written_for_bad_input(self, pool_file, tmp_path):
        with pytest.raises(FileNotFoundError, match="config.source: no file none.npz"):
            run(settings(pool_file, backbone="mlp", source="none.npz"), tmp_path / "run")
        config = settings(pool_file, backbone="mlp", snapshots=4)
        with pytest.raises(ValueError, match="config.snapshots: must divide 5 epochs"):
            train_source.train_source(config, tmp_path / "s.npz")
        with pytest.raises(FileNotFoundError, match="no folder"):
            train_source.train_source(config | {"snapshots": 1}, tmp_path / "no" / "s.npz")
        assert not list(tmp_path.iterdir())

    def test_round_trip(self, tmp_path):
        model = Linear(Identity(), K)
        stacked = jax.tree.map(lambda x: jnp.stack([x, x + 1]), model.init(jax.random.key(0), jnp.zeros((1, H))))
        sources.save(tmp_path / "s.npz", stacked)
        again = sources.load(tmp_path / "s.npz", Identity(), jnp.zeros((1, H)), 2)
        jax.tree.map(np.testing.assert_array_equal, stacked, again.variables)
