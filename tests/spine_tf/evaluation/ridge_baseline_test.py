import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from spine_tf.data import records, schema
from spine_tf.evaluation import ridge_baseline

CORNERS_MM = np.array([[0, 0, 12], [0, 40, 8], [0, 40, 0], [0, 0, 0]], float)


def _features(image, level="L4-L5", valid=None, corners_mm=CORNERS_MM):
    valid = np.ones(15, bool) if valid is None else valid
    found = ridge_baseline.features(image, valid, corners_mm, level)
    return dict(zip(ridge_baseline.FEATURE_NAMES, found, strict=True))


def _disc(height_widths=0.3, signal=0.9, scale=0.5):
    """A bright disc between bodies of 0.5 and dark endplates of 0.1, with a bright canal behind."""
    rows, columns = round(192 * scale), round(320 * scale)
    width = 113.5 * scale
    image = np.full((15, rows, columns), 0.5)
    row = np.abs(np.arange(rows) - (rows - 1) / 2) / width
    image[:, row < height_widths / 2 + 0.04] = 0.1
    image[:, row < height_widths / 2] = signal
    column = (np.arange(columns) - (columns - 1) / 2) / width
    image[:, :, column > 0.5] = 1.4
    return image


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_signal_and_height_of_a_drawn_disc(scale):
    found = _features(_disc(height_widths=0.3, signal=0.9, scale=scale))
    for name in ("mean", "max", "p10", "p50", "p90", "front_mean", "back_mean"):
        assert found[name] == pytest.approx(0.9)
    assert found["std"] == pytest.approx(0.0, abs=1e-9)
    assert found["height"] == pytest.approx(0.3, abs=0.05)
    assert found["canal_mean"] == pytest.approx(1.4)
    assert found["bulge"] == pytest.approx(0.0)


def test_height_follows_the_disc():
    heights = [_features(_disc(height_widths=h))["height"] for h in (0.16, 0.24, 0.32, 0.4)]
    assert np.all(np.diff(heights) > 0.05)


def test_quad_height_by_hand():
    # Heights 12 in front and 8 behind, mean 10; mid-points (0, 20, 10) and (0, 20, 0).
    # Width: from (0, 0, 6) to (0, 40, 4), sqrt(1600 + 4).
    assert _features(_disc())["quad_height"] == pytest.approx(10 / np.sqrt(1604))


def test_a_bulge_darkens_the_canal_behind_the_disc():
    image = _disc()
    image[:, 42:54, 80 + 29 : 80 + 39] = 0.3  # 0.5 to 0.69 widths behind the centre
    assert _features(image)["bulge"] == pytest.approx(1.1, abs=0.05)


def test_slices_outside_the_scan_do_not_count():
    image = _disc()
    image[6] = 0
    valid = np.arange(15) != 6
    assert _features(image, valid=valid)["mean"] == pytest.approx(0.9)


def test_level_is_one_hot():
    found = _features(_disc(), "L5-S1")
    assert [name for name in ridge_baseline.FEATURE_NAMES[-11:] if found[name]] == ["L5-S1"]


def test_index_features_follow_the_index(data_dir):
    index = records.open_folder(data_dir).index(schema.DISC)
    found = ridge_baseline.index_features(index)
    assert found.shape == (len(index), len(ridge_baseline.FEATURE_NAMES))
    one = schema.parse(index.kind, index.read(3), 0.5)
    expected = ridge_baseline.features(
        one["image"].numpy(),
        one["slice_is_valid"].numpy(),
        one["corners_mm"].numpy().reshape(4, 3),
        index.rows[3]["level"],
    )
    np.testing.assert_allclose(found[3], expected)


def _balanced(scores, classes, thresholds):
    predicted = np.searchsorted(thresholds, scores, side="right")
    return np.mean([np.mean(predicted[classes == c] == c) for c in np.unique(classes)])


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=2, max_size=12),
)
def test_thresholds_are_the_best_there_are(pairs):
    scores, classes = np.array(pairs).T
    scores = scores / 2.0
    thresholds = ridge_baseline.best_thresholds(scores, classes, 3)
    assert thresholds[0] <= thresholds[1]
    edges = np.arange(-0.25, 3.5, 0.5)  # one between any two scores
    best = max(
        _balanced(scores, classes, np.array(pair))
        for pair in itertools.combinations_with_replacement(edges, 2)
    )
    assert _balanced(scores, classes, thresholds) == pytest.approx(best)


def test_fit_recovers_an_ordinal_rule():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 5))
    score = inputs @ [1.0, -2, 0, 0, 0]
    classes = np.digitize(score, [-2.0, 0.0, 2.5])
    fitted = ridge_baseline.fit(inputs[:300], classes[:300], 4)
    assert np.mean(fitted.predict(inputs[300:]) == classes[300:]) > 0.95


def test_fit_needs_two_grades():
    with pytest.raises(ValueError, match="`classes` must hold at least two grades"):
        ridge_baseline.fit(np.zeros((4, 2)), np.ones(4, int), 4)
