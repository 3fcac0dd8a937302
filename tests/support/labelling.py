"""A small pool at a desk: what the tests of the labelling page share."""

import csv
import pathlib
import time
from collections.abc import Callable

import numpy as np
from flask.testing import FlaskClient

from alfamous_jax.session import Session
from experiments.label import begin, page
from experiments.label.__main__ import _parser
from experiments.label.desk import Desk

HOSTILE = '<script>document.title = "taken"</script><img src=x onerror="document.title=1">'
NAMES = ("ant", "bee & <b>wasp</b>", "cow")
ROWS, WIDTH, TOKEN = 60, 4, "a-secret"
RNG = np.random.default_rng(3)
TRUTH = RNG.choice(3, ROWS, p=(0.7, 0.2, 0.1))
POOL = (4 * np.eye(3, WIDTH)[TRUTH] + RNG.normal(size=(ROWS, WIDTH))).astype(np.float32)


def name(row: int) -> str:
    return NAMES[TRUTH[row]]


def write(folder: pathlib.Path, num_classes: int = 3, held_out: bool = False) -> list[str]:
    """The files of a pool in a folder, and the arguments of the command that labels it."""
    names = [*NAMES, *(f"further_{k}" for k in range(3, num_classes))]
    more = {"x_test": POOL[:20], "y_test": TRUTH[:20]} if held_out else {}
    np.savez(folder / "pool.npz", x=POOL, class_names=np.array(names), **more)
    with (folder / "texts.csv").open("w", newline="", encoding="utf-8") as file:
        lines = [(f"{HOSTILE} number {row}, a {TRUTH[row]}", name(row)) for row in range(ROWS)]
        csv.writer(file).writerows([("text", "label"), *lines])
    return [str(folder / "pool.npz"), "--show", str(folder / "texts.csv"), "--labels", str(folder / "labels.csv")]


def begun(folder: pathlib.Path, *arguments: str, **how) -> begin.Begun:
    return begin.begin(_parser().parse_args([*write(folder, **how), *arguments]))


def desk(folder: pathlib.Path, *arguments: str, **how) -> Desk:
    found = begun(folder, *arguments, **how)
    return Desk(found.session, found.table, found.show, found.held_out, found.size, "ann")


def answer(at: Desk, num: int) -> list[int]:
    """Gives the next questions their right labels; the rows that were asked."""
    rows = []
    for _ in range(num):
        rows.append(at.view().row)
        at.answer(rows[-1], name(rows[-1]))
    return rows


def wait_for(condition: Callable[[], bool], seconds: float = 500) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Whole(FlaskClient):
    """Takes answers whole, so that no file stays open."""

    def open(self, *args, **kwargs):
        return super().open(*args, buffered=True, **kwargs)


def client(at: Desk) -> Whole:
    app = page.app(at, TOKEN, "pool.npz")
    return Whole(app, app.response_class)


def in_file(folder: pathlib.Path) -> dict[int, str]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {int(line["row"]): line["label"] for line in csv.DictReader(file)}


def again(folder: pathlib.Path) -> Session:
    """What a new process makes of the journal."""
    return begun(folder).session
