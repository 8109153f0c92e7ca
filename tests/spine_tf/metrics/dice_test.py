import numpy as np
import pytest
import tensorflow as tf

from spine_tf.losses import overlap_cross_entropy
from spine_tf.metrics import dice

TRUE = np.array([[[0, 1, 1], [2, 2, 0]]])
FOUND = np.array([[[0, 1, 2], [2, 1, 1]]])


def _result(regions, valid=None, **options):
    metric = dice.Dice(regions, 3)
    valid = np.ones(TRUE.shape, bool) if valid is None else valid
    label = overlap_cross_entropy.pack(tf.constant(TRUE), tf.constant(valid))
    metric.update_state(label, np.eye(3)[FOUND].astype(np.float32), **options)
    return metric, float(metric.result())


def test_regions_are_unions_of_classes():
    # Class 1: 1 in both, 2 true, 3 found: 2/5. Class 2: 1, 2, 2: 1/2. Both: 4, 4, 5: 8/9.
    assert _result([(1,)])[1] == pytest.approx(2 / 5)
    assert _result([(1,), (2,)])[1] == pytest.approx((2 / 5 + 1 / 2) / 2)
    assert _result([(1, 2)])[1] == pytest.approx(8 / 9)


def test_padding_does_not_count():
    valid = np.array([[[True, True, True], [True, True, False]]])
    assert _result([(1, 2)], valid)[1] == 1.0


def test_a_weight_of_a_case_is_one_of_its_pixels_and_never_lifts_it_beyond_one():
    for weight in (0.25, 4.0):
        for region, expected in (((1,), 2 / 5), ((1, 2), 8 / 9)):
            found = _result([region], sample_weight=np.full(1, weight))[1]
            assert found == pytest.approx(expected)


def test_a_weight_leaves_padding_out_and_small_sums_count():
    valid = np.array([[[False, True, True], [True, True, False]]])
    # Class 1 without the last pixel, which is found wrongly: 1 in both, 2 true, 2 found.
    assert _result([(1,)], valid, sample_weight=np.full(1, 0.1))[1] == pytest.approx(1 / 2)


def test_nothing_there_is_no_number_and_a_reset_forgets():
    metric, found = _result([(1,)], sample_weight=np.zeros(1))
    assert np.isnan(found)
    metric, _ = _result([(1,)])
    metric.reset_state()
    assert np.isnan(float(metric.result()))
