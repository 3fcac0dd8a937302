"""Random damage to what users bring, for as long as one likes: `python -m tests.fuzz readers --minutes 5`.

A fuzzer is a file with `KINDS` and a `trial(kind, rng, folder)` that says what came of one try. What is random comes
from the number of the try, so that `--first N --tries 1` does one of them again.
"""
