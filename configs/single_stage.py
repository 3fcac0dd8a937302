"""Imbalanced active learning in a single stage (Aggarwal et al., WACV 2020): what to label first, before any label.

    python -m experiments.train_source --config=configs/source.py --target=runs/source-fmnist.npz
    python -m experiments.single_stage --config=configs/single_stage.py --workdir=runs/single-stage \\
        --config.source=runs/source-fmnist.npz

    mode      what it runs
    (none)    MNIST, imbalanced, with a Fashion-MNIST source: 50, 100 and 200 labels, 5 labels a class and more
    balanced  the same from a balanced pool of as many rows, 600 of each class (Tables 8 and 9)
    cifar100  CIFAR-100 with a source network, 500, 1,000 and 2,000 labels
    features  the same on features and source probabilities of your own, SVM alone: --config.dataset=FILE.npz
    smoke     two selections, one budget, 2 epochs: under a minute; needs a source

cifar100-balanced and features-balanced have 200 rows of each class, as the paper's balanced subsets have (80 on MIT-67:
--config.class_mean=80).

A name of `config.selections` is random, ent-inv (lowest entropy of the source's probabilities first), ls-inv (highest
of them) or kcenter; then -div for rounds over the source's classes, -bal for the balancing step after `balance_from` of
the budget (-cen for its form by centroids), +ens for the average over the source's snapshots. Features are standardised
over all rows, one snapshot's as the average's. A selection is judged by a linear SVM on the source's features, without
costs (Table 12), and by the fine-tuned network; "full" has all labels of the pool. `--config.schemes=cs-svm,network`
has the cost-sensitive SVM of the group's later paper.

Published G_AL over four data sets (Tables 6 and 7; the source is a ResNet-18 of ImageNet): random -.792, ent-inv-div
-.739, kcenter -.790, and -.653, -.612, -.640 with balancing.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_cifar100_transfer, set_transfer

MODES = ("", "balanced", "cifar100", "cifar100-balanced", "features", "features-balanced", "smoke")
PLAIN = ("random", "ent-inv-div", "ent-inv-div+ens", "ls-inv-div", "ls-inv-div+ens", "kcenter", "kcenter+ens")


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    set_transfer(config)
    config.selections = (*PLAIN, *(name.replace("+ens", "") + "-bal" + "+ens" * ("+ens" in name) for name in PLAIN))
    config.budgets = (50, 100, 200)
    config.balance_from = 0.4
    config.ensemble = 6  # snapshots of the source for +ens
    config.seeds = 5
    config.initial = config.budget = config.cycles = 1  # there are no cycles
    config.schemes = ("svm", "network")

    if mode.removesuffix("-balanced") in ("cifar100", "features"):
        set_cifar100_transfer(config)
        config.budgets = (500, 1000, 2000)
    if mode.removesuffix("-balanced") == "features":
        config.dataset, config.backbone, config.augment = "features", "identity", "none"
        config.schemes = ("svm",)
        config.selections = tuple(name for name in config.selections if "+ens" not in name)
    if mode.endswith("balanced"):
        config.source_ratio = 0.0  # as many rows of every class
        config.class_mean = config.class_mean if mode == "balanced" else 200.0
    if mode == "smoke":
        config.selections, config.budgets, config.seeds = ("random", "ent-inv-div-bal"), (50,), 1
        config.epochs, config.class_mean = 2, 60.0
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES[1:]))}, got {mode!r}")
    return config
