"""Engines: a lost worker is replaced, every engine gives the same bytes, what cannot work is refused before writing.

What needs Ray or submitit is skipped where they are not installed: pip install -e '.[ray,slurm]'.
"""

import json
import multiprocessing
import os
import pathlib
import signal
import threading
import time

import pytest
from rich.console import Console

from configs.letter import get_config
from experiments.engines import choose, processes, slurm, units
from experiments.engines.choose import Settings
from experiments.plan import work
from experiments.run import run
from experiments.store import files, lanes, workdir
from experiments.store.records import Recorder

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[3]
TINY = {"epochs": 2, "width": 8, "depth": 1, "num_features": 16, "initial": 26, "budget": 4, "cycles": 2, "seeds": 2}
TINY |= {"strategies": ("us",), "workers": 1}


def tiny(**changes):
    return {**get_config().to_dict(), **TINY, **changes}


def plan_of(config):
    return work.active(config, range(config["seeds"]), together=False)


def recorder_of(folder):
    plan = plan_of(tiny())
    return Recorder(folder, plan.place, plan.weight, plan.total, Console())


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def cycles_done(folder):
    """(strategy, seeds, cycle) of every line of timings.jsonl; twice what was done twice."""
    timed = [json.loads(line) for line in lines(folder / "timings.jsonl")]
    return sorted((row["strategy"], *row["seeds"], row["cycle"]) for row in timed)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(tiny(), folder)
    return folder


def kill_when_a_cycle_is_done(folder, name="us-seed0"):
    """In a thread: kills the worker of a unit after its first cycle, by the id it left in its lock file."""

    def wait_and_kill():
        while not lines(folder / "lanes" / f"{name}.jsonl"):
            time.sleep(0.002)
        host, pid, since = (folder / "lanes" / f"{name}.lock").read_text().split()
        os.kill(int(pid), signal.SIGKILL)
        killed.append((host, pid, since))

    killed = []
    thread = threading.Thread(target=wait_and_kill, daemon=True)
    thread.start()
    return thread, killed


def same_as(finished, folder):
    assert (folder / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    done = cycles_done(folder)
    assert len(set(done)) == len(done), "a cycle was written down twice"
    assert set(done) <= set(cycles_done(finished))


def test_a_killed_worker_is_replaced(finished, tmp_path):
    thread, killed = kill_when_a_cycle_is_done(tmp_path / "run")
    run(tiny(), tmp_path / "run")
    thread.join()
    assert len(killed) == 1
    same_as(finished, tmp_path / "run")
    arrived = [json.loads(line) for line in lines(tmp_path / "run" / "lanes" / "us-seed0.jsonl")]
    again = [line["records"] for line in arrived if line["timing"] is None]
    assert len(again) == 1, "the second worker did not go on from a checkpoint"


def units_of(folder, config, **settings):
    folder.mkdir(exist_ok=True)
    files.write_json(folder / "config.json", config)
    return units.make_units(plan_of(config), folder, "", **settings)


def test_a_unit_that_always_loses_its_worker_ends_the_run(tmp_path):
    todo, started = units_of(tmp_path / "run", tiny(seeds=1)), set()
    others = {child.pid for child in multiprocessing.active_children()}
    with pytest.raises(RuntimeError, match="us-seed0: lost its worker 4 times, the last time with exit code -9"):
        for _ in processes.run_units(todo, 1):
            for child in multiprocessing.active_children():
                started.add(child.pid)
                child.kill()
    assert len(started - others) == 4


def test_closing_the_local_engine_ends_its_workers(tmp_path):
    others = multiprocessing.active_children()
    engine = processes.run_units(units_of(tmp_path / "run", tiny()), 2)
    next(engine)
    children = [child for child in multiprocessing.active_children() if child not in others]
    assert len(children) == 2
    engine.close()
    for child in children:
        child.join(10)
        assert child.exitcode is not None


def test_what_a_unit_refuses_is_not_tried_again(tmp_path):
    config = tiny(learning_rate=1e30, cycles=0, seeds=1)
    with pytest.raises(ValueError, match="us, seed 0, cycle 0: the training loss is not finite; lower config.learning"):
        run(config, tmp_path / "run")
    assert lines(tmp_path / "run" / "lanes" / "us-seed0.jsonl") == []


def test_a_unit_knows_its_run(tmp_path):
    """A worker that sees another folder in the place of the run's, or none, does nothing there."""
    (unit,) = units_of(tmp_path / "run", tiny(seeds=1))
    for other in (tiny(seeds=1, lam=0.5), None):
        (tmp_path / "run" / "config.json").unlink()
        if other:
            files.write_json(tmp_path / "run" / "config.json", other)
        outcome = units.work(unit)
        assert outcome.kind == "refused"
        assert "does not find this run's config.json there; the workdir must be on a file system that" in outcome.text
    (unit,) = units_of(tmp_path / "second", tiny(seeds=1))
    outcome = units.work(unit._replace(cwd=str(tmp_path / "absent")))
    assert outcome.kind == "refused" and "absent: is not there on" in outcome.text


def test_a_unit_whose_records_do_not_arrive_ends_the_run(tmp_path, monkeypatch):
    units_of(tmp_path / "run", tiny())
    monkeypatch.setattr(processes, "run_units", lambda todo, num_workers: (None for _ in ()))
    with pytest.raises(RuntimeError, match="us-seed0.jsonl: the unit is done, but its last cycle is not there"):
        choose.run_units(plan_of(tiny()), tiny(), tmp_path / "run", choose.LOCAL, lambda *cycle: None)


def test_what_is_done_is_not_queued_again(finished, tmp_path, monkeypatch):
    """Another engine goes on where the local one stopped, with the units that are not done."""
    records = [json.loads(line) for line in lines(finished / "metrics.jsonl")]
    units_of(tmp_path / "run", tiny())
    lane = {seed: [record for record in records if record["seed"] == seed] for seed in range(2)}
    lanes.append(tmp_path / "run" / "lanes" / "us-seed0.jsonl", lanes.Line(lane[0], None))
    lanes.append(tmp_path / "run" / "lanes" / "us-seed1.jsonl", lanes.Line(lane[1][:2], None))
    queued, seen = [], []

    def queue(todo, num_workers, asked):
        queued.extend(unit.name for unit in todo)
        lanes.append(todo[0].path, lanes.Line(lane[1][2:], None))
        yield

    monkeypatch.setattr(slurm, "run_units", queue)
    settings = Settings(engine="slurm")
    choose.run_units(plan_of(tiny()), tiny(), tmp_path / "run", settings, lambda records, timing: seen.extend(records))
    assert queued == ["us-seed1"] and seen == records


def test_lines_are_read_once_and_whole(tmp_path):
    path, offsets = tmp_path / "a.jsonl", {}
    one, two, three = (lanes.Line([{"cycle": cycle, "score": 0.1}], {"s": 0.5}) for cycle in range(3))
    assert lanes.new_lines([path], offsets) == []
    lanes.append(path, one)
    lanes.append(path, two)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"rec')
    assert lanes.new_lines([path], offsets) == [(path, one), (path, two)]
    assert lanes.new_lines([path], offsets) == []
    files.drop_half_line(path)
    assert path.read_bytes() == whole
    lanes.append(path, three)
    assert lanes.new_lines([path], offsets) == [(path, three)]


def test_records_in_any_order_and_twice_give_the_same_file(finished, tmp_path):
    records = [json.loads(line) for line in lines(finished / "metrics.jsonl")]
    timing = {"strategy": "us", "seeds": [0], "cycle": 0}

    with recorder_of(tmp_path) as recorder:
        for record in reversed(records):
            recorder.add([record], timing)
        recorder.add(records, None)
    assert (tmp_path / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()
    with recorder_of(tmp_path) as recorder:
        recorder.add(records[:1], timing)
    assert len(lines(tmp_path / "timings.jsonl")) == 1


def test_a_workdir_with_units_at_work_is_not_overwritten(tmp_path):
    (unit,) = units_of(tmp_path, tiny(seeds=1))
    with lanes.held(unit.path):
        with pytest.raises(
            ValueError,
            match=rf"us-seed0 \(process {os.getpid()} on .* since 20.*\) is still at work on the run there; end",
        ):
            with workdir.claim(tmp_path, tiny(), {}, resume=False, overwrite=True):
                pass
        assert (tmp_path / "config.json").exists()
    with workdir.claim(tmp_path, tiny(), {}, resume=False, overwrite=True):
        assert not unit.path.parent.exists()


def test_a_unit_waits_for_the_worker_that_has_it(tmp_path):
    """What an earlier part of a run left at work is not done a second time beside it."""
    (unit,) = units_of(tmp_path, tiny(seeds=1))
    entered = []

    def second():
        with lanes.held(unit.path):
            entered.append(True)

    with lanes.held(unit.path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive() and not entered
    thread.join(10)
    assert entered


def test_slurm_jobs_give_the_same_bytes_and_a_lost_one_is_submitted_again(finished, tmp_path):
    """Jobs of submitit's own stand-in for SLURM; one of them is killed after its first cycle."""
    pytest.importorskip("submitit", reason="needs submitit: pip install -e '.[slurm]'")
    thread, killed = kill_when_a_cycle_is_done(tmp_path / "run")
    run(tiny(), tmp_path / "run", settings=Settings(engine="slurm", slurm="cluster=local"))
    thread.join()
    assert len(killed) == 1
    same_as(finished, tmp_path / "run")


def test_ray_gives_the_same_bytes_and_a_killed_worker_is_replaced(finished, tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install -e '.[ray]'")
    thread, killed = kill_when_a_cycle_is_done(tmp_path / "run")
    run(tiny(), tmp_path / "run", settings=Settings(engine="ray"))
    thread.join()
    assert len(killed) == 1
    same_as(finished, tmp_path / "run")


def test_what_a_unit_refuses_ends_a_run_on_ray(tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install -e '.[ray]'")
    config = tiny(learning_rate=1e30, cycles=0, seeds=1)
    with pytest.raises(
        ValueError, match="^us, seed 0, cycle 0: the training loss is not finite; lower config.learning"
    ):
        run(config, tmp_path / "run", settings=Settings(engine="ray"))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not say which cores a process has")
def test_a_worker_has_its_cores_from_the_start(tmp_path):
    """Libraries make their threads when they are loaded, before a line of the worker's own has run."""
    before, found = os.sched_getaffinity(0), {}
    (unit,) = units_of(tmp_path / "run", tiny(seeds=1))
    processes._start(found, unit, [max(before)])
    (worker,) = found.values()
    cores = os.sched_getaffinity(worker.process.pid)
    worker.process.terminate()
    worker.process.join()
    assert cores == {max(before)} and os.sched_getaffinity(0) == before
