"""Files of features whose images the papers have: what they publish stands beside runs on the features, marked."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

FEATURES = {"cifar10_lite0": "cifar10", "cifar100_part_lite0": "cifar100", "neu_cls_64_lite0": "neu"}
MARK = ", images"
NOTE = "Published numbers are of networks trained on the images, of which the rows here are features."
Found = TypeVar("Found", bound=Mapping[str, Any])


def load(published: Callable[[Mapping[str, Any]], Found], config: Mapping[str, Any]) -> tuple[Found, str]:
    """What a paper publishes of a config or else of the images of its features, then with `MARK`, and "" without."""
    images = FEATURES.get(str(config.get("dataset")))
    found = published({**config, "dataset": images} if images else config)
    return found, MARK if images and found else ""


def note(published: Callable[[Mapping[str, Any]], Mapping[str, Any]], config: Mapping[str, Any]) -> list[str]:
    """The paragraph that says what `MARK` means, where `load` gives it."""
    return [NOTE] if load(published, config)[1] else []
