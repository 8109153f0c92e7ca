"""Tests of data_prep.spider."""

import json
import pathlib

import numpy as np
import pytest

from data_prep import spider, volume_file
from spine_tf import geometry, levels, vertebrae
from tests.data_prep import spider_samples

_SPIDER = pathlib.Path(__file__).parents[3] / "shared" / "data" / "spider_t2space"
_L5_S1 = levels.DiscLevel.L5_S1


def index_corners(corners_mm):
    """[4, 2] row and column of corners."""
    return geometry.to_index(spider_samples.make_affine(), corners_mm)[:, 1:]


def expected_corners(top, bottom, first, last):
    """Outer edges of voxels top..bottom-1 and first..last-1, in corner order."""
    top, bottom, first, last = top - 0.5, bottom - 0.5, first - 0.5, last - 0.5
    return [[top, first], [top, last], [bottom, last], [bottom, first]]


def test_bodies_are_found_without_their_posterior_elements():
    affine = spider_samples.make_affine()
    annotation = spider.annotation_from_mask(spider_samples.make_mask(), affine)
    assert [v.level.value for v in annotation.vertebrae] == ["L3", "L4", "L5"]
    for number, vertebra in zip((3, 2, 1), annotation.vertebrae, strict=True):
        expected = expected_corners(*spider_samples.body_rows(number), *spider_samples.BODY_COLUMNS)
        np.testing.assert_allclose(index_corners(vertebra.corners_mm), expected, atol=0.7)
        assert geometry.to_index(affine, vertebra.corners_mm)[0, 0] == pytest.approx(4)


def test_of_thick_rows_only_what_touches_the_edge_is_cut_off():
    affine = spider_samples.make_affine()
    affine[:3, 1] *= 3.5
    mask = spider_samples.make_mask()
    # L3 begins at row 20.
    for first, expected in ((19, ["L3", "L4", "L5"]), (20, ["L4", "L5"])):
        annotation = spider.annotation_from_mask(mask[:, first:], affine)
        assert [v.level.value for v in annotation.vertebrae] == expected


def test_lumbosacral_disc_comes_from_its_mask_where_s1_is_not_given():
    annotation = spider.annotation_from_mask(
        spider_samples.make_mask(), spider_samples.make_affine()
    )
    # The disc's mask is the six rows 74..79 below L5.
    expected = expected_corners(74, 80, *spider_samples.BODY_COLUMNS)
    found = index_corners(annotation.disc_corners_mm[_L5_S1])
    np.testing.assert_allclose(found, expected, atol=0.8)


def test_collapsed_disc_ends_close_to_the_vertebra():
    mask = spider_samples.make_mask()
    mask[:, :, 20:][mask[:, :, 20:] == 201] = 0  # nothing left of its posterior half
    annotation = spider.annotation_from_mask(mask, spider_samples.make_affine())
    found = index_corners(annotation.disc_corners_mm[_L5_S1])
    np.testing.assert_allclose(found[2], [73.5 + 2, 29.5], atol=0.8)  # 2 mm below L5
    np.testing.assert_allclose(found[3], [79.5, 9.5], atol=0.8)


def test_given_sacrum_takes_the_place_of_the_disc():
    corners_mm = geometry.to_patient(
        spider_samples.make_affine(), [[4, 81, 12], [4, 81, 30], [4, 93, 30], [4, 93, 12]]
    )
    sacrum = vertebrae.Vertebra(levels.VertebraLevel.S1, corners_mm)
    annotation = spider.annotation_from_mask(
        spider_samples.make_mask(), spider_samples.make_affine(), sacrum
    )
    assert annotation.vertebrae[-1] is sacrum
    assert not annotation.disc_corners_mm


def test_vertebra_at_the_edge_of_the_scan_is_left_out():
    mask, affine = spider_samples.make_mask()[:, 21:], spider_samples.make_affine()
    annotation = spider.annotation_from_mask(mask, affine)
    assert [v.level.value for v in annotation.vertebrae] == ["L4", "L5"]


def test_each_body_has_its_own_mid_slice():
    mask = np.zeros((30, *spider_samples.make_mask().shape[1:]), np.uint8)
    for number in (1, 2, 3):  # a curved spine: each body two slices further to the left
        start = 2 * number
        part = spider_samples.make_mask()
        mask[start : start + 9][part == number] = number
        mask[start : start + 9][part == 100] = 100
    affine = spider_samples.make_affine()
    annotation = spider.annotation_from_mask(mask, affine)
    mid_slices = [geometry.to_index(affine, v.corners_mm)[0, 0] for v in annotation.vertebrae]
    np.testing.assert_allclose(mid_slices, [10, 8, 6], atol=1e-6)


def test_mask_without_canal_is_an_error():
    mask = spider_samples.make_mask()
    mask[mask == 100] = 0
    with pytest.raises(ValueError, match="spinal canal"):
        spider.annotation_from_mask(mask, spider_samples.make_affine())


@pytest.mark.real_data
@pytest.mark.parametrize("patient", ["7", "65", "191", "209"])
def test_real_masks_give_plausible_bodies(patient):
    mask = volume_file.read(str(_SPIDER / "masks" / f"{patient}_t2_SPACE.mha"))
    annotation = spider.annotation_from_mask(mask.array, mask.affine)
    found = annotation.by_level
    for name in "T12 L1 L2 L3 L4 L5".split():
        corners_mm = found[levels.VertebraLevel(name)].corners_mm
        sides_mm = np.linalg.norm(corners_mm - np.roll(corners_mm, -1, axis=0), axis=1)
        assert 16 < sides_mm.min() and sides_mm.max() < 50, (name, sides_mm)


@pytest.mark.real_data
def test_lumbosacral_edge_agrees_with_hand_marks():
    sacra = json.loads((_SPIDER / "sacrum.json").read_text())["patients"]
    errors_mm = []
    for patient in ("34", "52", "65", "107", "129", "136", "191"):
        mask = volume_file.read(str(_SPIDER / "masks" / f"{patient}_t2_SPACE.mha"))
        disc = spider.annotation_from_mask(mask.array, mask.affine).disc_corners_mm[_L5_S1]
        marked = np.array(sacra[patient]["vertebrae"][0]["corners_mm"])[[1, 0]]
        errors_mm += np.linalg.norm((disc[2:] - marked)[:, 1:], axis=1).tolist()
    # Marks are good to 2 mm.
    assert np.median(errors_mm) < 3
    assert np.max(errors_mm) < 6
