"""Weak scaling of a cycle: python -m experiments.scaling; `experiments.bench.scaling` says what it does."""

from experiments.bench.scaling import main

if __name__ == "__main__":
    main()
