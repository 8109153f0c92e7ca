"""Slices of test cases that conversion left out because they show no label.

Nothing can be found there by mistake, so errors are smaller than those of whole volumes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from spine_tf.data import records
from spine_tf.evaluation import fold, whole_cases

NAME = "slices_cut_by_truth"


def count(folds: Sequence[fold.Fold]) -> int:
    """Returns how many slices of the test cases are missing for that reason."""
    return sum(_of_fold(one) for one in folds)


def _of_fold(one: fold.Fold) -> int:
    settings = records.open_folder(one.test.folder).manifest["settings"]
    if settings.get("slices") != "labelled":
        return 0
    cases = whole_cases.labelled_cases(one.test).values()
    return sum(one.test.rows[of[0]]["num_positions"] - len(of) for of in cases)


def lines(results: Mapping[str, Any]) -> list[str]:
    """Returns what is said of it under a table; nothing where no slice is missing."""
    if not results[NAME]:
        return []
    return [
        f"warning: {results[NAME]} slices were left out for they show no label, and nothing can be"
        " found there by mistake: errors are too small. Convert the test cases with"
        " --slices=foreground or all."
    ]
