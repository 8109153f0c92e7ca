import dataclasses

import numpy as np
import pytest

from spine_tf.evaluation import pair_list, study_pairs
from tests.spine_tf.evaluation import scored

LEVELS = ("L1", "L2", "L3")


def _scores(distance_of=lambda kind, rng: np.where(kind, 1.0, 2.0), number=4, **options):
    return scored.make(distance_of, number, levels=options.pop("levels", LEVELS), **options)


def test_score_by_hand():
    # 1 / 2 and 3 / 4 of the levels that have a scale: the mean is 0.625.
    distance = {"L1": 1.0, "L2": 3.0, "L9": 7.0}
    assert study_pairs.score(distance, {"L1": 2.0, "L2": 4.0}) == pytest.approx(0.625)


def test_scales_are_medians_of_different_subjects():
    scores = _scores()
    distance = np.arange(len(scores.pairs), dtype=float)
    (scale,) = study_pairs.level_scales(dataclasses.replace(scores, distance=distance))
    # Per level 16 pairs, of which the diagonal is positive; negatives of L1 are 1 to 14 without 5
    # and 10: their median is 7.5. Each further level is 16 higher.
    assert scale == {"L1": 7.5, "L2": 23.5, "L3": 39.5}


def test_levels_without_a_scale_are_left_out():
    scores = _scores()
    is_level = scores.visits.level[scores.pairs.first] == "L2"
    distance = np.where(is_level, 0.0, scores.distance)
    (scale,) = study_pairs.level_scales(dataclasses.replace(scores, distance=distance))
    assert list(scale) == ["L1", "L3"]


def test_studies_are_the_mean_of_their_levels():
    scores = _scores(lambda kind, rng: rng.uniform(1, 2, len(kind)))
    scales = [{"L1": 1.0, "L2": 2.0, "L3": 4.0}]
    studies, levels = study_pairs.combine(scores, scales)
    assert len(studies.visits.subject) == 8
    assert len(studies.pairs) == 16
    assert levels.tolist() == [3] * 16
    assert (studies.pairs.kind == pair_list.POSITIVE).sum() == 4
    visits, pairs = scores.visits, scores.pairs
    for number in range(16):
        ends = [
            studies.visits.scan[side[number]]
            for side in (studies.pairs.first, studies.pairs.second)
        ]
        here = (visits.scan[pairs.first] == ends[0]) & (visits.scan[pairs.second] == ends[1])
        distance = dict(zip(visits.level[pairs.first[here]], scores.distance[here], strict=True))
        expected = study_pairs.score(distance, scales[0])
        assert studies.distance[number] == pytest.approx(expected)
        assert studies.visits.days[studies.pairs.second[number]] == 3650


def test_two_common_levels_are_too_few():
    scores = _scores()
    # The later body of s00 at L3 is missing: its study shares two levels with any other.
    keep = np.array(
        [
            not (scores.visits.level[two] == "L3" and scores.visits.scan[two] == "s00-1")
            for two in scores.pairs.second
        ]
    )
    fields = {f.name: getattr(scores.pairs, f.name)[keep] for f in dataclasses.fields(scores.pairs)}
    scores = dataclasses.replace(
        scores, pairs=pair_list.Pairs(**fields), distance=scores.distance[keep]
    )
    studies, levels = study_pairs.combine(scores, study_pairs.level_scales(scores))
    assert len(studies.pairs) == 12
    assert "s00-1" not in studies.visits.scan[studies.pairs.second]
    assert levels.min() == 3


def test_folds_have_studies_and_scales_of_their_own():
    scores = _scores()
    fold = (scores.visits.subject >= "s02").astype(int)
    inside = fold[scores.pairs.first] == fold[scores.pairs.second]
    fields = {
        f.name: getattr(scores.pairs, f.name)[inside] for f in dataclasses.fields(scores.pairs)
    }
    scale = np.where(fold[fields["first"]], 10.0, 1.0)
    scores = dataclasses.replace(
        scores,
        visits=dataclasses.replace(scores.visits, fold=fold),
        pairs=pair_list.Pairs(**fields),
        distance=scores.distance[inside] * scale,
    )
    results, studies = study_pairs.verification(scores)
    assert results["level_scales"] == [dict.fromkeys(LEVELS, 2.0), dict.fromkeys(LEVELS, 20.0)]
    np.testing.assert_allclose(studies.distance, np.where(studies.pairs.kind, 0.5, 1.0))
    assert len(set(studies.pairs.stratum.tolist())) == 2


def test_verification_tells_thresholds_with_the_rates_they_reach():
    # 11 subjects: 110 negatives, all at 1; positives at one half.
    results, _ = study_pairs.verification(_scores(number=11))
    assert results["auc"]["value"] == 1.0
    assert results["rank_one"]["value"] == 1.0
    assert (results["auc"]["positives"], results["auc"]["negatives"]) == (11, 110)
    assert results["levels"] == {"least": 3, "median": 3.0}
    assert [row["threshold"] for row in results["same"]] == [None] * 4  # all negatives are one tie
    assert "share the outermost score" in results["same"][0]["reason"]

    def spread(kind, rng):  # the same for all levels: negatives are 1.01 to 2.10
        apart = np.where(kind, 1.0, 0.0).reshape(3, -1)
        apart[:, apart[0] == 0] = 1 + np.arange(1, 111) / 100
        return apart.ravel()

    results, _ = study_pairs.verification(_scores(spread, number=11))
    row = next(row for row in results["same"] if row["false_positive_rate"] == 0.05)
    # Five of 110 negatives are within 5 %: up to 1.05, in units of their median of 1.555.
    assert row["threshold"] == pytest.approx(1.05 / 1.555)
    assert row["reached_false_positive_rate"]["value"] == pytest.approx(5 / 110, abs=1e-6)
    assert row["reached_false_positive_rate"]["high"] > 5 / 110
    assert row["true_positive_rate"]["value"] == 1.0


def test_without_enough_levels_there_is_a_reason():
    results, studies = study_pairs.verification(_scores(levels=("L1", "L2")))
    assert len(studies.pairs) == 0
    for name in ("auc", "equal_error_rate", "rank_one", "twin_auc"):
        assert results[name]["value"] is None
        assert "no two studies share 3 levels" in results[name]["reason"]
    assert results["quantiles"]["positives"] is None
    assert results["levels"] == {"least": None, "median": None}
