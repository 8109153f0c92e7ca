"""The measures behind the calibration, on made-up visits, and the committed calibration."""

import json
import os

import numpy as np
import pytest

from spine_tf.phantom import calibration, measures

_COMMITTED = os.path.join(os.path.dirname(__file__), "../../../docs/phantom_calibration.json")


def _visit(random, crops, shapes, headers):
    return measures.Measures(
        crops=crops.astype(np.float16),
        shapes=shapes,
        headers=headers,
        discs=random.normal(size=(5, 5)),
        grades=random.integers(1, 5, 5),
    )


def _cohort(noise, count=12):
    random = np.random.default_rng(0)
    first, second = [], []
    for _ in range(count):
        crops, shapes = random.normal(size=(7, 5, 56, 56)), random.normal(size=(7, 10))
        for visits in (first, second):
            headers = random.normal(size=(7, 7))
            visits.append(
                _visit(
                    random,
                    crops + noise * random.normal(size=crops.shape),
                    shapes + noise * random.normal(size=shapes.shape),
                    headers,
                )
            )
    return first, second


def test_pairs_never_hold_twins():
    pairs = calibration.make_pairs([0, 0, 2, 3, 4])
    assert pairs.is_same.sum() == 5
    assert not any({a, b} == {0, 1} for a, b in zip(pairs.first, pairs.second, strict=True))


def test_the_same_images_give_auc_1_and_noise_gives_half():
    pairs = calibration.make_pairs(list(range(12)))
    first, second = _cohort(0.1)
    assert calibration._auc(pairs, calibration.plain_correlations(first, second, pairs)) == 1.0
    assert calibration.shape_auc(first, second, pairs) > 0.99
    assert abs(calibration.header_aucs(first, second, pairs)["all"] - 0.5) < 0.15


def test_shift_search_finds_a_shifted_crop():
    random = np.random.default_rng(0)
    shared = random.normal(size=(7, 5, 15, 15)).repeat(4, axis=2).repeat(4, axis=3)
    empty = np.zeros((7, 10)), np.zeros((7, 7))
    first = [_visit(random, shared, *empty)]
    second = [_visit(random, np.roll(shared, (4, -2), axis=(2, 3)), *empty)]
    pairs = calibration.Pairs(np.array([0]), np.array([0]), np.array([True]))
    assert calibration.plain_correlations(first, second, pairs).max() < 0.6
    assert calibration.shifted_correlations(first, second, pairs).min() > 0.99


def test_ridge_learns_a_grade_that_is_in_the_features():
    random = np.random.default_rng(0)
    found = []
    for _ in range(40):
        item = _visit(random, np.zeros((7, 5, 8, 8)), np.zeros((7, 10)), np.zeros((7, 7)))
        found.append(
            measures.Measures(
                item.crops,
                item.shapes,
                item.headers,
                item.grades[:, None] + 0.05 * random.normal(size=(5, 5)),
                item.grades,
            )
        )
    assert calibration.ridge_accuracy(found, list(range(40))) > 0.95


@pytest.fixture(scope="module")
def committed():
    with open(_COMMITTED, encoding="utf-8") as file:
        return json.load(file)


def test_the_committed_calibrations_are_of_this_phantom(committed):
    """The phantom is frozen: whoever changes it measures it again, and every result made of it."""
    assert {run["phantom_sha256"] for run in committed} == {calibration.fingerprint()}


def test_the_committed_calibrations_meet_the_targets_together(committed):
    weights = [run["num_positive_pairs"] for run in committed]
    assert min(weights) >= 500
    for name, (low, high) in calibration.TARGETS.items():
        mean = np.average([run[name] for run in committed], weights=weights)
        assert low <= mean <= high, name


def test_a_table_says_what_is_outside(committed):
    assert "outside" not in calibration.table(committed[0])
    assert "outside" in calibration.table(committed[0] | {"reader_kappa": 0.9})
