"""Finished and half-finished runs, damaged on the disk and resumed in one process: many tries a minute."""

import collections
import contextlib
import io
import pathlib
import random
import shutil
import time
from collections.abc import Callable

from tests.soak.disturb import damage
from tests.soak.drivers import SAID, SETTINGS, Place, delete_as_told, left_alone, write_data

MOST_RESUMES = 8


def resume_damaged(
    seed: int, folder: pathlib.Path, *, seconds: float = 0.0, tries: int = 0, say: Callable[[str], None] = print
) -> collections.Counter:
    """Tries until the time is over, or so many of them: a copy of a run, one or two things done to its files, a resume.

    Args:
      seed: of what is done.
      folder: to work in.
      seconds: to go on for, if no number of tries is given.
      tries: how many.
      say: gets a line for every try that does not end with equal bytes.

    Returns:
      how often each thing was done and each ending came; "failed" counts what must not be.
    """
    from configs.letter import get_config
    from experiments.run import run

    data = write_data(folder)
    config = get_config().to_dict() | SETTINGS | {"strategies": ("us",), "dataset": str(data), "parallel": "vmap"}
    place, counts = Place(folder, "vmap", random.Random(seed)), collections.Counter()

    def resume(workdir: pathlib.Path) -> str:
        """What a resume says."""
        said = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                run(config, workdir, resume=True)
            except (ValueError, OSError, RuntimeError) as error:
                print(f"error: {error}", file=said)
        return "\n".join(line for line in said.getvalue().splitlines() if not line.startswith(SAID))

    if problem := resume(place.undisturbed):
        raise RuntimeError(f"an undisturbed run ended so: {problem}")
    end = time.monotonic() + seconds
    while counts["tries"] < tries if tries else time.monotonic() < end:
        counts["tries"] += 1
        shutil.rmtree(place.workdir, ignore_errors=True)
        shutil.copytree(place.undisturbed, place.workdir)
        if place.rng.random() < 0.5:  # as if killed before the last cycle
            shutil.rmtree(max(place.workdir.glob("checkpoints/*/[0-9]*"), key=lambda path: int(path.name)))
        done = [damage(place) for _ in range(place.rng.randint(1, 2))]
        for _ in range(MOST_RESUMES):
            said = resume(place.workdir)
            if not said or not (told := delete_as_told(place.workdir, said)):
                break
            done.append(told)
        one_line = said.startswith("error: ") and "\n" not in said
        ending = "one line" if one_line else "equal bytes" if not said and left_alone(place) else "failed"
        counts.update([what.partition(": ")[0] for what in done] + [ending])
        if ending != "equal bytes":
            say(f"try {counts['tries']}: {', '.join(done)}: {ending}: {said[:300]}")
    return counts
