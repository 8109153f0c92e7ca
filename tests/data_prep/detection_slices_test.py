import numpy as np
import pytest
import tensorflow as tf

from data_prep import detection_slices, spider
from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.data import slice_schema
from spine_tf.detection import slices, targets
from tests.data_prep import spider_samples

WHOSE = {"subject": "s", "family": "f", "scan": "c", "visit": 0, "days": 0}
L5, L4 = targets.CLASSES.index("L5"), targets.CLASSES.index("L4")


def _labelled(masks=True, affine=None):
    mask = spider_samples.make_mask()
    affine = spider_samples.make_affine() if affine is None else affine
    annotation = spider.annotation_from_mask(mask, affine)
    scan = volume.Volume.from_array(mask + 10.0, affine)
    classes = detection_slices.classes_of_spider(mask, annotation) if masks else None
    return detection_slices.Labelled(scan, annotation, classes)


def _parsed(labelled):
    found = detection_slices.examples(labelled, WHOSE)
    kind = slice_schema.SliceKind()
    return [slice_schema.parse(tf.constant(e.SerializeToString()), kind) for e in found]


def _at(one, row_mm, column_mm):
    """The label at a place."""
    place = (round(mm / slices.SPACING_MM) for mm in (row_mm, column_mm))
    return one["label_map"].numpy()[tuple(place)]


def test_masks_of_spider_become_classes():
    mask = spider_samples.make_mask()
    mask[:, :5, 10:30] = 4  # L2, which the scan cuts off
    annotation = spider.annotation_from_mask(mask, spider_samples.make_affine())
    classes = detection_slices.classes_of_spider(mask, annotation)
    assert classes[4, 65, 20] == L5 and classes[4, 45, 20] == L4
    assert classes[4, 70, 45] == targets.BACKGROUND  # spinous process
    assert classes[4, 77, 20] == targets.DISC and classes[4, 50, 33] == targets.CANAL
    assert classes[4, 2, 20] == targets.UNKNOWN


def test_slices_are_resampled_with_labels_and_quads():
    parsed = _parsed(_labelled())
    # 9 slices of 2 mm, the bodies' own mid-slice is 4; 1 mm pixels get larger.
    assert [int(one["position"]) for one in parsed] == list(range(9))
    one = parsed[4]
    assert one["image"].shape == (*(round(side / slices.SPACING_MM) for side in (100, 60)), 1)
    assert _at(one, 65, 20) == L5
    assert _at(one, 88, 20) == targets.UNKNOWN  # no S1, so no sacrum
    numbers = one["quad_labels"].numpy().tolist()
    quad = one["quads"].numpy()[numbers.index(L5)]
    np.testing.assert_allclose(quad[0], np.array([59.5, 9.5]) / slices.SPACING_MM, atol=0.7)


def test_slices_far_from_the_middle_are_left_out():
    affine = spider_samples.make_affine()
    affine[:3, 0] *= 2  # 4 mm apart: those within 10 mm of slice 4 stay
    parsed = _parsed(_labelled(affine=affine))
    assert [int(one["position"]) for one in parsed] == [2, 3, 4, 5, 6]


def test_quads_alone_are_enough():
    one = _parsed(_labelled(masks=False))[4]
    assert _at(one, 65, 20) == L5
    assert _at(one, 65, 44) == targets.UNKNOWN


def test_every_other_thin_slice_is_averaged():
    array = np.zeros((9, 4, 4), np.float32)
    array[4] = 1
    found = detection_slices._partly_thick(array, 1.0)[:, 0, 0]
    np.testing.assert_allclose(found, [0, 0, 0, 0.25, 1, 0.25, 0, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(detection_slices._partly_thick(array, 2.0), array)


def test_vertebrae_outside_the_scan_are_refused():
    labelled = _labelled()
    far = geometry.to_patient(
        labelled.scan.affine, [[90, 5, 5], [90, 5, 9], [90, 9, 9], [90, 9, 5]]
    )
    annotation = vertebrae.Annotation((vertebrae.Vertebra(levels.VertebraLevel.L5, far),))
    with pytest.raises(ValueError, match="`vertebrae` must lie within the scan"):
        detection_slices.examples(detection_slices.Labelled(labelled.scan, annotation), WHOSE)
