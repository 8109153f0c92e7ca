import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, pair_list, pair_scores
from tests.spine_tf.evaluation import scored


def test_the_area_is_that_of_scikit_learn():
    scores = scored.make(lambda kind, rng: rng.normal(size=len(kind)) - 0.7 * kind)
    auc = pair_scores.summary(scores)["auc"]
    expected = metrics.roc_auc_score(scores.pairs.kind, -scores.distance)
    assert auc["value"] == pytest.approx(expected, abs=1e-6)
    assert (auc["positives"], auc["negatives"], auc["subjects"]) == (6, 30, 6)
    assert auc["low"] <= auc["value"] <= auc["high"]


@pytest.mark.parametrize(("number", "known"), [(6, []), (11, ["0.01"]), (33, ["0.01", "0.001"])])
def test_a_small_rate_needs_enough_negatives(number, known):
    # 6 * 5 = 30, 11 * 10 = 110 and 33 * 32 = 1056 negatives; a rate of r needs 1 / r of them.
    scores = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0), number)
    found = pair_scores.summary(scores)["true_positive_rate"]
    assert [rate for rate, at in found.items() if at["value"] is not None] == known
    assert all(found[rate]["value"] == 1.0 for rate in known)


def _by_hand():
    """Rows are the earlier bodies of three subjects, columns their later ones."""
    distance = np.array([[1.0, 4, 6], [2, 5, 3], [7, 8, 3]])
    return scored.make(lambda kind, rng: distance.ravel(), 3)


def test_rank_one_by_hand():
    # The later body of s00 is at 1 from its own and at 2 and 7 from the others: found. That of s01
    # is at 5 from its own, and s00 is nearer at 4: missed. That of s02 is as near to s01 as to its
    # own (3): a tie is a miss.
    found = pair_scores.rank_one(_by_hand())
    assert found["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert (found["queries"], found["median_others"]) == (3, 2.0)
    assert found["chance"] == pytest.approx(1 / 3, abs=1e-6)


def test_rank_one_moves_whole_subjects():
    # One hit of three: a draw holds it 0 to 3 times.
    counts = np.array([[3.0, 0, 0], [0, 2, 1], [1, 1, 1]])
    found = pair_scores.rank_one(dataclasses.replace(_by_hand(), counts=counts))
    expected = np.percentile([1.0, 0.0, 1 / 3], [2.5, 97.5])
    assert [found["low"], found["high"]] == pytest.approx(expected, abs=1e-6)


def test_rank_one_asks_within_a_level():
    # Bodies of another level are nearer, but do not take part.
    def distance_of(kind, rng):
        same_level = np.where(kind, 2.0, 3.0)
        same_level[: len(kind) // 2] /= 10
        return same_level

    found = pair_scores.rank_one(scored.make(distance_of, 4, levels=("L1", "L4")))
    assert found["value"] == 1.0
    assert (found["queries"], found["median_others"]) == (8, 3.0)


def test_rank_one_leaves_out_twins_and_needs_others():
    scores = _by_hand()
    kind = np.where(scores.pairs.kind == pair_list.POSITIVE, pair_list.POSITIVE, pair_list.TWIN)
    scores = dataclasses.replace(scores, pairs=dataclasses.replace(scores.pairs, kind=kind))
    found = pair_scores.rank_one(scores)
    assert found["value"] is None
    assert "no pair of two subjects" in found["reason"]


def test_one_scanner_apart():
    two = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0))
    found = pair_scores.summary(two)["same_scanner_auc"]
    assert found["value"] is None
    assert "no subject was scanned twice at one" in found["reason"]
    one = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0), field_t=(1.5, 1.5))
    found = pair_scores.summary(one)["same_scanner_auc"]
    assert (found["value"], found["positives"], found["negatives"]) == (1.0, 6, 30)
    unknown = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0), field_t=(0.0, 0.0))
    assert pair_scores.summary(unknown)["same_scanner_auc"]["value"] is None


def test_pairs_of_one_subject_have_no_interval():
    scores = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0))
    subject = scores.visits.subject[scores.pairs.first]
    is_negative = scores.pairs.kind == pair_list.NEGATIVE
    for names, known in ((["s00"], False), (["s00", "s01"], True)):
        found, drawn = pair_scores.measure(scores, is_negative | np.isin(subject, names))
        assert found["value"] == 1.0 and found["subjects"] == len(names)
        assert (found["low"] is not None) == known == bool(np.isfinite(drawn).any())


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ([9.6] * 5, [9, 10]),
        ([9.6] * 8 + [19.2], [9, 10, 20]),
        # Quartiles 8.35, 9.8 and 10.9 are rounded to 8, 10 and 11.
        ([7.1, 8.1, 8.6, 9.4, 10.2, 10.8, 11.2, 13.5], [7, 8, 10, 11, 14]),
        ([2.0], [2, 3]),
    ],
)
def test_bins_of_years_follow_the_data(years, expected):
    years = np.array(years)
    edges = pair_scores.interval_edges(years)
    assert edges == expected
    assert np.histogram(years, edges)[0].min() > 0


def test_intervals_are_told_apart():
    scores = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0), 8)
    days = np.where(scores.visits.visit, 365 * (4 + 2 * (scores.visits.record % 4)) + 99, 0)
    scores = dataclasses.replace(scores, visits=dataclasses.replace(scores.visits, days=days))
    found = pair_scores.summary(scores)["per_interval_years"]
    # 4.3, 6.3, 8.3 and 10.3 years, twice each: quartiles 5.8, 7.3 and 8.8.
    assert {name: area["positives"] for name, area in found.items()} == {
        "4-6": 2,
        "6-7": 2,
        "7-9": 2,
        "9-11": 2,
    }
    assert all(area["negatives"] == 56 for area in found.values())


def test_levels_are_told_apart_and_averaged():
    def distance_of(kind, rng):
        found = np.where(kind, 1.0, 2.0)
        found[: len(kind) // 2] *= -1  # L1: always the wrong way round
        return found

    found = pair_scores.per_level(scored.make(distance_of, levels=("L1", "L4")))
    assert {name: area["value"] for name, area in found["per_level"].items()} == {"L1": 0, "L4": 1}
    assert found["mean_level_auc"]["value"] == 0.5


def test_intervals_over_families_keep_twins_together():
    scores = scored.make(lambda kind, rng: rng.normal(size=len(kind)) - kind, 8)
    units, count = bootstrap.codes([f"f{int(name[1:]) // 2}" for name in scores.visits.subject])
    counts = bootstrap.draw_counts(count, 200, 0)
    wide = pair_scores.summary(dataclasses.replace(scores, units=units, counts=counts))["auc"]
    assert wide["subjects"] == 8
    assert wide["low"] < wide["value"] < wide["high"]
