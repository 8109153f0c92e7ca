import numpy as np
import pytest

from spine_tf import geometry
from spine_tf.detection import candidates, decode, targets
from tests.spine_tf.detection import network_maps


def test_bodies_have_their_corners_slices_and_levels():
    found = decode.bodies(decode.maps(network_maps.output()), network_maps.sliced())
    names = [candidates.LEVELS[one.level_log_probability.argmax()] for one in found]
    assert names == ["L4", "L5", "S1"]
    for one, quad in zip(found, network_maps.QUADS.values(), strict=True):
        index = geometry.to_index(network_maps.AFFINE, one.corners_mm)
        np.testing.assert_allclose(index[:, 1:], quad, atol=1e-3)
        np.testing.assert_allclose(index[:, 0], 2)
        assert one.slice_range == (1, 3)
        assert one.score > 0.99
        assert np.exp(one.level_log_probability).sum() == pytest.approx(1)


def test_bodies_that_touch_are_two():
    output = network_maps.output()
    between = np.s_[1:4, 30:38, 20:44]  # the disc of L4-L5 is gone, each half is a body's
    output[between] = output[1:4, 29:30, 20:44]
    assert len(decode.bodies(decode.maps(output), network_maps.sliced())) == 3


def test_a_body_that_the_scan_cuts_off_is_left_out():
    output = network_maps.output()
    output[..., len(targets.CLASSES) :: 2] -= (
        13 / targets.OFFSET_PIXELS
    )  # 13 rows up: L4 begins at -3
    found = decode.bodies(decode.maps(output), network_maps.sliced())
    names = [candidates.LEVELS[one.level_log_probability.argmax()] for one in found]
    assert names == ["L5", "S1"]


def test_a_body_in_a_single_slice_at_the_side_is_none():
    output = network_maps.output(shown=[0])
    assert decode.bodies(decode.maps(output), network_maps.sliced()) == []


def test_slices_beyond_a_gap_do_not_count():
    output = network_maps.output(shown=[0, 2, 3, 4])
    output[0, ..., targets.BACKGROUND] += 9.5  # less sure
    found = decode.bodies(decode.maps(output), network_maps.sliced())
    assert {one.slice_range for one in found} == {(2, 4)}


def test_nothing_is_found_in_background():
    output = network_maps.output(shown=())
    assert decode.bodies(decode.maps(output), network_maps.sliced()) == []


def test_discs_have_their_height_and_length():
    output = network_maps.output()
    output[1:4, 30:38, 20:44, targets.DISC] = 20
    maps = decode.maps(output)
    bodies = decode.bodies(maps, network_maps.sliced())
    (disc,) = decode.discs(maps, network_maps.sliced(), bodies)
    assert disc.length_mm == pytest.approx(24 * network_maps.PIXEL_MM, rel=0.03)
    assert disc.height_mm == pytest.approx(8 * network_maps.PIXEL_MM, rel=0.03)
    np.testing.assert_allclose(disc.center_mm, np.array([0, 31.5, -33.5]) * network_maps.PIXEL_MM)
