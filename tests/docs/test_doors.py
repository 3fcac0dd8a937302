"""Every command that the documentation names starts, says how it is used, and has what it names."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib

import pytest
from documents import OTHERS, ROOT, SIGNS, commands, name_of, read
from settled import on_small_file

DOCUMENTED = [*SIGNS, *OTHERS, *sorted(ROOT.glob("configs/*.py"))]
DOOR = re.compile(r"python (-m experiments[\w.]*|(?:experiments|tools)/[\w/]+\.py)")
DOORS = sorted({name for path in DOCUMENTED for name in DOOR.findall(read(path))})
COMMANDS = [(path, words) for path in DOCUMENTED for words in commands(path)]
FLAG = re.compile(r"--([a-zA-Z][\w-]*)")
OF_CONFIGS = ("run", "single_stage", "train_source")  # commands that take --config


def test_commands_are_found():
    assert {"-m experiments.run", "-m experiments.report", "-m experiments.paper", "-m experiments.bench"} < set(DOORS)
    assert {"make", "pip", "python"} == {words[0] for _, words in COMMANDS} and len(COMMANDS) > 80


@pytest.mark.slow
@pytest.mark.parametrize("command", DOORS)
def test_a_command_says_how_it_is_used(command):
    done = subprocess.run([sys.executable, *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True)
    said = done.stdout or done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode in (0, 1) and "--" in done.stdout) or len(said.strip().splitlines()) == 1, said


def test_targets_of_make_exist():
    makefile = read(ROOT / "Makefile")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)[1].split())
    assert [target for target in sorted(phony) if not re.search(rf"^{target}:", makefile, flags=re.MULTILINE)] == []
    for path, words in COMMANDS:
        if words[0] == "make":
            targets = [word for word in words[1:] if "=" not in word]
            assert targets and set(targets) <= phony, (name_of(path), words)
            for mode in (word.removeprefix("MODE=") for word in words if word.startswith("MODE=")):
                importlib.import_module("configs.letter").get_config(mode)


def test_extras_exist():
    known = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["optional-dependencies"].keys()
    for path, words in COMMANDS:
        if words[0] == "pip":
            (what,) = (word for word in words[2:] if not word.startswith("-"))
            asked = re.fullmatch(r"\.(?:\[([\w,]+)\])?", what)
            assert asked and set(filter(None, (asked[1] or "").split(","))) <= known, (name_of(path), words)


def known_flags():
    """Names of the flags that some command of ours defines."""
    text = "".join(read(path) for folder in ("experiments", "tools") for path in (ROOT / folder).rglob("*.py"))
    found = re.findall(r'DEFINE_\w+\(\s*"(\w+)"', text) + re.findall(r'add_argument\(\s*"--([\w-]+)"', text)
    return {"help", *found}


def test_flags_exist():
    known = known_flags()
    for path in DOCUMENTED:
        for words in commands(path):
            if DOOR.match(" ".join(words)):
                flags = {FLAG.match(word)[1] for word in words if FLAG.match(word)}
                assert flags <= known, (name_of(path), words)


def test_files_of_commands_exist():
    for path, words in COMMANDS:
        if words[0] == "python" and words[1] != "-m" and words[1] != "-c":
            assert (ROOT / words[1]).is_file(), (name_of(path), words)
        if words[:3] == ["python", "-m", "experiments.bench"]:
            from experiments.bench.__main__ import JOBS, ways

            asked = [word for word in words[3:] if re.fullmatch(r"[a-z]+", word)]
            asked = asked[: next((i for i, word in enumerate(words[3:]) if word.startswith("-")), len(asked))]
            assert set(asked) <= {*JOBS, *ways.OTHERS, "compare", "devices"}, (name_of(path), words)


def config_of(words):
    """The config that a command runs with: its file and mode, fields changed; letters stand for numbers."""
    (file,) = (word.partition("=")[2] for word in words if word.startswith("--config="))
    from experiments.command_line import TupleParser

    name, _, mode = file.partition(":")
    assert (ROOT / name).is_file(), words
    config = importlib.import_module(name.removesuffix(".py").replace("/", ".")).get_config(mode)
    for word in words:
        if word.startswith("--config."):
            field, _, value = word.removeprefix("--config.").partition("=")
            *inner, last = field.split(".")
            place = config
            for part in inner:
                place = place[part]
            assert last in place, f"{word}: no such field"
            if isinstance(place[last], tuple):
                place[last] = TupleParser().parse(value)
                continue
            try:
                place[last] = ast.literal_eval(value)
            except (ValueError, SyntaxError):
                if not isinstance(place[last], int):  # K and the like
                    place[last] = value
    return config


EXPERIMENTS = [
    (path, words)
    for path, words in COMMANDS
    if any(word.startswith("--config=") for word in words) and "FILE.py:MODE" not in " ".join(words)
]


@pytest.mark.parametrize("path, words", EXPERIMENTS, ids=lambda x: " ".join(x)[10:90] if isinstance(x, list) else "")
def test_configs_and_fields_of_commands_are_taken(path, words, monkeypatch, tmp_path):
    """The whole check of a config, but for the data."""
    from experiments.learning import check
    from experiments.plan import automatic
    from experiments.plan.choices import check_choices

    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    config = config_of(words).to_dict()
    if words[2] == "experiments.single_stage":
        if "features" not in config["dataset"]:  # which hold the source's probabilities
            config["source"] = config["source"] or "source.npz"
        check_choices(config, *check.OWNED)
    elif words[2] == "experiments.run":
        check.check(on_small_file(config, tmp_path) if automatic.is_open(config) else config)
    else:
        assert words[2].removeprefix("experiments.") in OF_CONFIGS


def test_fields_named_in_the_text_exist():
    from configs import single_stage
    from configs.base import get_base

    known = {*single_stage.get_config(), *get_base()} | {f"vabal.{name}" for name in get_base().vabal}
    for path in DOCUMENTED:
        named = set(re.findall(r"(?:`|--)config\.([a-z_]+(?:\.[a-z_]+)?)\b(?!\()", read(path)))
        assert named - known <= {"json", "py"}, (name_of(path), named - known)
