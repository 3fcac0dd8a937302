"""The four papers beside AL-FaMoUS: which runs are theirs, and a page of their claims over these runs."""

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from experiments.paper import averages, sentences, single_stage
from experiments.paper.groups import Group, Place, PlaceOf, find
from experiments.published import cbal, claims, minority, vabal
from experiments.published import single_stage as wacv
from experiments.report import REPORT
from experiments.report.markdown import NOTHING, Part, bullets, document, table
from experiments.report.missing import ranges
from experiments.report.names import plain
from experiments.report.runs import Run
from experiments.store import files

CB = {"entropy-cb": "entropy", "kcenter-cb": "kcenter", "vaal-cb": "vaal", "bald-mc-cb": "bald-mc"}


class Paper(NamedTuple):
    """A paper whose claims are tested."""

    source: str
    place_of: PlaceOf
    sections: Callable[[Sequence[Group]], list[Part]]  # what its page has beside the claims
    view: Callable[[Run], Run] = lambda run: run


def write_page(paper: str, folders: Sequence[str | pathlib.Path], out: str | pathlib.Path) -> pathlib.Path:
    """Writes the page of a paper.

    Args:
      paper: a name of `PAPERS`.
      folders: looked through for runs, with all that lies in them.
      out: folder to write into, made if it is not there.

    Returns:
      path of `paper-NAME.md`. ValueError, in one line and before anything is written, where no run is of the paper or
      something in one is malformed.
    """
    what, out = PAPERS[paper], pathlib.Path(out)
    groups = find(folders, what.place_of, what.view)
    if not groups:
        raise ValueError(f"{', '.join(map(str, folders))}: no run with strategies that {paper} compares")
    text = document(_text(paper, groups, out))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"paper-{paper.replace('_', '-')}.md"
    files.write_text(path, text)
    return path


def _text(paper: str, groups: Sequence[Group], out: pathlib.Path) -> list[Part]:
    what = PAPERS[paper]
    tests = sentences.all_tests(
        groups, claims.load(paper), lambda claim, setting: claims.printed(paper, claim, setting)
    )
    told = {test.claim for test in tests}
    open_claims = [claim for claim in claims.load(paper) if claim not in told]
    parts: list[Part] = [
        f"# The claims of {what.source.partition(',')[0]}",
        f"Paper: {what.source}.",
        "Differences are paired, a pair is one seed of one run; ± one standard error over the pairs, p two-sided, "
        f"Holm's correction over the {len(tests)} comparisons of this page. Accuracy and shares are in points of .01. "
        "*Text* is what the sentence says: a number of points, a sign, or = for what is called alike; *tables* is what "
        "the paper's tables give for it. *Early* is the first quarter of the cycles after the start.",
        table(*_what_was_run(groups, out), left=2),
    ]
    for title, theirs in (("In the paper's own settings", True), ("In other settings", False)):
        own = [test for test in tests if test.group.place.published is theirs]
        parts += [f"## {title}", sentences.sentence(own) if own else "None was run."]
        for group in (group for group in groups if group.place.published is theirs):
            rows = sentences.rows([test for test in own if test.group is group])
            parts += [f"### {group.place.title}", table(sentences.HEADER, rows, left=2)] if rows else []
    if rows := sentences.scorecard(tests):
        parts += ["## Over the runs\n\nClaims that were tested more than once.", table(sentences.SCORES, rows, left=2)]
    parts += what.sections(groups)
    lines = []
    for setting in dict.fromkeys(claim.setting for claim in open_claims):
        named = (f"{sentences.comparison(c)} ({c.claimed})" for c in open_claims if c.setting == setting)
        lines.append(f"{setting or 'anywhere'}: {'; '.join(named)}")
    return [*parts, f"## Not tested\n\nNo run has both strategies of these.\n\n{bullets(lines)}" * bool(lines)]


def _what_was_run(groups: Sequence[Group], out: pathlib.Path) -> tuple[list[str], list[list[str]]]:
    rows = []
    for group in groups:
        for run in group.runs:
            report = run.folder.resolve() / REPORT
            relative = pathlib.Path(os.path.relpath(report, out.resolve())).as_posix()
            link = f"[{plain(run.folder.name)}]({relative})" if report.is_file() else plain(run.folder.name)
            machine = [str(run.environment.get(key) or NOTHING) for key in ("backend", "date", "git_revision")]
            cells = [link, ranges(run.seeds), f"0-{run.last_cycle}", machine[0], machine[1][:10], machine[2][:7]]
            rows.append([group.place.title, *cells])
    return ["runs", "run", "seeds", "cycles", "device", "date", "revision"], rows


def _labels(config: Mapping[str, Any]) -> str:
    return f"{config.get('initial')} + {config.get('cycles')} x {config.get('budget')}"


def _names(config: Mapping[str, Any]) -> set[str]:
    names = config.get("strategies")
    return {str(name).partition(":")[0] for name in names} if isinstance(names, (list, tuple)) else set()


def _of_cbal(config: Mapping[str, Any]) -> Place | None:
    names = _names(config)
    if "selections" in config or not any({one, other} <= names for one, other in CB.items()):
        return None
    ratio = config.get("minority_ratio")
    cut = {"imbalanced"} if config.get("profile") != "step" or ratio != 1 else set()
    if cbal.load_gains(config):
        title = f"{config['dataset']} {ratio:g}"
        return Place(title, frozenset({"", title, *cut}), "", True)
    title = f"{plain(config.get('dataset'))}, IF {ratio}, {_labels(config)}"
    title += ", exact head" * (config.get("head") == "map")
    return Place(title, frozenset({"", *cut}), "", False)


def _of_vabal(config: Mapping[str, Any]) -> Place | None:
    cut, dataset = config.get("minority"), str(config.get("dataset"))
    forms = {name.partition("@")[0] for name in _names(config) if "@weight" not in name}  # its sweep has no claim
    if "vabal" not in forms or not isinstance(cut, (list, tuple)):
        return None
    kind = "dominant" if 2 * len(cut) > config.get("num_classes", 0) else "rare" if cut else "whole"
    theirs = vabal.LABELS.get(dataset) == (config.get("budget"), config.get("cycles", 0) + 1)
    title = f"{plain(dataset)} {kind}" + f", {_labels(config)}" * (not theirs)
    own = {title, dataset} if theirs else set()
    return Place(title, frozenset({"", kind, *own}), str(list(cut)), theirs)


def _of_minority(config: Mapping[str, Any]) -> Place | None:
    dataset, bases = str(config.get("dataset")), {name.partition("-")[0] for name in _names(config)}
    if not bases & {"cmcs", "umcs", "dmcs"}:
        return None
    theirs = dataset in minority.INDUCED and all(config.get(key) == value for key, value in minority.SETTINGS.items())
    title = dataset if theirs else f"{plain(dataset)}, {_labels(config)}"
    return Place(title, frozenset({"", *({title} if theirs else ())}), "", theirs)


def _of_single_stage(config: Mapping[str, Any]) -> Place | None:
    if "selections" not in config:
        return None
    dataset, budgets = str(config.get("dataset")), tuple(config.get("budgets") or ())
    cut = config.get("profile") == "transfer" and config.get("source_ratio", 1.0) > 0
    pool = "imbalanced" if cut else "balanced"
    theirs = dataset in wacv.CLASSES and budgets == wacv.BUDGETS
    title = f"{plain(dataset)} {pool}" + f", {', '.join(map(str, budgets))} labels" * (not theirs)
    return Place(title, frozenset({"", pool, *({title} if theirs else ())}), "", theirs)


PAPERS = {
    "cbal": Paper(
        "CBAL, J. Z. Bengar et al., *Class-Balanced Active Learning for Image Classification*, WACV 2022",
        _of_cbal,
        averages.of_cbal,
    ),
    "vabal": Paper(
        "VaB-AL, J. Choi et al., *VaB-AL: Incorporating Class Imbalance and Difficulty with Variational Bayes for "
        "Active Learning*, CVPR 2021",
        _of_vabal,
        averages.of_vabal,
    ),
    "minority": Paper(
        "minority-class-oriented sampling, U. Aggarwal et al., *Minority Class Oriented Active Learning for Imbalanced "
        "Datasets*, ICPR 2020",
        _of_minority,
        averages.of_minority,
    ),
    "single_stage": Paper(
        "single-stage selection, U. Aggarwal et al., *Active Learning for Imbalanced Datasets*, WACV 2020, supplement",
        _of_single_stage,
        single_stage.sections,
        single_stage.view,
    ),
}
