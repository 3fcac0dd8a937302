"""Which models a session keeps, so that few answers are gone through again, and which of its fits still waits.

A fit that waits is one that `fits_later` has put off: the model goes on without it, and lacks it from its place on.
"""

from collections.abc import Sequence
from typing import NamedTuple

from alfamous_jax.session import _model
from alfamous_jax.session._ledger import Answer, Ledger
from alfamous_jax.session._model import Model, Setup


class Kept(NamedTuple):
    """What a session has of its models; nothing before the first question."""

    model: Model | None = None  # of all answers, or of the first of them
    last: Model | None = None  # before the last answers, for a quick undo
    base: Model | None = None  # as last fitted, where a longer undo begins
    put_off: int | None = None  # place of the first fit that the model lacks


def follow(kept: Kept, setup: Setup, ledger: Ledger, fixed: int, later: bool) -> Kept:
    """With the model of all answers so far, but for a fit that waits.

    Args:
      kept: of the same answers, or of the first of them.
      setup: of the session.
      ledger: its answers.
      fixed: answers that were there from the start.
      later: whether fits may wait.
    """
    put_off = waiting(kept, setup, ledger, later)
    model, base = _model.follow(setup, ledger, kept.model, fixed, _can_wait(kept, setup, later))
    if base is not None and put_off is not None and base.at > put_off:
        put_off = None
    is_further = kept.model is not None and model.at > kept.model.at
    return Kept(model, kept.model if is_further else kept.last, base or kept.base, put_off)


def waiting(kept: Kept, setup: Setup, ledger: Ledger, later: bool) -> int | None:
    """The place of the first fit that waits, also one that no question has met yet; None where none does."""
    answers = ledger.answers
    if kept.put_off is not None or kept.model is None or not _can_wait(kept, setup, later):
        return kept.put_off
    return next((i for i in range(kept.model.at, len(answers)) if answers[i].what == "retrain"), None)


def cut(kept: Kept, num_answers: int) -> Kept:
    """What is left once only the first answers are there: the models of no more than these."""
    model, last, base = (one if one is not None and one.at <= num_answers else None for one in kept[:3])
    put_off = kept.put_off if kept.put_off is not None and kept.put_off < num_answers else None
    return Kept(next((one for one in (model, last, base) if one is not None), None), None, base, put_off)


def to_fit(kept: Kept, num_answers: int, put_off: int | None) -> Kept:
    """What a copy of the first answers begins with, in which no fit waits: the models before the one put off."""
    return cut(kept, num_answers if put_off is None else min(num_answers, put_off))._replace(put_off=None)


def fits_on(put_off: int | None, past: Sequence[Answer], answers: Sequence[Answer]) -> bool:
    """Whether the model of past answers has the fit that waits and is of the first of the answers as they are now."""
    return put_off is not None and put_off < len(past) and answers[: len(past)] == past


def _can_wait(kept: Kept, setup: Setup, later: bool) -> bool:
    """Whether there is a model to go on with."""
    model = kept.model
    return later and model is not None and (model.predicted is not None or setup.strategy.updates)
