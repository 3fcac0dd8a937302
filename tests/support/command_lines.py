"""A command line parsed in this process, as a command does, and forgotten afterwards."""

import contextlib
import io
import sys
import warnings
from unittest import mock

from absl import flags

from experiments import command_line


def parse(*argv, required=("config", "workdir")):
    """The config that the flags give; SystemExit with the line where they are refused."""
    words = ["command", *argv]
    try:
        quiet = contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings(action="ignore")
        with mock.patch.object(sys, "argv", words), quiet[0], quiet[1]:  # a library's way to load a file is out of date
            command_line.refuse_arguments(command_line.parser(*required)(words))
        return command_line.CONFIG.value
    finally:
        for name in [name for name in flags.FLAGS if name.startswith("config.")]:
            delattr(flags.FLAGS, name)
        flags.FLAGS["config"].value = None
        flags.FLAGS.unparse_flags()
        sys.modules.pop("config_config", None)  # the file, under the name that the library gives it
