"""Your own rows: strategies compared on a file whose labels are all known; nothing of it is cut.

    python -m experiments.run --config=configs/own.py --config.dataset=mine.csv --workdir=runs/mine

    mode    what it runs
    (none)  random, margin, us-alfamous, margin-alfamous, kcenter-cb; 5 seeds
    smoke   two strategies, one seed, 2 cycles of 2 epochs: under a minute

What stands at 0 or "auto" is taken from the file and said before the run begins: the classes and their names, the test
rows, how many labels are asked for. docs/own-data.md says what the file may be. Rows that are features get a last layer
that is fitted to them exactly; the labels choose its scaling, its kernel and its ridge. Images get a small residual
network and series a convolutional one, whose last layer is fitted anew. A number in a field stays as it is, as in
--config.budget=20.
"""

from ml_collections import ConfigDict, FieldReference

from configs.base import get_base, set_mode


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.num_classes = 0
    config.minority_share = 0.0

    config.strategies = ("random", "margin", "us-alfamous", "margin-alfamous", "kcenter-cb")
    config.seeds = 5
    for field in ("initial", "budget", "cycles"):
        del config[field]
        config[field] = FieldReference("auto", field_type=object)
    config.lams = {"kcenter-cb": 0.5}
    config.shrink_lam = True

    config.backbone = "auto"
    config.head = "auto"
    config.optimizer = "auto"
    del config.learning_rate
    config.learning_rate = FieldReference("auto", field_type=object)
    config.refit = True
    config.ridge = "auto"
    config.implicit_update = True
    config.spectral_bound = 0.0
    config.batch_size = 32

    set_mode(config, mode)
    return config
