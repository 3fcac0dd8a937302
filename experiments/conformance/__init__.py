"""Tries a strategy on small hard pools: python -m experiments.conformance mine.pick:select [MORE ...]

What every strategy must do, whatever it is: pick different available rows, pad where they run out, pass over rows that
are not finite, look at nothing it was not shown, follow its key alone, and be the same under jit, vmap and float64. The
strategies of the library go through the same checks in the tests. `check_strategy` is the command as a function.
"""

from collections.abc import Callable

from experiments.conformance.checks import CHECKS
from experiments.conformance.trial import trial_of

__all__ = ["CHECKS", "check_strategy", "trial_of"]


def check_strategy(name: str, say: Callable[[str], None] = print) -> bool:
    """Puts a strategy through all checks.

    Args:
      name: as in `config.strategies`, such as "mine.pick:select".
      say: called with a line for each check.

    Returns:
      whether none failed. ValueError if there is no such strategy.
    """
    trial, passed = trial_of(name), True
    for check in CHECKS:
        try:
            reason = check(trial)
            outcome = f"does not apply: {reason}" if reason else "passed"
        except Exception as error:  # whatever a user's function does
            passed, lines = False, str(error).strip().splitlines()
            outcome = f"FAILED: {type(error).__name__}: {' '.join(line.strip() for line in lines[:6])}"
        say(f"{name}: {check.__name__.replace('_', ' ')}: {outcome}")
    return passed
