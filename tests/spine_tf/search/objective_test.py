"""What may be made large, and its best epoch."""

import math

import pytest

from spine_tf.search import objective
from tests.spine_tf import tiny_runs

AUC = "val_same_subject/auc"


def test_columns_and_defaults():
    longitudinal, strong = tiny_runs.make_task("longitudinal"), tiny_runs.make_task("strong")
    level = "val_level/balanced_accuracy"
    assert objective.columns(longitudinal) == (AUC, level, objective.MEAN)
    assert objective.choose("", longitudinal) == AUC
    assert objective.choose(level, longitudinal) == level
    assert objective.choose("", strong) == objective.MEAN
    assert "val_disc_bulging/balanced_accuracy" in objective.columns(strong)


@pytest.mark.parametrize("name", ["loss", "val_loss", "same_subject", "val_same_subject/loss"])
def test_a_loss_is_no_objective(name):
    with pytest.raises(ValueError, match=f"`objective` must not be a loss, got '{name}'.*--probe"):
        objective.choose(name, tiny_runs.make_task("longitudinal"))


@pytest.mark.parametrize("name", ["seconds", "val_same_subject/embedding_spread", "test/auc"])
def test_what_is_no_objective(name):
    with pytest.raises(ValueError, match=f"`objective` must be one of {AUC}, .*, got '{name}'"):
        objective.choose(name, tiny_runs.make_task("longitudinal"))


def test_a_task_without_such_a_metric(monkeypatch):
    made = tiny_runs.make_task("grading")
    monkeypatch.setattr(type(made), "metrics", lambda self: {"disc_bulging": []})
    with pytest.raises(ValueError, match="this task has none. Give a --probe."):
        objective.choose("", made)


def test_best_epoch():
    history = [{"epoch": 0, AUC: 0.5}, {"epoch": 1, AUC: 0.8}, {"epoch": 2, AUC: 0.8}]
    assert objective.best(history, AUC) == (0.8, 2)  # the earlier of two equal ones
    history.append({"epoch": 3, AUC: math.nan})
    history.append({"epoch": 4})
    assert objective.best(history, AUC) == (0.8, 2)


def test_of_a_run_that_keeps_its_last_epoch_that_one_counts():
    history = [{"epoch": 0, "val_a/auc": 0.9}, {"epoch": 1, "val_a/auc": 0.7}]
    assert objective.best(history, "val_a/auc") == (0.9, 1)
    assert objective.best(history, "val_a/auc", keeps_last=True) == (0.7, 2)


def test_mean_over_outputs():
    row = {
        "epoch": 0,
        "val_a/balanced_accuracy": 0.5,
        "val_b/balanced_accuracy": 1.0,
        "val_loss": 9,
    }
    assert objective.best([row], objective.MEAN) == (0.75, 1)


def test_no_number():
    with pytest.raises(ValueError, match="must be a number in some epoch, got none in 1"):
        objective.best([{"epoch": 0, AUC: math.nan}], AUC)
