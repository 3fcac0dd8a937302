"""The published accuracies of VaB-AL agree with its prose, and stand under their splits alone."""

import pytest

from experiments.published import images, vabal

CONFIG = {"dataset": "cifar10", "num_classes": 10, "minority": list(range(1, 10))}


@pytest.mark.parametrize(
    ("change", "strategies"),
    [({}, 6), ({"minority": []}, 4), ({"minority": [0]}, 0), ({"minority": "drawn"}, 0), ({"dataset": "fmnist"}, 0)],
    ids=["+1", "whole", "rare", "drawn", "other data"],
)
def test_published_numbers_stand_under_their_split(change, strategies):
    assert len(vabal.load_accuracies(CONFIG | change)) == strategies


def test_published_gains_of_the_prose():
    """The prior alone gains 9.63 points in the last round, the difficulty alone 5.69, both 10.15."""
    published = vabal.load_accuracies(CONFIG)
    last = {name: accuracies[1] for name, accuracies in published.items()}
    gains = [round(last[name] - last["vabal@likelihood"], 2) for name in ("vabal@prior", "vabal@difficulty", "vabal")]
    assert gains == [9.63, 5.69, 10.15]


@pytest.mark.parametrize(
    ("dataset", "mark"), [("cifar10", ""), ("cifar10_lite0", ", images"), ("neu_cls_64_lite0", ""), ("letter", "")]
)
def test_numbers_of_images_stand_beside_their_features_and_are_marked(dataset, mark):
    """NEU's table has no split that keeps one class whole, LETTER none at all."""
    found, said = images.load(vabal.load_accuracies, CONFIG | {"dataset": dataset})
    assert said == mark and found == (vabal.load_accuracies(CONFIG) if "cifar10" in dataset else {})
