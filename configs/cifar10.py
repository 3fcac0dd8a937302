"""AL-FaMoUS on CIFAR-10: 10 kinds of things of 32 x 32 x 3 pixels, half of the classes cut to 10 % (Table 3).

    python -m experiments.run --config=configs/cifar10.py --workdir=runs/cifar10

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          six weeks: for a GPU
    paper   all nine strategies, 10 seeds: the CIFAR10 column        for a GPU
    smoke   two strategies, 1 cycle of 2 epochs, ResNet-6            a minute

Times from a lane on one core; nothing was timed on a GPU yet.
Expected macro F1, mean over the cycles (paper): random .531, us .598, us-cb .606, us-fbu .591,
us-alfamous .607, bald .597, bald-cb .610, bald-fbu .593, bald-alfamous .617.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_resnet


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "cifar10"
    config.num_classes = 10
    config.augment = "flip_and_crop"

    config.initial = 300
    config.budget = 300
    config.cycles = 20
    config.lam = 0.5

    set_resnet(config, "resnet18")
    config.kernel_scale = 5.0
    config.epochs = 200

    set_mode(config, mode)
    if mode == "smoke":
        config.backbone = "resnet6"
        config.cycles = 1
    return config
