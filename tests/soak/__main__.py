"""Runs disturbed at random: python -m tests.soak --minutes 10

Every round is a run of a few seconds that is killed, stopped, started twice or damaged on the disk, and resumed until
it ends. It must end with the bytes of an undisturbed run or, where files were damaged, in one clear line; where that
line names what to delete, it is deleted and the run goes on.
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial

from tests.soak import disturb
from tests.soak.damaged import resume_damaged
from tests.soak.drivers import Failed, Place, delete_as_told, finish, left_alone, prepare, start

MOST_RESUMES = 12  # after which a round that has not ended never will
KINDS = ("vmap", "processes")
SOUND = (disturb.kill_driver, disturb.kill_driver, disturb.start_twice)  # what may be done while all files are so
ON_WORKERS = (disturb.kill_worker, disturb.stop_worker)


def soak(
    seed: int, folder: pathlib.Path, cache: pathlib.Path, *, seconds: float = 0.0, rounds: int = 0, kinds=KINDS,
    say: Callable[[str], None] = print,
) -> collections.Counter:  # fmt: skip
    """Rounds until the time is over, or so many of them.

    Args:
      seed: of what is done to the runs; when a process is hit depends on the machine as well.
      folder: to work in.
      cache: of compiled programs.
      seconds: to go on for, if no number of rounds is given.
      rounds: how many.
      kinds: of `KINDS`, in turn.
      say: gets a line for every round.

    Returns:
      how often each thing was done and each ending came; "failed" counts what must not be.
    """
    rng, counts = random.Random(seed), collections.Counter()
    prepare(folder, cache, kinds)
    end = time.monotonic() + seconds
    while counts["rounds"] < rounds if rounds else time.monotonic() < end:
        kind = kinds[counts["rounds"] % len(kinds)]
        counts["rounds"] += 1
        place, done = Place(folder, kind, rng), []
        shutil.rmtree(place.workdir, ignore_errors=True)
        try:
            ending = _round(place, done)
        except Failed as error:
            kept = folder / f"failed{counts['rounds']}"
            shutil.copytree(place.workdir, kept, symlinks=True)
            ending = f"failed: {error}, see {kept}"
        counts.update([_kind_of(what) for what in done] + [ending.partition(":")[0]])
        say(f"round {counts['rounds']}, {kind}: {', '.join(done)}: {ending}")
    return counts


def _round(place: Place, done: list[str]) -> str:
    """Adds what was done to a list; how it ended."""
    damaged = False
    for number in range(place.rng.randint(1, 3)):
        sound = SOUND + ON_WORKERS * (place.kind == "processes")
        action = place.rng.choice(
            (disturb.kill_driver, disturb.damage) if damaged else sound + (disturb.damage,) * 2 * number
        )
        if what := action(place):
            done.append(what)
            damaged |= action is disturb.damage
    for _ in range(MOST_RESUMES):
        code, said = finish(start(place))
        if code == 0 and left_alone(place):
            return "equal bytes"
        if code == 0:
            raise Failed("other records than those of an undisturbed run")
        if not damaged:
            raise Failed(f"refused without a reason: {said}")
        if not (told := delete_as_told(place.workdir, said)):
            return f"one line: {said.strip().replace(str(place.workdir), 'RUN')[:150]}"
        done.append(told)
    raise Failed(f"no end after {MOST_RESUMES} tries: {said}")


def _kind_of(what: str) -> str:
    """Of a thing that was done: without the file that it was done to."""
    return what.partition(": ")[0]


def main() -> int:
    """Command line; exit code 1 if a round failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Disturbs runs at random.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", action="store_true", help="damage files alone, in this process: more tries a minute")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    cache = pathlib.Path(tempfile.gettempdir(), f"soak-cache-{os.getuid()}")
    how = {"seconds": 60 * args.minutes, "say": partial(print, flush=True)}
    counts = resume_damaged(args.seed, folder, **how) if args.files else soak(args.seed, folder, cache, **how)
    print(*(f"{count:5}  {name}" for name, count in sorted(counts.items())), sep="\n")
    if not counts["failed"]:
        shutil.rmtree(folder)
    return int(bool(counts["failed"]))


if __name__ == "__main__":
    sys.exit(main())
