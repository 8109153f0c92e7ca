"""Tests of export.score_columns."""

import numpy as np

from export import saved_model, score_columns

GRADES = {"pfirrmann": [1, 2, 3, 4, 5], "disc_narrowing": [0, 1]}
FEATURES = ["intensity_mean", "embedding_0"]


def info(*names, features=None):
    gradings = [
        {"name": name, "title": name, "grades": GRADES[name], "graded_levels": []} for name in names
    ]
    reference = {"features": features, "limit": 3.0} if features else None
    return {"gradings": gradings, "reference": reference, "weights_sha256": "a" * 64}


def test_columns_of_several_models_are_those_of_all():
    found = score_columns.columns([info("pfirrmann"), info("disc_narrowing", features=FEATURES)])
    assert list(found)[9:] == [
        *("pfirrmann_grade", "pfirrmann_expected_grade"),
        *("pfirrmann_p1", "pfirrmann_p2", "pfirrmann_p3", "pfirrmann_p4", "pfirrmann_p5"),
        *("pfirrmann_uncertain", "pfirrmann_was_graded", "pfirrmann_label"),
        *("disc_narrowing_grade", "disc_narrowing_expected_grade"),
        *("disc_narrowing_p0", "disc_narrowing_p1"),
        *("disc_narrowing_uncertain", "disc_narrowing_was_graded", "disc_narrowing_label"),
        *("distance", "is_outlier", "intensity_mean", "embedding_0", "error"),
    ]
    assert found["pfirrmann_p1"] == score_columns.NUMBER
    assert found["distance"] == found["embedding_0"] == score_columns.MEASURED


def outputs(**more):
    return {
        "disc_narrowing_grade": np.array([0, 1], np.int32),
        "disc_narrowing_expected_grade": np.array([0.25, 0.75], np.float32),
        "disc_narrowing_probabilities": np.array([[0.75, 0.25], [0.25, 0.75]], np.float32),
        "disc_narrowing_was_graded": np.array([True, False]),
        **more,
    }


def test_cells_without_calibration():
    model = saved_model.Exported("m/1", info("disc_narrowing"), {})
    assert score_columns.cells_of(model, outputs(), 1) == {
        "disc_narrowing_grade": 1,
        "disc_narrowing_expected_grade": 0.75,
        "disc_narrowing_p0": 0.25,
        "disc_narrowing_p1": 0.75,
        "disc_narrowing_uncertain": None,
        "disc_narrowing_was_graded": False,
    }


def test_cells_with_calibration():
    model = saved_model.Exported("m/1", info("disc_narrowing", features=FEATURES), {})
    calibrated = outputs(
        disc_narrowing_uncertain=np.array([True, False]),
        distance=np.array([0.5, 1.2345678], np.float32),
        is_outlier=np.array([False, True]),
        features=np.array([[1 / 3, -0.0], [0.5, -1e-9]], np.float32),
    )
    found = score_columns.cells_of(model, calibrated, 1)
    assert found["disc_narrowing_uncertain"] is False and found["is_outlier"] is True
    assert (found["distance"], found["intensity_mean"]) == (1.23456776, 0.5)
    assert np.float32(found["embedding_0"]) == np.float32(-1e-9)
    found = score_columns.cells_of(model, calibrated, 0)
    assert found["intensity_mean"] == 0.333333343
    assert str(found["embedding_0"]) == "0.0"
