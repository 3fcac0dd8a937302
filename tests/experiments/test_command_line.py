"""What flags and config files may be, and the one line for what they may not."""

import pytest
from command_lines import parse

LETTER = "--config=configs/letter.py"
HERE = (LETTER, "--workdir=runs/x")

LISTS = {
    "random,us": ("random", "us"),
    " random , us-alfamous@8 ": ("random", "us-alfamous@8"),
    "mine.pick:select,us": ("mine.pick:select", "us"),
    "('us', 'random')": ("us", "random"),
    "['us']": ("us",),
    "us": ("us",),
    "us,": ("us",),
    "40,80": (40, 80),
    "()": (),
}


@pytest.mark.parametrize("text, value", LISTS.items())
def test_lists(text, value):
    assert parse(*HERE, f"--config.strategies={text}").strategies == value


VALUES = {"auto": "auto", ".5": 0.5, "{1:": "{1:", "true": True, "1e400": float("inf"), "(1, 2)": (1, 2)}


@pytest.mark.parametrize("text, value", VALUES.items())
def test_values_of_fields_of_several_types(text, value):
    assert parse(*HERE, f"--config.lam={text}").lam == value


def test_dictionaries_and_what_is_left_alone():
    config = parse(*HERE, "--config.lams={'kcenter-cb': .5}", "--noconfig.refit", "--config.ridge", "auto")
    assert config.lams.to_dict() == {"kcenter-cb": 0.5} and config.ridge == "auto" and config.refit is False
    assert config.minority == "drawn" and config.milestones == () and config.vabal.weight == 0.005


REFUSED = {
    "a list that is not closed": ("strategies=(1,", "--config.strategies=(1,: expected a list as in a,b or"),
    "an empty place": ("strategies=us,,b", "expected a list as in a,b: something is empty"),
    "no dictionary": ("lams={'a': x}", "expected a dictionary as in {'kcenter-cb': 0.5}"),
    "names that are no text": ("lams={[]: 1}", "expected a dictionary"),
    "brackets without end": ("strategies=" + "(" * 9999, "expected a list"),
    "another name": ("lams.kcenter-cb=.5", "--config.lams.kcenter-cb: expected --config.FIELD=VALUE; a name with"),
    "a place in a tuple": ("strategies[0]=us", "--config.strategies[0]: expected --config.FIELD=VALUE"),
    "no field": ("lamb=1", "--config has no field 'lamb'. Did you mean \"lam\""),
    "a field of no field": ("x.y=1", "KeyError: \"'x'\""),
    "a number of 5000 digits": ("cycles=" + "9" * 5000, "Exceeds the limit (4300 digits)"),
    "a word for a number": ("cycles=many", "--config.cycles=many: invalid literal for int()"),
}


def refused(*argv):
    with pytest.raises(SystemExit) as ended:
        parse(*argv)
    said = ended.value.code
    assert said.startswith("error: ") and "\n" not in said and len(said) < 400 and " at 0x" not in said
    return said


@pytest.mark.parametrize("flag, message", REFUSED.values(), ids=REFUSED)
def test_refused(flag, message):
    assert message in refused(*HERE, f"--config.{flag}")


def test_a_list_is_given_once():
    said = refused(*HERE, "--config.strategies=us", "--config.strategies=random")
    assert said.endswith("--config.strategies: was given 2 times; give all in one, --config.strategies=a,b")
    assert parse(*HERE, "--config.lam=1", "--config.lam=2").lam == 2, "as with all other flags the last one counts"


FILES = {
    "def get_config(:\n": "mine.py, line 1: invalid syntax",
    "import nowhere\n": "mine.py: ModuleNotFoundError: No module named 'nowhere'",
    "x = 1\n": "has no attribute 'get_config'",
    "def get_config(mode=''): return None\n": "mine.py: get_config must give a ConfigDict, got NoneType",
    "def get_config(mode=''): return {}['x']\n": "mine.py: KeyError: 'x'",
    "def get_config(mode=''): return ().x\n": "mine.py: 'tuple' object has no attribute 'x'",
    "def get_config(mode=''): return 1 / 0\n": "mine.py: ZeroDivisionError: division by zero",
    "raise MemoryError\n": "mine.py: MemoryError: no message",
    "\0": "null bytes",
}


@pytest.mark.parametrize("text, message", FILES.items(), ids=range(len(FILES)))
def test_config_files(tmp_path, text, message):
    (tmp_path / "mine.py").write_text(text)
    assert message in refused(f"--config={tmp_path / 'mine.py'}", "--workdir=runs/x")


def test_no_config(tmp_path):
    assert "--config: expected FILE.py or FILE.py:MODE" in refused("--workdir=runs/x")
    assert "No such file or directory" in refused(f"--config={tmp_path / 'none.py'}", "--workdir=runs/x")
    assert "Is a directory" in refused(f"--config={tmp_path}", "--workdir=runs/x")
    assert "unexpected argument 'runs/x'" in refused(LETTER, "--workdir=y", "runs/x")
