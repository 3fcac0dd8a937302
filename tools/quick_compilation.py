"""Prints flags under which XLA compiles for a CPU in less than half the time, to code that may be slow.

XLA_FLAGS="$(python tools/quick_compilation.py)" python -m pytest
"""

from importlib import metadata

FLAGS = [
    "--xla_cpu_parallel_codegen_split_count=1",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
]


def main() -> None:
    """Flags of the jaxlib that is installed: from 0.12 on there is no way but the fusion emitters."""
    old = tuple(map(int, metadata.version("jaxlib").split(".")[:2])) < (0, 12)
    print(*FLAGS, *["--xla_cpu_use_fusion_emitters=false"] * old)


if __name__ == "__main__":
    main()
