import numpy as np
import pytest
import tensorflow as tf

from spine_tf.evaluation import whole_cases
from spine_tf.tasks.downstream import segmentation
from tests.spine_tf.evaluation import oracles


def oracle(inputs, training):
    """Labels every pixel by its intensity."""
    centres = tf.constant(oracles.STANDARDISED, tf.float32)
    return {"labels": -100 * tf.abs(inputs["image"] - centres)}


def _fold(monkeypatch, folder, **options):
    data_dir = oracles.make_volumes(folder, **options)
    task = segmentation.Segmentation(patch_size=32)
    return oracles.fold_of(monkeypatch, data_dir, task, oracle)


@pytest.mark.parametrize("tile_size", [0, 32])
def test_slices_are_stacked_to_the_volume(monkeypatch, tmp_path, tile_size):
    one = _fold(monkeypatch, tmp_path / "data")
    found = list(whole_cases.segment(one, tile_size=tile_size, batch_size=2))
    assert [(c.facts["case"], c.facts["view"]) for c in found] == [
        (case, view) for case in ("scan0", "scan1") for view in ("axial", "coronal", "sagittal")
    ]
    axes = {"sagittal": (0, 1, 2), "axial": (1, 2, 0), "coronal": (2, 1, 0)}
    for number, case in enumerate(found):
        expected = np.transpose(oracles.label_map(number // 3), axes[case.facts["view"]])
        np.testing.assert_array_equal(case.truth, expected)
        np.testing.assert_array_equal(case.prediction, expected)
    assert found[0].spacing_mm == (2.0, 1.0, 3.0)


def test_a_slice_that_was_left_out_is_empty(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data", slices="labelled", views=("sagittal",))
    first, _ = whole_cases.segment(one, tile_size=0, batch_size=8)
    # The cube is in slices 2 to 4, the bar in 6 to 8.
    assert first.positions.tolist() == [0, 1, 2, 4, 5, 6]
    assert len(first.images) == 6
    np.testing.assert_array_equal(first.truth, oracles.label_map()[2:9])
    np.testing.assert_array_equal(first.prediction, first.truth)


def test_cases_without_label_maps_are_left_out(monkeypatch, tmp_path):
    one = _fold(monkeypatch, tmp_path / "data", views=("sagittal",))
    one.test.rows[3]["label_pixels"] = None  # a slice of the first case
    assert list(whole_cases.labelled_cases(one.test)) == [("scan1", "sagittal")]


@pytest.mark.parametrize(("size", "overlap", "margin"), [(32, 16, 4), (64, 32, 8), (144, 64, 8)])
def test_tiles_overlap_by_about_half(size, overlap, margin):
    found = whole_cases.tiles_of(size)
    assert (found.tile_size, found.overlap, found.margin) == ((size, size), overlap, margin)
