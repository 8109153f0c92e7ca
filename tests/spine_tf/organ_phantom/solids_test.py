import numpy as np

from spine_tf.organ_phantom import solids


def _points(*points):
    return solids.Space(*np.array(points, np.float32).T)


def test_turning_about_z_takes_x_to_y():
    space = _points((1, 0, 5), (0, 2, 0)).local((0, 0, 5), (0, 0, 90))
    np.testing.assert_allclose(
        np.stack([space.x, space.y, space.z], -1), [[0, -1, 0], [2, 0, -5]], atol=1e-6
    )


def test_distances_to_a_ball_and_a_column():
    space = _points((0, 0, 1), (0, 3, 4))
    np.testing.assert_allclose(solids.ellipsoid(space, (2, 2, 2)), [1, -3], atol=1e-4)
    np.testing.assert_allclose(
        solids.column(space.local((1, 0, 0)), (2, 2)), [1, 2 - np.sqrt(10)], atol=1e-4
    )


def test_stretched_ball_is_an_ellipsoid():
    surface = _points((4, 0, 0), (0, 6, 0), (0, 0, 2)).stretched((2, 3, 1))
    np.testing.assert_allclose(solids.ellipsoid(surface, (2, 2, 2)), 0, atol=1e-4)


def test_tube():
    space = _points((0, 0, 0), (0, 0, 10), (3, 4, 5))
    found = solids.tube(space, [(0, 0, 0), (0, 0, 10)], (1, 3))
    np.testing.assert_allclose(found, [1, 3, -3], atol=1e-5)


def test_joined_is_a_union_with_a_round_crease():
    first, second = np.float32([5, -2, 0, 0]), np.float32([-40, -40, 0, -40])
    found = solids.joined(first, second, 1.0)
    np.testing.assert_allclose(found, [5, -2, np.log(2), 0], atol=1e-4)


def test_warp_is_smooth():
    axes = np.meshgrid(*[np.arange(32, dtype=np.float32) * 4] * 3, indexing="ij")
    space = solids.Space(*axes)
    moved = space.warped(np.random.default_rng(0), 4.0, 0.2)
    shift = moved.x - space.x
    assert 2 < shift.std() < 5 and np.abs(np.diff(shift, axis=0)).max() < 4
