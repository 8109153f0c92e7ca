import numpy as np
import pytest
import tensorflow as tf

from spine_tf.detection import targets
from tests.spine_tf.detection import network_maps

L5, S1, S2 = (targets.CLASSES.index(name) for name in ("L5", "S1", "S2"))
SHAPE = (128, 64)


def test_the_last_classes_are_the_bodies():
    assert targets.CLASSES[targets.FIRST_BODY :] == targets.BODY_LEVELS
    assert "L6" not in targets.CLASSES


@pytest.mark.parametrize(
    "row, column, expected",
    [
        (0, 0, targets.BACKGROUND),  # far from all
        (15, 30, targets.CLASSES.index("L4")),
        (34, 30, targets.DISC),
        (15, 18, targets.UNKNOWN),  # beside a body
        (70, 30, S1),
        (88, 32, targets.UNKNOWN),  # between S1 and the core of S2
        (95, 32, S2),
    ],
)
def test_what_quads_alone_say(row, column, expected):
    quads = targets.with_s2(network_maps.QUADS)
    far = {number: quad + [14, 0] for number, quad in quads.items()} if row == 0 else quads
    assert targets.label_map(far, SHAPE)[row, column] == expected


def test_masks_stay_and_the_sacrum_below_l5_is_unknown_without_s1():
    masks = np.zeros(SHAPE, np.uint8)
    masks[60:64] = targets.DISC
    quads = {L5: network_maps.QUADS[L5]}
    painted = targets.label_map(quads, SHAPE, masks)
    assert painted[62, 30] == targets.DISC
    assert painted[80, 30] == targets.UNKNOWN
    assert painted[10, 30] == targets.BACKGROUND


def test_masks_stay_and_s1_is_painted_over_what_is_no_mask():
    masks = np.zeros(SHAPE, np.uint8)
    masks[60:70] = targets.DISC
    painted = targets.label_map({S1: network_maps.QUADS[S1]}, SHAPE, masks)
    assert painted[68, 30] == targets.DISC
    assert painted[75, 30] == S1


def test_s2_follows_s1():
    found = targets.with_s2(network_maps.QUADS)
    # S1 ends in row 86, is 20 high and 24 wide: 0.12 to 0.85 of its height, 0.96 and 0.8 wide.
    expected = [[88.4, 20.48], [88.4, 43.52], [103, 41.6], [103, 22.4]]
    np.testing.assert_allclose(found[S2], expected)
    assert targets.with_s2({L5: network_maps.QUADS[L5]}).keys() == {L5}


def test_offsets_lead_to_the_corners_of_the_own_body():
    painted = targets.label_map(network_maps.QUADS, SHAPE)
    labels = list(network_maps.QUADS)
    quads = np.array(list(network_maps.QUADS.values()), np.float32)
    found = targets.corner_offsets(tf.constant(painted, tf.int32), labels, quads).numpy()
    expected = (network_maps.QUADS[L5] - [50, 30]) / targets.OFFSET_PIXELS
    np.testing.assert_allclose(found[50, 30, :8].reshape(4, 2), expected, rtol=1e-6)
    assert found[50, 30, 8] == 1
    assert not found[34, 30].any()
