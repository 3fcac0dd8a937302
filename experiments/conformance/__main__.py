"""python -m experiments.conformance NAME [MORE ...]"""

import argparse
import sys
from collections.abc import Sequence

from experiments import stopping
from experiments.conformance import check_strategy


def main(args: Sequence[str] | None = None) -> int:
    """Command line; exit code 1 where a check fails, 2 and one line where there is no such strategy."""
    parser = argparse.ArgumentParser(prog="python -m experiments.conformance", description="Tries strategies.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="as in config.strategies, such as mine.pick:select")
    options = parser.parse_args(args)
    with stopping.in_order():
        try:
            return 0 if all([check_strategy(name) for name in options.names]) else 1
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
