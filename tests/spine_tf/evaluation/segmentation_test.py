import pathlib

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import distance

from spine_tf.evaluation import segmentation
from spine_tf.tasks.downstream import segmentation as task

_BRAIN = pathlib.Path(__file__).parents[4] / "shared" / "data" / "brain_mr"
_REGIONS = {"organ": (1,)}
_BRATS = task.parse_regions(task.BRATS_REGIONS)
pytestmark = pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")  # the package's


def _cube(shape, begin, size):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))] = True
    return mask


def _ball(radius_mm, spacing_mm):
    axes = [(np.arange(n) - n // 2) * s for n, s in zip((15, 41, 41), spacing_mm, strict=True)]
    return sum(x**2 for x in np.meshgrid(*axes, indexing="ij")) <= radius_mm**2


def test_overlap_by_hand():
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    prediction = np.array([1, 1, 1, 0, 1, 1, 0, 0, 0, 0], bool)
    # 3 hits of 4, 5 predicted, 4 of 6 outside right.
    assert segmentation.overlap(prediction, truth) == pytest.approx(
        {"dice": 6 / 9, "sensitivity": 3 / 4, "specificity": 4 / 6}
    )


@pytest.mark.parametrize("predicted, expected", [(0, 1.0), (1, 0.0)])
def test_an_empty_reference(predicted, expected):
    prediction = np.full((2, 3, 4), predicted)
    row = segmentation.case_row(prediction, np.zeros((2, 3, 4), int), (1, 1, 1), _REGIONS)
    assert row["organ_dice"] == row["organ_sensitivity"] == expected
    assert row["organ_specificity"] == 1 - predicted
    assert np.isnan(row["organ_hd95_mm"]) and row["organ_true_mm3"] == 0


def test_an_empty_prediction():
    row = segmentation.case_row(
        np.zeros((2, 3, 4), int), np.ones((2, 3, 4), int), (2, 1, 1), _REGIONS
    )
    assert row["organ_dice"] == row["organ_sensitivity"] == 0
    assert np.isnan(row["organ_specificity"]) and np.isnan(row["organ_hd95_mm"])
    assert (row["organ_true_mm3"], row["organ_predicted_mm3"]) == (48, 0)


def test_regions_are_unions_of_labels():
    truth = np.array([0, 1, 2, 4, 2, 1, 0, 4]).reshape(1, 2, 4)
    prediction = np.array([0, 4, 2, 1, 0, 2, 0, 4]).reshape(1, 2, 4)
    row = segmentation.case_row(prediction, truth, (1, 1, 1), _BRATS)
    # Whole: 6 true, 5 predicted, 5 hits. Core: 4 true, 3 predicted, 3 hits. Enhancing: 2, 2, 1.
    dice = [row[f"{region}_dice"] for region in ("whole", "core", "enhancing")]
    assert dice == pytest.approx([10 / 11, 6 / 7, 1 / 2])
    assert row["core_sensitivity"] == 3 / 4 and row["enhancing_specificity"] == 5 / 6


@pytest.mark.parametrize("shift, expected_mm", [((1, 0, 0), 4), ((0, 3, 0), 1.5), ((0, 0, 2), 2)])
def test_a_shifted_cube_is_as_far_as_its_shift(shift, expected_mm):
    truth = _cube((6, 12, 12), (1, 2, 2), (4, 6, 6))
    moved = np.roll(truth, shift, (0, 1, 2))
    assert segmentation.hd95_mm(moved, truth, (4, 0.5, 1)) == expected_mm
    assert segmentation.hd95_mm(truth, truth, (4, 0.5, 1)) == 0


def test_balls_in_each_other():
    spacing_mm = (2, 0.75, 0.75)
    outer, inner = _ball(12, spacing_mm), _ball(8, spacing_mm)
    assert segmentation.hd95_mm(inner, outer, spacing_mm) == pytest.approx(4, abs=0.75)


def test_the_larger_direction_counts():
    one = _cube((4, 8, 60), (1, 1, 1), (2, 6, 6))
    both = one | _cube((4, 8, 60), (1, 1, 41), (2, 6, 6))
    # From the far cube to the near one: its surface is 34 to 40 columns away from the near face.
    for prediction, truth in ((one, both), (both, one)):
        assert 38 <= segmentation.hd95_mm(prediction, truth, (1, 1, 1)) <= 40


def test_a_speck_is_below_the_percentile():
    one = _cube((22, 24, 60), (1, 1, 1), (20, 20, 20))
    speck = one | _cube((22, 24, 60), (10, 10, 50), (1, 1, 1))
    assert segmentation.hd95_mm(speck, one, (1, 1, 1)) == 0


def _contour(mask, spacing_mm):
    """Places and lengths of contour elements between the pixels, by marching squares."""
    padded = np.pad(mask, 1)
    places, lengths = [], []
    for i, j in np.ndindex(mask.shape[0] + 1, mask.shape[1] + 1):
        square = padded[i : i + 2, j : j + 2]
        half_diagonal = np.hypot(*spacing_mm) / 2
        if square.all() or not square.any():
            continue
        if square.sum() in (1, 3):
            length = half_diagonal
        elif square[0, 0] == square[1, 1]:
            length = 2 * half_diagonal
        else:
            length = spacing_mm[1] if square[0, 0] == square[0, 1] else spacing_mm[0]
        places.append((i * spacing_mm[0], j * spacing_mm[1]))
        lengths.append(length)
    return np.array(places), np.array(lengths)


def _brute_force_mm(one, other, spacing_mm):
    contours = [_contour(mask, spacing_mm) for mask in (one, other)]
    found = []
    for (places, lengths), (targets, _) in (contours, contours[::-1]):
        nearest = distance.cdist(places, targets).min(1)
        order = np.argsort(nearest)
        share = np.cumsum(lengths[order]) / lengths.sum()
        found.append(nearest[order][np.flatnonzero(share >= 0.95 - 1e-12)[0]])
    return max(found)


@pytest.mark.parametrize("seed", range(4))
def test_a_slice_against_brute_force(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(size=(2, 9, 13)) < [[[0.08]], [[0.15]]]
    found = segmentation.hd95_mm(one[None], other[None], (5, 0.7, 1.1))
    assert found == pytest.approx(_brute_force_mm(one, other, (0.7, 1.1)))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"prediction": np.zeros((2, 3, 5), int)}, "one shape, got .2, 3, 5. and .2, 3, 4."),
        ({"spacing_mm": (1, 1)}, "`spacing_mm` must be three positive numbers"),
        ({"spacing_mm": (1, 0, 1)}, "`spacing_mm` must be three positive numbers"),
        ({"regions": {}}, "`regions` must name"),
        ({"regions": {"organ": ()}}, "`regions` must name"),
        ({"regions": {"organ": (0, 1)}}, "`regions` must name"),
    ],
)
def test_wrong_input(wrong, message):
    volume = np.zeros((2, 3, 4), int)
    right = {
        **{"prediction": volume, "truth": volume},
        **{"spacing_mm": (1, 1, 1), "regions": _REGIONS},
    }
    with pytest.raises(ValueError, match=message):
        segmentation.case_row(**(right | wrong))


def _voxels_hd95_mm(one, other, spacing_mm):
    """The same over border voxels, all of which count alike."""
    borders = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    return max(
        np.percentile(ndimage.distance_transform_edt(~target, sampling=spacing_mm)[border], 95)
        for border, target in (borders, borders[::-1])
    )


@pytest.mark.real_data
def test_a_real_tumour():
    label_map = np.asarray(nibabel.load(_BRAIN / "OtherEXampleFromTCIA_seg.nii.gz").dataobj)
    shown = [
        slice(first.start - 4, first.stop + 4)
        for first in ndimage.find_objects((label_map > 0).astype(int))[0]
    ]
    truth = label_map[tuple(shown)].astype(int)
    moved = np.roll(truth, 2, 0)
    row = segmentation.case_row(moved, truth, (3, 1, 1), _BRATS)
    assert row["enhancing_true_mm3"] < row["core_true_mm3"] < row["whole_true_mm3"]
    for region, labels in _BRATS.items():
        masks = np.isin(moved, labels), np.isin(truth, labels)
        expected = _voxels_hd95_mm(*masks, (3, 1, 1))
        # Surface elements lie half a voxel from centres of voxels, and count by area.
        assert row[f"{region}_hd95_mm"] == pytest.approx(expected, abs=1)
        assert row[f"{region}_dice"] == pytest.approx(
            2 * (masks[0] & masks[1]).sum() / (2 * masks[1].sum())
        )
