"""Fields that every experiment has, at the values most of them share; each config sets its own over them."""

from ml_collections import ConfigDict, FieldReference

VARIANTS = ("", "-cb", "-fbu", "-alfamous")
ALL = ("random", *(f"{base}{variant}" for base in ("us", "bald") for variant in VARIANTS))
MARGIN = tuple(f"margin{variant}" for variant in VARIANTS)


def get_base() -> ConfigDict:
    """A config that lacks only what tells one data set from another."""
    config = ConfigDict()

    # Data
    config.dataset = ""  # a name that alfamous_jax.datasets.registry knows, the path of an .npz, .csv, .tsv or .parquet
    # file, a folder/, or a function of your own, MODULE:ATTRIBUTE, that gives a dict of arrays
    config.num_classes = 2  # 0: as many as the file has
    config.classes = ()  # names of all classes of a file, also of those that no row has yet
    config.label_column = ""  # of a table; "" is the one called label, y, class or target
    config.test_rows = 0  # for files without test rows: how many of the last rows are tested; 0 draws a fifth of each
    # class, or does what the registry says
    config.split_seed = 0  # of this draw
    config.validation = 0.0  # share of each class of the training rows that is scored in the place of the test rows
    config.scaling = "auto"  # "feature", "channel", "series" (of each channel over all times), "clipped" (one of these,
    # cut at 4 deviations), "common" (one factor for all features), "none", or as the registry and the shape of rows say
    config.augment = "none"  # "affine" or "flip_and_crop", for images
    config.profile = "step"  # "exponential", or "transfer": the imbalance of another data set
    config.minority_share = 0.5  # of the classes that are cut
    config.minority_ratio = 0.1  # to this share of their rows; "exponential": the last class over the first
    config.minority = FieldReference("drawn", field_type=object)  # the classes cut: drawn for each seed, the "last" by
    # index, or a tuple of them
    config.source_ratio = (
        0.813  # "transfer": deviation over mean of the class sizes; ImageNet's, 0 is a balanced subset
    )
    config.class_mean = 0.0  # "transfer": rows of a class on average

    # Active learning
    config.strategies = ("random", "us", "us-cb", "us-fbu", "us-alfamous")
    config.seeds = 2
    config.first_seed = 0
    config.initial = 100
    config.balanced_initial = False  # as many of each class, set aside before the cut
    config.start = "random"  # how these are found, or of rows that are features "kcenter", "maxherding", "typiclust"
    config.unseen = 0  # of the rarest classes of the pool, none is among the initial labels
    config.label_noise = 0.0  # how likely an answer is to be wrong, any other class alike; test rows are as they are
    config.copies = 1  # how often every training row is in the pool
    config.budget = 100
    config.cycles = 6
    config.lam = FieldReference(0.1, field_type=object)  # a number or "auto"
    config.lam_grid = (0.05, 0.1, 0.5)  # what "auto" chooses from
    config.shrink_lam = False  # lam times how far the labels known are from even beyond chance, `balance.shrinkage`
    config.count_cycle = True  # whether labels of the running cycle count for the demand, or those before it alone
    config.implicit_update = False  # a label moves the mean to its mode, for small ridges, or by the step of the paper
    config.lams = ConfigDict()  # of the strategies that need another lam: {"kcenter-cb": 0.5}
    config.bald_samples = 0  # draws of BALD; 0 is without them
    config.num_samples = 100  # draws of the weights in batchbald, of dropout masks in bald-mc
    config.vae_steps = 500  # of vaal, each of 128 labelled and 128 other rows; a short form, see `authors_vae_steps`
    config.vabal = ConfigDict()  # of vabal; alfamous_jax.stage_vae and alfamous_jax.vabal say what each is
    config.vabal.constraint = "square"  # "absolute", "sigmoid"
    config.vabal.batch_norm = False
    config.vabal.kl_weight = 1.0
    config.vabal.mask_in_training = True
    config.vabal.weight = 0.005
    config.vabal.epochs = 20
    config.vabal.learning_rate = 1e-4
    config.vabal.milestones = ()  # epochs at which it falls to a tenth
    config.vabal.num_samples = 100
    config.vabal.likelihood = "exp"  # "inverse", "loss"
    config.vabal.prior_from = "labelled"  # "available"
    config.pool_dtype = "float32"  # of the pool's random features; "bfloat16" halves what a label reads on a GPU or TPU
    config.pool_subset = 0  # rows of the pool that a cycle looks at, drawn anew each time; 0 is all of them

    # Network
    config.backbone = "mlp"  # "tcn", "resnet6", "resnet18", "resnet34", the last two with -imagenet for a stem of 7 x 7
    # and a pooling, as torchvision's weights have it; "identity" where the rows are features already, or a flax module
    # of your own, MODULE:ATTRIBUTE
    config.head = "sngp"  # or "linear": no random features, the last layer sees the backbone's; or "map": no network,
    # an exact fit to the rows under that of config.maps which suits the labels best
    config.maps = ("common", "unit", "clipped", "common-rbf", "clipped-rbf")  # alfamous_jax.networks.feature_maps
    config.width = 128  # of an MLP or a TCN
    config.depth = 2
    config.spectral_bound = 6.0  # 0 is none
    config.dropout = 0.0  # rate; before every block, or on the features of "identity"
    config.posterior = True  # of the last layer; False ranks by the plain softmax, as all papers but AL-FaMoUS do
    config.num_features = 1024
    config.kernel_scale = 1.0
    config.refit = False  # fit the last layer anew, exactly, once the network is trained
    config.ridge = FieldReference(1.0, field_type=object)  # of the posterior and of the exact fit, there also "auto"
    config.ridges = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)  # what "auto" chooses from, in falling order
    config.criterion = "auto"  # what map and ridge are chosen by: "loo" (loss of a row left out), "folds", "evidence";
    # "auto" is "loo" for given rows, and "evidence" for a network, whose features have seen the labels
    config.source = ""  # a file of experiments.train_source: the backbone starts from it, SVMs see its features
    config.snapshots = 1  # of the source network, the last of its training, whose features are averaged

    # Training
    config.scheme = (
        "network"  # "network-th" (prior thresholding), "svm", "cs-svm", or "switch" from the SVM to the network
    )
    config.svm_cost = 1.0
    config.folds = 5  # of the cross-validation that decides when to switch
    config.optimizer = "sgd"
    config.learning_rate = 0.1
    config.momentum = 0.9
    config.weight_decay = 0.0
    config.batch_size = 20
    config.epochs = 100
    config.milestones = ()  # epochs at which the learning rate falls by `decay`; () is a cosine to 0
    config.decay = 0.5
    config.plateau = 0  # epochs without a lower training loss after which it falls by `decay`; 0 waits for none

    # Machine: "processes" runs lanes side by side, "vmap" in one program, "auto" decides by the device; "pool" runs
    # them one after the other, each with its pool split over all devices
    config.parallel = "auto"
    config.workers = 0  # processes at a time; 0 is one for each core, on a GPU one in all
    return config


def authors_vae_steps(num_rows: int) -> int:
    """Steps of VAAL in its authors' code: 100 epochs of the training set in batches of 128, 39,062 on CIFAR."""
    return 100 * num_rows // 128


def get_config(mode: str = "") -> ConfigDict:
    """Says what to take instead: these fields alone are no experiment."""
    raise ValueError(
        "configs/base.py lists the fields and is no experiment; for your rows take --config=configs/own.py "
        "--config.dataset=FILE, or another file in configs/"
    )


def set_resnet(config: ConfigDict, backbone: str) -> None:
    """The network of the three data sets of images: "resnet6" or "resnet18", trained by SGD."""
    config.backbone = backbone
    config.learning_rate = 0.1
    config.weight_decay = 3e-4
    config.batch_size = 20


def set_tcn(config: ConfigDict) -> None:
    """The network of the three data sets of series: a TCN trained by Adam."""
    config.backbone = "tcn"
    config.width = 64
    config.depth = 3
    config.optimizer = "adam"
    config.learning_rate = 1e-3


def set_transfer(config: ConfigDict) -> None:
    """An imbalanced MNIST, learned by fine-tuning a network of another data set (minority-class, single-stage AL)."""
    config.dataset, config.num_classes = "mnist", 10
    config.profile, config.class_mean = "transfer", 600.0

    config.backbone, config.head = "resnet6", "linear"
    config.posterior = False
    config.spectral_bound = 0.0
    config.learning_rate = 0.01
    config.weight_decay = 5e-4
    config.batch_size = 32
    config.epochs = 60
    config.plateau, config.decay = 10, 0.1


def set_cifar100_transfer(config: ConfigDict) -> None:
    """CIFAR-100 in the place of MNIST after `set_transfer`, as the papers have it."""
    config.dataset, config.num_classes = "cifar100", 100
    config.class_mean, config.source_ratio = 171.68, 0.7396  # ICPR 2020, Table I
    config.backbone, config.augment = "resnet18", "flip_and_crop"


def set_refit(config: ConfigDict) -> None:
    """The paper's setup with one change: the last layer of a trained network is fitted anew, exactly, its ridge chosen.

    All nine strategies of the paper and those by the margin, 10 seeds.
    """
    config.strategies = (*ALL, *MARGIN)
    config.seeds = 10
    config.refit = True
    config.ridge = "auto"


def set_mode(config: ConfigDict, mode: str, *others: str) -> None:
    """Applies the modes that every config has: "paper" is all strategies and 10 seeds, "smoke" under a minute."""
    if mode == "paper":
        config.strategies = ALL
        config.seeds = 10
    elif mode == "smoke":
        config.strategies = ("us", "us-alfamous")
        config.seeds = 1
        config.cycles = 2
        config.epochs = 2
        config.pool_subset = 1000
        config.vae_steps = 20
        config.vabal.epochs = 2
    elif mode and mode not in others:
        known = ("paper", "smoke", *others)
        raise ValueError(f"mode must be {', '.join(map(repr, known[:-1]))} or {known[-1]!r}, got {mode!r}")
