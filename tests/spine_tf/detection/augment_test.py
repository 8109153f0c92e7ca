import numpy as np
import tensorflow as tf

from spine_tf.data import slice_augmentation
from spine_tf.detection import augment

SIZE = (64, 48)
RANGES = augment.Ranges()


def _transform(seed):
    shape, middle = tf.constant([80, 70]), tf.constant([40.0, 35.0])
    ranges = augment.Ranges(shift_rows=5, shift_columns=5)
    return augment.random_window(SIZE, shape, middle, ranges, tf.constant([seed, 1]))


def test_points_move_with_the_pixels():
    image = np.zeros((80, 70), np.float32)
    image[38:43, 30:35] = 1  # its middle is (40, 32)
    for seed in range(5):
        transform = _transform(seed)
        found = slice_augmentation.projected(tf.constant(image), transform, SIZE).numpy()
        middle = (np.stack(np.mgrid[:64, :48], -1) * found[..., None]).sum((0, 1)) / found.sum()
        moved = augment.moved(tf.constant([[40.0, 32.0]]), transform).numpy()[0]
        np.testing.assert_allclose(moved, middle, atol=0.05)


def test_the_plain_window_is_the_middle():
    image = np.arange(80 * 70, dtype=np.float32).reshape(80, 70)
    transform = augment.window(SIZE, tf.constant([80, 70]))
    found = slice_augmentation.projected(tf.constant(image), transform, SIZE).numpy()
    np.testing.assert_array_equal(found, image[8:72, 11:59])


def test_grey_values_stay_between_0_and_1_and_follow_from_the_seed():
    image = np.random.default_rng(0).uniform(size=SIZE).astype(np.float32)
    seen = []
    for seed in range(6):
        one, two = (
            augment.appearance(tf.constant(image), RANGES, tf.constant([seed, 2])).numpy()
            for _ in range(2)
        )
        np.testing.assert_array_equal(one, two)
        assert 0 <= one.min() and one.max() <= 1
        seen.append(one)
    assert np.std([one[5, 5] for one in seen]) > 0.01


def test_hidden_and_cut_parts():
    always = augment.Ranges(hide=1.0, cut=1.0)
    seed = tf.constant([3, 4])
    hidden = augment.hidden(SIZE, always, seed).numpy()
    assert 0.08**2 * 0.5 < hidden.mean() < 0.3**2 * 1.5
    cut = augment.cut_off(SIZE, always, seed).numpy()
    assert cut.mean() <= 0.45
    np.testing.assert_array_equal(cut[:, 0], cut[:, -1])
    never = augment.Ranges(hide=0.0, cut=0.0)
    assert not augment.hidden(SIZE, never, seed).numpy().any()
    assert not augment.cut_off(SIZE, never, seed).numpy().any()
