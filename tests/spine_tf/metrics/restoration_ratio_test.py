import numpy as np
import pytest

from spine_tf.metrics import restoration_ratio
from tests.spine_tf.losses import masked_squared_error_test as packed

# Squared errors per voxel, mean of channels: given 0, 2, 25; restored 0.5, 1, 9. The last voxel
# has no weight; the last two are changed.
RESTORED = np.array([[[0.0, 0.0], [2.0, 2.0 - 2.0**0.5], [2.0, 2.0]]], "f4")


def _result(name, **options):
    metric = restoration_ratio.RestorationRatio(name)
    metric.update_state(packed.LABEL, RESTORED, **options)
    return float(metric.result())


def test_everywhere_and_inside():
    assert _result(restoration_ratio.EVERYWHERE) == pytest.approx(1.5 / 2)
    assert _result(restoration_ratio.CHANGED) == pytest.approx(1 / 2)


def test_a_copy_of_the_input_is_one():
    metric = restoration_ratio.RestorationRatio(restoration_ratio.EVERYWHERE)
    metric.update_state(packed.LABEL, packed.GIVEN)
    assert float(metric.result()) == pytest.approx(1.0)


def test_nothing_changed_is_no_number():
    assert np.isnan(_result(restoration_ratio.CHANGED, sample_weight=np.zeros(1)))


def test_share_of_changed_voxels():
    metric = restoration_ratio.ChangedShare()
    metric.update_state(packed.LABEL, RESTORED)
    assert float(metric.result()) == pytest.approx(0.5)


def test_other_names():
    with pytest.raises(ValueError, match="`name` must be restoration_ratio or"):
        restoration_ratio.RestorationRatio("ratio")
