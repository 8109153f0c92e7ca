import numpy as np
import pytest

from spine_tf.evaluation import bootstrap, localisation

_ORGANS = ("liver", "spleen")
_BOX = np.array([[0, 10], [0, 20], [0, 30]], float)
_NOTHING = np.full((3, 2), np.nan)
_MEANS = np.stack([_BOX + 6, _BOX])
_UNITS = np.array([0, 1, 2])
_COUNTS = bootstrap.draw_counts(3, 100, 0)


def _boxes(*liver):
    return np.stack([np.stack([one, _BOX]) for one in liver])


def _evaluate(predicted, true, **replaced):
    arguments = {"units": _UNITS, "counts": _COUNTS} | replaced
    return localisation.evaluate(predicted, true, _MEANS, _ORGANS, **arguments)


def test_by_hand():
    shift = np.array([[3], [4], [0]])
    found = _evaluate(_boxes(_BOX, _BOX + shift, _BOX - 2), _boxes(_BOX, _BOX, _BOX))
    liver = found["liver"]
    centroid = [0, 5, np.sqrt(12)]
    assert liver["centroid_mm"]["value"] == pytest.approx(np.mean(centroid), abs=1e-6)
    assert liver["centroid_mm"]["std"] == pytest.approx(np.std(centroid, ddof=1), abs=1e-6)
    wall = [0, (3 + 3 + 4 + 4) / 6, 2]
    assert liver["wall_mm"]["value"] == pytest.approx(np.mean(wall), abs=1e-6)
    # Every wall apart: the deviation of a mean over walls is smaller.
    assert liver["per_wall_mm"]["sagittal_first"] == {
        "value": pytest.approx(5 / 3, abs=1e-6),
        "std": pytest.approx(np.std([0, 3, 2], ddof=1), abs=1e-6),
    }
    walls = [0] * 6 + [3, 3, 4, 4, 0, 0] + [2] * 6
    assert liver["per_wall_std_mm"] == pytest.approx(np.std(walls, ddof=1), abs=1e-6)
    assert (liver["cases"], liver["misses"]) == (3, 0)
    assert liver["centroid_mm"]["low"] < liver["centroid_mm"]["high"]
    assert found["spleen"]["wall_mm"]["value"] == 0


def test_a_miss_gets_the_mean_box_of_its_own_fold():
    means = np.stack([_MEANS, _MEANS + 3, np.full_like(_MEANS, np.nan)])
    predicted = _boxes(_NOTHING, _NOTHING, _NOTHING)
    wall = localisation.errors(predicted, _boxes(_BOX, _BOX, _BOX), means)["wall_mm"][:, 0]
    np.testing.assert_allclose(wall, [6, 9, np.nan])
    found = localisation.evaluate(
        predicted, _boxes(_BOX, _BOX, _BOX), means, _ORGANS, _UNITS, _COUNTS
    )["liver"]
    assert (found["misses"], found["wall_mm"]["value"]) == (3, 7.5)


def test_a_miss_gets_the_mean_box_and_is_counted():
    found = _evaluate(_boxes(_BOX, _NOTHING, _BOX), _boxes(_BOX, _BOX, _BOX))["liver"]
    assert found["misses"] == 1
    assert found["wall_mm"]["value"] == pytest.approx(6 / 3)
    assert found["centroid_mm"]["value"] == pytest.approx(6 * np.sqrt(3) / 3, abs=1e-6)


def test_a_case_without_the_organ_is_left_out():
    found = _evaluate(_boxes(_BOX, _BOX + 1, _NOTHING), _boxes(_BOX, _NOTHING, _NOTHING))["liver"]
    counts = {key: found[key] for key in ("cases", "misses", "absent", "found_where_absent")}
    assert counts == {"cases": 1, "misses": 0, "absent": 2, "found_where_absent": 1}
    assert (found["wall_mm"]["value"], found["wall_mm"]["subjects"]) == (0, 1)


def test_an_organ_that_no_case_has():
    nowhere = _boxes(_NOTHING, _NOTHING, _NOTHING)
    found = _evaluate(_boxes(_BOX, _BOX, _BOX), nowhere)["liver"]
    assert found["wall_mm"]["reason"] == "no case has this organ"
    assert found["per_wall_std_mm"] is None


def test_two_cases_of_a_subject_count_once():
    true = _boxes(_BOX, _BOX, _BOX)
    predicted = _boxes(_BOX + 2, _BOX + 4, _BOX)
    found = _evaluate(
        predicted, true, units=np.array([0, 0, 1]), counts=bootstrap.draw_counts(2, 50, 0)
    )
    assert found["liver"]["wall_mm"]["value"] == 1.5
    assert found["liver"]["wall_mm"]["subjects"] == 2


def test_shapes_must_fit():
    boxes = _boxes(_BOX, _BOX, _BOX)
    with pytest.raises(ValueError, match=r"`predicted` must have one box .* got \(2, 2, 3, 2\)"):
        _evaluate(boxes[:2], boxes)
