import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records, slice_schema
from spine_tf.tasks import whole_slice_task
from spine_tf.tasks.downstream import classification, localisation

INPUTS = augmentation.InputConfig(1.0, 1.0)
ORGANS = {"organs": ("x",), "labels": (3,)}


def _index(*sizes):
    rows = [
        {
            **{"rows": rows, "columns": columns, "visit": [0], "foreground_pixels": 5},
            **{"label": "ab"[number % 2], "label_pixels": {"3": 1}},
        }
        for number, (rows, columns) in enumerate(sizes)
    ]
    return records.Index("", "slice", 1.0, tuple(rows), slice_schema.SliceKind(2))


@pytest.mark.parametrize(
    "sizes, expected",
    [
        (((224, 288), (224, 288)), (1, 224, 288, 2)),
        (((101, 122), (30, 122), (30, 101)), (1, 128, 128, 2)),
        (((65, 20), (64, 33)), (1, 96, 64, 2)),
    ],
)
def test_no_training_slice_is_cut(sizes, expected):
    assert localisation.Localisation(**ORGANS).configure(_index(*sizes)).image_shape == expected


def test_a_size_that_is_asked_for():
    made = classification.Classification(image_size=64).configure(_index((30, 90), (31, 89)))
    assert made.image_shape == (1, 64, 64, 2)


def test_slices_of_all_sizes_become_one():
    made = localisation.Localisation(**ORGANS).configure(_index((20, 40), (40, 20)))
    assert made.image_shape == (1, 64, 64, 2)
    for rows, columns in ((20, 40), (40, 20), (90, 70)):
        example = {
            "image": tf.fill([rows, columns, 2], 5.0),
            "valid": tf.ones([rows, columns], tf.bool),
            "foreground": tf.ones([rows, columns], tf.bool),
            "label_map": tf.zeros([rows, columns], tf.int32),
            "mean": tf.constant([1.0, 3.0]),
            "std": tf.constant([2.0, 4.0]),
        }
        image = made.preprocess(example, INPUTS, tf.constant([0, 0]))["image"].numpy()
        assert image.shape == (1, 64, 64, 2)
        inside = np.zeros((64, 64), bool)
        inside[
            max(0, 32 - rows // 2) : 32 + rows // 2, max(0, 32 - columns // 2) : 32 + columns // 2
        ] = True
        np.testing.assert_allclose(image[0, inside][0], [2.0, 0.5])
        np.testing.assert_array_equal(image[0].any(-1), inside)


def test_what_cannot_be():
    with pytest.raises(ValueError, match="`patch_size` must be 0 for whole slices, got 64"):
        classification.Classification(patch_size=64)
    with pytest.raises(ValueError, match="`image_size` must be 0 or a multiple of 32, got 100"):
        localisation.Localisation(image_size=100)
    with pytest.raises(ValueError, match="`anatomy` must be slice, got 'disc'"):
        classification.Classification(anatomy="disc")
    made = classification.Classification().configure(_index((20, 40), (40, 20)))
    with pytest.raises(ValueError, match="`preset` must be one of sononet-64.*got unet"):
        made.encoder_shape(config.preset("unet-16"))
    with pytest.raises(ValueError, match="`preset` must be one of sononet-6-64.*got sononet"):
        localisation.Localisation(**ORGANS).encoder_shape(config.preset("sononet-16"))
    assert issubclass(type(made), whole_slice_task.WholeSliceTask)
