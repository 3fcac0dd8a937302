"""Does a test notice when an operator or a number of the code is another? A sample of such mutants of one file.

    pip install cosmic-ray
    python tools/mutants.py --tries 50 alfamous_jax/updates.py tests/library -- -k "update or cycle"

cosmic-ray makes the mutants, in a copy of the project; the tests run by pytest with -x, without those marked slow or
exhaustive. It must stand in the environment that the tests run in. A mutant survives when all tests pass.
"""

import argparse
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
# Signs that stand in the annotations, where they mean nothing, or that the code has none of.
LEFT_OUT = ("BitOr", "BitAnd", "BitXor", "LShift", "RShift", "Mod", "NoOp", "ExceptionReplacer")


def copy_of(root: pathlib.Path, folder: pathlib.Path) -> None:
    """The files that git knows, as they are now."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, folder / name)


def mutants_of(path: str) -> list:
    """Every mutant of a file of the working directory, in the order of cosmic-ray."""
    from cosmic_ray.commands import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db(":memory:", WorkDB.Mode.create) as work:
        init([pathlib.Path(path)], work, {})
        items = [item.mutations for item in work.work_items]
    return [item for item in items if not any(word in item[0].operator_name for word in LEFT_OUT)]


def main(arguments: list[str]) -> int:
    """Tries mutants, prints those that survive and a line for the table; 1 where the code as it is fails its tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="the file to change, from the root of the project")
    parser.add_argument("tests", nargs="+", help="files or folders of tests, and after -- other arguments of pytest")
    parser.add_argument("--tries", type=int, default=20, help="how many mutants (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default 0)")
    parser.add_argument("--marks", default="not slow and not exhaustive", help="what pytest selects by -m")
    args = parser.parse_args(arguments)

    from cosmic_ray.mutating import mutate_and_test
    from cosmic_ray.work_item import TestOutcome

    with tempfile.TemporaryDirectory() as folder:
        copy_of(ROOT, pathlib.Path(folder))
        os.chdir(folder)
        os.environ["PYTHONPATH"] = folder  # before the project as it is installed
        pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", args.marks, *args.tests]
        start = time.monotonic()
        if subprocess.run(pytest, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, stdout=2).returncode:
            print("the tests fail without any change", file=sys.stderr)
            return 1
        limit = 60 + 5 * (time.monotonic() - start)  # a loop without an end counts as noticed
        every = mutants_of(args.file)
        sample = random.Random(args.seed).sample(every, min(args.tries, len(every)))
        survived = 0
        for number, mutant in enumerate(sample, 1):
            result = mutate_and_test(mutant, shlex.join(pytest), limit)
            survived += result.test_outcome == TestOutcome.SURVIVED
            said = f"{number}/{len(sample)} {mutant[0].operator_name} {mutant[0].start_pos}"
            print(f"{said}: {result.test_outcome.value}", flush=True)
            if result.test_outcome != TestOutcome.KILLED:
                print(result.diff or result.output)
    print(f"| `{args.file}` | {len(every)} | {len(sample)} | {len(sample) - survived} | {survived} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
