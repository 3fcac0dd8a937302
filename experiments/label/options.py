"""What every command takes that labels a pool."""

import argparse
import pathlib


def add_options(parser: argparse.ArgumentParser) -> None:
    """Pool, labels, classes, strategy, and who answers where."""
    parser.add_argument("pool", type=pathlib.Path, help="the rows")
    parser.add_argument("--labels", type=pathlib.Path, default=pathlib.Path("labels.csv"), help="(labels.csv)")
    parser.add_argument("--classes", type=_names, default=[], help="all classes by name, A,B,C")
    parser.add_argument("--strategy", help="what is asked for (margin-alfamous)")
    parser.add_argument("--lam", type=float, help="how much balance counts (0.1 or 0.5 as far as labels are uneven)")
    parser.add_argument("--seed", type=int, help="of all that is drawn (0)")
    parser.add_argument("--who", default="", help="gives the answers; kept in the journal")
    parser.add_argument("--port", type=int, default=0, help="of this machine (one that is free)")


def _names(text: str) -> list[str]:
    return text.split(",") if text else []
