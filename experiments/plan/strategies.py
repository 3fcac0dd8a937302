"""The name of a strategy, taken apart once: margin-alfamous@8:cs-svm or, of your own, mine.pick:select."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Of every utility: a batch at once, that batch balanced, an update after every label, AL-FaMoUS.
FORMS = ("", "cb", "fbu", "alfamous")
BALANCED, UPDATING = ("cb", "alfamous"), ("fbu", "alfamous")
# How a lane learns from its labels: the network, with prior thresholding or without; a linear SVM on fixed features,
# cost-sensitive or not; from the cost-sensitive SVM to the thresholded network once that is the better one (ICPR 2020).
NETWORKS = ("network", "network-th")
SCHEMES = (*NETWORKS, "svm", "cs-svm", "switch")


class Strategy(NamedTuple):
    """What a name asks for; which bases there are, and what forms and options each takes, its method says."""

    base: str  # "us", "kcenter", or "mine.pick:select"
    form: str = ""  # one of FORMS
    option: str = ""  # after @: rows of a query, a term of VaB-AL
    scheme: str = ""  # one of SCHEMES, "" for the config's

    def __str__(self) -> str:
        """The name as it is written."""
        return self.short + f"@{self.option}" * bool(self.option) + f":{self.scheme}" * bool(self.scheme)

    @property
    def short(self) -> str:
        """The name without option and scheme."""
        return self.base + f"-{self.form}" * bool(self.form)

    @property
    def variant(self) -> str:
        """Form, option and scheme as one word: what tells the strategies of a base from each other."""
        return str(self).removeprefix(self.base).removeprefix("-")

    @property
    def balanced(self) -> bool:
        """Whether the form weighs classes against each other."""
        return self.form in BALANCED

    @property
    def updates(self) -> bool:
        """Whether labels move the posterior before the next query."""
        return self.form in UPDATING

    @property
    def own(self) -> bool:
        """Whether it is a function of the user's."""
        return ":" in self.base

    def program(self, scheme: str) -> "Strategy":
        """The strategy that it shares compiled programs with, as lam is an argument of these.

        A plain form stands apart from the balanced one of its base: it needs no search for a batch.
        """
        return self._replace(form="fbu" if self.updates else self.form, scheme=scheme)


def parse(name: str) -> Strategy:
    """The strategy of a name, by grammar alone: BASE[-FORM][@OPTION][:SCHEME], BASE without dots or MODULE:ATTRIBUTE.

    Raises:
      ValueError: something is empty, or more stands after a colon than there should.
    """
    parts = name.split(":")
    own = len(parts) > 1 and ("." in parts[0] or parts[1] not in SCHEMES)
    rest, schemes = (":".join(parts[:2]), parts[2:]) if own else (parts[0], parts[1:])
    if len(schemes) > 1 or (schemes and schemes[0] not in SCHEMES):
        raise ValueError(f"{name!r}: after : comes one of {', '.join(SCHEMES)}")
    rest, at, option = rest.partition("@")
    base, dash, form = rest.rpartition("-")
    if not dash or form not in FORMS[1:]:
        base, form = rest, ""
    if not all(base.split(":")) or (at and not option):
        raise ValueError(f"{name!r}: expected BASE[-FORM][@OPTION][:SCHEME], something is empty")
    return Strategy(base, form, option, *schemes)


def scheme_of(config: Mapping, strategy: Strategy) -> str:
    """How a strategy's lanes learn in a config: one of SCHEMES."""
    return strategy.scheme or config["scheme"]


class Lane(NamedTuple):
    """One unit of work: a strategy, or a selection in a single stage, under a seed."""

    strategy: Any  # `Strategy`, or `choices.Choice` in a single stage; `str` of it is its name
    seed: int


def lanes_of(names: Sequence[str], seeds: range) -> list[Lane]:
    """A lane for each strategy and seed, in the order of the names."""
    return [Lane(parse(name), seed) for name in names for seed in seeds]


def group_name(lanes: Sequence[Lane]) -> str:
    """Name of a group's files and of its checkpoint folder."""
    names = dict.fromkeys(str(lane.strategy) for lane in lanes)
    seeds = sorted({lane.seed for lane in lanes})
    span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    return f"{'+'.join(names)}-seed{span}"
