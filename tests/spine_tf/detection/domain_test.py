import numpy as np
import pytest

from spine_tf import volume
from spine_tf.detection import decode, domain, slices, targets
from tests.spine_tf.detection import network_maps

CANAL, DISC, BODY = 0.8, 0.2, 0.4  # grey values of a T2


def _measures(canal=CANAL, disc=DISC, body=BODY, with_canal=True, shrink=1.0):
    """Of three bodies with discs between them and a canal behind them."""
    output = network_maps.output(range(5))
    image = np.full(network_maps.SHAPE, 0.3, np.float32)
    for top in (31, 59):
        output[:, top : top + 6, 20:45, targets.DISC] = 20
        image[:, top : top + 6, 20:45] = disc
    for quad in network_maps.QUADS.values():
        top, left = quad[0].astype(int)
        image[:, top : top + 21, left : left + 25] = body
    if with_canal:
        output[:, :, 48:54, targets.CANAL] = 20
    image[:, :, 48:54] = canal
    affine = np.copy(network_maps.AFFINE)
    affine[:3, 1:3] *= shrink
    sliced = slices.Slices(image, affine)
    maps = decode.maps(output)
    bodies = decode.bodies(maps, sliced)
    return domain.measure(maps, sliced, bodies, decode.discs(maps, sliced, bodies))


def test_what_is_measured_of_a_t2():
    found = _measures()
    assert found.canal_share == 1 and found.disc_share == 1
    assert found.canal_to_body == pytest.approx(np.log(2), abs=1e-3)
    assert found.canal_to_disc == pytest.approx(np.log(4), abs=1e-3)
    assert found.body_width_mm == pytest.approx(36, abs=0.5)
    assert domain.reason(found) == ""
    margins = domain.margins(found)
    assert domain.score(found) == min(margins.values()) > 0
    assert margins["canal_to_body"] == pytest.approx(np.log(2) / 0.1, abs=0.02)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"canal": 0.3}, "not T2"),
        ({"disc": 0.7}, "canal is not much brighter than bodies and discs: not T2"),
        ({"with_canal": False}, "out of domain"),
        ({"shrink": 0.5}, "too small for lumbar"),  # cervical
    ],
)
def test_what_is_out_of_domain_says_why(changes, reason):
    found = _measures(**changes)
    assert reason in domain.reason(found)
    assert domain.score(found) < 0


def test_no_body_is_out_of_domain():
    assert "no vertebral body" in domain.reason(None)
    assert domain.score(None) < 0


def _volume(shape=(5, 200, 100), spacing_mm=(4, 1, 1), value=None):
    array = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
    if value is not None:
        array[:] = value
    slice_mm, row_mm, column_mm = spacing_mm
    affine = np.eye(4)
    affine[:3, :3] = np.array([[slice_mm, 0, 0], [0, 0, column_mm], [0, -row_mm, 0]])
    return volume.Volume(array, affine)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({}, ""),
        ({"shape": (3, 200, 100)}, "3 sagittal slices, fewer than 4"),
        ({"spacing_mm": (0.5, 4, 0.5)}, "no sagittal stack"),  # axial
        ({"shape": (5, 60, 100)}, "field of view of 60 mm"),
        ({"spacing_mm": (4, 2, 2), "shape": (5, 240, 100)}, "localizer: field of view of 480 mm"),
        ({"value": 0}, "shows nothing: every voxel is 0"),
        ({"value": np.nan}, "no finite numbers"),
    ],
)
def test_what_is_not_looked_at(changes, reason):
    found = domain.unfit(_volume(**changes))
    assert reason in found if reason else not found
