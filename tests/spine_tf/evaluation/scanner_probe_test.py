import dataclasses

import numpy as np
import pytest

from spine_tf.evaluation import bootstrap, scanner_probe
from tests.spine_tf.evaluation import scored


def _probe(embedding, visits):
    units, count = bootstrap.codes(visits.subject)
    counts = bootstrap.draw_counts(count, 50, 0)
    return scanner_probe.probe(embedding, visits, units, counts, seed=0)


def _noise(visits, seed=0):
    return np.random.default_rng(seed).normal(size=(len(visits.subject), 4))


def test_an_embedding_of_the_scanner_is_found_out():
    visits = scored.visits_of(20, levels=("L1", "L4"))
    embedding = _noise(visits)
    embedding[:, 2] += 8 * (visits.field_strength_t == 1.5)
    found = _probe(embedding, visits)
    assert found["auc"]["value"] > 0.99
    assert found["accuracy"]["value"] > 0.97
    assert found["majority"] == 0.5
    assert found["field_strengths_t"] == {"1": 40, "1.5": 40}


def test_noise_is_chance():
    visits = scored.visits_of(60)
    found = _probe(_noise(visits), visits)
    assert 0.35 < found["auc"]["value"] < 0.65
    assert found["auc"]["low"] < 0.5 < found["auc"]["high"]


def test_subjects_are_never_on_both_sides():
    # The embedding is the subject's number, and each subject was at one scanner: knowing the
    # subject would tell the scanner, but no subject is known.
    visits = scored.visits_of(30, levels=("L1", "L2", "L3"))
    number = np.array([int(name[1:]) for name in visits.subject])
    scanner = np.random.default_rng(1).permutation(np.arange(30) % 2)[number]
    visits = dataclasses.replace(visits, field_strength_t=1.0 + 0.5 * scanner)
    found = _probe(np.eye(30)[number] * 10, visits)
    assert found["accuracy"]["value"] < 0.7


def test_unknown_field_strengths_are_left_out():
    visits = scored.visits_of(12, field_t=(0.0, 1.5))
    found = _probe(_noise(visits), visits)
    assert found["accuracy"]["value"] is None
    assert "needs two field strengths" in found["auc"]["reason"]


def test_three_field_strengths_have_an_accuracy_only():
    visits = scored.visits_of(30)
    field_t = np.array([1.0, 1.5, 3.0])[np.arange(60) % 3]
    visits = dataclasses.replace(visits, field_strength_t=field_t)
    found = _probe(np.stack([field_t, field_t**2], 1), visits)
    assert found["accuracy"]["value"] > 0.9
    assert found["auc"]["value"] is None
    assert "there are 3" in found["auc"]["reason"]


def test_models_of_folds_are_probed_one_by_one():
    # In the second fold the sign is the other way round: one probe for both would fail.
    visits = scored.visits_of(20)
    fold = (visits.subject >= "s10").astype(int)
    visits = dataclasses.replace(visits, fold=fold)
    value = np.where(fold, -1, 1) * (visits.field_strength_t - 1.25) * 8
    embedding = _noise(visits) + value[:, None]
    assert _probe(embedding, visits)["accuracy"]["value"] == pytest.approx(1.0)
