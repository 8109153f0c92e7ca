import numpy as np
import pytest
from scipy import ndimage

from spine_tf.organ_phantom import abdomen, patient


@pytest.fixture(name="cases", scope="module")
def _cases():
    return [abdomen.make_case(0, number) for number in range(4)]


def test_a_case_is_a_function_of_seed_and_number(cases):
    again = abdomen.make_case(0, 1)
    np.testing.assert_array_equal(again.hu, cases[1].hu)
    np.testing.assert_array_equal(again.label_map, cases[1].label_map)
    assert again.spacing_mm == cases[1].spacing_mm and again.origin_mm == cases[1].origin_mm


def test_grids(cases):
    for scan in cases:
        assert scan.hu.dtype == np.int16 and scan.label_map.dtype == np.uint8
        assert scan.hu.shape == scan.label_map.shape and scan.hu.shape[1:] == (128, 128)
        assert (len(scan.hu) < 64) == scan.is_cropped
        assert scan.spacing_mm[0] == 4.0 and 2.6 <= scan.spacing_mm[1] <= 3.8


def test_removed_organs_are_absent_and_a_whole_scan_has_all_others(cases):
    assert any(scan.removed for scan in cases) and any(scan.is_cropped for scan in cases)
    for scan in cases:
        seen = {name for name, label in patient.LABELS.items() if np.any(scan.label_map == label)}
        assert not seen & set(scan.removed)
        if not scan.is_cropped:
            assert seen == set(patient.ORGANS) - set(scan.removed)


def test_organs_lie_inside_the_body_in_soft_tissue(cases):
    for scan in cases:
        smooth = ndimage.gaussian_filter(scan.hu.astype(np.float32), 1)
        body = np.stack([ndimage.binary_fill_holes(image > -300) for image in smooth])
        assert body[scan.label_map > 0].all()
        inner = ndimage.binary_erosion(scan.label_map > 0, iterations=2)
        assert -60 < smooth[inner].min() and smooth[inner].max() < 330


def test_organs_are_on_their_side(cases):
    for scan in cases:
        middle = {
            name: ndimage.center_of_mass(scan.label_map == label)
            for name, label in patient.LABELS.items()
            if np.any(scan.label_map == label)
        }
        assert middle["liver"][2] < 64  # x runs to the patient's left
        for left, right in (("left kidney", "right kidney"), ("spleen", "liver")):
            if left in middle and right in middle:
                assert middle[left][2] > middle[right][2] + 15


def test_sizes_are_those_of_organs(cases):
    for scan in cases:
        if not scan.is_cropped:
            counts = np.bincount(scan.label_map.ravel(), minlength=6)[1:]
            volumes = counts * np.prod(scan.spacing_mm) / 1000
            millilitres = dict(zip(patient.ORGANS, volumes, strict=True))
            assert 700 < millilitres["liver"] < 2500 and 20 < millilitres["pancreas"] < 130


def test_one_threshold_does_not_find_the_liver(cases):
    scan = cases[2]
    values = scan.hu[scan.label_map == patient.LABELS["liver"]]
    low, high = np.percentile(values, [5, 95])
    hit = (scan.hu >= low) & (scan.hu <= high)
    assert np.mean(scan.label_map[hit] == patient.LABELS["liver"]) < 0.7
