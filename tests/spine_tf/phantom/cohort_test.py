"""Who is in a cohort, when they come, and what one visit holds."""

import collections

import numpy as np
import pytest

from spine_tf import geometry, gradings, levels
from spine_tf.phantom import anatomy, cohort

CONFIG = cohort.CohortConfig(num_subjects=100, seed=5, matrices=(128,))


@pytest.fixture(scope="module")
def visit():
    return cohort.make_visit(CONFIG, 2, 0)


def test_visits_are_dealt_out_exactly():
    counts = collections.Counter(cohort.num_visits(CONFIG, index) for index in range(100))
    assert counts == {1: 25, 2: 60, 3: 15}


def test_a_third_are_twins():
    families = collections.Counter(cohort.family_index(index) for index in range(96))
    assert sum(size for size in families.values() if size == 2) == 32


def test_follow_ups_come_8_to_12_years_later_on_the_other_scanner():
    for index in range(40):
        plan = cohort.make_plan(CONFIG, index)
        gaps_years = np.diff(plan.days) / 365.25
        assert plan.days[0] == 0
        assert np.all((gaps_years > 7.99) & (gaps_years < 12.01))
        assert plan.field_strengths_t == (1.0, 1.5, 1.5)[: len(plan.days)]


def test_the_same_seed_gives_the_same_visit(visit):
    cohort.truth.cache_clear()
    again = cohort.make_visit(CONFIG, 2, 0)
    np.testing.assert_array_equal(visit.sagittal_t2.array, again.sagittal_t2.array)
    np.testing.assert_array_equal(visit.sagittal_t1.array, again.sagittal_t1.array)
    other = cohort.make_visit(cohort.CohortConfig(100, 6, matrices=(128,)), 2, 0)
    assert not np.array_equal(other.sagittal_t2.affine, visit.sagittal_t2.affine)


def test_t2_alone_is_the_t2_of_the_visit(visit):
    scan, annotation = cohort.make_sagittal_t2(CONFIG, 2, 0)
    np.testing.assert_array_equal(scan.array, visit.sagittal_t2.array)
    for one, other in zip(annotation.vertebrae, visit.annotation.vertebrae, strict=True):
        np.testing.assert_array_equal(one.corners_mm, other.corners_mm)


def test_a_visit_has_the_usual_protocol(visit):
    scan = visit.sagittal_t2
    assert 9 <= scan.array.shape[0] <= 15
    assert 4.4 <= scan.spacing_mm[0] <= 5.0
    assert 240 <= scan.spacing_mm[1] * 128 <= 300.1
    assert scan.array.min() >= 0 and scan.array.max() <= 4095
    np.testing.assert_array_equal(scan.array, np.round(scan.array))
    np.testing.assert_array_equal(scan.affine, visit.sagittal_t1.affine)


@pytest.mark.parametrize("index", range(8))
def test_all_annotated_bodies_lie_in_view(index):
    scene, plan, _ = cohort._stage(CONFIG, index, 0)
    annotation = cohort.annotate(CONFIG, index, 0)
    assert [v.level for v in annotation.vertebrae] == list(levels.LUMBAR_VERTEBRAE)
    for vertebra in annotation.vertebrae:
        corners = geometry.to_index(plan.affine, vertebra.corners_mm)
        assert np.all(corners > -0.5) and np.all(corners < np.array(plan.shape) - 0.5)
        width_mm = np.linalg.norm(vertebra.corners_mm[1] - vertebra.corners_mm[0])
        assert 28 < width_mm < 45


def test_bodies_and_canal_have_the_contrast_of_t2_and_t1(visit):
    def median(scan, shift_mm):
        centre = visit.annotation.by_level[levels.VertebraLevel.L2].corners_mm.mean(axis=0)
        index = np.round(geometry.to_index(scan.affine, centre + [0, shift_mm, 0])).astype(int)
        return np.median(scan.array[index[0], index[1] - 1 : index[1] + 2, index[2] : index[2] + 2])

    bright = median(visit.sagittal_t2, 26.0) / median(visit.sagittal_t2, 0.0)
    dark = median(visit.sagittal_t1, 26.0) / median(visit.sagittal_t1, 0.0)
    assert bright > 1.5 and dark < 0.5 * bright


def test_five_discs_are_graded_in_nine_ways(visit):
    assert list(visit.gradings) == list(levels.LUMBAR_DISCS[1:])
    expected = {"disc_degeneration", *gradings.SPINENET_GRADINGS}
    for grades in visit.gradings.values():
        assert set(grades) == expected
        for name, grade in grades.items():
            assert gradings.from_name(name).class_index(grade) >= 0


def test_every_class_appears_in_a_small_cohort():
    seen = collections.Counter(
        grades["disc_degeneration"]
        for index in range(20)
        for graded in cohort.make_plan(CONFIG, index).gradings
        for grades in graded.values()
    )
    assert set(seen) == {1, 2, 3, 4} and min(seen.values()) >= 8


def test_localizer_has_three_planes_of_450_mm():
    planes = cohort.make_localizer(CONFIG, 2, 0)
    assert set(planes) == {"SAG", "COR", "AX"}
    for array, affine in planes.values():
        assert array.shape == (1, 192, 192) and array.max() > 100
        np.testing.assert_allclose(geometry.spacing_mm(affine)[1:] * 192, 450.0)


def test_size_does_not_tell_who_it_is():
    for index in range(3):
        shapes = cohort.truth(CONFIG, index).subject.vertebrae
        widths = [anatomy.mean_width_mm(s) for s in shapes if s.name in anatomy.ANNOTATED]
        np.testing.assert_allclose(np.mean(widths), anatomy.STANDARD_WIDTH_MM)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"num_subjects": 0}, "`num_subjects` must be at least 1, got 0"),
        ({"one_visit_percent": 90, "three_visits_percent": 20}, "at most 100, got 90 and 20"),
        ({"matrices": (321,)}, "`matrices` must be even"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        cohort.CohortConfig(**settings)


def test_no_such_subject_or_visit():
    with pytest.raises(ValueError, match="`index` must be 0 to 99, got 100"):
        cohort.make_visit(CONFIG, 100, 0)
    with pytest.raises(ValueError, match="`visit` must be 0 to"):
        cohort.make_visit(CONFIG, 2, 3)
