import numpy as np
import pytest

from spine_tf.evaluation import tiling


@pytest.mark.parametrize("length", [64, 65, 96, 100, 240, 333])
@pytest.mark.parametrize("margin", [0, 8, 15])
def test_weights_sum_to_one(length, margin):
    axis = tiling.axis(length, 64, tiling.Tiling(margin=margin))
    total = np.zeros(axis.length)
    for begin, weight in zip(axis.begin, axis.weight, strict=True):
        total[begin : begin + 64] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)
    assert axis.weight.min() >= 0 and axis.length >= length
    assert not np.any(axis.begin % 16) and axis.length % 16 == 0


def test_tiles_by_hand():
    axis = tiling.axis(100, 64, tiling.Tiling())
    # Padded to 112: at 0, 32 and the last, 112 - 64 = 48.
    assert axis.length == 112 and axis.begin.tolist() == [0, 32, 48]
    # An end of the image is used up to its end; an inner one not in its margin of 8.
    assert axis.weight[0, 0] == axis.weight[-1, -1] == 1
    assert not axis.weight[0, -8:].any() and not axis.weight[1:, :8].any()


def test_blending_is_smooth():
    axis = tiling.axis(96, 64, tiling.Tiling())
    # In the middle of the overlap, 32 to 64, both count half; the share falls all the way.
    assert axis.weight[0, 47] + axis.weight[0, 48] == pytest.approx(1)
    assert np.all(np.diff(axis.weight[0, 40:56]) < 0)
    # sin^2 over the 16 pixels between the margins.
    place = (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(axis.weight[0, 40:56], np.cos(np.pi / 2 * place) ** 2, atol=1e-6)


def test_a_small_image_is_one_tile():
    axis = tiling.axis(20, 64, tiling.Tiling())
    assert axis.length == 64 and axis.begin.tolist() == [0]
    np.testing.assert_array_equal(axis.weight, np.ones((1, 64)))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"tile_size": (64, 40)}, "`tile_size` must be a multiple of 16"),
        ({"overlap": 20}, "`overlap` must be a multiple of 16"),
        ({"overlap": 64}, "`overlap` must be between 0 and"),
        ({"overlap": 0}, "`overlap` must be between 0 and"),
        ({"margin": 16}, "`margin` must be below half the overlap of 32, got 16"),
        ({"multiple": 0}, "`multiple` must be at least 1"),
    ],
)
def test_wrong_settings(wrong, message):
    with pytest.raises(ValueError, match=message):
        tiling.Tiling(**wrong)
