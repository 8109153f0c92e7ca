import numpy as np

from benchmarks import organ_features


def test_features_of_a_bright_bar():
    image = np.full((112, 144), 20, np.uint8)
    image[46:66, 20:124] = 240
    found = dict(zip(organ_features.IMAGE_FEATURES, organ_features.of_image(image), strict=True))
    assert found["coherence of gradients"] > 0.6 and found["symmetry"] > 0.99
    assert 0.1 < found["bright share"] < 0.14 and found["skewness"] > 1.5
    assert found["elongation of bright pixels"] > 3


def _scan():
    """A body 200 mm wide and 120 mm deep with lungs from slice 6 and one organ."""
    hu = np.full((10, 64, 64), -1000, np.int16)
    hu[:, 12:42, 6:56] = 40
    hu[6:, 20:34, 12:50] = -850
    labels = np.zeros(hu.shape, np.uint8)
    labels[2:5, 20:24, 30:40] = 3
    return hu, labels, (5.0, 4.0, 4.0)


def test_features_of_a_body():
    hu, _, spacing_mm = _scan()
    found = dict(
        zip(organ_features.VOLUME_FEATURES, organ_features.of_volume(hu, spacing_mm), strict=True)
    )
    assert found["length"] == 50 and found["lungs reach down"] == 30
    assert found["width"] == 49 * 4 and found["depth"] == 29 * 4
    assert found["centre x"] == 30.5 * 4 and found["centre y"] == 26.5 * 4
    assert found["mean of soft tissue"] == 40 and found["bone share"] == 0


def test_boxes_are_in_mm_and_missing_organs_are_not_a_number():
    _, labels, spacing_mm = _scan()
    found = organ_features.boxes_mm(labels, spacing_mm)
    np.testing.assert_array_equal(found[2], [[10, 80, 120], [25, 96, 160]])
    assert np.isnan(found[[0, 1, 3, 4]]).all()
