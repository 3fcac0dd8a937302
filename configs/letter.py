"""AL-FaMoUS on LETTER: 26 letters from 16 attributes, half of the classes cut to 10 % (Table 3).

    python -m experiments.run --config=configs/letter.py --workdir=runs/letter

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          80 seconds
    paper   all nine strategies, 10 seeds: the LETTER column         10 minutes
    batch   us-alfamous asking for 1 to 32 rows at a time; 5 seeds   20 minutes
    refit   the last layer fitted anew, exactly; 13 names, 10 seeds  25 minutes
    smoke   two strategies, 2 seeds, 3 cycles of 5 epochs            under a minute

Choose a mode with --config=configs/letter.py:paper, override a field with --config.lam=0.5; --config.lam=auto
chooses lam from --config.lam_grid by the paper's rule. us-alfamous@8 asks for 8 rows before it updates.
Expected macro F1, mean over the cycles (paper): random .414, us .512, us-cb .525, us-fbu .597,
us-alfamous .609, bald .500, bald-cb .492, bald-fbu .572, bald-alfamous .591.
"""

from ml_collections import ConfigDict

from configs.base import get_base, set_mode, set_refit


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = get_base()
    config.dataset = "letter"
    config.num_classes = 26
    config.test_rows = 5000

    config.initial = 32
    config.budget = 32
    config.cycles = 20
    config.lam = 0.1

    config.spectral_bound = 1.0
    config.kernel_scale = 8.0
    config.learning_rate = 0.05
    config.weight_decay = 1e-3
    config.batch_size = 16

    set_mode(config, mode, "batch", "refit")
    if mode == "batch":
        config.strategies = ("us-cb", "us-fbu", *(f"us-alfamous@{size}" for size in (1, 2, 4, 8, 16, 32)))
        config.seeds = 5
    elif mode == "refit":
        set_refit(config)
    elif mode == "smoke":
        config.seeds = 2
        config.cycles = 3
        config.epochs = 5
        config.pool_subset = 0
    return config
