"""python -m experiments.report WORKDIR"""

import sys

from experiments.report.page import main

if __name__ == "__main__":
    sys.exit(main())
