"""What rounding changes in the picks: python -m experiments.precision; `experiments.bench.precision` does it."""

from experiments.bench.precision import main

if __name__ == "__main__":
    main()
