import numpy as np

from spine_tf.detection import quads


def test_largest_quad_takes_the_corners_of_a_waisted_body():
    # The hull of a body with cut corners and a bulging side.
    points = np.array([[0, 0], [10, 0], [20, 0], [21, 5], [20, 10], [10, 11], [0, 10]], float)
    np.testing.assert_array_equal(quads.largest_quad(points), [[0, 0], [20, 0], [20, 10], [0, 10]])


def test_corner_order_follows_a_steep_spine():
    # A square whose foot side looks to the back (45 degrees), given from any corner either way.
    quad = np.array([[0, 0], [1, -1], [2, 0], [1, 1]], float)
    for turned in (quad, np.roll(quad, 1, axis=0), quad[::-1]):
        ordered = quads.in_corner_order(turned, np.array([1.0, 1.0]))
        np.testing.assert_array_equal(ordered, [[0, 0], [1, -1], [2, 0], [1, 1]])


def test_an_outline_passes_where_a_probability_is_one_half():
    # Columns 2..5 for sure, columns 1 and 6 at 0.75 and 0.6: one half is passed 1/3 and 1/6 of a
    # pixel beyond their centres.
    shown = np.zeros((12, 9))
    shown[3:9, 2:6] = 1
    shown[3:9, 1], shown[3:9, 6] = 0.75, 0.6
    points = quads.outline_points(shown, np.array([1.0, 2.0]))
    np.testing.assert_allclose([points[:, 0].min(), points[:, 0].max()], [4 / 3, 37 / 3], atol=0.5)
    np.testing.assert_allclose([points[:, 1].min(), points[:, 1].max()], [2.5, 8.5], atol=0.25)


def test_the_largest_part_is_one():
    shown = np.zeros((5, 9), bool)
    shown[1:4, 1:3] = shown[1:4, 4:8] = True
    found = quads.largest_part(shown)
    assert found.sum() == 12 and found[1:4, 4:8].all()
    assert not quads.largest_part(np.zeros((3, 3), bool)).any()
