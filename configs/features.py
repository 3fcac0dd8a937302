"""Every strategy on features that are given: only the last layer is fitted, so that all of them can be compared.

    python -m experiments.run --config=configs/features.py --workdir=runs/features
    python -m experiments.run --config=configs/features.py:linear --config.dataset=path/to/embeddings.npz \\
        --config.num_classes=K --workdir=runs/mine

    mode      what it runs
    (none)    the 16 attributes of LETTER; an exact fit whose map and ridge the labels choose; 22 strategies, 10 seeds
    sgd       the same attributes under random features, the last layer trained by SGD with dropout; 22 strategies, of
              which bald-mc needs that dropout, 5 seeds
    fmnist    the pixels of Fashion-MNIST, likewise by SGD
    linear    LETTER under a linear last layer, by SGD
    smoke     two strategies, 2 cycles: under a minute

Embeddings of your own are an `.npz` with x_train, y_train, x_test, y_test, a row for each example. By SGD they are
standardised feature by feature, and the length scale of random features should grow with their number; without bald-mc
set --config.dropout=0 there. `configs/own.py` asks for less: it takes classes, labels and cycles from the file.
"""

from ml_collections import ConfigDict

from configs.base import ALL, get_base, set_mode

OTHERS = ("margin", "margin-cb", "entropy", "entropy-cb", "entropy-pseudo", "kcenter", "kcenter-cb", "badge")
OTHERS += ("batchbald", "vaal", "vaal-cb")
UPDATED = ("margin-fbu", "margin-alfamous")
BY_DROPOUT = ("bald-mc", "bald-mc-cb")


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "letter"
    config.num_classes = 26
    config.strategies = (*ALL, *OTHERS, *UPDATED)
    config.seeds = 10

    config.initial = 64
    config.budget = 64
    config.cycles = 8
    config.lam = 0.5
    config.lams = {"us-alfamous": 0.1, "bald-alfamous": 0.1, "margin-alfamous": 0.1}

    config.backbone = "identity"
    config.head = "map"
    config.ridge = "auto"
    config.implicit_update = True
    if mode in ("sgd", "fmnist", "linear"):
        _by_sgd(config)
    if mode == "fmnist":
        config.dataset = "fmnist"
        config.num_classes = 10
        config.initial = config.budget = 100
        config.kernel_scale = 784.0
        config.num_samples = 20
    if mode == "linear":
        config.head = "linear"
        config.learning_rate = 0.1
    set_mode(config, mode, "sgd", "fmnist", "linear")
    return config


def _by_sgd(config: ConfigDict) -> None:
    """A last layer that is trained, under random features of length 1."""
    config.strategies = (*ALL, *OTHERS, *BY_DROPOUT)
    config.seeds = 5
    config.lams = {"us-alfamous": 0.1, "bald-alfamous": 0.1}
    config.head = "sngp"
    config.ridge = 1.0
    config.implicit_update = False
    config.kernel_scale = 8.0
    config.dropout = 0.25
    config.learning_rate = 3.0
    config.batch_size = 32
    config.epochs = 100
