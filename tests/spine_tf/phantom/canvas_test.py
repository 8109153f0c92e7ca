"""Distances, windows and interpolation."""

import numpy as np

from spine_tf import geometry
from spine_tf.phantom import canvas

SQUARE_MM = np.array([[-10.0, 10.0], [10.0, 10.0], [10.0, -10.0], [-10.0, -10.0]])


def _canvas():
    affine = geometry.affine_from_axes([4, 0, 0], [0, 0, -1], [0, 1, 0], [-8, -32, 32])
    return canvas.make(affine, (5, 64, 64), np.eye(4), lambda z_mm: 0 * z_mm)


def test_coordinates_are_those_of_the_affine():
    image = _canvas()
    assert (image.x_mm[3, 10, 20], image.y_mm[3, 10, 20], image.z_mm[3, 10, 20]) == (4, -12, 22)


def test_distances_to_a_square():
    along, up = np.float32([0.0, 7.0, 12.0]), np.float32([0.0, 2.0, 0.0])
    edges = canvas.quad_distances(along, up, SQUARE_MM)
    np.testing.assert_allclose(np.min(edges, axis=0), [10.0, 3.0, -2.0], atol=1e-5)


def test_curves_bend_edges_inwards():
    curves_mm = np.zeros((4, 33))
    curves_mm[0, 16] = 2.0
    edges = canvas.quad_distances(np.float32([0.0]), np.float32([9.0]), SQUARE_MM, curves_mm)
    np.testing.assert_allclose(edges[0], -1.0, atol=0.1)


def test_smooth_minimum_rounds_corners_only():
    distances = [np.float32([5.0, 1.0]), np.float32([50.0, 1.0])]
    np.testing.assert_allclose(
        canvas.smooth_minimum(distances, 1.0), [5.0, 1.0 - np.log(2)], atol=1e-5
    )


def test_window_holds_what_it_should():
    image = _canvas()
    window = image.window(np.array([4.0, -6.0]), 5.0, (-3.0, 3.0))
    assert image.t2[window].shape[0] == 3
    assert image.y_mm[window].min() <= -1 and image.y_mm[window].max() >= 9
    assert image.z_mm[window].min() <= -11 and image.z_mm[window].max() >= -1
    assert image.window(np.array([500.0, 0.0]), 5.0, (-3.0, 3.0)) is None


def test_crop_paints_the_whole():
    image = _canvas()
    part = image.crop((slice(1, 3), slice(10, 20), slice(0, 64)))
    part.paint((slice(None),) * 3, np.float32(1.0), (3.0, 4.0))
    assert image.t2.sum() == 3 * 2 * 10 * 64 and image.t1[1, 10, 0] == 4
    index = geometry.to_patient(
        part.body_to_index, [part.x_mm[1, 2, 3], part.y_mm[1, 2, 3], part.z_mm[1, 2, 3]]
    )
    np.testing.assert_allclose(index, [1, 2, 3], atol=1e-5)


def test_double_keeps_a_ramp():
    ramp = np.arange(6, dtype=np.float32)[None, :, None] * np.ones((1, 6, 4), np.float32)
    doubled = canvas.double(ramp)
    assert doubled.shape == (1, 12, 8)
    np.testing.assert_allclose(doubled[0, 1:-1, 0], (np.arange(1, 11) - 0.5) / 2, atol=1e-6)
