import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records, slice_schema
from spine_tf.tasks import image_task
from spine_tf.tasks.pretext import autoencoder

SEED = tf.constant([1, 2])


def _slice(rows=6, columns=8):
    """A slice whose pixel at (r, c) is 10 r + c, as `slice_schema.parse` gives it."""
    image = 10.0 * np.arange(rows)[:, None, None] + np.arange(columns)[None, :, None]
    valid = np.ones((rows, columns), bool)
    valid[0] = False
    return {
        "image": tf.constant(image, tf.float32),
        "valid": tf.constant(valid),
        "foreground": tf.constant(valid & (image[..., 0] > 40)),
        "mean": tf.constant([20.0]),
        "std": tf.constant([10.0]),
    }


def test_a_slice_is_standardised_and_its_padding_is_zero():
    found = image_task.slice_input(_slice(), 0, SEED)
    assert found["image"].shape == (1, 6, 8, 1)
    np.testing.assert_allclose(found["image"][0, 3, 4, 0], (34 - 20) / 10)
    assert not np.any(found["image"][0, 0])


def test_the_middle_of_a_patch_is_on_the_foreground():
    seen = set()
    for number in range(20):
        found = image_task.slice_input(_slice(), 4, tf.constant([number, 0]))
        middle = found["image"].numpy()[0, 2, 2, 0] * 10 + 20
        assert middle > 40 and found["foreground"].numpy()[0, 2, 2]
        seen.add(round(float(middle)))
    assert len(seen) > 5


def test_a_patch_beyond_the_edge_is_padded():
    likely = tf.scatter_nd([[5, 7]], [True], [6, 8])
    planes = {"valid": tf.ones([6, 8], tf.bool)}
    found = image_task.patch(planes, likely, 4, SEED)["valid"].numpy()
    expected = np.zeros((4, 4), bool)
    expected[:3, :3] = True
    np.testing.assert_array_equal(found, expected)


def test_a_patch_of_a_slice_without_foreground_is_anywhere():
    planes = {"valid": tf.ones([6, 8], tf.bool)}
    found = image_task.patch(planes, tf.zeros([6, 8], tf.bool), 2, SEED)
    assert found["valid"].shape == (2, 2)


def _index(sizes):
    rows = [{"rows": r, "columns": c, "visit": [0], "foreground_pixels": n} for r, c, n in sizes]
    return records.Index("", "slice", 1.0, tuple(rows), slice_schema.SliceKind(3))


def test_sizes_come_from_the_records():
    made = autoencoder.Autoencoder(anatomy="slice")
    assert made.configure(_index([(4, 6, 1)])).image_shape == (1, 4, 6, 3)
    with pytest.raises(ValueError, match="`patch_size` must be given where slices have several"):
        made.configure(_index([(4, 6, 1), (4, 7, 1)]))
    patches = dataclasses.replace(made, patch_size=64).configure(_index([(4, 6, 1), (4, 7, 1)]))
    assert patches.image_shape == (1, 64, 64, 3)
    assert patches.encoder_shape(config.preset("unet-16")) == (64, 64, 3)


def test_slices_without_foreground_are_not_planned():
    plan = autoencoder.Autoencoder(anatomy="slice").plan(_index([(4, 6, 0), (4, 6, 5)]), 2, 0)
    assert plan.tolist() == [[[1, 0], [1, 0]]]


def test_what_cannot_be():
    with pytest.raises(ValueError, match="`anatomy` must be disc or vertebra or slice, got 'x'"):
        autoencoder.Autoencoder(anatomy="x")
    with pytest.raises(ValueError, match="`patch_size` must be 0, or positive for slices, got 8"):
        autoencoder.Autoencoder(patch_size=8)
    made = autoencoder.Autoencoder(anatomy="slice", image_shape=(1, 64, 64, 1))
    with pytest.raises(ValueError, match="`preset` must be a 2-D network.*got vgg-m"):
        made.encoder_shape(config.preset("tiny"))
    with pytest.raises(ValueError, match="`preset` must be VGG-M for anatomy disc, got unet"):
        autoencoder.Autoencoder().encoder_shape(config.preset("unet-16"))
