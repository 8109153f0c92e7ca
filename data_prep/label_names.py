"""Names of the labels of label maps, and label maps as records hold them.

A name stands for one or more values of the files; records hold the lowest of them. So BraTS keeps
its 1, 2 and 4, and every vertebra of SPIDER becomes 1.

Sources: Menze et al. 2015 (BraTS); van der Graaf et al. 2024 (SPIDER).
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from spine_tf import levels

Labels = Mapping[str, tuple[int, ...]]  # name -> the values of files that it stands for

BRATS: Labels = {"necrotic core": (1,), "oedema": (2,), "enhancing tumour": (4,)}
SPIDER: Labels = {
    "vertebra": (*range(1, 26), *range(101, 126)),  # from 101: not wholly in the scan
    "canal": (levels.SPIDER_CANAL,),
    "disc": tuple(levels.SPIDER_DISC_OFFSET + number for number in range(1, 26)),
}
_HIGHEST = 255
_FORM = 'must be an object such as {"1": "liver", "5-9,12": "rib"} or {"labels": {"liver": 1}}'


def read(path: str) -> Labels:
    """Reads names of labels from a JSON file.

    Args:
        path: An object of values or ranges of values -> name, or name -> value; it may be the
            `labels` of an object, as in the dataset.json of nnU-Net. Value 0 is always background.

    Returns:
        Name -> values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else; the message names the file.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return parse(json.load(file))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse(content: Any) -> Labels:
    """Returns name -> values of the content of such a file.

    Raises:
        ValueError: If it has another form, or a value has two names or cannot be stored.
    """
    content = content.get("labels", content) if isinstance(content, Mapping) else content
    if not isinstance(content, Mapping) or not content:
        raise ValueError(f"{_FORM}, got {type(content).__name__}.")
    found: dict[str, tuple[int, ...]] = {}
    for key, value in content.items():
        text, name = (key, value) if isinstance(value, str) else (str(value), key)
        values = tuple(number for number in _values(text) if number)
        if values:
            found[name] = tuple(sorted(found.get(name, ()) + values))
    everything = [number for values in found.values() for number in values]
    if not found or len(set(everything)) != len(everything):
        raise ValueError("must give at least one name, and every value one name only.")
    highest = max(map(min, found.values()))
    if highest > _HIGHEST:
        raise ValueError(f"the lowest value of a name must be at most {_HIGHEST}, got {highest}.")
    return found


def _values(text: str) -> list[int]:
    """The numbers of `1`, `1-25` or `1-25,101`."""
    values = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise ValueError(f"{_FORM}, got {text!r}.")
        values += range(int(first), int(last or first) + 1)
    return values


def stored(label_map: np.ndarray, labels: Labels, *, reject_others: bool) -> np.ndarray:
    """Returns a label map as records hold it.

    Args:
        label_map: Whole numbers of any type.
        labels: Names and their values.
        reject_others: Whether a value without a name is an error; else it is background.

    Returns:
        uint8, 0 where there is no label.

    Raises:
        ValueError: If a value has no name, or no voxel has a label.
    """
    values, places = np.unique(label_map, return_inverse=True)
    known = {0: 0} | {value: min(sources) for sources in labels.values() for value in sources}
    others = [_shown(value) for value in values if value not in known]
    if others and reject_others:
        raise ValueError(
            f"has labels outside the list: {', '.join(others[:9])}; name them in --label_names, or"
            " give --unlisted_labels=background"
        )
    table = np.array([known.get(value, 0) for value in values], np.uint8)
    if not table.any():
        raise ValueError(f"has no foreground: no voxel is {', '.join(labels)}; leave the case out")
    return table[places].reshape(label_map.shape)


def _shown(value: np.generic) -> str:
    return str(value.item()).removesuffix(".0")
