"""The driver of the experiments, their report and the benchmark."""

import sys

if sys.argv[:1] == ["-m"]:  # a command of this package is being started; what it imports takes seconds
    from experiments import stopping

    stopping.begin()
