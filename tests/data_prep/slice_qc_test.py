import numpy as np
import tensorflow as tf

from data_prep import qc, settings, slice_qc, volume_slices
from tests.data_prep import volume_samples

WHOSE = {"subject": "s", "family": "f", "scan": "c", "visit": 0, "days": 0}


def test_a_row_for_each_view_and_a_tile_for_each_channel():
    array = np.stack([volume_samples.make_image(s) for s in (0, 1)], -1).astype(np.float32)
    label_map = volume_samples.make_label_map()
    affine = volume_samples.make_affine()
    case = volume_slices.Case(array, label_map, affine, "sagittal")
    chosen = settings.VolumeSettings(views=("sagittal", "axial"))
    examples = {"slice": volume_slices.examples(case, WHOSE, chosen)}
    picture = tf.io.decode_png(qc.crop_sheet(examples, {"crop_scale": 1.0})).numpy()
    # Sagittal 8 x 6, axial 6 x 4; two channels and the labels, 2 pixels between.
    assert picture.shape == (8 + 2 + 6 + 2, 3 * (6 + 2), 3)
    grey, labels = picture[:8, :6], picture[:8, 16:22]
    assert (grey == grey[..., :1]).all() and not grey[0].any()
    # The third slice shows as many labels as the second, so the first of them is shown.
    is_coloured = (labels != labels[..., :1]).any(-1)
    np.testing.assert_array_equal(is_coloured, label_map[1] > 0)


def test_neighbouring_labels_differ():
    found = slice_qc.overlaid(np.zeros((1, 4, 3)), np.array([[0, 1, 2, 201]]))
    assert not found[0, 0].any() and len(np.unique(found[0], axis=0)) == 4
