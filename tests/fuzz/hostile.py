"""Values that nobody means, and a judge of what a command says to them."""

import pathlib
import time
import traceback
from collections.abc import Callable

import numpy as np

from tests.fuzz import watch

NUMBERS = (
    -1, 0, 1, 2, 3, 7, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53 + 1, 2**63, 2**64, 10**9, 10**20, 10**400, 10**5000,
    -(10**400), 0.0, -0.0, 0.5, 1.0, 1.5, 1e-45, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"), 1j,
)  # fmt: skip
TEXTS = (
    "", "auto", "us", "random", "us-alfamous@2", "us@" + "9" * 5000, "kcenter-cb", "us:svm", "a:b", "os:system",
    "x" * 5000, "$x_1$", r"\frac{1}", "a|b", "<b>", "[x](y)", "a\nb", "\x00", "\ud800", "\u540d\u524d",
    "../x", "/", "true", "none",
)  # fmt: skip
OTHERS = (
    None, True, False, b"x", (), [], {}, (1,), ("us",), ("us", "us"), ["us", 3], (("a",),), ([],), ({},), {"us": -1},
    {1: 2}, {"us": {"us": 1}}, (float("nan"),), (3, 2, 1), (1, 10**400), range(3), {1}, np.float32(1), np.arange(3),
    print,
)  # fmt: skip
VALUES = (*NUMBERS, *TEXTS, *OTHERS)
LONGEST = 1000  # signs of a message


def drawn(rng: np.random.Generator, values=VALUES):
    return values[rng.integers(len(values))]


def judged(call: Callable[[], object], folder: pathlib.Path, documented: tuple, may: tuple[str, ...] = ()) -> str:
    """What comes of a call: its answer, or one line; nothing written in a folder but for some names."""
    before, started = _files(folder), time.process_time()
    try:
        call()
        outcome = watch.READ
    except documented as error:
        text = str(error.code if isinstance(error, SystemExit) else error)
        lines = text.strip().count("\n") + 1
        said = 0 < len(text.strip()) <= LONGEST and lines == 1 and " object at 0x" not in text
        outcome = watch.REFUSED if said else f"message: of {len(text)} characters, {lines} lines: {text[:200]!r}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        outcome = f"traceback: {what} ({pathlib.Path(last.filename).name}, line {last.lineno})"
    if (seconds := time.process_time() - started) > watch.SECONDS:
        return f"slow: {seconds:.0f} seconds of a core"
    after = _files(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    wrong = {name for name in changed if not any(name == one or name.startswith(f"{one}/") for one in may)}
    return f"wrote: {sorted(wrong)}" if wrong else outcome


def _files(folder: pathlib.Path) -> dict[str, tuple]:
    """What lies in a folder: folders by name, files by size and time too."""
    found = {}
    for path in folder.rglob("*"):
        facts = path.lstat()
        found[str(path.relative_to(folder))] = () if path.is_dir() else (facts.st_size, facts.st_mtime_ns)
    return found
