import numpy as np
import pytest

from spine_tf.evaluation import roc, study_reference
from spine_tf.evaluation.study_reference import Verdict


def _measured(positives, negatives, weight=None):
    distance = np.concatenate([positives, negatives]).astype(float)
    is_positive = np.arange(len(distance)) < len(positives)
    weight = np.ones(len(distance)) if weight is None else np.array(weight, float)
    sample = roc.Sample(is_positive, distance, weight, np.zeros((len(distance), 2), int))
    return study_reference.measure(sample, [{"L1": 2.0}], np.full(len(distance), 7))


def _reference(positives, negatives):
    found = _measured(positives, negatives)
    return study_reference.Reference(
        scale={"L1": 2.0},
        levels_at_least=3,
        usual_levels=7,
        field_strengths_t=["1 to 1.5"],
        num_same=len(positives),
        num_different=len(negatives),
        num_subjects=len(positives),
        same=found["same"],
        different=found["different"],
        quantiles=found["quantiles"],
    )


# Same persons score 0.01 to 0.20, different ones 0.51 to 1.50: 20 and 100 pairs.
APART = (np.arange(1, 21) / 100, 0.5 + np.arange(1, 101) / 100)


def test_thresholds_by_hand():
    found = _measured(*APART)
    # Ten, five and one of 100 negatives; a rate of 0.001 needs 1000.
    assert [row["threshold"] for row in found["same"]] == [0.6, 0.55, 0.51, None]
    assert found["same"][3]["reason"] == "needs at least 1000 negatives, there are 100"
    # Two and one of 20 positives are the farthest.
    assert [row["threshold"] for row in found["different"]] == [0.19, 0.2, None, None]
    assert found["different"][2]["reason"] == "needs at least 100 positives, there are 20"
    assert found["levels"] == {"least": 7, "median": 7.0}
    assert found["level_scales"] == [{"L1": 2.0}]


def test_a_tie_is_within_the_threshold_or_not_as_a_whole():
    # Two of 20 negatives may be closer (0.1), and three share the second score.
    negatives = [1.0, 2, 2, 2, *range(3, 19)]
    assert _measured([0.5] * 10, negatives)["same"][0]["threshold"] == 1.0
    # If even the first is shared by too many, there is none.
    found = _measured([0.5] * 10, [1.0] * 20)["same"][0]
    assert found["threshold"] is None
    assert "share the outermost score" in found["reason"]


def test_thresholds_count_weights():
    # The closest of ten negatives weighs half of all; the rate it reaches is 0.5, not 0.1.
    weight = [1.0] * 10 + [9.0] + [1.0] * 9
    found = _measured([0.5] * 10, range(1, 11), weight)
    assert found["same"][0]["threshold"] is None


def test_quantiles_are_scores_that_occur():
    found = _measured(*APART)["quantiles"]
    at = dict(zip(found["probability"], found["negatives"], strict=True))
    assert at[0.0] == 0.51
    assert at[0.01] == 0.51
    assert at[0.5] == 1.0
    assert at[1.0] == 1.5


def test_shares_that_are_closer():
    reference = _reference(*APART)
    assert reference.share_closer(0.3, "positives") == 1.0
    assert reference.share_closer(0.3, "negatives") == 0.0
    assert reference.share_closer(0.51, "negatives") == 0.0
    assert reference.share_closer(1.2, "negatives") == pytest.approx(0.7, abs=0.011)
    assert reference.share_closer(9.0, "negatives") == 1.0


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (0.1, Verdict.SAME),
        (0.3, Verdict.UNCERTAIN),  # farther than any same pair, closer than any different one
        (0.51, Verdict.UNCERTAIN),
        (0.6, Verdict.DIFFERENT),
    ],
)
def test_verdict_where_nothing_overlaps(score, expected):
    assert _reference(*APART).verdict(score, 0.01) is expected


@pytest.mark.parametrize(
    ("score", "expected"),
    [(0.8, Verdict.SAME), (1.2, Verdict.UNCERTAIN), (2.0, Verdict.DIFFERENT)],
)
def test_verdict_where_persons_overlap(score, expected):
    # Near: up to 1.0, a tenth of the negatives. Far: from 1.9, a tenth of the positives.
    reference = _reference(np.arange(1, 21) / 10, 0.9 + np.arange(1, 11) / 10)
    assert reference.near(0.1) == 1.0
    assert reference.far(0.1)["threshold"] == 1.9
    assert reference.verdict(score, 0.1) is expected


def test_few_positives_use_the_next_larger_rate():
    row = _reference(*APART).far(0.001)
    assert (row["false_negative_rate"], row["threshold"]) == (0.05, 0.2)


def test_with_hardly_any_positive_nothing_is_different():
    reference = _reference([0.1, 0.2], APART[1])
    assert reference.far(0.1) is None
    assert reference.verdict(9.0, 0.1) is Verdict.UNCERTAIN
    assert reference.verdict(0.1, 0.1) is Verdict.SAME


@pytest.mark.parametrize(("rate", "reason"), [(0.001, "at least 1000 negatives"), (0.02, "table")])
def test_a_rate_without_threshold_is_refused(rate, reason):
    with pytest.raises(ValueError, match=rf"got {rate}.*{reason}.*It has 0\.1, 0\.05, 0\.01"):
        _reference(*APART).near(rate)


def test_an_evaluation_without_studies_is_refused():
    with pytest.raises(ValueError, match="says nothing of studies"):
        study_reference.from_results({}, 0)
    none = {"study_verification": {"model": {"auc": {"value": None, "reason": "no pair"}}}}
    with pytest.raises(ValueError, match="cannot judge two studies: no pair"):
        study_reference.from_results(none, 0)
