import numpy as np
import pytest
import tensorflow as tf

from spine_tf.models import blocks


def test_a_plane_is_resized_as_tensorflow_does():
    image = np.random.default_rng(0).uniform(size=(2, 3, 5, 2)).astype(np.float32)
    found = blocks.Resize((6, 7))(image)
    np.testing.assert_allclose(found, tf.image.resize(image, (6, 7)), atol=1e-6)


def test_slices_are_repeated_and_planes_resized():
    volume = np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1, 1) * np.ones((2, 3, 4, 4, 1))
    found = np.asarray(blocks.Resize((9, 8, 6))(volume.astype(np.float32)))
    assert found.shape == (2, 9, 8, 6, 1)
    np.testing.assert_allclose(found[1, :, 2, 2, 0], [0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_fewer_slices_are_the_nearest():
    volume = np.arange(9, dtype=np.float32).reshape(1, 9, 1, 1, 1)
    found = np.asarray(blocks.Resize((3, 1, 1))(volume)).ravel()
    np.testing.assert_array_equal(found, [1, 4, 7])


def test_layers_of_one_shape_start_with_other_weights():
    shape = (3, 3, 4, 4)
    first, again, named, seeded = (
        np.asarray(blocks.initializer(name, seed)(shape))
        for name, seed in (("conv1_1", 0), ("conv1_1", 0), ("conv1_2", 0), ("conv1_1", 1))
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != named)
    assert np.any(first != seeded)


def test_stages_are_taken_before_pooling():
    model = blocks.build_encoder((None, None, 2), (4, 6), (1, 2), seed=0)
    stages = model(np.zeros((1, 7, 10, 2), np.float32))
    assert {name: tuple(stage.shape) for name, stage in stages.items()} == {
        "conv1": (1, 7, 10, 4),
        "conv2": (1, 3, 5, 6),
    }
    assert blocks.last_stage(stages) is stages["conv2"]


def test_sides_that_no_decoder_gives_again():
    blocks.check_sides((None, 32, 1), 5)
    with pytest.raises(ValueError, match="`columns` must be a multiple of 16 .* got 40"):
        blocks.check_sides((32, 40, 1), 5)


def test_a_shape_whose_sides_must_be_known():
    assert blocks.known_shape([9, 56, 88]) == (9, 56, 88)
    with pytest.raises(ValueError, match=r"must have known sides, got \(None, 88, 1\)"):
        blocks.known_shape([None, 88, 1])
