"""Flags of the commands that take a config: whatever is wrong with them ends in one line."""

import sys

from absl import flags


def parse(argv: list[str]) -> list[str]:
    """Parses the flags, for `app.run`; ends the program where one is wrong."""
    try:
        return flags.FLAGS(argv)
    except AttributeError as error:
        unknown = error.args[0].args[0] if isinstance(error.args[0], KeyError) else str(error)
        sys.exit(f"error: --config has no field {'. '.join(unknown.splitlines())}")
    except (flags.Error, OSError, TypeError, ValueError, KeyError) as error:
        sys.exit(f"error: {str(error).strip().splitlines()[-1].strip()}")


def refuse_arguments(argv: list[str]) -> None:
    """Ends the program if something is left that is no flag."""
    if len(argv) > 1:
        sys.exit(f"error: unexpected argument {argv[1]!r}; fields are changed with --config.FIELD=VALUE")
