import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, fold, grading, options
from tests.spine_tf import small_data, untrained

OPTIONS = options.Options(num_draws=50)


@pytest.fixture(scope="module")
def found(data_dir, grading_folds_dir):
    folds = fold.open_folds(grading_folds_dir, data_dir, OPTIONS)
    return grading.evaluate(folds, OPTIONS)


def _table(found):
    header, *rows = found[1]["predictions.csv"]
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_folds_are_pooled_out_of_fold(found):
    for name in small_data.GRADINGS:
        one = found[0]["gradings"][name]
        assert one["discs"] == 2 * (18 + 9 + 2)
        assert one["subjects"] == 18
        assert np.sum(one["model"]["confusion"]) == one["discs"]
        assert {row["fold"] for row in _table(found)} == {0, 1}


def test_numbers_are_those_of_the_predictions_through_scikit_learn(found):
    rows = [row for row in _table(found) if row["grading"] == "disc_degeneration"]
    true, predicted = (np.array([row[k] for row in rows]) for k in ("grade", "predicted"))
    model = found[0]["gradings"]["disc_degeneration"]["model"]
    expected = {
        "accuracy": metrics.accuracy_score(true, predicted),
        "balanced_accuracy": metrics.recall_score(
            true, predicted, labels=np.unique(true), average="macro"
        ),
        "quadratic_kappa": metrics.cohen_kappa_score(true, predicted, weights="quadratic"),
        "off_by_more_than_one": np.mean(np.abs(true - predicted) > 1),
    }
    for name, value in expected.items():
        assert model[name]["value"] == pytest.approx(value, abs=1e-6), name
    matrix = metrics.confusion_matrix(true, predicted, labels=[1, 2, 3, 4])
    assert model["confusion"] == matrix.tolist()
    assert model["class_counts"] == [int((true == grade).sum()) for grade in (1, 2, 3, 4)]


def test_predictions_hold_probabilities_lowest_grade_first(found):
    for row in _table(found):
        probabilities = np.array([float(p) for p in row["probabilities"].split()])
        grades = {"disc_degeneration": [1, 2, 3, 4], "disc_bulging": [0, 1]}[row["grading"]]
        assert probabilities.sum() == pytest.approx(1, abs=1e-4)
        predicted = probabilities[grades.index(row["predicted"])]
        assert predicted >= probabilities.max() - 1e-6  # six decimals can hide a difference
        assert float(row["expected_grade"]) == pytest.approx(probabilities @ grades, abs=1e-3)
    keys = [(row["grading"], row["key"]) for row in _table(found)]
    assert keys == sorted(set(keys))


def test_the_baselines_stand_beside_it(found):
    one = found[0]["gradings"]["disc_degeneration"]
    # The signal of small_data's discs falls with their grade: ridge must see it.
    assert one["ordinal_ridge"]["quadratic_kappa"]["value"] > 0.7
    assert one["majority_grade"]["discs"] == one["discs"]
    assert abs(one["majority_grade"]["balanced_accuracy"]["value"] - 0.25) < 0.15


def test_the_levels_add_up(found):
    one = found[0]["gradings"]["disc_bulging"]
    assert list(one["per_level"]) == ["L1-L2", "L4-L5"]
    summed = np.sum([level["confusion"] for level in one["per_level"].values()], 0)
    np.testing.assert_array_equal(summed, one["model"]["confusion"])


def test_a_picture_per_grading(found):
    expected = {f"confusion-{name}.png" for name in small_data.GRADINGS} | {"predictions.csv"}
    assert set(found[1]) == expected


def test_the_table_shows_model_and_references(found):
    lines = grading.lines(found[0])
    assert len(lines) == 1 + 3 * 2
    assert lines[1].startswith("disc_degeneration")
    assert lines[2].startswith("  ordinal ridge")


def test_other_data_has_no_ridge_but_says_why(grading_dir, tmp_path):
    data_dir = small_data.make(tmp_path / "data", (1, 1), seed=1)
    folds = fold.open_folds(grading_dir, data_dir, options.Options(other_data=True))
    results, _ = grading.evaluate(folds, OPTIONS)
    one = results["gradings"]["disc_bulging"]
    assert "needs the training records" in one["ordinal_ridge"]["reason"]
    assert any("needs the training records" in line for line in grading.lines(results))


def test_a_grading_that_nobody_gave_is_null(grading_dir, tmp_path, monkeypatch):
    data_dir = small_data.make(tmp_path / "data", (1, 1), seed=1)
    folds = fold.open_folds(grading_dir, data_dir, options.Options(other_data=True))
    for row in folds[0].test.rows:
        row["grades"].pop("disc_bulging")
    results, files = grading.evaluate(folds, OPTIONS)
    model = results["gradings"]["disc_bulging"]["model"]
    assert model["accuracy"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no disc was graded",
    }
    assert "confusion-disc_bulging.png" not in files


def test_ungraded_discs_are_left_out(data_dir, tmp_path):
    options_dir = untrained.save(tmp_path, data_dir, "grading", gradings=("disc_bulging",))
    (one,) = fold.open_folds(options_dir, data_dir, OPTIONS)
    one.test.rows[0]["grades"].clear()
    results, _ = grading.evaluate([one], OPTIONS)
    assert results["gradings"]["disc_bulging"]["discs"] == len(one.test) - 1


def test_one_grade_gives_null_with_a_reason():
    counts = bootstrap.draw_counts(3, 20, seed=0)
    true = np.ones(6, int)
    found = grading.agreement(true, np.array([1, 1, 2, 1, 1, 1]), 4, np.arange(6) // 2, counts)
    for name in ("balanced_accuracy", "quadratic_kappa", "lin_ccc"):
        assert found[name]["value"] is None
        assert found[name]["reason"] == "only one grade occurs"
    assert found["accuracy"]["value"] == pytest.approx(5 / 6, abs=1e-6)


def test_draws_move_whole_subjects():
    # Each of two subjects has one class; all of subject 0 is right, all of subject 1 wrong.
    counts = bootstrap.draw_counts(2, 200, seed=0)
    true = np.repeat([0, 1], 50)
    found = grading.agreement(true, np.zeros(100, int), 2, np.repeat([0, 1], 50), counts)
    assert found["accuracy"] == {"value": 0.5, "low": 0.0, "high": 1.0}
