"""AL-FaMoUS on Crop: 24 land covers from 46 satellite images of a place, half of the classes cut to 10 % (Table 3).

    python -m experiments.run --config=configs/crop.py --workdir=runs/crop

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          4 minutes
    paper   all nine strategies, 10 seeds: the CROP column           40 minutes
    refit   the last layer fitted anew, exactly; 13 names, 10 seeds  1 hour
    smoke   two strategies, 2 cycles of 2 epochs                     under a minute

Times from a lane on one core; nothing was timed on a GPU yet.
Expected macro F1, mean over the cycles (paper): random .345, us .336, us-cb .365, us-fbu .361,
us-alfamous .376, bald .337, bald-cb .351, bald-fbu .367, bald-alfamous .370.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_refit, set_tcn


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "crop"
    config.num_classes = 24
    config.initial = 100
    config.budget = 100
    config.cycles = 6
    config.lam = 0.5

    set_tcn(config)
    config.kernel_scale = 2.0
    config.batch_size = 10
    config.epochs = 100

    set_mode(config, mode, "refit")
    if mode == "refit":
        set_refit(config)
    return config
