import io

import numpy as np
from PIL import Image

from data_prep import overlay
from spine_tf import volume
from tests import tiny_export
from tests.data_prep import stub_finder


def _picture(scan, annotation):
    return np.asarray(Image.open(io.BytesIO(overlay.draw(scan, annotation))))


def test_outlines_lie_where_the_vertebrae_are():
    scan = tiny_export.make_volume()
    found = _picture(scan, stub_finder.answered(None).annotation)
    rows, columns = np.round(np.array(scan.array.shape[1:]) * scan.spacing_mm[1:] / 0.5)
    assert found.shape == (rows, columns, 3)
    blue = np.all(found == (124, 199, 255), axis=-1)
    corner = tiny_export.make_annotation().vertebrae[3].corners_mm[0]  # anterior-superior
    row, column = (scan.affine[2, 3] - corner[2]) / 0.5, (corner[1] - scan.affine[1, 3]) / 0.5
    near = blue[int(row) - 3 : int(row) + 6, int(column) - 3 : int(column) + 6]
    assert near.any()


def test_bodies_without_levels_have_another_colour():
    found = _picture(tiny_export.make_volume(), stub_finder.unknown(None).annotation)
    assert np.all(found == (255, 196, 61), axis=-1).any()
    assert not np.all(found == (124, 199, 255), axis=-1).any()


def test_names_have_a_dark_rim():
    scan = tiny_export.make_volume()
    bright = np.broadcast_to(np.linspace(0.9, 1, scan.array.shape[2]), scan.array.shape)
    white = volume.Volume(np.array(bright, np.float32), scan.affine)
    picture = _picture(white, stub_finder.answered(None).annotation)
    is_black = np.all(picture == 0, axis=-1)
    assert is_black[:, picture.shape[1] // 3 :].sum() > 100  # the slice itself is bright there


def test_a_volume_of_nothing_is_drawn():
    scan = tiny_export.make_volume()
    empty = volume.Volume(np.full_like(scan.array, np.nan), scan.affine)
    found = overlay.draw(empty, stub_finder.unknown(None).annotation)
    assert found.startswith(b"\x89PNG")
