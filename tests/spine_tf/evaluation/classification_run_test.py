import dataclasses

import pytest
import tensorflow as tf

from spine_tf.evaluation import classification_run, options
from tests.spine_tf import tiny_runs
from tests.spine_tf.evaluation import oracles

OPTIONS = options.Options(num_draws=50)


@pytest.fixture(scope="module")
def image_data_dir(tmp_path_factory):
    # Six subjects with two visits and four with one: ten images are called a, six b.
    return tiny_runs.make_data(tmp_path_factory.mktemp("images") / "set")


def _constant(number):
    def oracle(inputs, training):
        count = tf.shape(inputs["image"])[0]
        return {"label": tf.one_hot(tf.fill([count], number), 2)}

    return oracle


def _fold(monkeypatch, data_dir):
    task = tiny_runs.make_task("classification")
    return oracles.fold_of(monkeypatch, data_dir, task, _constant(0))


def test_means_over_classes_by_hand(monkeypatch, image_data_dir):
    one = _fold(monkeypatch, image_data_dir)
    results, written = classification_run.evaluate([one], OPTIONS)
    # Of class a precision 10 / 16 and recall 1, so F1 20 / 26; of class b all 0.
    assert results["images"] == 16 and results["subjects"] == 10
    values = {name: found["value"] for name, found in results["mean"].items()}
    assert values == {
        "precision": pytest.approx(10 / 32),
        "recall": 0.5,
        "f1": pytest.approx(10 / 26, abs=1e-6),
    }
    assert results["confusion"]["table"] == [[10, 0], [6, 0]]
    header, *rows = written["predictions.csv"]
    assert header == classification_run.COLUMNS and len(rows) == 16
    assert {(row[3], row[4]) for row in rows} == {("a", "a"), ("b", "a")}
    assert rows[0][5] == "0.731059 0.268941"  # softmax of 1 and 0
    assert "confusion.png" in written
    lines = classification_run.lines(results)
    assert lines[1].startswith("mean of classes") and len(lines) == 4


def test_a_label_outside_the_classes_is_left_out(monkeypatch, image_data_dir):
    one = _of_classes(_fold(monkeypatch, image_data_dir), ("a", "c"))
    results, _ = classification_run.evaluate([one], OPTIONS)
    assert results["labels_outside_the_classes"] == 6
    assert results["images"] == 10
    assert results["missing"] == ["c"]


def test_folds_of_other_classes(monkeypatch, image_data_dir):
    one = _fold(monkeypatch, image_data_dir)
    with pytest.raises(ValueError, match="folds of the same classes, got 2 and 3 of them"):
        classification_run.evaluate([one, _of_classes(one, ("a", "b", "c"))], OPTIONS)


def _of_classes(one, classes):
    task = dataclasses.replace(one.folder.task, classes=classes)
    return dataclasses.replace(one, folder=dataclasses.replace(one.folder, task=task))
