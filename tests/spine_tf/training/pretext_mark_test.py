import json
import math
import os
import shutil

import pytest

from spine_tf import files, tasks
from spine_tf.training import pretext_mark
from tests import make_model_folders
from tests.spine_tf import tiny_runs

RATIO = "val_restored/restoration_ratio"


def _folder(path, name, rows=()):
    """A model folder of a task with a metrics.csv of (val_loss, measure)."""
    shutil.copytree(make_model_folders.FOLDER / make_model_folders.this_stack() / name, path)
    rule = pretext_mark.rule(tiny_runs.make_task(name))
    column = rule.column if rule else "other"
    lines = [f"epoch,loss,val_loss,{column}"]
    lines += [f"{epoch},1,{loss},{value}" for epoch, (loss, value) in enumerate(rows)]
    if rows:
        (path / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_rules():
    found = pretext_mark.rule(tiny_runs.make_task("context_restoration"))
    assert (found.column, found.limit, found.is_error) == (RATIO, 0.6, True)
    for name in ("autoencoder", "context_prediction"):
        found = pretext_mark.rule(tiny_runs.make_task(name))
        expected = ("val_restored/missed_variance", 0.6, True)
        assert (found.column, found.limit, found.is_error) == expected
    hundred = tasks.make("jigsaw", '{"num_permutations": 100}')
    assert pretext_mark.rule(hundred).limit == pytest.approx(0.06)  # chance and five points
    found = pretext_mark.rule(tiny_runs.make_task("jigsaw"))  # of 10 permutations
    assert (found.column, found.limit) == ("val_order/balanced_accuracy", 0.2)
    found = pretext_mark.rule(tiny_runs.make_task("relative_positions"))
    assert (found.column, found.limit) == ("val_position/balanced_accuracy", 0.25)
    assert pretext_mark.rule(tiny_runs.make_task("grading")) is None


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("context_restoration", [(2, 0.5), (1, 0.7)], False),  # the last epoch is the best
        ("context_restoration", [(1, 0.6), (2, 0.9)], True),  # the first is
        ("context_restoration", [(1, 0.9), (0.99995, 0.1)], False),  # no progress of 1e-4
        ("context_restoration", [], None),
        ("autoencoder", [(1, math.nan)], None),
        ("autoencoder", [(1, 0.61)], False),
        ("jigsaw", [(1, 0.2)], True),
        ("jigsaw", [(1, 0.19)], False),
        ("grading", [(1, 0.9)], None),
    ],
)
def test_learned_by_the_best_epoch(tmp_path, name, rows, expected):
    folder = _folder(tmp_path / "model", name, rows)
    assert pretext_mark.learned(folder) is expected
    assert pretext_mark.mark(folder) == ("pretext not learned" if expected is False else "")


def test_answers_that_are_not_asked_for_leave_less_to_guess(tmp_path):
    """Of two answers, always the same one has a balanced accuracy of a half."""
    made = tiny_runs.make_task("relative_positions")
    assert pretext_mark.rule(made, 2).limit == 1.0
    assert pretext_mark.rule(made, 5).limit == pytest.approx(0.4)
    folder = _folder(tmp_path / "model", "relative_positions")
    for asked, expected in ((2, False), (7, True)):
        (tmp_path / "model" / "metrics.csv").write_text(
            "epoch,loss,val_loss,val_position/balanced_accuracy,val_position/classes_seen\n"
            f"0,1,1,0.5,{asked}\n",
            encoding="utf-8",
        )
        assert pretext_mark.learned(folder) is expected
        assert pretext_mark.explained(folder).endswith("" if expected else "at least 1 is needed)")


def test_epochs_without_validation_tell_nothing(tmp_path):
    folder = _folder(tmp_path / "model", "context_restoration")
    (tmp_path / "model" / "metrics.csv").write_text("epoch,loss\n0,1\n", encoding="utf-8")
    assert pretext_mark.learned(folder) is None


def test_the_mark_goes_on_to_what_is_started_from_it(tmp_path):
    pretext = _folder(tmp_path / "pretext", "context_restoration", [(1, 0.9)])
    first = _folder(tmp_path / "first", "grading")
    second = _folder(tmp_path / "second", "grading")
    assert pretext_mark.start(first) == {} and pretext_mark.mark(first) == ""
    pretext_mark.save(first, pretext)
    pretext_mark.save(second, first)
    weights = files.sha256(os.path.join(pretext, "best.weights.h5"))
    assert pretext_mark.start(first) == {
        "task": "context_restoration",
        "weights_sha256": weights,
        "pretext_learned": False,
    }
    assert pretext_mark.start(second)["task"] == "grading"
    assert pretext_mark.mark(first) == pretext_mark.mark(second) == "pretext not learned"
    words = "at most 0.6 is needed)"
    assert pretext_mark.explained(pretext).endswith(words)
    assert pretext_mark.explained(first).endswith(
        "(context_restoration, from which it was started)"
    )


def test_a_learned_pretext_leaves_no_mark(tmp_path):
    bad = _folder(tmp_path / "bad", "context_restoration", [(1, 0.9)])
    good = _folder(tmp_path / "good", "jigsaw", [(1, 0.5)])
    pretext_mark.save(good, bad)  # its own verdict counts
    model = _folder(tmp_path / "model", "grading")
    pretext_mark.save(model, good)
    assert pretext_mark.start(model)["pretext_learned"] is True
    assert pretext_mark.mark(good) == pretext_mark.mark(model) == ""


def test_no_start_writes_nothing(tmp_path):
    pretext_mark.save(str(tmp_path), "")
    assert not list(tmp_path.iterdir())


def test_a_start_of_another_form(tmp_path):
    (tmp_path / pretext_mark.START).write_text(json.dumps({"format": "other"}))
    with pytest.raises(ValueError, match="`format` must be 'spine_tf start/1', got 'other'"):
        pretext_mark.start(str(tmp_path))
