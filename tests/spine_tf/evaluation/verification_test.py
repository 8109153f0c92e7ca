import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, fold, inference, options, pair_list, verification
from tests.spine_tf import small_data, untrained

OPTIONS = options.Options(num_draws=50)


@pytest.fixture(scope="module")
def found(data_dir, longitudinal_folds_dir):
    folds = fold.open_folds(longitudinal_folds_dir, data_dir, OPTIONS)
    return verification.evaluate(folds, OPTIONS)


def test_every_follow_up_is_a_pair_of_some_fold(found):
    counts = found[0]["counts"]
    # Nine subjects with two visits, one with three; two levels.
    assert counts["positives"] == 2 * (9 + 3)
    assert counts["subjects_with_pairs"] == 10
    assert counts["subjects"] == 18
    assert counts["vertebrae"] == 2 * (18 + 9 + 2)
    assert counts["twins"] == 0


def test_plain_correlation_knows_these_patterns(found):
    # The patterns of small_data are identity without noise worth the name.
    assert found[0]["correlation"]["auc"]["value"] == 1.0
    assert found[0]["correlation"]["equal_error_rate"]["value"] == 0.0


def test_what_too_few_pairs_cannot_say_has_a_reason(found):
    model = found[0]["model"]
    assert model["true_positive_rate"]["value"] is None
    assert "needs at least 1000 negatives" in model["true_positive_rate"]["reason"]
    assert model["twin_auc"]["value"] is None
    assert "no pair of twins" in model["twin_auc"]["reason"]


def test_pairs_are_told_apart_by_level_interval_and_field(found):
    model = found[0]["model"]
    assert list(model["per_level"]) == ["L1", "L4"]
    # 3500 days are 9.6 years; the third visit is 19.2 years after the first.
    assert list(model["per_interval_years"]) == ["8-10", "12+"]
    assert list(model["per_field_strengths_t"]) == ["1 to 1.5", "1.5 to 1.5"]
    assert model["per_interval_years"]["12+"]["positives"] <= 2
    mean = np.mean([area["value"] for area in model["per_level"].values()])
    assert model["mean_level_auc"]["value"] == pytest.approx(mean, abs=1e-6)
    assert model["auc"]["low"] <= model["auc"]["value"] <= model["auc"]["high"]


def test_histogram_has_fifty_equal_bins(found):
    histogram = found[0]["histogram"]
    assert len(histogram["edges"]) == 51
    assert sum(histogram["same"]) == pytest.approx(1, abs=1e-4)
    assert sum(histogram["different"]) == pytest.approx(1, abs=1e-4)
    assert set(found[1]) == {"roc.png", "distances.png"}


def test_the_table_has_a_line_per_number(found):
    lines = verification.lines(found[0])
    assert lines[0].startswith("24 positive and ")
    assert any(line.startswith("level accuracy") for line in lines)


def _scores(distance_of, number=6, seed=0):
    """Scores of subjects with two visits at one level; distances come from `distance_of`."""
    items = np.array([(i, v) for i in range(number) for v in range(2)])
    visits = pair_list.Visits(
        record=items[:, 0],
        visit=items[:, 1],
        subject=np.array([f"s{i}" for i in items[:, 0]]),
        family=np.array([f"s{i}" for i in items[:, 0]]),
        level=np.array(["L1"] * len(items)),
        days=3650 * items[:, 1],
        field_strength_t=1.0 + 0.5 * items[:, 1],
        fold=np.zeros(len(items), int),
    )
    one, two = (a.ravel() for a in np.meshgrid(*[np.arange(number)] * 2, indexing="ij"))
    kind = np.where(one == two, pair_list.POSITIVE, pair_list.NEGATIVE)
    pairs = pair_list.Pairs(2 * one, 2 * two + 1, kind, np.zeros(len(kind), int))
    units, count = bootstrap.codes(visits.subject)
    distance = distance_of(kind, np.random.default_rng(seed))
    return verification._Scores(
        visits, pairs, distance, units, bootstrap.draw_counts(count, 100, 0)
    )


def test_the_area_is_that_of_scikit_learn():
    scores = _scores(lambda kind, rng: rng.normal(size=len(kind)) - 0.7 * kind)
    summary = verification._summary(scores)
    expected = metrics.roc_auc_score(scores.pairs.kind, -scores.distance)
    assert summary["auc"]["value"] == pytest.approx(expected, abs=1e-6)
    assert (summary["auc"]["positives"], summary["auc"]["negatives"]) == (6, 30)
    assert summary["auc"]["subjects"] == 6


def test_enough_negatives_give_the_rate_at_one_in_a_thousand():
    # 33 subjects give 33 * 32 = 1056 negatives: one may be called the same.
    scores = _scores(lambda kind, rng: np.where(kind, 1.0, 2.0), number=33)
    assert verification._summary(scores)["true_positive_rate"]["value"] == 1.0


def test_units_of_the_folds_do_not_matter():
    # Two folds whose embeddings differ in scale by 10: together they rank as each does alone.
    scores = _scores(lambda kind, rng: np.where(kind, 1.0, 2.0))
    half = scores.pairs.first >= 6
    visits = dataclasses.replace(scores.visits, fold=(np.arange(12) >= 6).astype(int))
    distance = verification._in_fold_units(
        scores.distance * np.where(half, 10.0, 1.0), visits, scores.pairs
    )
    np.testing.assert_allclose(distance, np.where(scores.pairs.kind, 0.5, 1.0))


def test_twins_are_scored_by_themselves(tmp_path):
    # Subjects 0 and 1 are of one family, and so are 2 and 3.
    families = [0, 0, 1, 1, 2, 3, 4, 5]
    data_dir = small_data.make(tmp_path / "data", (2,) * 8, family_of=families)
    model_dir = untrained.save(tmp_path / "model", data_dir, "longitudinal")
    (one,) = fold.open_folds(model_dir, data_dir, options.Options(other_data=True))
    results, _ = verification.evaluate([one], OPTIONS)
    assert results["counts"]["twins"] == 2 * 4  # two families, two ordered pairs, two levels
    assert results["counts"]["negatives"] == 2 * (8 * 7 - 4)
    assert results["correlation"]["twin_auc"]["value"] == 1.0


def test_without_follow_ups_nothing_crashes(longitudinal_dir, tmp_path):
    data_dir = small_data.make(tmp_path / "data", (1, 1))
    folds = fold.open_folds(longitudinal_dir, data_dir, options.Options(other_data=True))
    results, files = verification.evaluate(folds, OPTIONS)
    for name in ("auc", "mean_level_auc", "twin_auc", "equal_error_rate", "true_positive_rate"):
        assert results["model"][name]["value"] is None
        assert results["model"][name]["reason"]
    assert results["histogram"] is None
    assert files == {}
    assert results["level_accuracy"]["vertebrae"] == 4
    assert verification.lines(results)


def test_one_subject_has_no_negative(longitudinal_dir, tmp_path):
    data_dir = small_data.make(tmp_path / "data", (2,))
    folds = fold.open_folds(longitudinal_dir, data_dir, options.Options(other_data=True))
    results, files = verification.evaluate(folds, OPTIONS)
    assert results["counts"]["positives_without_negative"] == 2
    assert "no pair of two subjects" in results["model"]["auc"]["reason"]
    assert files == {}


def test_level_accuracy_counts_every_vertebra_once(data_dir, longitudinal_dir):
    folds = fold.open_folds(longitudinal_dir, data_dir, OPTIONS)
    results, _ = verification.evaluate(folds, OPTIONS)
    found = results["level_accuracy"]
    index = folds[0].test
    assert found["vertebrae"] == len(inference.visit_items(index))
    right = sum(one["value"] * one["vertebrae"] for one in found["per_level"].values())
    assert found["value"] == pytest.approx(right / found["vertebrae"], abs=1e-5)
