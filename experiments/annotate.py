"""Label noise: a simulated annotator who errs drives the same session as a person does by hand.

    python -m experiments.annotate banking77.npz --workdir=runs/noise

DATA is what `--config.dataset` takes: a file, or a name that is known. Every pair of a strategy and a share of wrong
answers is run with every seed; a run is a line of WORKDIR/runs.jsonl once it is over, and the same command goes on with
those that are missing. At the end it prints macro F1 on the test rows as a table. `--fits=0,5,25` tries how often the
head is to be fitted anew, and prints a second table of the same labels under a head fitted at the end.
"""

import argparse
import itertools
import json
import pathlib
import sys
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import datasets, metrics
from alfamous_jax.datasets import Dataset
from alfamous_jax.session import Session
from experiments import stopping
from experiments.store import files

KINDS = ("uniform", "confused", "lazy")
FITS = 25  # labels between two fits, as a session has it


def annotator(kind: str, noise: float, neighbours: np.ndarray, seed: int) -> Callable[[int], int]:
    """Somebody who answers with the class of a row, most of the time.

    Args:
      kind: how they err: "uniform" gives any other class, "confused" the class most like it, "lazy" their last answer.
      noise: share of the answers that they do not think about; a lazy one is then right by luck at times.
      neighbours: the class most like each [K].
      seed: of their mistakes.

    Returns:
      a function from the true class to the answer.
    """
    rng, last, num_classes = np.random.default_rng(seed), [-1], len(neighbours)

    def answer(truth: int) -> int:
        careless, other = rng.uniform() < noise, int(rng.integers(num_classes - 1))
        if careless and kind == "uniform":
            last[0] = other + (other >= truth)
        elif careless and kind == "confused":
            last[0] = int(neighbours[truth])
        elif not (careless and last[0] >= 0):
            last[0] = truth
        return last[0]

    return answer


def most_alike(rows: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """The class whose centroid is nearest to that of each [K]; a class without rows is like none and has itself."""
    there = np.bincount(labels, minlength=num_classes) > 0
    places, found = np.flatnonzero(there), np.arange(num_classes)
    centres = np.stack([rows[labels == k].mean(axis=0) for k in places])
    distances = np.linalg.norm(centres[:, None] - centres, axis=2)
    np.fill_diagonal(distances, np.inf)
    found[places] = places[np.argmin(distances, axis=1)]
    return found


def run(data: Dataset, args: argparse.Namespace, strategy: str, noise: float, fits: int, seed: int) -> dict:
    """One session from the first label to the last, its head fitted anew every `fits` labels.

    Returns:
      what it was, and at every checkpoint the labels, how many of them are wrong, accuracy, macro F1, and macro F1 of a
      head fitted to the same labels there.
    """
    rows, truth = data.x_train, data.y_train
    answer = annotator(args.kind, noise, most_alike(rows, truth, data.num_classes), seed)
    start = np.random.default_rng(seed).choice(len(rows), args.initial, replace=False)
    given = {int(row): answer(int(truth[row])) for row in start}
    session = Session(rows, data.num_classes, strategy, given, seed, retrain_every=fits)
    points = []
    while True:
        told = session.labels
        if len(told) % args.every == 0 or len(told) >= args.labels:
            wrong = sum(int(name) != int(truth[row]) for row, name in told.items())
            (accuracy, f1), (_, fitted) = _scores(data, session), _scores(data, _fitted(session))
            points.append(
                {"labels": len(told), "wrong": wrong, "accuracy": accuracy, "macro_f1": f1, "macro_f1_fitted": fitted}
            )
        row = session.ask()
        if len(told) >= args.labels or not len(row):
            return {"strategy": strategy, "noise": noise, "fits": fits, "seed": seed, "points": points}
        session.tell(row, answer(int(truth[row[0]])))


def _scores(data: Dataset, session: Session) -> tuple[float, float]:
    """Accuracy and macro F1 on the test rows."""
    predicted = session.predict(features=data.x_test).astype(np.int32)
    f1 = metrics.macro_f1(jnp.asarray(data.y_test), jnp.asarray(predicted), data.num_classes)
    return float(np.mean(predicted == data.y_test)), float(f1)


def _fitted(session: Session) -> Session:
    """A copy whose head is fitted to all labels, if they are of two classes."""
    copy = session.as_of(len(session.history))
    if sum(num > 0 for num in copy.counts.values()) > 1:
        copy.retrain()
    return copy


def load(args: argparse.Namespace) -> Dataset:
    """The data, of which half of the classes are cut to a share of their rows, the same ones for every run."""
    data = datasets.load(args.data, 0)
    if data.x_train.ndim != 2:
        raise ValueError(f"{args.data}: needs rows of features [N, H], got {data.x_train.shape}")
    pool = datasets.imbalanced_pool(jax.random.key(0), data, datasets.Imbalance(ratio=args.ratio))
    rows = pool.rows[pool.available]
    x_train, x_test = (np.asarray(x, np.float32) for x in (data.x_train[rows], data.x_test))
    return data._replace(x_train=x_train, y_train=data.y_train[rows], x_test=x_test)


def table(found: Sequence[dict], field: str = "macro_f1") -> str:
    """Mean and standard error of a field at the last checkpoint, in Markdown: strategies and fits by noise."""
    noises = sorted({one["noise"] for one in found})
    several = len({_fits(one) for one in found}) > 1
    lines = ["| strategy | " + "a fit every | " * several + " | ".join(f"{noise:.0%} wrong" for noise in noises) + " |"]
    lines.append("| :-- |" + " --: |" * (several + len(noises)))
    for strategy, fits in dict.fromkeys((one["strategy"], _fits(one)) for one in found):
        cells = [strategy, *([str(fits or "never")] * several)]
        for noise in noises:
            kind = strategy, fits, noise
            scores = [x["points"][-1][field] for x in found if (x["strategy"], _fits(x), x["noise"]) == kind]
            error = f" ± {np.std(scores, ddof=1) / len(scores) ** 0.5:.3f}" if len(scores) > 1 else ""
            cells.append(f"{np.mean(scores):.3f}{error} ({len(scores)})" if scores else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _fits(one: dict) -> int:
    """Labels between two fits of a run; runs were kept before there was a choice."""
    return one.get("fits", FITS)


def settle(args: argparse.Namespace) -> list[dict]:
    """What the workdir has already, once it is sure that it is of the same experiment."""
    fields = ("data", "kind", "labels", "initial", "every", "ratio")
    settings, place = {name: getattr(args, name) for name in fields}, args.workdir / "settings.json"
    before = files.read_json(place)
    for name, value in before.items():
        if settings.get(name) != value:
            raise ValueError(f"--{name}: {args.workdir} has runs with {value!r}, got {settings.get(name)!r}")
    args.workdir.mkdir(parents=True, exist_ok=True)
    files.write_json(place, settings)
    path = args.workdir / "runs.jsonl"
    files.drop_half_line(path)  # that run is done again
    return files.read_json_lines(path)


def check(args: argparse.Namespace) -> None:
    """Refuses settings before anything is read or written."""
    for noise in args.noise:
        if not 0 <= noise < 1:
            raise ValueError(f"--noise: expected shares of at least 0 and below 1, got {noise}")
    if not 0 < args.ratio <= 1:
        raise ValueError(f"--ratio: expected a share above 0 and up to 1, got {args.ratio}")
    for name, low in (("seeds", 1), ("initial", 2), ("every", 1), ("labels", args.initial)):
        if getattr(args, name) < low:
            raise ValueError(f"--{name}: expected at least {low}, got {getattr(args, name)}")
    for strategy, fits in itertools.product(args.strategies, args.fits):
        Session(np.eye(3), 2, strategy, retrain_every=fits)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    args = _parser().parse_args(arguments)
    try:
        check(args)
        data = load(args)
        if args.labels > len(data.x_train):
            raise ValueError(f"--labels: the pool has {len(data.x_train)} rows, got {args.labels}")
        found = settle(args)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    with stopping.in_order(f"stopped; the same command goes on with {args.workdir}"):
        _run_what_is_missing(data, args, found)
    print(f"\nMacro F1 at {args.labels} labels, {args.kind} noise, mean ± standard error (runs):\n\n{table(found)}")
    if len(args.fits) > 1:
        both = [one for one in found if "macro_f1_fitted" in one["points"][-1]]  # older runs lack it
        print(f"\nThe same under a head fitted at the end:\n\n{table(both, 'macro_f1_fitted')}")


def _run_what_is_missing(data: Dataset, args: argparse.Namespace, found: list[dict]) -> None:
    """Adds a record for every run that is not there yet, to the file and to those found."""
    done = {(one["strategy"], one["noise"], _fits(one), one["seed"]) for one in found}
    print(f"{len(data.x_train):,} rows of {data.num_classes} classes; {len(done)} runs are there.", flush=True)
    for seed, noise, fits, strategy in itertools.product(range(args.seeds), args.noise, args.fits, args.strategies):
        if (strategy, noise, fits, seed) not in done:
            found.append(run(data, args, strategy, noise, fits, seed))
            files.append_json_line(args.workdir / "runs.jsonl", found[-1])
            print(json.dumps({**found[-1], "points": found[-1]["points"][-1]}), flush=True)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="experiments.annotate", description=__doc__, formatter_class=formatter)
    parser.add_argument("data", help="a file of features and labels, or a name")
    parser.add_argument("--workdir", type=pathlib.Path, required=True, help="the folder of the runs")
    parser.add_argument(
        "--strategies", type=_names, default="random,margin,us-alfamous,margin-alfamous", help="A,B,..."
    )
    parser.add_argument("--noise", type=_numbers, default="0,0.1,0.3", help="shares of wrong answers (0,0.1,0.3)")
    parser.add_argument("--kind", choices=KINDS, default="uniform", help="how the annotator errs")
    parser.add_argument("--fits", type=_whole, default=[FITS], help="labels between two fits, 0 for never (25)")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each pair (10)")
    parser.add_argument("--labels", type=int, default=500, help="of a run (500)")
    parser.add_argument("--initial", type=int, default=20, help="labels of random rows at the start (20)")
    parser.add_argument("--every", type=int, default=100, help="labels between two checkpoints (100)")
    parser.add_argument(
        "--ratio", type=float, default=0.1, help="share of their rows that half of the classes keep (0.1)"
    )
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _whole(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
