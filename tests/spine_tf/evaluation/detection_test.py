import dataclasses
import itertools
import json

import numpy as np
import pytest

from spine_tf import levels, vertebrae
from spine_tf.evaluation import detection

_NAMES = "T12 L1 L2 L3 L4 L5 S1".split()


def _quad(top_mm, back_mm=0.0, x_mm=0.0):
    """A body 30 mm deep and 20 mm high."""
    front, back, bottom = back_mm, back_mm + 30, top_mm - 20
    return np.array(
        [
            [x_mm, y, z]
            for y, z in ((front, top_mm), (back, top_mm), (back, bottom), (front, bottom))
        ]
    )


def _annotation(names=_NAMES, back_mm=0.0, skip=(), **values):
    """Bodies 30 mm apart; `skip` are positions without one."""
    bodies = tuple(
        vertebrae.Vertebra(levels.VertebraLevel(name) if name else None, _quad(-30.0 * i, back_mm))
        for i, name in enumerate(names)
        if i not in skip
    )
    return vertebrae.Annotation(bodies, **values)


def _unknown():
    return _annotation([None] * 7, status="unknown", reason="no sacrum")


def _compare(predicted, true=None):
    return detection.compare(detection.Case("p", true or _annotation(), predicted))


def test_a_perfect_study():
    row = _compare(_annotation())
    assert row.is_right and not row.is_wrong and not row.is_shifted
    assert (row.num_true, row.num_judged, row.num_right) == (7, 7, 7)
    np.testing.assert_allclose(row.centroid_mm, 0)
    np.testing.assert_allclose(row.iou, 1)


def test_distances_and_overlap_by_hand():
    row = _compare(_annotation(back_mm=3.0))
    np.testing.assert_allclose(row.centroid_mm, 3)
    np.testing.assert_allclose(row.corner_mm, 3)
    np.testing.assert_allclose(row.iou, 27 / 33, atol=0.01)  # 27 mm in common, 33 mm together


def test_overlap_of_quads_apart_is_0():
    assert detection.polygon_iou(_quad(0), _quad(-25)) == 0
    # A triangle is half of its rectangle.
    quad = _quad(0)
    half = quad[[0, 1, 2, 2]]
    assert detection.polygon_iou(quad, half) == pytest.approx(0.5, abs=0.01)


def test_a_shift_by_one():
    row = _compare(_annotation("T11 T12 L1 L2 L3 L4 L5".split()))
    assert row.is_shifted and row.is_wrong and not row.is_right
    assert row.num_right == 0
    np.testing.assert_array_equal(row.offsets, -1)


def test_l6_counts_only_where_it_is_named():
    # Without L6, S1 follows L5: the body of L5 named S1 is one place too low.
    row = _compare(
        _annotation("L1 L2 L3 L4 L5 S1".split()), _annotation("T12 L1 L2 L3 L4 L5".split())
    )
    np.testing.assert_array_equal(row.offsets, 1)
    true = _annotation("L1 L2 L3 L4 L5 L6 S1".split())
    row = _compare(_annotation(), true)
    np.testing.assert_array_equal(row.offsets, [-1] * 6 + [0])
    assert row.is_shifted


def test_a_miss_is_not_right_and_not_wrong():
    row = _compare(_annotation(skip=(5,)))
    assert not row.is_right and not row.is_wrong
    assert (row.num_right, len(row.offsets), row.num_judged) == (6, 6, 6)


def test_an_unknown_study_is_found_but_not_named():
    row = _compare(_unknown())
    assert not row.answered and len(row.centroid_mm) == 7
    assert not row.is_right and not row.is_wrong and not row.is_shifted and row.num_right == 0


def test_bodies_beyond_the_annotated_ones_are_not_judged():
    true = _annotation(skip=(0, 6))  # L1 to L5
    row = _compare(_annotation(), true)
    assert (row.num_true, row.num_judged, len(row.offsets)) == (5, 5, 5)
    assert row.is_right


def test_an_extra_body_between_is_judged():
    extra = vertebrae.Annotation(
        (*_unknown().vertebrae, vertebrae.Vertebra(None, _quad(-100.0, 40.0))), status="unknown"
    )
    row = _compare(extra)
    assert (len(row.offsets), row.num_judged) == (7, 8)


def test_matching_has_a_gate_and_takes_each_once():
    true = np.array([[0, 0, 0], [0, 0, 30.0]])
    assert detection.match(true, [[0, 0, 14.9]]) == [(0, 0)]
    assert detection.match(true, [[0, 0, 45.1]]) == []
    assert detection.match(true, [[0, 0, 15.0]]) in ([(0, 0)], [(1, 0)])
    assert detection.match(true, np.empty((0, 3))) == []
    assert detection.match(np.empty((0, 3)), true) == []


@pytest.mark.parametrize("seed", range(10))
def test_matching_equals_brute_force(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.uniform(0, 30, (4, 3)), rng.uniform(0, 30, (3, 3))
    distance = np.linalg.norm(one[:, None] - other, axis=2)

    def value(chosen):
        pairs = [(i, j) for j, i in enumerate(chosen) if i >= 0]
        if len({i for i, _ in pairs}) < len(pairs) or any(distance[p] > 15 for p in pairs):
            return (1, 0)
        return (-len(pairs), sum(distance[p] for p in pairs))

    best = min(value(chosen) for chosen in itertools.product(range(-1, 4), repeat=3))
    found = detection.match(one, other)
    assert (-len(found), pytest.approx(sum(distance[p] for p in found))) == best


def test_a_summary_by_hand():
    cases = [
        detection.Case("a", _annotation(), _annotation()),
        detection.Case("b", _annotation(), _annotation("T11 T12 L1 L2 L3 L4 L5".split())),
        detection.Case("c", _annotation(), _unknown()),
        detection.Case("d", _annotation(), _annotation(skip=(3,), back_mm=2.0)),
    ]
    found = detection.evaluate(cases, num_draws=200)
    json.dumps(found)
    assert found["counts"] == {
        "patients": 4,
        "studies": 4,
        "answered": 3,
        "all_right": 1,
        "wrong": 1,
        "shifted": 1,
    }
    assert found["recall"]["value"] == pytest.approx(27 / 28, abs=1e-6)
    assert found["precision"]["value"] == 1
    assert found["abstention_rate"]["value"] == 0.25
    assert found["label_accuracy"]["value"] == pytest.approx(13 / 21, abs=1e-6)
    assert found["label_accuracy_of_all"]["value"] == pytest.approx(13 / 28, abs=1e-6)
    for name in ("all_right_rate", "wrong_rate", "shift_rate"):
        assert found[name]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["centroid_mm"]["mean"]["value"] == pytest.approx(12 / 27, abs=1e-6)
    assert found["centroid_mm"]["median"]["value"] == 0
    assert found["centroid_mm"]["p95"]["value"] == 2
    low, high = (found["recall"][name] for name in ("low", "high"))
    assert 24 / 28 <= low <= 27 / 28 <= high <= 1


def test_what_is_not_defined_says_why():
    found = detection.evaluate([detection.Case("a", _annotation(), _unknown())], num_draws=50)
    assert found["label_accuracy"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "there is no such body",
    }
    assert found["shift_rate"]["reason"] == "no study was answered"
    assert found["recall"]["value"] == 1 and found["recall"]["low"] is None
    empty = vertebrae.Annotation((), status="unknown", reason="brain")
    found = detection.evaluate([detection.Case("a", _annotation(), empty)], num_draws=50)
    assert found["centroid_mm"]["median"]["reason"] == "no body was matched"
    assert found["recall"]["value"] == 0 and found["precision"]["value"] is None


def test_intervals_are_over_patients():
    right, wrong = _annotation(), _annotation("T11 T12 L1 L2 L3 L4 L5".split())
    cases = [detection.Case("a", _annotation(), right)] * 5
    cases += [dataclasses.replace(cases[0], patient="b", predicted=wrong)] * 5
    found = detection.evaluate(cases, num_draws=400)["all_right_rate"]
    assert (found["value"], found["low"], found["high"]) == (0.5, 0, 1)  # only two patients
