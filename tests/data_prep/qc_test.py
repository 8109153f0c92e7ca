import numpy as np
import pytest
import tensorflow as tf

from data_prep import qc
from spine_tf.data import schema
from tests import tiny_export
from tests.spine_tf import small_data


def _examples(kind, values):
    """Records whose crops are constant but for the mid-slice, which is `value`."""
    shape = schema.CROP_KINDS[kind].stored_shape(0.5)
    found = []
    for value in values:
        image = np.zeros(shape, np.float32)
        image[shape[0] // 2] = value
        found.append(schema.encode(kind, small_data.crop(kind, image)))
    return found


def test_mid_slices_bodies_above_discs():
    examples = {
        schema.DISC: _examples(schema.DISC, [0.5]),
        schema.VERTEBRA_PAIRS: _examples(schema.VERTEBRA_PAIRS, [2.0, 1.0]),
    }
    picture = tf.io.decode_png(qc.crop_sheet(examples, {"crop_scale": 0.5})).numpy()[..., 0]
    assert picture.shape == (14 + 160 + 2 + 14 + 96 + 2, 2 * (160 + 2))
    # Intensity 2 is white: 255. 1 is 127, 0.5 is 63; gaps are black.
    assert picture[94, 80] == 255 and picture[94, 162 + 80] == pytest.approx(127, abs=1)
    assert picture[176 + 14 + 48, 80] == pytest.approx(63, abs=1)
    assert not picture[174:176].any() and not picture[:, 160:162].any()
    assert not picture[176:, 162:].any()
    assert picture[:14, :40].any() and picture[176:190, :40].any()  # the names of the levels


def test_a_scan_without_bodies():
    examples = {schema.DISC: _examples(schema.DISC, [0.5]), schema.VERTEBRA_PAIRS: []}
    assert tf.io.decode_png(qc.crop_sheet(examples, {"crop_scale": 0.5})).shape == (14 + 98, 162, 1)


def test_crops_of_scale_one_are_shown_at_half():
    shape = schema.CROP_KINDS[schema.DISC].stored_shape(1.0)
    crop = small_data.crop(
        schema.DISC, np.ones(shape, np.float32), pixel_is_valid=np.ones(shape[1:], bool)
    )
    examples = {schema.DISC: [schema.encode(schema.DISC, crop)], schema.VERTEBRA_PAIRS: []}
    assert tf.io.decode_png(qc.crop_sheet(examples, {"crop_scale": 1.0})).shape == (14 + 98, 162, 1)


def test_pairs_of_discs_are_not_shown_a_second_time():
    discs = _examples(schema.DISC, [0.5])
    examples = {schema.DISC: discs, schema.DISC_PAIRS: discs, schema.VERTEBRA_PAIRS: []}
    settings = {"crop_scale": 0.5}
    assert tf.io.decode_png(qc.crop_sheet(examples, settings)).shape == (14 + 98, 162, 1)


def test_a_plain_image():
    image = np.full((1, 72, 36), 1.0)
    fields = {"slice_is_valid": np.ones(1), "pixel_is_valid": np.ones((72, 36))}
    crop = small_data.crop(schema.DISC, image, **fields)
    examples = {schema.IMAGE_PAIRS: [schema.encode(schema.IMAGE_PAIRS, crop)]}
    settings = {"crop_scale": 1.0, "image_rows": 64, "image_columns": 32}
    picture = tf.io.decode_png(qc.crop_sheet(examples, settings)).numpy()[..., 0]
    assert picture.shape == (14 + 36 + 2, 18 + 2)  # shown at half of the size
    assert picture[14:50, :18].min() == 127


def test_outlines_of_an_annotated_volume_alone():
    examples = {schema.DISC: _examples(schema.DISC, [0.5])}
    scan, annotation = tiny_export.make_volume(), tiny_export.make_annotation()
    found = qc.pictures((scan, annotation), examples, {"crop_scale": 0.5})
    picture = tf.io.decode_png(found[qc.OUTLINES]).numpy()
    # 230 x 1.25 mm and 110 x 1.1 mm as pixels of 0.8 mm.
    assert picture.shape == (359, 151, 3)
    assert np.all(picture == (124, 199, 255), axis=-1).any()  # an outline
    assert found[qc.CROPS] == qc.crop_sheet(examples, {"crop_scale": 0.5})
    assert set(qc.pictures(scan.array, examples, {"crop_scale": 0.5})) == {qc.CROPS}
