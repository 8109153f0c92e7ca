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
        np.testing.assert_allclose(index[:, 1:].mean(axis=0), quad.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(index[:, 1:], quad, atol=0.5)  # pixels on the edges are bodies'
        np.testing.assert_allclose(index[:, 0], 2)
        assert one.slice_range == (1, 3)
        assert one.score > 0.99
        assert np.exp(one.level_log_probability).sum() == pytest.approx(1)


def _rotated(centre, height_mm, width_mm, degrees):
    """[4, 2] a rectangle in pixels, about a centre in pixels."""
    along, down = np.array([[0, 1], [1, 0]]) @ _turn(degrees)
    signs = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]])
    halves = np.array([height_mm, width_mm]) / 2 / network_maps.PIXEL_MM
    return centre + signs * halves @ np.stack([down, along])


def _turn(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def _share(quad):
    """[rows, columns] how much of each pixel lies in a quad, from 11 x 11 points."""
    rows, columns, fine = *network_maps.SHAPE[1:], 11
    points = targets.inside((quad + 0.5) * fine - 0.5, (rows * fine, columns * fine))
    return points.reshape(rows, fine, columns, fine).mean(axis=(1, 3))


def _ideal_output(quads, told):
    """What a network says that knows outlines, but has been told other quads as their corners."""
    share = np.stack([_share(quad) for quad in quads])
    output = np.zeros((*network_maps.SHAPE, len(targets.CLASSES) + targets.NUM_OFFSETS), np.float32)
    chances = np.zeros((*network_maps.SHAPE[1:], len(targets.CLASSES)))
    chances[..., targets.BACKGROUND] = 1 - share.sum(axis=0)
    chances[..., targets.FIRST_BODY : targets.FIRST_BODY + len(quads)] = np.moveaxis(share, 0, -1)
    output[..., : len(targets.CLASSES)] = np.log(np.clip(chances, 1e-6, 1))
    grid = np.stack(np.mgrid[: network_maps.SHAPE[1], : network_maps.SHAPE[2]], -1)
    corners = np.asarray(told)[share.argmax(axis=0)]
    offsets = (corners - grid[:, :, None]) / targets.OFFSET_PIXELS
    output[..., len(targets.CLASSES) :] = offsets.reshape(*grid.shape[:2], -1)
    return output


@pytest.mark.parametrize("degrees", [-35, 0, 12, 50])
def test_a_rotated_body_comes_from_its_outline_though_its_votes_are_off(degrees):
    quad = _rotated(np.array([50.3, 30.6]), 24.0, 33.0, degrees)
    told = quad + [2.0, -1.5]  # 3.75 mm
    (one,) = decode.bodies(decode.maps(_ideal_output([quad], [told])), network_maps.sliced())
    found = geometry.to_index(network_maps.AFFINE, one.corners_mm)[:, 1:]
    off_mm = (found - quad) * network_maps.PIXEL_MM
    assert np.linalg.norm(off_mm.mean(axis=0)) < 0.3
    assert np.linalg.norm(off_mm, axis=1).max() < 1.4  # pixels of 1.5 mm round corners off


def test_bodies_that_touch_are_cut_apart_by_their_votes():
    upper = _rotated(np.array([40.0, 32.0]), 24.0, 33.0, 0)
    lower = upper + [24.0 / network_maps.PIXEL_MM, 0]
    quads = [upper, lower]
    found = decode.bodies(decode.maps(_ideal_output(quads, quads)), network_maps.sliced())
    assert len(found) == 2
    for one, quad in zip(found, quads, strict=True):
        index = geometry.to_index(network_maps.AFFINE, one.corners_mm)[:, 1:]
        assert np.linalg.norm((index - quad).mean(axis=0)) * network_maps.PIXEL_MM < 0.6


def test_an_outline_that_says_nothing_leaves_the_votes():
    quad = _rotated(np.array([50.0, 30.0]), 24.0, 33.0, 0)
    half = _share(quad)
    half[:, :31] = 0  # the front half was not seen
    assert np.array_equal(decode._cut(0.4 * _share(quad), quad), quad)
    assert np.array_equal(decode._cut(half * (np.arange(128)[:, None] < 55), quad), quad)


def test_what_lies_far_from_the_votes_is_no_part_of_a_body():
    quad = _rotated(np.array([50.0, 30.0]), 24.0, 33.0, 0)
    leaked = np.array(quad)
    leaked[2:, 0] += 30.0 / network_maps.PIXEL_MM  # the lower edge of S1 is not seen
    found = decode._cut(_share(leaked), quad)
    lowest = found[:, 0].max() - quad[:, 0].max()
    assert 4 < lowest * network_maps.PIXEL_MM < 7  # of 10 along the diagonal


@pytest.mark.parametrize(("areas", "expected"), [([0, 4, 4, 0], 1.5), ([2, 6, 2, 0], 1), ([1], 0)])
def test_a_mid_slice_has_half_of_the_body_on_either_side(areas, expected):
    assert decode._median_slice(np.array(areas, float)) == pytest.approx(expected)


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


@pytest.mark.parametrize(
    ("areas", "shown"),
    [
        ([0, 3, 8, 9, 7, 2, 0], [2, 3, 4]),
        ([10, 1, 8, 9, 8, 7, 2], [2, 3, 4, 5]),  # a larger patch at the side of the volume
        ([9, 9, 2, 9, 9, 9, 1], [3, 4, 5]),
        ([5], [0]),
    ],
)
def test_the_slices_of_a_body_are_those_where_most_of_it_is(areas, shown):
    np.testing.assert_array_equal(decode._run(np.array(areas, float)), shown)
