"""AL-FaMoUS on ECG5000: 5 kinds of heartbeat from 140 readings, imbalanced as it comes (Table 3).

    python -m experiments.run --config=configs/ecg5000.py --workdir=runs/ecg5000

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          5 minutes
    paper   all nine strategies, 10 seeds: the ECG5000 column        50 minutes
    refit   the last layer fitted anew, exactly; 13 names, 10 seeds  1.3 hours
    smoke   two strategies, 2 cycles of 2 epochs                     under a minute

Times from a lane on one core; nothing was timed on a GPU yet.
Expected macro F1, mean over the cycles (paper): random .479, us .538, us-cb .530, us-fbu .528,
us-alfamous .541, bald .528, bald-cb .532, bald-fbu .528, bald-alfamous .537.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_refit, set_tcn


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "ecg5000"
    config.num_classes = 5
    config.minority_share = 0.0
    config.minority_ratio = 1.0

    config.initial = 50
    config.budget = 50
    config.cycles = 6
    config.lam = 0.05

    set_tcn(config)
    config.kernel_scale = 1.0
    config.batch_size = 10
    config.epochs = 100

    set_mode(config, mode, "refit")
    if mode == "refit":
        set_refit(config)
    return config
