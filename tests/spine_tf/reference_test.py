"""Tests of spine_tf.reference."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import distance as scipy_distance
from sklearn import covariance

from spine_tf import reference


def made(count, seed, units=20):
    """Intensities and embeddings that go together; the embedding has three directions."""
    rng = np.random.default_rng(seed)
    intensity = 0.5 + 0.1 * rng.normal(size=(count, 5))
    intensity[:, 1] = intensity[:, 0] + 0.01 * rng.normal(size=count)
    mixing = np.random.default_rng(9).normal(size=(3, units))
    embedding = rng.normal(size=(count, 3)) @ mixing + 0.05 * rng.normal(size=(count, units))
    return intensity.astype(np.float32), embedding.astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    return reference.fit(*made(400, seed=0), validation=made(300, seed=1))


def test_distance_is_that_of_mahalanobis(fitted):
    watched = fitted.features(*map(tf.constant, made(400, seed=0))).numpy()
    scale = watched.std(0)
    found = covariance.LedoitWolf().fit(watched / scale).covariance_
    noise = np.diag([0.02**2] * 5 + [0.0] * 8) / np.outer(scale, scale)
    precision = np.linalg.inv(found + noise)
    some = fitted.features(*map(tf.constant, made(5, seed=2))).numpy()
    expected = [
        scipy_distance.mahalanobis(one / scale, watched.mean(0) / scale, precision) for one in some
    ]
    found = fitted.distance(tf.constant(some)).numpy()
    np.testing.assert_allclose(found, np.array(expected) / fitted.limit, rtol=1e-3)


def test_the_limit_is_a_quantile_of_validation(fitted):
    found = fitted.distance(fitted.features(*map(tf.constant, made(300, seed=1)))).numpy()
    assert np.mean(found <= 1) == pytest.approx(0.99, abs=0.005)


def test_inputs_of_another_kind_are_far(fitted):
    intensity, embedding = made(50, seed=3)
    for other in ((intensity + 0.5, embedding), (intensity, embedding * 4)):
        distance = fitted.distance(fitted.features(*map(tf.constant, other))).numpy()
        assert np.median(distance) > 1


def test_what_is_watched_has_names(fitted):
    assert fitted.feature_names[:2] == ("intensity_mean", "intensity_std")
    assert fitted.feature_names[5:] == tuple(f"embedding_{i}" for i in range(8))
    few = reference.fit(*made(5, seed=0, units=3), validation=made(2, seed=1, units=3))
    assert len(few.feature_names) == 8  # 5 intensities, 3 units


def test_a_feature_that_never_changes_does_no_harm():
    intensity, embedding = made(50, seed=0)
    intensity[:, 2] = 0.0
    found = reference.fit(intensity, embedding, validation=(intensity, embedding))
    assert np.isfinite(found.whitening).all()
    assert np.isfinite(found.distance(found.features(*map(tf.constant, made(3, seed=4))))).all()


def test_an_intensity_that_hardly_changes_in_training_is_no_wall():
    intensity, embedding = made(400, seed=0)
    intensity[:, 2] = 1e-5 * np.random.default_rng(5).normal(size=400)
    found = reference.fit(intensity, embedding, validation=(intensity, embedding))
    moved = intensity[:50] + np.float32([0, 0, 0.02, 0, 0])
    distance = found.distance(found.features(*map(tf.constant, (moved, embedding[:50])))).numpy()
    assert 0.95 < np.mean(distance <= 1) < 1.01 and distance.max() < 1.5
    moved[:, 2] = 0.5
    distance = found.distance(found.features(*map(tf.constant, (moved, embedding[:50])))).numpy()
    assert distance.min() > 2


@pytest.mark.parametrize("training, validation", [(2, 5), (5, 0)])
def test_too_few_discs_are_refused(training, validation):
    with pytest.raises(ValueError, match="at least 3 training discs and 1 of validation"):
        reference.fit(*made(training, seed=0), validation=made(validation, seed=1))


def test_intensities_are_those_of_numpy_on_every_other_pixel():
    rng = np.random.default_rng(0)
    crops = np.clip(rng.gamma(4, 0.15, (3, 9, 28, 56)), 0, 2).astype(np.float32)
    crops[1] = 0.0
    crops[2] = 2.0
    found = reference.intensity_of(tf.constant(crops)).numpy()
    flat = crops[:, :, ::2, ::2].reshape(3, -1)
    np.testing.assert_allclose(found[:, 0], flat.mean(1), atol=1e-5)
    np.testing.assert_allclose(found[:, 1], flat.std(1), atol=1e-5)
    expected = np.quantile(flat, [0.05, 0.5, 0.95], axis=1).T
    np.testing.assert_allclose(found[0, 2:], expected[0], atol=1e-3)
    np.testing.assert_allclose(found[1:, 2:], expected[1:], atol=1 / 256)


def test_a_reference_is_read_as_it_was_written(fitted, tmp_path):
    rows = {"level": reference.text_array(["L1-L2"]), "grade_pfirrmann": np.array([3], np.int32)}
    path = str(tmp_path / "reference.npz")
    fitted.with_rows(rows).save(path)
    found = reference.load(path)
    np.testing.assert_array_equal(found.whitening, fitted.whitening)
    assert found.rows["level"].tolist() == ["L1-L2"]
    assert found.rows["grade_pfirrmann"].dtype == np.int32
    np.savez(path, mean=fitted.mean)
    with pytest.raises(ValueError, match="embedding_mean is missing"):
        reference.load(path)


def test_rows_are_chosen_by_the_seed():
    assert reference.choose_rows(3, 5, 0).tolist() == [0, 1, 2]
    found = reference.choose_rows(100, 10, 0)
    assert len(set(found.tolist())) == 10 and (np.diff(found) > 0).all()
    np.testing.assert_array_equal(found, reference.choose_rows(100, 10, 0))
    assert found.tolist() != reference.choose_rows(100, 10, 1).tolist()


def test_scanners_have_names():
    assert reference.scanner_name(1.5) == reference.scanner_name(1.4939) == "1.5 T"
    assert reference.scanner_name(3.0, "SIEMENS") == "SIEMENS 3 T"
    assert reference.scanner_name(0.0) == reference.UNKNOWN
