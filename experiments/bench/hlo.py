"""What a compiled program sends between devices, read from its text."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

COLLECTIVE = re.compile(r"= (.*?) (all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)(?:-start)?\(")
BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8}


class Collective(NamedTuple):
    """One exchange between devices."""

    kind: str  # all-reduce, all-gather, ...
    shapes: tuple[tuple[str, str], ...]  # of what comes out: type and sizes, such as ("f32", "8,3")
    name: str  # of the operation, where it came from

    @property
    def bytes(self) -> int:
        """Bytes that come out of it on one device."""
        return sum(BYTES[kind] * math.prod(int(n) for n in sizes.split(",") if n) for kind, sizes in self.shapes)


def collectives(text: str) -> Iterator[Collective]:
    """Every collective in the text of a compiled program."""
    for line in text.splitlines():
        if found := COLLECTIVE.search(line):
            shapes = tuple(re.findall(r"(\w+)\[([\d,]*)\]", found[1]))
            name = re.search(r'op_name="([^"]*)"', line)
            yield Collective(found[2], shapes, name[1] if name else "")


def in_loops(text: str) -> list[Collective]:
    """Those inside a loop: for a program whose one loop runs over labels, what a label takes."""
    return [collective for collective in collectives(text) if "while/body" in collective.name]
