import numpy as np
import pytest

from spine_tf.evaluation import boxes

_RULE = boxes.RunRule()


@pytest.mark.parametrize(
    "shown, expected",
    [
        ("..111..", (2, 4)),
        ("11..111", (0, 6)),  # a gap of two is closed
        ("11...111", (5, 7)),  # a gap of three is not: the longer run
        ("111...11", (0, 2)),
        ("11...11", (0, 1)),  # equally long: the first
        ("1.1.1...1111", (0, 4)),  # closed first, then measured
        ("......1", (6, 6)),
        (".......", None),
        ("1" * 7, (0, 6)),
    ],
)
def test_longest_run(shown, expected):
    probability = np.array([0.9 if mark == "1" else 0.1 for mark in shown])
    assert boxes.longest_run(probability, _RULE) == expected


def test_the_threshold_belongs_to_the_run():
    assert boxes.longest_run(np.array([0.49, 0.5, 0.51]), _RULE) == (1, 2)
    assert boxes.longest_run(np.array([0.49, 0.5, 0.51]), boxes.RunRule(0.6)) is None
    assert boxes.longest_run(np.array([1, 0, 1, 1]), boxes.RunRule(max_gap=0)) == (2, 3)


def test_walls_by_hand():
    # Slices 2 to 4 of 5 mm reach from 7.5 to 22.5 mm behind the centre of slice 0.
    found = boxes.from_runs([(2, 4), (0, 0), (1, 3)], (5, 2, 1))
    np.testing.assert_array_equal(found, [[7.5, 22.5], [-1, 1], [0.5, 3.5]])
    assert np.isnan(boxes.from_runs([(2, 4), None, (1, 3)], (5, 2, 1))).all()


def test_slices_that_are_right_give_the_box_of_the_labels():
    label_map = np.zeros((6, 8, 10), np.uint8)
    label_map[1:3, 2:7, 4:9] = 3
    label_map[4, 0, 0] = 1
    spacing_mm = (5, 2, 1.5)
    true = boxes.from_labels(label_map, (1, 2, 3), spacing_mm)
    np.testing.assert_array_equal(true[2], [[2.5, 12.5], [3, 13], [5.25, 12.75]])
    assert np.isnan(true[1]).all()
    others = ((1, 2), (0, 2), (0, 1))
    shown = [
        np.stack([(label_map == i).any(axes) for i in (1, 2, 3)], 1).astype(float)
        for axes in others
    ]
    np.testing.assert_array_equal(boxes.from_probabilities(shown, spacing_mm, _RULE), true)


def test_errors_by_hand():
    true = np.array([[0, 10], [0, 20], [0, 30]], float)
    shifted = true + np.array([[3], [4], [12]])
    assert boxes.centroid_distance_mm(shifted, true) == 13
    np.testing.assert_array_equal(boxes.wall_distances_mm(shifted, true), [3, 3, 4, 4, 12, 12])
    # Larger by 2 mm on every side: the centre stays.
    larger = true + [-2, 2]
    assert boxes.centroid_distance_mm(larger, true) == 0
    np.testing.assert_array_equal(boxes.wall_distances_mm(larger, true), [2] * 6)
    assert len(boxes.WALLS) == 6 and boxes.WALLS[3] == "coronal_last"


def test_mean_boxes():
    known = np.zeros((3, 2, 3, 2))
    known[0, 0], known[1, 0] = 10, 20
    known[2, 0] = np.nan
    means = boxes.mean_boxes(known)
    np.testing.assert_array_equal(means[0], np.full((3, 2), 15))
    np.testing.assert_array_equal(boxes.fill(known, means)[:, 0, 0, 0], [10, 20, 15])
    known[:, 1] = np.nan
    with pytest.raises(ValueError, match=r"`boxes` must hold every organ once, got none .* \[1\]"):
        boxes.mean_boxes(known)


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.5}, {"max_gap": -1}])
def test_a_wrong_rule(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
        boxes.RunRule(**wrong)


def test_views_must_fit():
    views = [np.zeros((4, 2)), np.zeros((5, 2)), np.zeros((6, 3))]
    with pytest.raises(ValueError, match="of sagittal, coronal, axial, got"):
        boxes.from_probabilities(views, (1, 1, 1), _RULE)
    with pytest.raises(ValueError, match="`probabilities` must be"):
        boxes.from_probabilities(views[:2], (1, 1, 1), _RULE)
