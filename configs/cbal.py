"""Class-balanced AL (CBAL, section 5): half of the classes cut, a balanced tenth labelled first, batches of 5 %.

    python -m experiments.run --config=configs/cbal.py:cifar10-0.1 --workdir=runs/cbal

    mode                  what it runs
    cifar10-IF            CIFAR-10, ResNet-18: random, entropy, KCenterGreedy and VAAL, plain and class-balanced
    cifar100-IF           CIFAR-100, the same
    tiny_imagenet-IF      Tiny ImageNet, features of a pretrained network: random, entropy and BALD
    cifar10_lite0-IF      CIFAR-10, features of a pretrained network under a last layer that is fitted exactly: the
                          strategies of cifar10-IF and pseudo-labels, for 2 cores
    cifar100_part_lite0-IF  the same of a third of CIFAR-100
    MODE@lambda           Fig. 4: entropy-cb and pseudo-labels on the first model of one of these, lam up to 3
    (none)                cifar10-0.1
    smoke                 CIFAR-10, ResNet-6, two strategies, 1 cycle of 2 epochs: a minute

IF, the imbalance factor, is what the second half of the classes keeps of its rows outside the initial set: 1, 0.3 or
0.1; or `exp`, class sizes that fall exponentially to a tenth. Three seeds. The images are for a GPU; nothing was timed
on one yet, and on 2 cores CIFAR takes months. Features take minutes.

Settings are the paper's and, where it is silent, its authors' code: batches of 256, weight decay 5e-4, lam .6 on
CIFAR-10 and 2 on CIFAR-100 for entropy, .5 for k-center, 10 dropout masks, 39,062 steps of VAAL a cycle (those of
VAAL's authors; --config.vae_steps=500 is the short form that the configs for 2 cores have). Unknown are lam of VAAL and
on Tiny ImageNet (.5), and the dropout rate (.25). The paper fine-tunes a ResNet-101 on Tiny ImageNet; here its features
are given as `tiny_imagenet_features.npz` in the data directory, and only the last layer is trained. The other two sets
of features are files there as well, `cifar10_lite0.npz` of 50,000 rows and `cifar100_part_lite0.npz` of 16,000.

Expected: gains of the balanced form in accuracy, in points, over cycles 1 to 4 (paper, IF .1): CIFAR-10 entropy .54 .86
.57 .27, k-center .84 .44 .77 .77, VAAL .57 .85 1.08 1.19; CIFAR-100 1.28 2.23 1.50 1.43, 1.03 .92 1.04 .93, .37 1.86
2.32 2.23; Tiny ImageNet entropy .48 .63 .21 .58, BALD .31 .10 .08 .21.
"""

from ml_collections import ConfigDict

from configs.base import authors_vae_steps, get_base

FACTORS = ("1", "0.3", "0.1", "exp")
CLASSES = {"cifar10": 10, "cifar100": 100, "tiny_imagenet": 200, "cifar10_lite0": 10, "cifar100_part_lite0": 100}


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    asked, at, sweep = ("cifar10-0.1" if mode in ("", "smoke") else mode).partition("@")
    dataset, _, factor = asked.partition("-")
    if dataset not in CLASSES or factor not in FACTORS or (at and sweep != "lambda"):
        raise ValueError(
            f"mode must be 'smoke' or DATASET-IF of {', '.join(CLASSES)} and {', '.join(FACTORS)}, with or without "
            f"@lambda, got {mode!r}"
        )
    config = get_base()
    config.dataset = dataset
    config.num_classes = CLASSES[dataset]
    config.minority = "last"
    config.profile = "exponential" if factor == "exp" else "step"
    config.minority_ratio = 0.1 if factor == "exp" else float(factor)

    config.strategies = ("random", "entropy", "entropy-cb", "kcenter", "kcenter-cb", "vaal", "vaal-cb")
    config.seeds = 3
    config.balanced_initial = True
    config.initial = 5000
    config.budget = 2500
    config.cycles = 4
    config.lam = 2.0 if CLASSES[dataset] == 100 else 0.6
    config.lams = {"kcenter-cb": 0.5, "vaal-cb": 0.5}
    config.vae_steps = authors_vae_steps(50_000)

    config.backbone = "resnet18"
    config.head = "linear"
    config.posterior = False
    config.spectral_bound = 0.0
    config.augment = "flip_and_crop"

    config.learning_rate = 0.02
    config.weight_decay = 5e-4
    config.batch_size = 256
    config.epochs = 100
    config.milestones = (60, 80)

    if dataset == "tiny_imagenet":
        config.dataset = "tiny_imagenet_features"
        config.strategies = ("random", "entropy", "entropy-cb", "bald-mc", "bald-mc-cb")
        config.lam, config.lams = 0.5, {}
        config.initial, config.budget = 9000, 4500
        config.backbone, config.dropout, config.num_samples = "identity", 0.25, 10
        config.augment = "none"
        config.learning_rate, config.weight_decay = 0.01, 0.0
        config.epochs, config.milestones = 30, (10, 15, 20, 25)
    elif dataset not in ("cifar10", "cifar100"):
        config.strategies += ("entropy-pseudo",)
        config.vae_steps = 500
        config.backbone, config.head, config.augment = "identity", "map", "none"
        config.maps, config.ridge = ("common", "unit"), "auto"
    if dataset == "cifar100_part_lite0":
        config.initial, config.budget = 1600, 800
    if sweep == "lambda":
        config.strategies, config.cycles = ("entropy-cb", "entropy-pseudo"), 1
        config.lam, config.lam_grid = "auto", tuple(step / 4 for step in range(1, 13))
        config.lams = {}
    if mode == "smoke":
        config.strategies = ("entropy", "entropy-cb")
        config.seeds, config.cycles, config.epochs = 1, 1, 2
        config.backbone = "resnet6"
        config.milestones = ()
        config.initial, config.budget, config.pool_subset, config.vae_steps = 500, 100, 1000, 20
    return config
