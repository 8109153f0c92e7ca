import numpy as np
import pytest

from spine_tf.detection import column_geometry


def _quad(points):
    """[4, 3] from (y, z) points."""
    return np.array([[0.0, y, z] for y, z in points])


_SQUARE = _quad([(0, 30), (40, 30), (40, 0), (0, 0)])  # 40 wide, 30 high


def test_a_rectangle():
    found = column_geometry.body_features(_SQUARE[np.newaxis])[0]
    np.testing.assert_allclose(found, [0, 0, np.log(30 / 40), 0], atol=1e-12)


def test_a_taper_and_a_wedge():
    # Upper edge 40, lower edge 20; front wall hypot(10, 30), back wall the same.
    taper = _quad([(0, 30), (40, 30), (30, 0), (10, 0)])
    found = column_geometry.body_features(taper[np.newaxis])[0]
    np.testing.assert_allclose(found, [np.log(2), 0, np.log(30 / 30), 0], atol=1e-12)
    wedge = _quad([(0, 30), (40, 20), (40, 0), (0, 0)])  # front 30, back 20
    assert column_geometry.body_features(wedge[np.newaxis])[0, 1] == pytest.approx(np.log(1.5))


def test_tilt_is_positive_if_the_back_is_higher():
    turned = _quad([(-30, 30), (10, 70), (40, 40), (0, 0)])  # turned by 45 degrees
    assert column_geometry.tilts_deg(turned[np.newaxis])[0] == pytest.approx(45)
    assert column_geometry.body_features(turned[np.newaxis])[0, 3] == pytest.approx(4.5)


def test_what_lies_between_two_bodies():
    # 10 mm below the first, turned by 10 degrees round its front upper corner.
    angle = np.radians(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flat = np.array([(0, 0), (40, 0), (40, -30), (0, -30)])
    below = _quad(flat @ turn.T + [0, -10])
    found = column_geometry.pair_features(np.stack([_SQUARE, below]), 20.0)[0, 1]
    distance = np.linalg.norm(_SQUARE.mean(axis=0) - below.mean(axis=0))
    disc = np.linalg.norm([20 - 20 * np.cos(angle), 10 - 20 * np.sin(angle)])
    expected = [np.log(distance / 20), np.log(disc / 30), 1.0, 1.0, 0.0]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_disc_that_is_gone_has_a_finite_logarithm():
    below = _SQUARE - [0, 0, 30]
    found = column_geometry.pair_features(np.stack([_SQUARE, below]), 30.0)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("scale, shift_mm", [(1.0, 20.0), (1.3, 0.0), (0.7, -300.0)])
def test_features_are_free_of_place_and_size(scale, shift_mm):
    rng = np.random.default_rng(3)
    quads = np.stack([_SQUARE - [0, 0, 40 * i] for i in range(4)]) + rng.normal(0, 2, (4, 4, 3))
    moved = quads * scale + shift_mm
    spacing = column_geometry.median_spacing_mm(quads)
    assert column_geometry.median_spacing_mm(moved) == pytest.approx(scale * spacing)
    np.testing.assert_allclose(
        column_geometry.body_features(moved), column_geometry.body_features(quads), atol=1e-9
    )
    np.testing.assert_allclose(
        column_geometry.pair_features(moved, scale * spacing)[np.triu_indices(4, 1)],
        column_geometry.pair_features(quads, spacing)[np.triu_indices(4, 1)],
        atol=1e-9,
    )


def test_spacing_needs_two_bodies():
    assert np.isnan(column_geometry.median_spacing_mm(_SQUARE[np.newaxis]))
    quads = np.stack([_SQUARE, _SQUARE - [0, 0, 30], _SQUARE - [0, 0, 70], _SQUARE - [0, 0, 100]])
    assert column_geometry.median_spacing_mm(quads) == 30


def test_towards_foot():
    np.testing.assert_allclose(column_geometry.towards_foot(_SQUARE[np.newaxis]), [[0, 0, -1]])
