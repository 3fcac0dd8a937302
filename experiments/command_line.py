"""Flags of the commands that take a config: whatever is wrong with them ends in one line."""

import sys
from collections.abc import Callable

from absl import flags
from ml_collections import config_flags

CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment, FILE.py or FILE.py:MODE.", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
RESUME = flags.DEFINE_bool("resume", False, "Go on with the run in the workdir, if there is one.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Delete the run in the workdir first.")
DISTRIBUTED = flags.DEFINE_string(
    "distributed", "", "Processes that share a pool: auto (the launcher says) or HOST:PORT,NUM,ID (a coordinator)."
)
TARGET = flags.DEFINE_string("target", None, "The .npz file to write, where a command writes one.")


def parser(*required: str) -> Callable[[list[str]], list[str]]:
    """A parser for `app.run` that wants these flags, and ends the program where one is wrong or missing."""

    def parse(argv: list[str]) -> list[str]:
        flags.mark_flags_as_required(required)
        try:
            return flags.FLAGS(argv)
        except AttributeError as error:
            unknown = error.args[0].args[0] if isinstance(error.args[0], KeyError) else str(error)
            sys.exit(f"error: --config has no field {'. '.join(unknown.splitlines())}")
        except (flags.Error, OSError, TypeError, ValueError, KeyError) as error:
            sys.exit(f"error: {str(error).strip().splitlines()[-1].strip().removeprefix('ValueError: ')}")

    return parse


def refuse_arguments(argv: list[str]) -> None:
    """Ends the program if something is left that is no flag."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; fields are changed with --config.FIELD=VALUE")
