"""Source networks: what is learned on one data set to be used on another (minority-class and single-stage AL).

    python -m experiments.train_source --config=configs/source.py --target=runs/source-fmnist.npz

    mode      network                                  time on 2 cores
    (none)    ResNet-6 on Fashion-MNIST, for MNIST     4 minutes
    cifar100  ResNet-18 on CIFAR-100, for CIFAR-10     hours; for a GPU
    smoke     ResNet-6, one epoch                      under a minute

The papers' source is a ResNet-18 trained on ImageNet; `experiments.extract_features` gives the features of such a one
from torchvision. `snapshots` of the training are kept, as many epochs apart, for ensembles: the paper has 6 of 90.
"""

from ml_collections import ConfigDict

from configs.base import get_base


def get_config(mode: str = "") -> ConfigDict:
    """The source task in the mode after the colon of --config."""
    config = get_base()
    config.strategies = ("random",)
    config.snapshots = 6
    config.head = "linear"
    config.spectral_bound = 0.0
    config.minority_share = 0.0

    config.dataset, config.num_classes = "fmnist", 10
    config.backbone = "resnet6"
    config.learning_rate = 0.1
    config.weight_decay = 5e-4
    config.batch_size = 128
    config.epochs = 12
    if mode == "cifar100":
        config.dataset, config.num_classes = "cifar100", 100
        config.backbone, config.augment = "resnet18", "flip_and_crop"
        config.epochs = 90
        config.milestones, config.decay = (30, 60), 0.1
    elif mode == "smoke":
        config.epochs = config.snapshots = 1
    elif mode:
        raise ValueError(f"mode must be 'cifar100' or 'smoke', got {mode!r}")
    return config
