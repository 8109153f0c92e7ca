import numpy as np
import pytest

from benchmarks import unusual_phantoms
from spine_tf import geometry
from spine_tf.phantom import anatomy

_SEED = 5


def _names(annotation):
    return " ".join(body.level.value for body in annotation.vertebrae)


@pytest.mark.parametrize(
    ("num_lumbar", "bodies", "names"),
    [
        (4, "T9 T9 T10 T11 T12 L1 L2 L4 L5 S1 S2 S3", "T9 T10 T11 T12 L1 L2 L3 L4 S1 S2 S3"),
        (5, "T9 T10 T11 T12 L1 L2 L3 L4 L5 S1 S2 S3", "T9 T10 T11 T12 L1 L2 L3 L4 L5 S1 S2 S3"),
        (6, "T10 T11 T12 L1 L2 L3 L3 L4 L5 S1 S2 S3", "T10 T11 T12 L1 L2 L3 L4 L5 L6 S1 S2 S3"),
    ],
)
def test_bodies_and_true_names(num_lumbar, bodies, names):
    slots = unusual_phantoms._slots(num_lumbar)
    assert " ".join(anatomy.RENDERED[slot] for slot in slots) == bodies
    assert " ".join(unusual_phantoms._names(num_lumbar)).endswith(names)
    assert len(unusual_phantoms._names(num_lumbar)) == 12


def test_scans_show_what_is_annotated():
    for number, wanted in ((4, "T12 L1 L2 L3 L4 S1"), (6, "L1 L2 L3 L4 L5 L6 S1")):
        scan, true = unusual_phantoms.make(unusual_phantoms.Kind(number), _SEED, 0)
        assert _names(true).endswith(wanted)
        corners = np.concatenate([body.corners_mm for body in true.vertebrae])
        index = geometry.to_index(scan.affine, corners)
        assert index[:, 1].min() >= 0
        assert index[:, 1].max() < scan.array.shape[1]
        heights = [body.corners_mm[:, 2].mean() for body in true.vertebrae]
        assert heights == sorted(heights, reverse=True)


def test_a_cut_view_ends_below_its_last_body_and_keeps_the_rest_in_place():
    whole, every = unusual_phantoms.make(unusual_phantoms.Kind(), _SEED, 1)
    cut, true = unusual_phantoms.make(unusual_phantoms.Kind(first="L2", last="L5"), _SEED, 1)
    assert _names(true) == "L2 L3 L4 L5"
    kept = {body.level: body.corners_mm for body in every.vertebrae}
    for body in true.vertebrae:
        np.testing.assert_array_equal(body.corners_mm, kept[body.level])
    first_row = round(geometry.to_index(whole.affine, cut.affine[:3, 3])[1])
    rows = slice(first_row, first_row + cut.array.shape[1])
    np.testing.assert_array_equal(cut.array, whole.array[:, rows])
    room_mm = (
        true.vertebrae[-1].corners_mm[:, 2].min()
        - geometry.to_patient(cut.affine, [0, cut.array.shape[1] - 1, 0])[2]
    )
    assert -2 < room_mm < 10


def test_a_column_by_convention_is_counted_from_the_sacrum():
    _, four = unusual_phantoms.make(unusual_phantoms.Kind(4), _SEED, 0)
    by_five = unusual_phantoms.convention(four)
    assert _names(by_five).endswith("L1 L2 L3 L4 L5 S1")
    assert len(by_five.vertebrae) == len(four.vertebrae)
    _, without = unusual_phantoms.make(unusual_phantoms.Kind(last="L5"), _SEED, 0)
    with pytest.raises(ValueError, match="`true` must hold S1"):
        unusual_phantoms.convention(without)


def test_scoliosis_moves_the_middle_to_the_side():
    reach = []
    for amplitude in (0.0, 30.0):
        _, true = unusual_phantoms.make(unusual_phantoms.Kind(scoliosis_mm=amplitude), _SEED, 2)
        reach.append(np.ptp([body.corners_mm[:, 0].mean() for body in true.vertebrae]))
    assert reach[1] > reach[0] + 4
