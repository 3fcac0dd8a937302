"""The fuzzers of configs and workdirs, short and seeded; and that they see what they look for."""

from collections import Counter

import pytest

from tests.fuzz import configs, hostile, watch, workdirs

pytestmark = pytest.mark.filterwarnings("ignore")

CHEAP = ("fields", "single_stage", "flags", "files")  # kinds of a few milliseconds; a report takes a second
TRIES = {"records": 5, "bytes": 3, "config": 1, "names": 1, "others": 10}


@pytest.mark.parametrize("kind", CHEAP)
def test_hostile_configs_are_taken_or_refused(kind):
    outcomes = {number: watch.one(configs.trial, kind, number) for number in range(25)}
    assert {number: outcome for number, outcome in outcomes.items() if outcome not in watch.KEPT} == {}
    assert Counter(outcomes.values())[watch.REFUSED] >= 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRIES)
def test_hostile_workdirs_are_reported_or_refused(kind):
    outcomes = {number: watch.one(workdirs.trial, kind, number) for number in range(TRIES[kind])}
    assert {number: outcome for number, outcome in outcomes.items() if outcome not in watch.KEPT} == {}


def raised(error):
    def call():
        raise error

    return call


BROKEN = {
    "another kind of error": (raised(KeyError("x")), "traceback: KeyError: 'x' (test_fuzz.py, line"),
    "two lines": (raised(ValueError("a\nb")), "message: of 3 characters, 2 lines"),
    "no word": (raised(ValueError("")), "message: of 0 characters"),
    "an object": (raised(ValueError("<ast.Name object at 0x7f>")), "message: of 25 characters, 1 lines"),
    "a page": (raised(SystemExit("x" * 2000)), "message: of 2000 characters"),
}


@pytest.mark.parametrize("call, outcome", BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_seen(tmp_path, call, outcome):
    assert hostile.judged(call, tmp_path, (ValueError, SystemExit)).startswith(outcome)
    assert hostile.judged(raised(ValueError("one line")), tmp_path, (ValueError,)) == watch.REFUSED
    assert hostile.judged(lambda: None, tmp_path, ()) == watch.READ


def test_a_file_that_is_not_the_report_s_is_seen(tmp_path):
    written = lambda: [(tmp_path / name).write_text("x") for name in ("report.md", "other")]  # noqa: E731
    assert hostile.judged(written, tmp_path, (), ("report.md",)) == "wrote: ['other']"
