import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records, slice_augmentation, slice_schema
from spine_tf.tasks import image_task
from spine_tf.tasks.pretext import autoencoder, jigsaw, relative_positions

SEED = tf.constant([1, 2])
INPUTS = augmentation.InputConfig(1.0, 1.0)


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


def _patch(planes, likely, size):
    return image_task.slice_patch(planes, likely, size, None, SEED)


def test_a_slice_is_standardised_and_its_padding_is_zero():
    found = _patch(image_task.standardised(_slice()), None, (6, 8))
    assert found["image"].shape == (1, 6, 8, 1)
    np.testing.assert_allclose(found["image"][0, 3, 4, 0], (34 - 20) / 10)
    assert not np.any(found["image"][0, 0])


def test_the_middle_of_a_patch_is_on_the_foreground():
    made, seen = autoencoder.Autoencoder(anatomy="slice", patch_size=4), set()
    made = made.configure(_index([(6, 8, 1)], channels=1))
    for number in range(20):
        found = made.preprocess(_slice(), INPUTS, tf.constant([number, 0]))
        middle = found["image"].numpy()[0, 2, 2, 0] * 10 + 20
        assert middle > 40 and found["foreground"].numpy()[0, 2, 2]
        seen.add(round(float(middle)))
    assert len(seen) > 5


def test_a_patch_beyond_the_edge_is_padded():
    likely = tf.scatter_nd([[5, 7]], [True], [6, 8])
    found = _patch({"valid": tf.ones([6, 8], tf.bool)}, likely, (4, 4))["valid"].numpy()
    expected = np.zeros((1, 4, 4), bool)
    expected[0, :3, :3] = True
    np.testing.assert_array_equal(found, expected)


def test_a_patch_of_a_slice_without_foreground_is_anywhere():
    planes = {"valid": tf.ones([6, 8], tf.bool)}
    assert _patch(planes, tf.zeros([6, 8], tf.bool), (2, 2))["valid"].shape == (1, 2, 2)


@pytest.mark.parametrize("shape, padded", [((40, 50), False), ((40, 12), True)])
def test_a_patch_may_have_to_stay_inside(shape, padded):
    """Where a side of the slice does not hold it, it is padded along that one as ever."""
    planes = {"image": tf.ones([*shape, 1]), "valid": tf.ones(shape, tf.bool)}
    likely = tf.ones(shape, tf.bool)
    for number in range(20):
        seed = tf.constant([number, 3])
        found = image_task.slice_patch(planes, likely, (16, 16), None, seed, stays_inside=True)
        valid = found["valid"].numpy()[0]
        assert valid.all() != padded and valid.any(1).all()


@pytest.mark.parametrize(
    ("kind", "is_inside"),
    [
        (autoencoder.Autoencoder, False),
        (jigsaw.Jigsaw, True),
        (relative_positions.RelativePositions, True),
    ],
)
def test_patches_of_tile_pretexts_hold_no_padding(kind, is_inside):
    """A tile with padding tells that it is one of an edge: the shortcut of methods P11."""
    shape = (60, 70)
    foreground = np.zeros(shape, bool)
    foreground[-2:, -2:] = True  # a patch about it reaches beyond the edge
    example = {
        "image": tf.random.stateless_normal([*shape, 1], [1, 2]),
        "valid": tf.ones(shape, tf.bool),
        "foreground": tf.constant(foreground),
        "mean": tf.zeros([1]),
        "std": tf.ones([1]),
    }
    made = kind("slice", 48, (1, 48, 48, 1))
    found = made.preprocess(example, INPUTS, SEED)["valid"].numpy()
    assert found.all() == is_inside


def test_round_its_middle_a_slice_is_padded_and_cut():
    planes = {"valid": tf.ones([6, 8], tf.bool)}
    found = _patch(planes, None, (10, 4))["valid"].numpy()[0]
    expected = np.zeros((10, 4), bool)
    expected[2:8] = True
    np.testing.assert_array_equal(found, expected)
    shown = image_task.standardised(_slice())
    columns = _patch(shown, None, (6, 4))["image"].numpy()[0, 3, :, 0]
    np.testing.assert_allclose(columns, [1.2, 1.3, 1.4, 1.5], rtol=1e-6)  # 32 to 35


def test_slices_are_augmented_where_it_is_asked_for_only():
    made = autoencoder.Autoencoder(anatomy="slice")
    assert made.augment_ranges is None
    assert dataclasses.replace(made, augment=True).augment_ranges == slice_augmentation.RANGES
    crops = autoencoder.Autoencoder(augment=True)
    assert crops.augment_ranges == augmentation.AugmentConfig()
    planes, ranges = image_task.standardised(_slice(60, 60)), slice_augmentation.RANGES
    plain = image_task.slice_patch(planes, None, (60, 60), None, SEED)
    one, same, other = (
        image_task.slice_patch(planes, None, (60, 60), ranges, tf.constant([1, number]))["image"]
        for number in (2, 2, 3)
    )
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other) and np.any(one != plain["image"])


def test_padding_stays_zero_under_augmentation():
    planes = image_task.standardised(_slice(60, 60))
    found = image_task.slice_patch(planes, None, (80, 80), slice_augmentation.RANGES, SEED)
    valid = found["valid"].numpy()
    assert valid.any() and not valid.all()
    assert not np.any(found["image"].numpy()[~valid])


def _index(sizes, channels=3):
    rows = [{"rows": r, "columns": c, "visit": [0], "foreground_pixels": n} for r, c, n in sizes]
    return records.Index("", "slice", 1.0, tuple(rows), slice_schema.SliceKind(channels))


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
