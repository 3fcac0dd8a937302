"""Command line of the fuzzers; exit code 1 where something broke a promise."""

import argparse
import importlib
import sys
import time
from collections import Counter

from tests.fuzz import watch

FUZZERS = ("configs", "workdirs")  # modules of this package


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Random damage to what users bring.")
    parser.add_argument("fuzzer", choices=FUZZERS)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first try")
    parser.add_argument("--tries", type=int, default=10**9, help="how many, if the time allows")
    parser.add_argument("--only", default="", help="one kind of input")
    args = parser.parse_args()
    module = importlib.import_module(f"tests.fuzz.{args.fuzzer}")
    kinds = tuple(kind for kind in module.KINDS if kind.startswith(args.only))
    numbers = range(args.first, args.first + args.tries)
    counts, broken, said = Counter(), [], time.monotonic()
    for tried in watch.tries(module.__name__, kinds, numbers, 60 * args.minutes):
        counts[tried.kind, tried.outcome.split(":")[0]] += 1
        if tried.outcome not in watch.KEPT:
            broken.append(tried)
            print(f"try {tried.number} ({tried.kind}): {tried.outcome}", flush=True)
        if time.monotonic() > said + 10:
            said = time.monotonic()
            print(f"{counts.total():,} tries, {len(broken)} broken promises", flush=True)
    outcomes = sorted({outcome for _, outcome in counts})
    for kind in kinds:
        found = ", ".join(f"{counts[kind, outcome]:,} {outcome}" for outcome in outcomes if counts[kind, outcome])
        print(f"{kind}: {found or 'nothing'}")
    print(f"{counts.total():,} tries, {len(broken)} broken promises")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
