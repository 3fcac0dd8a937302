"""Flags of the commands that take a config: whatever is wrong with them ends in one line."""

import ast
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from absl import flags, logging
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags import tuple_parser

CONFIG = config_flags.DEFINE_config_file("config", None, "Experiment, FILE.py or FILE.py:MODE.", lock_config=True)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run.")
RESUME = flags.DEFINE_bool("resume", False, "Go on with the run in the workdir, if there is one.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Delete the run in the workdir first.")
DISTRIBUTED = flags.DEFINE_string(
    "distributed", "", "Processes that share a pool: auto (the launcher says) or HOST:PORT,NUM,ID (a coordinator)."
)
TARGET = flags.DEFINE_string("target", None, "The .npz file to write, where a command writes one.")
OVERRIDE = re.compile(r"--?(no)?config\.")
FIELD = re.compile(r"config(\.[a-zA-Z_]\w*)+")
LONGEST = 300  # signs of a message that quotes what was given


class TupleParser(tuple_parser.TupleParser):
    """Fields that are tuples: a,b or ('a', 'b') or (1, 2); one word is a tuple of one."""

    def parse(self, argument: Any) -> tuple:
        """The tuple of a flag."""
        if not isinstance(argument, str):
            return super().parse(argument)
        try:
            value = _literal(argument)
        except ValueError:
            if argument.lstrip()[:1] in tuple("([{'\""):
                raise ValueError("expected a list as in a,b or ('a', 'b')") from None
            parts = [part.strip() for part in argument.split(",")]
            if len(parts) > 1 and not parts[-1]:
                parts.pop()
            if len(parts) > 1 and not all(parts):
                raise ValueError("expected a list as in a,b: something is empty") from None
            return tuple(_number_or_text(part) for part in parts)
        return tuple(value) if isinstance(value, (tuple, list)) else (value,)


class DictParser(flags.ArgumentParser):
    """Fields that are dictionaries."""

    def parse(self, argument: Any) -> ConfigDict:
        """The dictionary of a flag; a default stays as it is."""
        if isinstance(argument, ConfigDict):
            return argument
        try:
            value = _literal(argument)
            if isinstance(value, dict):
                return ConfigDict(value)
        except (ValueError, TypeError):  # also of names that are no text
            pass
        raise ValueError("expected a dictionary as in {'kcenter-cb': 0.5}")


class ValueParser(flags.ArgumentParser):
    """Fields that may be of several types: a number, a word, or whatever else Python can write."""

    def parse(self, argument: Any) -> Any:
        """The value of a flag; what is none of Python's is a word; a default stays as it is."""
        return _number_or_text(argument) if isinstance(argument, str) else argument

    def flag_type(self) -> str:
        """For --help."""
        return "config_literal"


for _type, _parser in ((tuple, TupleParser()), (ConfigDict, DictParser()), (object, ValueParser())):
    config_flags.register_flag_parser_for_type(_type, _parser)


def parser(*required: str) -> Callable[[list[str]], list[str]]:
    """A parser for `app.run` that wants these flags, and ends the program where one is wrong or missing."""

    def parse(argv: list[str]) -> list[str]:
        logging.set_verbosity(logging.ERROR)
        words = [word.lstrip("-").partition("=")[0] for word in argv if OVERRIDE.match(word)]
        names = [word.removeprefix("no") for word in words]
        for name in names:
            if not FIELD.fullmatch(name):
                where = "a name with other signs goes into the dictionary of its field"
                _refuse(f"--{name}: expected --config.FIELD=VALUE; {where}")
        flags.mark_flags_as_required([name for name in required if name != "config"])
        try:
            rest = flags.FLAGS(argv)
            if "config" in required:
                _refuse_no_config(argv)
        except AttributeError as error:
            if not error.args or "no attribute" in str(error):
                _refuse(f"{_config_name(argv)}: {_told(error)}")
            unknown = error.args[0].args[0] if isinstance(error.args[0], KeyError) else str(error)
            _refuse(f"--config has no field {'. '.join(unknown.splitlines())}")
        except SyntaxError as error:
            _refuse(f"{error.filename}, line {error.lineno}: {error.msg}")
        except (flags.Error, OSError, TypeError, ValueError) as error:
            _refuse(_told(error))
        except Exception as error:  # whatever a config file does
            _refuse(f"{_config_name(argv)}: {type(error).__name__}: {_told(error)}")
        for name in dict.fromkeys(names):
            if isinstance(flags.FLAGS[name].parser, TupleParser) and names.count(name) > 1:
                _refuse(f"--{name}: was given {names.count(name)} times; give all in one, --{name}=a,b")
        return rest

    return parse


def refuse_arguments(argv: list[str]) -> None:
    """Ends the program if something is left that is no flag."""
    if len(argv) > 1:
        _refuse(f"unexpected argument {argv[1]!r}; fields are changed with --config.FIELD=VALUE")


def _literal(text: str) -> Any:
    """A value as Python writes it; ValueError for anything else, without a word of the parser's own."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("not a value") from None


def _number_or_text(text: str) -> Any:
    if text in ("true", "false"):  # absl's, of --config.x and --noconfig.x
        return text == "true"
    try:
        return _literal(text)
    except ValueError:
        return text


def _told(error: Exception) -> str:
    """The last line of an error, which is what it says."""
    lines = str(error).strip().splitlines() or ["no message"]
    return lines[-1].strip().removeprefix("ValueError: ")


def _refuse_no_config(argv: list[str]) -> None:
    """Ends the program, or raises what a config file has raised, where there is no config."""
    if not any(word.startswith(("--config", "-config")) for word in argv):
        _refuse("--config: expected FILE.py or FILE.py:MODE, as in --config=configs/own.py")
    if not isinstance(CONFIG.value, (ConfigDict, dict)):
        if CONFIG.value is not None:
            getattr(CONFIG.value, "strategies", None)  # of what could not be loaded: raises what was wrong
        _refuse(f"{_config_name(argv)}: get_config must give a ConfigDict, got {type(CONFIG.value).__name__}")


def _config_name(argv: list[str]) -> str:
    named = [word.partition("=")[2] for word in argv if word.startswith(("--config=", "-config="))]
    return f"--config={named[-1]}" if named else "--config"


def _refuse(message: str) -> NoReturn:
    if len(message) > LONGEST:  # what was given stands in the middle
        message = f"{message[:100]} ... {message[-(LONGEST - 100) :]}"
    sys.exit(f"error: {message}")
