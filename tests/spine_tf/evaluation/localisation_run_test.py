import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import records
from spine_tf.evaluation import boxes, localisation_run, options
from spine_tf.tasks.downstream import localisation
from tests.spine_tf.evaluation import oracles

OPTIONS = options.Options(num_draws=50)
# Walls in mm: slices 2 to 4 of 3 mm; columns 4 to 7 of 1 mm (of later subjects one further); rows
# 3 to 6 of 2 mm.
CUBE = np.array([[4.5, 13.5], [3.5, 7.5], [5.0, 13.0]])


def _oracle(labels):
    """Sees the given labels by their intensity."""
    centres = tf.constant([oracles.STANDARDISED[label] for label in (1, 2)], tf.float32)
    is_seen = tf.constant([label in labels for label in (1, 2)])

    def oracle(inputs, training):
        near = tf.abs(inputs["image"] - centres) < 0.1
        shown = tf.reduce_any(near, [1, 2]) & is_seen
        return {"organs": tf.where(shown, 10.0, -10.0)}

    return oracle


def _fold(monkeypatch, folder, labels=(1, 2), *, shifts=(0, 2, 4), with_train=True, **options_):
    data_dir = oracles.make_volumes(folder, shifts, **options_)
    task = localisation.Localisation(organs=("cube", "bar"))
    return oracles.fold_of(
        monkeypatch, data_dir, task, _oracle(labels), number=0, with_train=with_train
    )


def _values(found, *names):
    return [found[name]["value"] for name in names]


def test_true_boxes_by_hand(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data")
    cases, found = localisation_run.true_boxes(one.test, (1, 2))
    assert list(cases[0]) == ["axial", "coronal", "sagittal"]
    assert boxes.VIEWS == ("sagittal", "coronal", "axial")
    np.testing.assert_allclose(found[0, 0], CUBE)
    np.testing.assert_allclose(found[0, 1], [[16.5, 25.5], [0.5, 3.5], [11.0, 19.0]])


@pytest.mark.parametrize(("slices", "num_cut"), [("all", 0), ("labelled", 16)])
def test_a_perfect_network(monkeypatch, tmp_path, slices, num_cut):
    one = _fold(monkeypatch, tmp_path / "data", slices=slices)
    results, _ = localisation_run.evaluate([one], OPTIONS)
    for found in results["organs"].values():
        assert (found["cases"], found["misses"]) == (1, 0)
        assert _values(found, "centroid_mm", "wall_mm") == [0.0, 0.0]
    # Of 10 sagittal slices 6 show the cube or the bar, of 12 axial and of 14 coronal ones 7.
    assert results["slices_cut_by_truth"] == num_cut
    header, first = localisation_run.lines(results)[:2]
    assert header.split()[:3] == ["cases", "misses", "false"]
    assert first.split()[:4] == ["cube", "1", "0", "0/0"]
    last = localisation_run.lines(results)[-1]
    assert last.startswith("warning: 16 slices were left out") == bool(num_cut)


def test_a_miss_gets_the_mean_box_of_the_training_cases(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data", (2,))
    results, written = localisation_run.evaluate([one], OPTIONS)
    # The cubes of the two training cases are 2 and 4 mm further back, their mean 3 mm: the centre
    # is 3 mm off, and two of six walls.
    cube = results["organs"]["cube"]
    assert cube["misses"] == 1
    assert _values(cube, "centroid_mm", "wall_mm") == [3.0, 1.0]
    header, row = written["cases.csv"]
    row = dict(zip(header, row, strict=True))
    assert (row["case"], row["fold"]) == ("scan0", 0)
    assert (row["cube_centroid_mm"], row["cube_wall_mm"], row["cube_found"]) == ("3", "1", 0)
    assert (row["bar_centroid_mm"], row["bar_found"]) == ("0", 1)
    assert localisation_run.lines(results)[1].split()[:3] == ["cube", "1", "1"]


def test_without_training_cases_a_miss_has_no_error(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data", (2,), with_train=False)
    results, written = localisation_run.evaluate([one], OPTIONS)
    assert results["has_training_boxes"] is False
    cube = results["organs"]["cube"]
    assert cube["misses"] == 1 and cube["centroid_mm"]["value"] is None
    assert written["cases.csv"][1][3] == ""


def test_other_data_are_matched_by_the_names_of_labels(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data")
    other = oracles.make_volumes(tmp_path / "other", swapped=True)
    one = oracles.on_other_data(one, other)
    assert (one.folder.task.organs, one.folder.task.labels) == (("cube", "bar"), (2, 1))
    results, _ = localisation_run.evaluate([one], OPTIONS)
    for found in results["organs"].values():
        assert found["cases"] == 2 and _values(found, "centroid_mm", "wall_mm") == [0.0, 0.0]


def test_other_data_without_a_name(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data")
    other = oracles.make_volumes(tmp_path / "other")
    made = dataclasses.replace(one.folder.task, organs=("cube", "ball"))
    with pytest.raises(ValueError, match="must name the labels .*, cube, ball, got cube, bar"):
        made.for_data(records.open_folder(other))


def test_three_views_are_needed(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data", views=("axial", "coronal"))
    with pytest.raises(ValueError, match="in the views sagittal, coronal, axial, got none"):
        localisation_run.evaluate([one], OPTIONS)
