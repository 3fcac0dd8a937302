"""Sessions over a small pool of three classes, all of one shape, so that a file compiles once."""

import numpy as np

from alfamous_jax.session import Session

ROWS, WIDTH, NAMES = 60, 4, ("ant", "bee", "cow")
RNG = np.random.default_rng(3)
TRUTH = RNG.choice(3, ROWS, p=(0.7, 0.2, 0.1))
POOL = (4 * np.eye(3, WIDTH)[TRUTH] + RNG.normal(size=(ROWS, WIDTH))).astype(np.float32)
SETTINGS = {"classes": NAMES, "retrain_every": 5, "seed": 7}


def name(row):
    return NAMES[TRUTH[row]]


def begin(features=POOL, **settings):
    return Session(features, **SETTINGS | settings)


def answer(session, num):
    """Answers so many questions truly."""
    for _ in range(num):
        (row,) = session.ask().tolist()
        session.tell(row, name(row))
    return session


def seen(session):
    """All that the next question and the predictions depend on."""
    return session.ask().tolist(), session.predict_proba().tobytes()


def view(session):
    """All that is asked, predicted and remembered."""
    return *seen(session), [entry.to_json() for entry in session.history]
