"""AL-FaMoUS on ElectricDevices: 7 household devices from 96 meter readings, imbalanced as it comes (Table 3).

    python -m experiments.run --config=configs/electric_devices.py --workdir=runs/electric_devices

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          6 hours
    paper   all nine strategies, 10 seeds: the E-DEVICE column       2 days
    smoke   two strategies, 2 cycles of 2 epochs                     under a minute

Times from a lane on one core; nothing was timed on a GPU yet. With --config.width=32 a lane takes 14 minutes.
A copy of the data that lacks rows gives scores that are not comparable with these; the run then says how many it has.
Expected macro F1, mean over the cycles (paper): random .616, us .632, us-cb .632, us-fbu .639,
us-alfamous .643, bald .608, bald-cb .618, bald-fbu .620, bald-alfamous .626.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_tcn


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "electric_devices"
    config.num_classes = 7
    config.minority_share = 0.0
    config.minority_ratio = 1.0

    config.initial = 100
    config.budget = 100
    config.cycles = 30
    config.lam = 0.05

    set_tcn(config)
    config.kernel_scale = 2.0
    config.batch_size = 20
    config.epochs = 150

    set_mode(config, mode)
    return config
