import numpy as np
import pytest

from spine_tf.evaluation import bootstrap, segmentation_summary

_NAN = float("nan")


def _row(dice, hd95_mm, true_mm3=10.0, predicted_mm3=10.0):
    return {
        **{"disc_dice": dice, "disc_sensitivity": dice, "disc_specificity": 1.0},
        **{"disc_hd95_mm": hd95_mm, "disc_true_mm3": true_mm3, "disc_predicted_mm3": predicted_mm3},
    }


def _evaluate(rows, subjects):
    units, number = bootstrap.codes(list(subjects))
    counts = bootstrap.draw_counts(number, 200, 0)
    return segmentation_summary.evaluate(rows, ["disc"], units, counts)["disc"]


def test_subjects_count_once():
    found = _evaluate([_row(0.6, 2), _row(0.8, 4), _row(0.9, 1)], "aab")
    assert found["dice"]["value"] == pytest.approx((0.7 + 0.9) / 2)
    assert found["dice"]["std"] == pytest.approx(np.std([0.7, 0.9], ddof=1), abs=1e-6)
    assert found["hd95_mm"]["value"] == 2 and found["hd95_mm"]["subjects"] == 2
    assert (found["dice"]["low"], found["dice"]["high"]) == (0.7, 0.9)


def test_missing_distances_are_counted():
    rows = [_row(1, _NAN, 0, 0), _row(0, _NAN, 0, 5), _row(0, _NAN, 5, 0), _row(0.5, 3)]
    found = _evaluate(rows, "abcd")
    assert found["hd95_skipped"] == {"reference": 2, "prediction": 1}
    assert (found["hd95_mm"]["value"], found["hd95_mm"]["subjects"]) == (3, 1)
    assert found["dice"]["value"] == pytest.approx(1.5 / 4)
    found = _evaluate(rows[:3], "abc")
    assert found["hd95_mm"]["reason"] == "no case has both a reference and a prediction"
