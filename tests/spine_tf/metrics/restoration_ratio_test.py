import numpy as np
import pytest

from spine_tf.losses import masked_squared_error
from spine_tf.metrics import restoration_ratio
from tests.spine_tf.losses import masked_squared_error_test as packed

# Squared errors per voxel, mean of channels: given 0, 2, 25; restored 0.5, 1, 9. The last voxel
# has no weight; the last two are changed.
RESTORED = np.array([[[0.0, 0.0], [2.0, 2.0 - 2.0**0.5], [2.0, 2.0]]], "f4")


def _result(name, **options):
    metric = restoration_ratio.RestorationRatio(name)
    metric.update_state(packed.label(), RESTORED, **options)
    return float(metric.result())


def test_everywhere_and_inside():
    assert _result(restoration_ratio.EVERYWHERE) == pytest.approx(1.5 / 2)
    assert _result(restoration_ratio.CHANGED) == pytest.approx(1 / 2)


def test_a_copy_of_the_input_is_one():
    metric = restoration_ratio.RestorationRatio(restoration_ratio.EVERYWHERE)
    metric.update_state(packed.label(), packed.GIVEN)
    assert float(metric.result()) == pytest.approx(1.0)


def _two_images():
    """One channel, two voxels: errors of given 4 and 0, 1 and 9; of restored 1 and 1, 0 and 4.

    One has half a weight in the loss, and counts here like the others.
    """
    target, given = np.zeros((2, 2, 1), "f4"), np.array([[[2], [0]], [[1], [3]]], "f4")
    weight, changed = np.array([[1, 1], [1, 0.5]], "f4"), np.array([[True, False], [True, True]])
    label = masked_squared_error.pack(target, weight, given, changed)
    return label, np.array([[[1], [1]], [[0], [2]]], "f4")


@pytest.mark.parametrize(
    "name, sample_weight, expected",
    [
        (restoration_ratio.EVERYWHERE, [1, 1], (2 + 4) / (4 + 10)),
        (restoration_ratio.EVERYWHERE, [3, 1], (6 + 4) / (12 + 10)),
        (restoration_ratio.CHANGED, [1, 2], (1 + 8) / (4 + 20)),
    ],
)
def test_weighted_images(name, sample_weight, expected):
    metric = restoration_ratio.RestorationRatio(name)
    metric.update_state(*_two_images(), sample_weight=np.array(sample_weight))
    assert float(metric.result()) == pytest.approx(expected)


def test_small_errors_count():
    label, restored = _two_images()
    metric = restoration_ratio.RestorationRatio(restoration_ratio.EVERYWHERE)
    metric.update_state(label, restored, sample_weight=np.array([0.01, 0]))
    assert float(metric.result()) == pytest.approx(2 / 4)


def _missed(target, weight, restored, **options):
    target, weight = np.array(target, "f4"), np.array(weight, "f4")
    label = masked_squared_error.pack(target, weight, target, np.zeros(weight.shape, bool))
    metric = restoration_ratio.MissedVariance()
    metric.update_state(label, np.array(restored, "f4"), **options)
    return float(metric.result())


def test_missed_variance_by_hand():
    # Image 1: mean 1, deviations 1 and 1, errors 0 and 1. Image 2: one voxel counts, so its mean is
    # 1 and it deviates by 0; error 4. A deviation is of its channel: 10 and 20 add nothing.
    found = _missed([[[0], [2]], [[1], [5]]], [[1, 3], [0.5, 0]], [[[0], [1]], [[3], [0]]])
    assert found == pytest.approx((0 + 1 + 4) / (1 + 1))
    target = [[[0, 10], [2, 20]]]
    assert _missed(target, [[1, 1]], [[[1, 15], [1, 15]]]) == pytest.approx(1.0)
    assert _missed(target, [[1, 1]], target) == 0.0


def test_images_of_one_value_have_no_missed_variance():
    assert np.isnan(_missed([[[3], [3]]], [[1, 1]], [[[0], [0]]]))
    share = restoration_ratio.ChangedShare()
    label, restored = _two_images()
    share.update_state(np.zeros_like(label), restored)  # no voxel counts
    assert float(share.result()) == 0.0


def test_share_is_a_mean_over_images():
    # Half of the first image; all of the second.
    metric = restoration_ratio.ChangedShare()
    metric.update_state(*_two_images())
    assert float(metric.result()) == pytest.approx(0.75)
    metric.reset_state()
    metric.update_state(*_two_images(), sample_weight=np.array([3.0, 1.0]))
    assert float(metric.result()) == pytest.approx(0.625)


def test_nothing_changed_is_no_number():
    assert np.isnan(_result(restoration_ratio.CHANGED, sample_weight=np.zeros(1)))


def test_share_of_changed_voxels():
    metric = restoration_ratio.ChangedShare()
    metric.update_state(packed.label(), RESTORED)
    assert float(metric.result()) == pytest.approx(0.5)


def test_other_names():
    with pytest.raises(ValueError, match="`name` must be restoration_ratio or"):
        restoration_ratio.RestorationRatio("ratio")
