"""The directory of a run: what a resume compares, what it notes, and that a refusal writes nothing."""

import json

import pytest

from experiments.store import environment, files, workdir
from experiments.store.workdir import claim

CONFIG = {"lam": 0.1, "workers": 1}
DIGESTS = {"dataset": {"from": "data/mine.npz", "sha256": "a" * 32}, "source": {"from": "source.npz", "sha256": "b"}}
DATA = {"rows": 3, "digests": DIGESTS, "own_code": {}}


@pytest.fixture(autouse=True)
def light(monkeypatch):
    """Facts of a machine in the place of this one's: git and JAX take half a second."""
    facts = {"date": "2026-01-01", "jax": "0.10.0", "git_revision": "abc", "devices": ["cpu"]}
    monkeypatch.setattr(workdir, "environment", lambda: dict(facts))
    return facts


def go(folder, data=DATA, config=CONFIG, resume=True, overwrite=False):
    with claim(folder, config, data, resume=resume, overwrite=overwrite) as begin:
        begin()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def noted(folder):
    return json.loads((folder / "environment.json").read_text())


def test_every_part_is_noted_and_a_difference_is_said(tmp_path, light, capsys):
    go(tmp_path)
    assert noted(tmp_path) == light | {"data": DATA}
    go(tmp_path)
    assert capsys.readouterr().err == ""
    first = dict(light)
    light |= {"jax": "0.11.0", "date": "2026-01-02", "git_revision": "def"}
    go(tmp_path)
    assert capsys.readouterr().err == (
        "note: the run began with jax 0.10.0 (now 0.11.0), git_revision abc (now def); "
        "what is done now may differ from it\n"
    )
    assert noted(tmp_path) == first | {"data": DATA, "parts": [first, light]}


def test_code_of_the_user_s_own_is_compared(tmp_path, light, capsys):
    go(tmp_path, DATA | {"own_code": {"mine": "1"}})
    go(tmp_path, DATA | {"own_code": {"mine": "2"}})
    assert "the run began with own_code {'mine': '1'} (now {'mine': '2'})" in capsys.readouterr().err
    assert noted(tmp_path)["parts"] == [light | {"own_code": {"mine": "2"}}]


@pytest.mark.parametrize("name, field", [("dataset", "config.dataset"), ("source", "config.source")])
def test_other_data_are_refused_and_nothing_is_written(tmp_path, name, field):
    go(tmp_path)
    before = content(tmp_path)
    other = DIGESTS | {name: DIGESTS[name] | {"sha256": "c" * 32}}
    with pytest.raises(ValueError) as refused:
        go(tmp_path, DATA | {"digests": other})
    where, then = DIGESTS[name]["from"], DIGESTS[name]["sha256"]
    assert str(refused.value) == (
        f"{field}: {where} is not what the run in {tmp_path} began with (digest then {then}, now {'c' * 32}); "
        "resume with the data of then or choose another workdir"
    )
    assert content(tmp_path) == before
    moved = DIGESTS | {name: DIGESTS[name] | {"from": "elsewhere"}}
    go(tmp_path, DATA | {"digests": moved})
    go(tmp_path, DATA | {"digests": other}, overwrite=True)
    assert noted(tmp_path)["data"]["digests"] == other


GROWN = {
    "strategies": (["us", "margin"], ["random", "margin", "us"], ["us", "badge", "random"]),
    "selections": (["random"], ["random", "marg"], ["marg"]),
    "seeds": (2, 3, 1),
}


@pytest.mark.parametrize("field, values", GROWN.items(), ids=GROWN)
def test_strategies_and_seeds_may_be_added_and_never_left_out(tmp_path, field, values):
    begun, more, other = values
    go(tmp_path, config=CONFIG | {field: begun})
    go(tmp_path, config=CONFIG | {field: more})
    assert files.read_json(tmp_path / "config.json") == CONFIG | {field: more}
    before = content(tmp_path)
    for fewer in (begun, other, None):
        with pytest.raises(ValueError) as refused:
            go(tmp_path, config=CONFIG | {field: fewer})
        assert str(refused.value) == (
            f"config.{field}: the run in {tmp_path} has {more!r}, now it is {fewer!r}; "
            "resume with as many or more of them or choose another workdir"
        )
    assert content(tmp_path) == before


DAMAGED = {
    "no JSON": (b'{"data', "not JSON"),
    "no object": (b"[1]", "not a JSON object"),
    "no data": (b'{"jax": "1"}', "is not as a run writes it"),
    "data of another kind": (b'{"data": [1]}', "is not as a run writes it"),
    "digests of another kind": (b'{"data": {"digests": {"dataset": 1}}}', "its digests are not as a run writes them"),
    "parts of another kind": (b'{"data": {}, "parts": 1}', "is not as a run writes it"),
    "not there": (None, "is not there"),
}


@pytest.mark.parametrize("text, message", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_environment_is_said_and_written_anew(tmp_path, light, capsys, text, message):
    go(tmp_path)
    path = tmp_path / "environment.json"
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    assert workdir.begun_with(tmp_path) == {}
    go(tmp_path)
    said = capsys.readouterr().err
    assert said.startswith(f"note: {path}: {message}") and said.count("\n") == 1 and "it is written anew" in said
    assert noted(tmp_path) == light | {"data": DATA}


def test_a_run_without_digests_goes_on_and_it_is_said(tmp_path, capsys):
    go(tmp_path, {"rows": 3})
    go(tmp_path)
    assert (
        "has no digests; whether the data are those that the run began with cannot be told" in capsys.readouterr().err
    )


def test_a_worker_s_part_of_the_data_is_compared_alone():
    begun = {"data": DATA}
    workdir.refuse_other_data(begun, {"dataset": DIGESTS["dataset"]}, "runs/a (on node7)")
    workdir.refuse_other_data({}, DIGESTS, "runs/a")
    with pytest.raises(
        ValueError, match=r"config.dataset: x.npz is not what the run in runs/a \(on node7\) began with"
    ):
        workdir.refuse_other_data(begun, {"dataset": {"from": "x.npz", "sha256": "d"}}, "runs/a (on node7)")


def test_litter_and_what_was_never_finished_are_no_run(tmp_path):
    for name in (".DS_Store", ".nfs0001", "Thumbs.db", "config.json.0123abcd.tmp", "environment.json.0123abcd.tmp"):
        (tmp_path / name).write_text("")
    go(tmp_path, resume=False)
    assert not list(tmp_path.glob("*.tmp")) and (tmp_path / "Thumbs.db").exists()


def test_a_second_run_is_told_of_the_first(tmp_path):
    with claim(tmp_path, CONFIG, DATA, resume=False, overwrite=False) as begin:
        begin()
        before = content(tmp_path)
        with pytest.raises(
            ValueError, match=r"another process is running there \(process \d+ on .* since 20\S+\); end"
        ):
            go(tmp_path)
        assert content(tmp_path) == before


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    run, thesis = tmp_path / "run", tmp_path / "thesis.tex"
    run.mkdir()
    thesis.write_text("years of work")
    (run / ".lock").symlink_to(thesis)
    with pytest.raises(ValueError, match=".lock: is a link to another file; delete it"):
        go(run)
    assert thesis.read_text() == "years of work" and files.read_json(run / "config.json") == {}


def test_differences_are_those_of_what_both_parts_know():
    before = {"date": "1", "jax": "0.10.0", "devices": ["a"] * 30, "cpu": "x"}
    assert environment.differences(before, before | {"date": "2", "code": "new"}) == ""
    changed = environment.differences(before, before | {"devices": ["b"]})
    assert changed.startswith("devices a, a,") and changed.endswith("... (now b)")
