import dataclasses

import numpy as np
import pytest

from spine_tf.evaluation import fold, inference, options, verification
from tests.spine_tf import small_data, untrained
from tests.spine_tf.evaluation import scored

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
    for rate, number in (("0.01", 100), ("0.001", 1000)):
        assert model["true_positive_rate"][rate]["value"] is None
        assert f"needs at least {number} negatives" in model["true_positive_rate"][rate]["reason"]
    studies = found[0]["study_verification"]["model"]
    assert "no two studies share 3 levels" in studies["auc"]["reason"]
    assert model["twin_auc"]["value"] is None
    assert "no pair of twins" in model["twin_auc"]["reason"]


def test_pairs_are_told_apart_by_level_interval_and_field(found):
    model = found[0]["model"]
    assert list(model["per_level"]) == ["L1", "L4"]
    # 3500 days are 9.6 years; the third visit is 19.2 years after the first.
    assert list(model["per_interval_years"]) == ["9-10", "10-20"]
    assert list(model["per_field_strengths_t"]) == ["1 to 1.5", "1.5 to 1.5"]
    assert model["per_interval_years"]["10-20"]["positives"] <= 2
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


def test_units_of_the_folds_do_not_matter():
    # Two folds whose embeddings differ in scale by 10: together they rank as each does alone.
    scores = scored.make(lambda kind, rng: np.where(kind, 1.0, 2.0))
    half = scores.pairs.first >= 6
    visits = dataclasses.replace(scores.visits, fold=(np.arange(12) >= 6).astype(int))
    distance = scores.distance * np.where(half, 10.0, 1.0)
    found = verification._in_fold_units(
        dataclasses.replace(scores, visits=visits, distance=distance)
    )
    np.testing.assert_allclose(found.distance, np.where(scores.pairs.kind, 0.5, 1.0))


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
    names = (
        "auc",
        "mean_level_auc",
        "twin_auc",
        "same_scanner_auc",
        "equal_error_rate",
        "rank_one",
    )
    for name in names:
        assert results["model"][name]["value"] is None
        assert results["model"][name]["reason"]
    assert results["study_verification"]["model"]["auc"]["value"] is None
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
