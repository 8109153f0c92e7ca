import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from spine_tf.data import augmentation, crops

NOTHING = augmentation.AugmentConfig(0.0, 0.0, 0.0, 0, 0.0, 0.0)
ALL_SLICES = tf.ones(15, tf.bool)
SEED = tf.constant([3, 4], tf.int32)


def _stored(kind=crops.DISC, scale=0.5, seed=0):
    """A smooth crop, so that interpolation does not matter much."""
    rng = np.random.default_rng(seed)
    image = ndimage.gaussian_filter(rng.uniform(0, 2, kind.stored_shape(scale)), (0, 4, 4))
    return (0.6 + 2 * (image - image.mean())).astype(np.float32)


def _input(image, augment, seed=SEED, slices=ALL_SLICES, pixels=None, kind=crops.DISC, **scales):
    inputs = augmentation.InputConfig(
        **({"stored_scale": 0.5, "crop_scale": 0.5} | scales), augment=augment
    )
    pixels = tf.ones(image.shape[1:], tf.bool) if pixels is None else pixels
    return augmentation.network_input(
        tf.constant(image), slices, pixels, kind, inputs, seed
    ).numpy()


def test_ranges_are_scaled():
    found = augmentation.AugmentConfig(10.0, 40.0, 20.0, 2, 0.2, 0.4).scaled(0.25)
    assert found == augmentation.AugmentConfig(2.5, 10.0, 5.0, 0, 0.05, 0.1)
    assert augmentation.AugmentConfig().scaled(1.0) == augmentation.AugmentConfig()


@pytest.mark.parametrize("kind", [crops.DISC, crops.VERTEBRA])
def test_without_augmentation_it_is_the_middle(kind):
    image = _stored(kind)
    found = _input(image, None, kind=kind)
    assert found.shape == kind.network_shape(0.5)
    margin = 20 if kind is crops.DISC else 24
    np.testing.assert_array_equal(found, image[3:12, margin:-margin, 24:-24])


def test_middles_are_cut_of_a_whole_batch_of_unknown_size():
    inputs = augmentation.InputConfig(stored_scale=1.0, crop_scale=0.5)
    images = np.stack([_stored(scale=1.0, seed=seed) for seed in range(3)])
    spec = tf.TensorSpec([None, *images.shape[1:]], tf.float32)

    @tf.function(input_signature=[spec])
    def network_inputs(given):
        return crops.reduce_scale(augmentation.middle(given, crops.DISC, inputs), 2)

    found = network_inputs(tf.constant(images))
    for image, one in zip(images, found, strict=True):
        np.testing.assert_array_equal(one, _input(image, None, stored_scale=1.0))


@pytest.mark.parametrize("kind", [crops.DISC, crops.VERTEBRA])
def test_ranges_of_zero_are_the_middle(kind):
    image = _stored(kind)
    np.testing.assert_allclose(
        _input(image, NOTHING, kind=kind), _input(image, None, kind=kind), atol=1e-5
    )


def test_records_at_scale_one_are_averaged_for_a_half_size_network():
    image = _stored(scale=1.0)
    found = _input(image, None, stored_scale=1.0, crop_scale=0.5)
    expected = image[3:12, 40:-40, 48:-48].reshape(9, 56, 2, 112, 2).mean((2, 4))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_network_larger_than_the_records_is_refused():
    with pytest.raises(ValueError, match="`crop_scale` of the data must be at least 1.0, got 0.5"):
        augmentation.InputConfig(stored_scale=0.5, crop_scale=1.0)


def test_the_same_seed_gives_the_same_crop():
    image = _stored()
    one, again, other = (
        _input(image, augmentation.AugmentConfig(), tf.constant(seed, tf.int32))
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("seed", range(6))
def test_padded_slices_stay_black(seed):
    slices = np.ones(15, bool)
    slices[:6] = False
    image = _stored()
    image[:6] = 0
    found = _input(image, augmentation.AugmentConfig(), tf.constant([seed, 0]), tf.constant(slices))
    black = np.all(found == 0, (1, 2))
    # The window begins at 3 - 2 ... 3 + 2, so 1 to 5 of its slices are padded.
    assert 1 <= black.sum() <= 5
    assert np.all(black[: black.sum()])


@pytest.mark.parametrize("seed", range(6))
def test_pixels_outside_the_scan_stay_black(seed):
    image = _stored() + 0.3
    pixels = np.ones(image.shape[1:], bool)
    pixels[:, :60] = False
    image[:, :, :60] = 0
    options = augmentation.AugmentConfig(shift_slices=0)
    found = _input(image, options, tf.constant([seed, 0]), pixels=tf.constant(pixels))
    # No pixel is between: what is not black is brighter than the darkest of the scan allows.
    black = found == 0
    assert np.all(black == black[:1])
    assert black.mean() > 0.1
    assert found[~black].min() > 0.05


def test_intensity_stays_in_range():
    image = np.full(crops.DISC.stored_shape(0.5), 1.95, np.float32)
    options = augmentation.AugmentConfig(0.0, 0.0, 0.0, 0, 0.0, intensity=0.2)
    for seed in range(8):
        found = _input(image, options, tf.constant([seed, 0]))
        assert 1.75 <= found.min() <= found.max() <= 2.0


def test_intensity_is_one_shift_of_the_whole_crop():
    image = _stored()
    options = augmentation.AugmentConfig(0.0, 0.0, 0.0, 0, 0.0, intensity=0.2)
    shift = _input(image, options) - _input(image, None)
    inside = _input(image, None) > 0.25
    assert np.ptp(shift[inside]) < 1e-4
    assert 0 < abs(shift[inside].mean()) <= 0.2


def test_the_slice_window_moves_by_at_most_two():
    image = np.broadcast_to(
        np.arange(15.0)[:, None, None] / 10, crops.DISC.stored_shape(0.5)
    ).astype(np.float32)
    options = augmentation.AugmentConfig(0.0, 0.0, 0.0, 2, 0.0, 0.0)
    first = {
        round(float(_input(image, options, tf.constant([seed, 9]))[0, 30, 60]) * 10)
        for seed in range(60)
    }
    assert first == {1, 2, 3, 4, 5}


def _point(row, column, size=(21, 21)):
    planes = np.zeros((1, *size), np.float32)
    planes[0, row, column] = 1
    return tf.constant(planes)


def _moved(planes, **options):
    """Row and column of the brightest pixel after a warp."""
    values = {"angle_rad": 0.0, "scale": 1.0, "shift_rows": 0.0, "shift_columns": 0.0} | options
    transform = augmentation.warp(
        **{name: tf.constant(value, tf.float32) for name, value in values.items()},
        from_size=(21, 21),
        to_size=(21, 21),
    )
    found = augmentation.apply_warp(planes, transform, (21, 21)).numpy()[0]
    return tuple(int(i) for i in np.unravel_index(np.argmax(found), found.shape))


def test_warp_by_hand():
    # The middle is (10, 10).
    assert _moved(_point(10, 15)) == (10, 15)
    # A shift moves the window to (10, 13): what was at column 15 is at 12 now.
    assert _moved(_point(10, 15), shift_columns=3.0) == (10, 12)
    assert _moved(_point(15, 10), shift_rows=3.0) == (12, 10)
    # Twice as large: 4 columns from the middle become 8.
    assert _moved(_point(10, 14), scale=2.0) == (10, 18)
    # A quarter turn: input column = 10 + row - 10 and input row = 10 - (column - 10), so what was
    # behind the middle (10, 15) is below it now (15, 10).
    assert _moved(_point(10, 15), angle_rad=np.pi / 2) == (15, 10)
    assert _moved(_point(15, 10), angle_rad=np.pi / 2) == (10, 5)


def test_a_turn_and_back_is_nothing():
    image = tf.constant(_stored()[:1])
    size = image.shape[1:]
    for angle in (0.2, -0.2):
        options = {"scale": 1.0, "shift_rows": 0.0, "shift_columns": 0.0}
        transform = augmentation.warp(
            angle_rad=tf.constant(angle), **options, from_size=size, to_size=size
        )
        image = augmentation.apply_warp(image, transform, size)
    difference = np.abs(image.numpy() - _stored()[:1])[0, 30:-30, 50:-50]
    assert difference.max() < 0.02


def test_shifts_scale_with_the_crop():
    # 48 columns at scale 1 are 24 at scale 0.5: no draw moves a pixel by more.
    image = np.zeros(crops.DISC.stored_shape(0.5), np.float32)
    image[:, 48, 80] = 1
    options = augmentation.AugmentConfig(0.0, 48.0, 24.0, 0, 0.0, 0.0)
    moved = []
    for seed in range(60):
        found = _input(image, options, tf.constant([seed, 5]))[4]
        moved.append(np.array(np.unravel_index(np.argmax(found), found.shape)) - [28, 56])
    moved = np.abs(moved).max(0)
    assert 8 < moved[0] <= 13
    assert 18 < moved[1] <= 25


def test_reflect_reverses_the_slices_of_what_is_chosen():
    images = tf.reshape(tf.range(12.0), (2, 3, 2, 1))
    found = augmentation.reflect(images, tf.constant([True, False]))
    np.testing.assert_array_equal(found[0], images[0, ::-1])
    np.testing.assert_array_equal(found[1], images[1])


def _plain(size, augment, seed=SEED, scale=1.0):
    kind = crops.image_kind(*size)
    shape = kind.stored_shape(scale)
    image = tf.random.stateless_uniform(shape, [3, 4], 0.2, 1.8)
    inputs = augmentation.InputConfig(scale, scale, augment)
    found = augmentation.network_input(
        image, tf.ones(1, tf.bool), tf.ones(shape[1:], tf.bool), kind, inputs, seed
    )
    return image.numpy(), found.numpy()


def test_the_middle_of_a_plain_image():
    image, found = _plain((64, 96), None)
    # Stored with an eighth more: 72 rows and 108 columns, 4 and 6 on each side.
    np.testing.assert_array_equal(found, image[:, 4:-4, 6:-6])


@pytest.mark.parametrize("seed", range(4))
def test_a_plain_image_keeps_its_only_slice(seed):
    _, found = _plain((64, 96), augmentation.AugmentConfig(), tf.constant([seed, 1]), 0.5)
    assert found.shape == (1, 32, 48) and found.max() > 0.5


def test_shifts_are_relative_to_224_columns():
    only_columns = augmentation.AugmentConfig(0, 48, 0, 0, 0, 0)
    shifts = []
    for seed in range(12):
        image, found = _plain((96, 96), only_columns, tf.constant([seed, 5]))
        column = found[0, 48]
        stored = image[0, 6 + 48]
        errors = [
            np.abs(
                np.interp(np.arange(20, 76) + 6 + d, np.arange(108), stored) - column[20:76]
            ).max()
            for d in np.linspace(-22, 22, 441)
        ]
        shifts.append(np.linspace(-22, 22, 441)[np.argmin(errors)])
    # 48 columns of 224 are 48 * 96 / 224 = 20.6 of 96.
    assert 10 < max(map(abs, shifts)) <= 20.7


def test_the_crop_of_one_visit():
    images = np.stack([_stored(seed=seed) for seed in range(3)])
    pixels = np.ones((3, *images.shape[2:]), bool)
    pixels[1, :40] = False
    example = {
        "image": tf.constant(images),
        "slice_is_valid": tf.ones([3, 15], tf.bool),
        "pixel_is_valid": tf.constant(pixels),
    }
    inputs = augmentation.InputConfig(0.5, 0.5, augmentation.AugmentConfig())
    found = augmentation.record_input(example, 1, crops.DISC, inputs, SEED)
    expected = _input(images[1], augmentation.AugmentConfig(), pixels=tf.constant(pixels[1]))
    np.testing.assert_array_equal(found, expected)
    alone = {name: values[1] for name, values in example.items()}
    again = augmentation.record_input(alone, None, crops.DISC, inputs, SEED)
    np.testing.assert_array_equal(again, expected)
