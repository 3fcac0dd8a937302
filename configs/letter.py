"""AL-FaMoUS on LETTER: 26 letters from 16 attributes, half of the classes cut to 10 % (AL-FaMoUS, Table 3).

    python -m experiments.run --config=configs/letter.py --workdir=runs/letter

    mode    what it runs                                             time on 2 cores
    (none)  random, us, us-cb, us-fbu, us-alfamous; 2 seeds          3.5 minutes
    paper   all nine strategies, 10 seeds: the LETTER column         36 minutes
    batch   us-alfamous asking for 1 to 32 rows at a time; 5 seeds   20 minutes
    smoke   two strategies, 2 seeds, 3 cycles of 5 epochs            under a minute

Choose a mode with --config=configs/letter.py:paper, override a field with --config.lam=0.5; --config.lam=auto
chooses lam from --config.lam_grid by the paper's rule. us-alfamous@8 asks for 8 rows before it updates.
Expected macro F1, mean over the cycles (paper): random .414, us .512, us-cb .525, us-fbu .597,
us-alfamous .609, bald .500, bald-cb .492, bald-fbu .572, bald-alfamous .591.
"""

from ml_collections import ConfigDict, FieldReference


def get_config(mode: str = "") -> ConfigDict:
    """The experiment in the mode after the colon of --config."""
    config = ConfigDict()

    # Data
    config.dataset = "letter"
    config.num_classes = 26
    config.test_rows = 5000
    config.minority_share = 0.5
    config.minority_ratio = 0.1

    # Active learning
    config.strategies = ("random", "us", "us-cb", "us-fbu", "us-alfamous")
    config.seeds = 2
    config.first_seed = 0
    config.initial = 32
    config.budget = 32
    config.cycles = 20
    config.lam = FieldReference(0.1, field_type=object)  # a number or "auto"
    config.lam_grid = (0.05, 0.1, 0.5)  # what "auto" chooses from
    config.bald_samples = 100

    # SNGP
    config.width = 128
    config.depth = 2
    config.spectral_bound = 1.0
    config.num_features = 1024
    config.kernel_scale = 8.0
    config.ridge = 1.0

    # Training
    config.optimizer = "sgd"
    config.learning_rate = 0.05
    config.momentum = 0.9
    config.weight_decay = 1e-3
    config.batch_size = 16
    config.epochs = 100

    # Machine: "processes" runs lanes side by side, "vmap" in one program, "auto" decides by the device
    config.parallel = "auto"
    config.workers = 0  # processes at a time; 0 is one for each core

    if mode == "paper":
        us_and_bald = tuple(f"{base}{suffix}" for base in ("us", "bald") for suffix in ("", "-cb", "-fbu", "-alfamous"))
        config.strategies = ("random", *us_and_bald)
        config.seeds = 10
    elif mode == "batch":
        config.strategies = ("us-cb", "us-fbu", *(f"us-alfamous@{size}" for size in (1, 2, 4, 8, 16, 32)))
        config.seeds = 5
    elif mode == "smoke":
        config.strategies = ("us", "us-alfamous")
        config.cycles = 3
        config.epochs = 5
    elif mode:
        raise ValueError(f"mode must be 'paper', 'batch' or 'smoke', got {mode!r}")
    return config
