import numpy as np
import pytest

from spine_tf.detection import candidates

QUAD = [[0, 0, 0], [0, 30, 0], [0, 30, -25], [0, 0, -25]]
OPINION = np.full(12, -np.log(12))


def test_levels_run_from_head_to_foot_and_end_below_s1():
    assert candidates.LEVELS == tuple("T9 T10 T11 T12 L1 L2 L3 L4 L5 L6 S1 S2".split())


def test_center_is_the_mean_of_the_corners():
    one = candidates.Candidate(QUAD, (3, 7), 0.9, OPINION)
    np.testing.assert_array_equal(one.center_mm, [0, 15, -12.5])


@pytest.mark.parametrize(
    "corners, score, opinion, name",
    [
        (QUAD[:3], 0.5, OPINION, "corners_mm"),
        (np.full((4, 3), np.nan), 0.5, OPINION, "corners_mm"),
        (QUAD, 1.5, OPINION, "score"),
        (QUAD, 0.5, OPINION[1:], "level_log_probability"),
    ],
)
def test_bad_candidates_are_refused_by_name(corners, score, opinion, name):
    with pytest.raises(ValueError, match=name):
        candidates.Candidate(corners, (0, 1), score, opinion)


@pytest.mark.parametrize(
    "center, score, name", [([0, 0], 0.5, "center_mm"), ([0, 0, 0], -1.0, "score")]
)
def test_bad_discs_are_refused_by_name(center, score, name):
    with pytest.raises(ValueError, match=name):
        candidates.DiscCandidate(center, 9.0, 35.0, score)
