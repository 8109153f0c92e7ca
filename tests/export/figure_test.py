"""Tests of export.figure."""

import base64

import numpy as np
import tensorflow as tf

from export import figure
from spine_tf import levels
from tests import tiny_export


def decode(png):
    return tf.io.decode_png(base64.b64decode(png)).numpy()[..., 0]


def test_a_picture_runs_from_black_to_white():
    plane = np.array([[0.0, 0.7], [1.4, 5.0]])
    # 0.7 of 1.4 is half of 255; what is brighter than white is white.
    np.testing.assert_array_equal(decode(figure.png_base64(plane, 1.4)), [[0, 127], [255, 255]])


def test_outlines_lie_on_the_slice_in_mm():
    scan, annotation = tiny_export.make_volume(), tiny_export.make_annotation(names=["L1", "L2"])
    drawn = figure.draw(scan, annotation, [levels.DiscLevel.L1_L2])
    assert decode(drawn.png).shape == (
        round(drawn.height_mm / 1.25),
        round(drawn.width_mm / 1.1),
    )
    points = {
        o.name: np.array([p.split(",") for p in o.points.split()], float) for o in drawn.bodies
    }
    (disc,) = drawn.discs
    disc_points = np.array([p.split(",") for p in disc.points.split()], float)
    # A disc lies between the lower edge of the body above and the upper edge of that below.
    np.testing.assert_array_equal(disc_points[:2], points["L1"][[3, 2]])
    np.testing.assert_array_equal(disc_points[2:], points["L2"][[1, 0]])
    # Bodies are 36 mm wide and 26 mm high, within the slope of their slice.
    width_mm = np.linalg.norm(points["L1"][1] - points["L1"][0])
    height_mm = np.linalg.norm(points["L1"][3] - points["L1"][0])
    np.testing.assert_allclose([width_mm, height_mm], [36, 26], atol=0.15)
    inside = (disc_points >= 0) & (disc_points <= [drawn.width_mm, drawn.height_mm])
    assert inside.all()


def test_the_slice_is_the_one_the_bodies_lie_on():
    scan, annotation = tiny_export.make_volume(), tiny_export.make_annotation()
    drawn = figure.draw(scan, annotation, [])
    # Bodies lie at x = 1.5 - 0.8 i, i = 0..6: the median is -0.9 mm; slice 6 of 11 is x = 0.
    assert (drawn.slice_number, drawn.num_slices) == (6, 11)


def test_saliency_is_painted_in_one_scale():
    one = np.array([[0.4, -0.2], [0.0, 0.1]], np.float32)
    overlays = figure.overlays([one, one / 2])
    assert [found.scale for found in overlays] == [np.float32(0.4)] * 2
    assert [found.largest for found in overlays] == [np.float32(0.4), np.float32(0.2)]
    pixels = tf.io.decode_png(base64.b64decode(overlays[0].png)).numpy()
    # Full orange, half as opaque blue, nothing, a quarter of orange; 170 is the most opaque.
    np.testing.assert_array_equal(pixels[..., 3], [[170, 85], [0, 42]])
    assert pixels[0, 0, :3].tolist() == [255, 140, 0] and pixels[0, 1, :3].tolist() == [
        40,
        150,
        255,
    ]


def test_a_model_that_does_not_care_is_painted_faintly():
    (found,) = figure.overlays([np.full((2, 2), 0.01, np.float32)])
    pixels = tf.io.decode_png(base64.b64decode(found.png)).numpy()
    assert found.scale == 0.1 and np.all(pixels[..., 3] == 17)  # a tenth of 170
