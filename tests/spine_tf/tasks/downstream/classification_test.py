import collections

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import augmentation, records, slice_schema
from spine_tf.tasks.downstream import classification

INPUTS = augmentation.InputConfig(1.0, 1.0)


def _index(*labels):
    rows = [
        {"rows": 20, "columns": 40, "visit": [0], "foreground_pixels": 5, "label": label}
        for label in labels
    ]
    return records.Index("", "slice", 1.0, tuple(rows), slice_schema.SliceKind(1))


def _made(*labels, **options):
    return classification.Classification(**options).configure(_index(*labels))


def test_classes_are_the_labels_in_order():
    made = _made("Femur", "4CH", "", "Background", "Femur")
    assert made.classes == ("4CH", "Background", "Femur")
    assert made.num_outputs == 3
    found = made.class_index(tf.constant(["Femur", "4CH", "Kidneys"]))
    np.testing.assert_array_equal(found, [2, 0, -1])


def test_a_list_gives_the_order():
    made = _made("a", "b", classes=("b", "c", "a"))
    assert made.classes == ("b", "c", "a")
    assert made.class_counts(_index("a", "b", "a")) == {"label": [1, 0, 2]}


def test_background_can_be_left_out():
    labels = ("a", "BackGround", "b", "", "b")
    made = _made(*labels, include_background=False)
    assert made.classes == ("a", "b")
    assert made.class_counts(_index(*labels)) == {"label": [1, 2]}
    planned = made.plan(_index(*labels), 3, 0)
    assert sorted(planned[0, :, 0].tolist()) == [0, 2, 4] and planned.shape == (1, 3, 2)
    assert _made(*labels).classes == ("BackGround", "a", "b")


def test_a_label_outside_the_list_names_those_of_the_records():
    with pytest.raises(ValueError, match=r"without Femur.*labelled 4CH \(2\), Femur \(1\)"):
        _made("4CH", "Femur", "4CH", classes=("4CH", "Spine"))
    made = _made("a", "b")
    with pytest.raises(ValueError, match=r"a, b without c\. The records of validation are"):
        made.check({"train": _index("a", "b"), "validation": _index("c", "a")})
    made.check({"train": _index("a", "b"), "validation": _index("a", "")})


def test_an_example_by_hand():
    made = _made("a", "b")
    image = 10.0 * np.arange(20)[:, None, None] + np.zeros((1, 40, 1))
    example = {
        "image": tf.constant(image, tf.float32),
        "valid": tf.ones([20, 40], tf.bool),
        "foreground": tf.ones([20, 40], tf.bool),
        "mean": tf.constant([95.0]),
        "std": tf.constant([50.0]),
        "label": tf.constant("b"),
    }
    found = made.preprocess(example, INPUTS, tf.constant([0, 0]))
    assert found["image"].shape == (1, 32, 64, 1) and int(found["label"]) == 1
    # 20 rows lie in rows 6 to 25 of 32, 40 columns in columns 12 to 51 of 64.
    np.testing.assert_allclose(found["image"][0, 6, 12:52, 0], -95 / 50, rtol=1e-6)
    assert not np.any(found["image"][0, 5]) and not np.any(found["image"][0, :, 11])
    stacked = {name: tf.stack([value] * 2) for name, value in found.items()}
    batch = made.prepare_batch(stacked | {"label": tf.constant([1, -1])}, True, None)
    assert batch.inputs["image"].shape == (2, 32, 64, 1)
    np.testing.assert_array_equal(batch.weights["label"], [1, 0])


def test_losses_are_balanced_over_classes():
    made = _made("a", "b")
    Statistics = collections.namedtuple("Statistics", "class_counts")
    loss = made.losses(Statistics(made.class_counts(_index("a", "b", "b", "b"))))["label"]
    # 4 / (2 * 1) and 4 / (2 * 3).
    found = loss(tf.constant([0, 1]), tf.zeros((2, 2)))
    np.testing.assert_allclose(found, [2 * np.log(2), 2 / 3 * np.log(2)], rtol=1e-6)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="must hold labels of at least two classes.*got 'a'"):
        _made("a", "a", "")
    with pytest.raises(ValueError, match="at least two classes in the training split, got none"):
        _made("", "")
    for classes in (("a", "a"), ("a", "")):
        with pytest.raises(ValueError, match="`classes` must be names, each once"):
            classification.Classification(classes=classes)
    with pytest.raises(ValueError, match="without background where include_background is false"):
        classification.Classification(classes=("a", "Background"), include_background=False)
