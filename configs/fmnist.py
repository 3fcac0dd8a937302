"""AL-FaMoUS on Fashion-MNIST: 10 kinds of clothes of 28 x 28 pixels, half of the classes cut to 10 % (Table 3).

    python -m experiments.run --config=configs/fmnist.py --workdir=runs/fmnist

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          an hour
    paper   all nine strategies, 10 seeds: the FMNIST column         8 hours
    smoke   two strategies, 2 cycles of 2 epochs                     under a minute

Times from a lane on one core; nothing was timed on a GPU yet.
Expected macro F1, mean over the cycles (paper): random .716, us .740, us-cb .742, us-fbu .742,
us-alfamous .748, bald .735, bald-cb .734, bald-fbu .741, bald-alfamous .746.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_resnet


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "fmnist"
    config.num_classes = 10
    config.augment = "affine"

    config.initial = 100
    config.budget = 100
    config.cycles = 10
    config.lam = 0.1

    set_resnet(config, "resnet6")
    config.kernel_scale = 5.0
    config.epochs = 200

    set_mode(config, mode)
    return config
