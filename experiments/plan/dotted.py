"""What a user names by module and attribute: `mine.pick:select` in a config."""

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any


def is_dotted(name: str) -> bool:
    """Whether a field names an attribute of a module, MODULE:ATTRIBUTE."""
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in (*module.split("."), attribute))


def resolve(name: str, field: str) -> Callable[..., Any]:
    """The function or class that a field of a config names.

    Args:
      name: MODULE:ATTRIBUTE; the module is looked for as by `import`, the folder the command is started from included.
      field: of the config, for the message.

    Raises:
      ValueError: no such module or attribute, or it cannot be called; an error inside the module is told by its line.
    """
    module_name, _, attribute = name.partition(":")
    if not is_dotted(name):
        raise ValueError(f"{field}: expected MODULE:ATTRIBUTE, got {name!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ValueError(
                f"{field}: {name!r}: there is no module {error.name!r} on Python's path or in this folder"
            ) from None
        raise ValueError(f"{field}: {name!r}: its module needs {error.name!r}, which is not installed") from error
    except Exception as error:  # whatever a user's module does
        raise ValueError(f"{field}: {name!r}: importing its module failed ({type(error).__name__}: {error})") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        what = "has no attribute" if found is None else f"holds a {type(found).__name__}, no function or class, as"
        raise ValueError(f"{field}: {name!r}: {module.__file__} {what} {attribute!r}")
    return found


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of what a function has to be given."""
    own = inspect.signature(function).parameters.values()
    return tuple(p.name for p in own if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))


def call(function: Callable[[], Any], what: str) -> Any:
    """What a function of the user's gives; ValueError in one line for whatever it raises."""
    try:
        return function()
    except Exception as error:
        reason = " ".join(str(error).split()) or "no message"
        raise ValueError(f"{what} failed ({type(error).__name__}: {reason})") from error


def check_parameters(function: Callable[..., Any], wanted: Sequence[Sequence[str]], what: str) -> tuple[str, ...]:
    """The one of some lists of parameters that a function has.

    Raises:
      ValueError: it has none of them; says what it takes and what it should.
    """
    found = parameters(function)
    if found not in {tuple(names) for names in wanted}:
        expected = " or ".join(f"({', '.join(names)})" for names in wanted)
        raise ValueError(f"{what}: must take {expected}, takes ({', '.join(found)})")
    return found
