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
    """One channel, two voxels: errors of given 4 and 0, 1 and 9; of restored 1 and 1, 0 and 4."""
    target, given = np.zeros((2, 2, 1), "f4"), np.array([[[2], [0]], [[1], [3]]], "f4")
    weight, changed = np.array([[1, 1], [1, 0.5]], "f4"), np.array([[True, False], [True, True]])
    label = masked_squared_error.pack(target, weight, given, changed)
    return label, np.array([[[1], [1]], [[0], [2]]], "f4")


@pytest.mark.parametrize(
    "name, sample_weight, expected",
    [
        (restoration_ratio.EVERYWHERE, [1, 1], (2 + 2) / (4 + 5.5)),
        (restoration_ratio.EVERYWHERE, [3, 1], (6 + 2) / (12 + 5.5)),
        (restoration_ratio.CHANGED, [1, 2], (1 + 4) / (4 + 11)),
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
