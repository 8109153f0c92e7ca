import numpy as np
import pytest

from spine_tf.data import records, schema
from spine_tf.evaluation import inference


def _crop(batch):
    return {"crop": batch["crop"], "slice_is_valid": batch["slice_is_valid"]}


def test_crops_are_the_middle_in_the_order_asked_for(data_dir):
    index = records.open_folder(data_dir).index(schema.VERTEBRA_PAIRS)
    items = inference.visit_items(index)[[4, 0, 3, 4, 1]]
    found = inference.map_crops(index, items, _crop, crop_scale=0.5, batch_size=2)
    assert found["crop"].shape == (5, 9, 112, 112)
    assert found["slice_is_valid"].shape == (5, 9)
    for (record, visit), crop in zip(items, found["crop"], strict=True):
        stored = schema.parse(index.kind, index.read(int(record)), 0.5)["image"][visit]
        # 15 x 160 x 160 stored; 9 x 112 x 112 from its middle begins at 3, 24, 24.
        np.testing.assert_array_equal(crop, stored[3:12, 24:136, 24:136])


def test_discs_have_one_visit(data_dir):
    index = records.open_folder(data_dir).index(schema.DISC)
    items = np.array([[2, 0], [0, 0]])
    found = inference.map_crops(index, items, _crop, crop_scale=0.5, batch_size=4)
    stored = schema.parse(index.kind, index.read(2), 0.5)["image"]
    np.testing.assert_array_equal(found["crop"][0], stored[3:12, 20:76, 24:136])


def test_visit_items_lists_every_visit_once(data_dir):
    index = records.open_folder(data_dir).index(schema.VERTEBRA_PAIRS)
    items = inference.visit_items(index)
    assert len(items) == sum(len(row["visit"]) for row in index.rows)
    assert len({tuple(item) for item in items}) == len(items)


def test_no_item_is_refused(data_dir):
    index = records.open_folder(data_dir).index(schema.DISC)
    with pytest.raises(ValueError, match="`items` must hold at least one crop"):
        inference.map_crops(index, np.zeros((0, 2)), _crop, crop_scale=0.5, batch_size=2)


def test_a_larger_network_than_the_records_is_refused(data_dir):
    index = records.open_folder(data_dir).index(schema.DISC)
    with pytest.raises(ValueError, match="--crop_scale=1"):
        inference.map_crops(index, np.zeros((1, 2), int), _crop, crop_scale=1.0, batch_size=2)
