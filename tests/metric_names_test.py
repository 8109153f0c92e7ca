"""Metrics are called what metrics.csv, the plots and `--monitor` call them."""

import pytest

from spine_tf.metrics import (
    balanced_accuracy,
    dice,
    multilabel_accuracy,
    pair_auc,
    pair_distance,
    restoration_ratio,
)

METRICS = {
    "balanced_accuracy": lambda: balanced_accuracy.BalancedAccuracy(2),
    "classes_seen": lambda: balanced_accuracy.ClassesSeen(2),
    "dice": lambda: dice.Dice([[1]], 2),
    "auc": lambda: pair_auc.PairAuc(1.0),
    "mean_positive": lambda: pair_distance.MeanDistance(is_same=True),
    "mean_negative": lambda: pair_distance.MeanDistance(is_same=False),
    "active_negatives": lambda: pair_distance.ActiveNegatives(1.0),
    "embedding_spread": lambda: pair_distance.EmbeddingSpread(),
    "restoration_ratio": lambda: restoration_ratio.RestorationRatio("restoration_ratio"),
    "restoration_ratio_changed": lambda: restoration_ratio.RestorationRatio(
        "restoration_ratio_changed"
    ),
    "changed_share": lambda: restoration_ratio.ChangedShare(),
}


@pytest.mark.parametrize("name", METRICS)
def test_name(name):
    assert METRICS[name]().name == name


def test_of_labels():
    assert multilabel_accuracy.MultilabelAccuracy(2).name == "balanced_accuracy"
    metrics = balanced_accuracy.per_output({"pfirrmann": 5, "stenosis": 3})
    assert {name: one.num_classes for name, (one,) in metrics.items()} == {
        "pfirrmann": 5,
        "stenosis": 3,
    }
