import numpy as np
import pytest

from spine_tf.detection import candidates, label_calibration, label_parameters
from tests.spine_tf.detection import columns

_NAMES = "T12 L1 L2 L3 L4 L5 S1".split()


def _column(index, shift):
    """A column of which the network says, too sure, that it lies `shift` levels lower."""
    quads = columns.quads(index)
    ordinary = label_parameters.ROLES
    found = tuple(
        candidates.Candidate(
            quads[name], (0, 9), 0.95, columns.opinion(ordinary[ordinary.index(name) + shift], 0.99)
        )
        for name in _NAMES
    )
    return label_calibration.Column(found, tuple(_NAMES))


@pytest.mark.parametrize("shift, low, high", [(0, 0.25, 2.0), (-1, 0.0, 0.1)])
def test_a_network_that_errs_gets_less_weight(shift, low, high):
    made = [_column(index, shift) for index in range(3)]
    parameters = [label_parameters.load()] * 3
    weights, value = label_calibration.fit_weights(made, parameters)
    assert set(weights) == {"geometry_weight", "network_weight", "number_weight"}
    assert low <= weights["network_weight"] <= high
    assert -1 < value <= 0 and np.isfinite(value)
