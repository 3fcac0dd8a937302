"""Every strategy on features that are given: only the last layer is trained, so that all of them can be compared.

    python -m experiments.run --config=configs/features.py --workdir=runs/features
    python -m experiments.run --config=configs/features.py:linear --config.dataset=path/to/embeddings.npz \\
        --config.num_classes=K --workdir=runs/mine

    mode      what it runs
    (none)    the 16 attributes of LETTER under random features: a Gaussian process; 22 strategies, 5 seeds
    fmnist    the pixels of Fashion-MNIST, likewise
    linear    LETTER under a linear last layer, for embeddings of a pretrained network
    smoke     two strategies, 2 cycles of 2 epochs: under a minute

Embeddings of your own are an `.npz` with x_train, y_train, x_test, y_test, a row for each example; they are
standardised feature by feature. The length scale of random features should grow with their number. All strategies
train with dropout on the features, as bald-mc needs it and the networks should be the same; without bald-mc set
--config.dropout=0.
"""

from ml_collections import ConfigDict

from configs.base import ALL, get_base, set_mode

OTHERS = ("margin", "margin-cb", "entropy", "entropy-cb", "entropy-pseudo", "bald-mc", "bald-mc-cb", "kcenter")
OTHERS += ("kcenter-cb", "badge", "batchbald", "vaal", "vaal-cb")


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "letter"
    config.num_classes = 26
    config.strategies = (*ALL, *OTHERS)
    config.seeds = 5

    config.initial = 64
    config.budget = 64
    config.cycles = 8
    config.lam = 0.5
    config.lams = {"us-alfamous": 0.1, "bald-alfamous": 0.1}

    config.backbone = "identity"
    config.kernel_scale = 8.0
    config.dropout = 0.25

    config.learning_rate = 3.0  # random features have length 1
    config.batch_size = 32
    config.epochs = 100

    if mode == "fmnist":
        config.dataset = "fmnist"
        config.num_classes = 10
        config.initial = config.budget = 100
        config.kernel_scale = 784.0
        config.num_samples = 20
    if mode == "linear":
        config.head = "linear"
        config.learning_rate = 0.1
    set_mode(config, mode, "fmnist", "linear")
    return config
