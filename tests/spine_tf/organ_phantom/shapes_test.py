import numpy as np

from spine_tf.organ_phantom import shapes


def _points(*points):
    u, v = np.array(points, np.float32).T
    return shapes.Frame(u, v)


def test_local_turns_from_u_to_v():
    frame = _points((1, 2), (1, 5)).local((1, 2), 90)
    np.testing.assert_allclose(frame.u, [0, 3], atol=1e-6)
    np.testing.assert_allclose(frame.v, [0, 0], atol=1e-6)


def test_mirrored_scaled_and_angle():
    frame = _points((0, 4)).scaled(2)
    assert frame.v[0] == 2 and frame.angle_deg()[0] == 90
    assert frame.mirrored().angle_deg()[0] == -90


def test_distance_to_a_circle_is_exact():
    found = shapes.ellipse(_points((0, 0.5), (3, 4), (0, 2)), (2, 2))
    np.testing.assert_allclose(found, [1.5, -3, 0], atol=1e-4)


def test_an_ellipse_ends_at_its_axes():
    found = shapes.ellipse(_points((5, 0), (0, 2), (5.1, 0)), (5, 2))
    np.testing.assert_allclose(found, [0, 0, -0.1], atol=0.01)


def test_tube_widens_along_its_line():
    found = shapes.tube(_points((0, 0), (10, 0), (5, 3), (12, 0)), [(0, 0), (10, 0)], (1, 3))
    np.testing.assert_allclose(found, [1, 3, -1, 1], atol=1e-5)


def test_curve_measures_across_its_slope():
    distance, along = shapes.curve(_points((5, 6), (5, 4)), [(0, 0), (10, 10)])
    np.testing.assert_allclose(distance, [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-5)
    np.testing.assert_array_equal(along, [5, 5])


def test_warp_moves_by_its_amplitude():
    grid = np.meshgrid(np.linspace(-30, 30, 50), np.linspace(-30, 30, 50))
    frame = shapes.Frame(*(axis.astype(np.float32) for axis in grid))
    moved = frame.warped(np.random.default_rng(0), 1.0, 30)
    apart = np.hypot(moved.u - frame.u, moved.v - frame.v)
    assert 0.3 < apart.mean() < 1.5 and apart.max() < 2.2
