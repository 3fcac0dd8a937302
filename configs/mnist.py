"""AL-FaMoUS on MNIST: 10 digits of 28 x 28 pixels, half of the classes cut to 10 % (Table 3).

    python -m experiments.run --config=configs/mnist.py --workdir=runs/mnist

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          20 minutes
    paper   all nine strategies, 10 seeds: the MNIST column          3 hours
    lambda  us-cb at nine lam from .01 to 2: Fig. 4; 5 seeds         not timed
    smoke   two strategies, 2 cycles of 2 epochs                     under a minute

Times from a lane on one core; nothing was timed on a GPU yet.
Expected macro F1, mean over the cycles (paper): random .811, us .868, us-cb .864, us-fbu .891,
us-alfamous .895, bald .855, bald-cb .855, bald-fbu .886, bald-alfamous .886.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_resnet


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "mnist"
    config.num_classes = 10
    config.augment = "affine"

    config.initial = 100
    config.budget = 100
    config.cycles = 7
    config.lam = 0.5

    set_resnet(config, "resnet6")
    config.kernel_scale = 1.0
    config.epochs = 100

    set_mode(config, mode, "lambda")
    if mode == "lambda":
        config.strategies, config.seeds, config.cycles = ("us-cb",), 5, 1
        config.lam, config.lam_grid = "auto", (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
    return config
