"""What evaluations wrote, read back; scores worked out by hand."""

import csv
import dataclasses

import numpy as np
import pytest

from benchmarks import comparison_scores
from spine_tf import files


def _write(path, header, *rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def test_segmentation(tmp_path):
    header = ["case", "subject", "view", "bone_dice", "bone_hd95_mm", "disc_dice", "bone_true_mm3"]
    header = [*header, "bone_sensitivity"]
    _write(
        tmp_path / "cases.csv",
        header,
        ["c1", "s1", "axial", 0.9, "", 0.5, 10, 1],
        ["c2", "s1", "axial", 0.7, 3.0, 0.7, 10, 1],
        ["c3", "s2", "axial", 0.6, 5.0, 0.2, 10, 1],
    )
    cases = comparison_scores.read("segmentation", str(tmp_path))
    parts = ["bone_dice", "bone_hd95_mm", "disc_dice", "bone_sensitivity"]
    assert list(cases.values) == [*parts, "dice", "sensitivity", "hd95_mm"]
    np.testing.assert_array_equal(cases.values["hd95_mm"], [np.nan, 3.0, 5.0])
    np.testing.assert_allclose(cases.values["dice"], [0.7, 0.7, 0.4])
    draws = comparison_scores.Draws(cases, 50)
    assert draws.num_subjects == 2
    # Cases of a subject first: s1 has 0.7, s2 has 0.4.
    assert draws.score(cases, "dice", None).value == pytest.approx(0.55)
    assert draws.score(cases, "bone_hd95_mm", None).value == pytest.approx(4.0)
    # The other found bone in the first case, and none in the last: s1's second case is left.
    bone = np.array([9.0, 4.0, np.nan])
    other = dataclasses.replace(cases, values=cases.values | {"bone_hd95_mm": bone})
    found = draws.difference(cases, other, "hd95_mm", None)
    assert (found.score.value, found.unpaired) == (-1.0, (1, 1))


def test_localisation(tmp_path):
    header = ["case", "subject", "fold", "liver_centroid_mm", "liver_wall_mm", "liver_found"]
    _write(
        tmp_path / "cases.csv",
        header,
        ["c1", "s1", 0, 8.0, 4.0, 1],
        ["c2", "s2", 0, 2.0, 1.0, 0],
        ["c3", "s3", 0, "", "", 1],  # without a liver
    )
    cases = comparison_scores.read("localisation", str(tmp_path))
    names = ["centroid_mm", "wall_mm", "found"]
    assert list(cases.values) == [*(f"liver_{name}" for name in names), *names]
    draws = comparison_scores.Draws(cases, 50)
    assert draws.score(cases, "centroid_mm", None).value == pytest.approx(5.0)
    # One of two livers was found; where there is none, a box is no find.
    assert draws.score(cases, "found", None).value == pytest.approx(0.5)


def test_classification(tmp_path):
    header = ["key", "subject", "fold", "label", "predicted", "probabilities"]
    rows = [
        ["k1", "s1", 0, "a", "a", ""],
        ["k2", "s1", 0, "a", "b", ""],
        ["k3", "s2", 0, "b", "b", ""],
    ]
    _write(tmp_path / "predictions.csv", header, *rows)
    content = {"format": "spine_tf evaluation/1"}
    content["results"] = {"confusion": {"classes": ["a", "b"]}}
    files.write_json(str(tmp_path / "evaluation.json"), content)
    cases = comparison_scores.read("classification", str(tmp_path))
    measures = comparison_scores.measures("classification", cases)
    draws = comparison_scores.Draws(cases, 50)
    found = {name: draws.score(cases, name, metric).value for name, metric in measures.items()}
    # a: precision 1, recall 1/2, F1 2/3; b: precision 1/2, recall 1, F1 2/3.
    assert found == pytest.approx({"precision": 0.75, "recall": 0.75, "f1": 2 / 3})


@pytest.mark.parametrize("ridge", [True, False])
def test_grading_and_its_ridge(tmp_path, ridge):
    header = ["key", "subject", "grading", "grade", "predicted", "ordinal_ridge"]
    grades = [(1, 1, 2), (2, 2, 2), (3, 2, 3), (5, 5, 4)]
    rows = [
        [f"k{i}", f"s{i}", "pfirrmann", true, predicted, by_ridge if ridge else ""]
        for i, (true, predicted, by_ridge) in enumerate(grades)
    ]
    rows.append(["k9", "s9", "disc_bulging", 1, 1, 1])
    _write(tmp_path / "predictions.csv", header, *rows)
    cases = comparison_scores.read("grading", str(tmp_path))
    assert len(cases.key) == 4 and cases.classes == ("1", "2", "3", "4", "5")
    metric = comparison_scores.measures("grading", cases)["balanced_accuracy"]
    draws = comparison_scores.Draws(cases, 50)
    assert draws.score(cases, "balanced_accuracy", metric).value == pytest.approx(3 / 4)
    baselines = comparison_scores.read_baselines("grading", str(tmp_path))
    assert list(baselines) == (["ordinal ridge"] if ridge else [])
    for of_ridge in baselines.values():
        score = draws.score(of_ridge, "balanced_accuracy", metric)
        assert score.value == pytest.approx(2 / 4)


def test_folds_are_joined_in_the_order_of_keys():
    def cases(*keys):
        values = {"dice": np.array([float(key[1:]) for key in keys])}
        return comparison_scores.Cases(np.array(keys), np.array(keys), values)

    joined = comparison_scores.join([cases("c3", "c1"), cases("c2")])
    assert joined.key.tolist() == ["c1", "c2", "c3"]
    assert joined.values["dice"].tolist() == [1, 2, 3]


def test_folds_of_other_classes_are_not_joined():
    def cases(*classes):
        return comparison_scores.Cases(
            *(np.array(["k1"]),) * 2, {}, np.zeros(1, int), np.zeros(1, int), classes
        )

    assert comparison_scores.join([cases("a", "b")] * 2).classes == ("a", "b")
    with pytest.raises(ValueError, match="`parts` must be of the same classes"):
        comparison_scores.join([cases("a", "b"), cases("b", "c")])
