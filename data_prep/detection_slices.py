"""One annotated volume to the slices that the detector is trained on."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import scipy.ndimage
import tensorflow as tf

from data_prep import intensities, spider
from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.data import slice_schema
from spine_tf.detection import slices, targets

_REACH_MM = 10.0  # of a quad, from its own mid-slice
_THICK_MM = 4.0
_THIN_MM = 2.0  # of slices that are closer, every other one is averaged over _THICK_MM


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A volume and what is known of it.

    Attributes:
        scan: The volume.
        annotation: Its vertebrae.
        masks: [slices, rows, columns] uint8 classes of everything but the sacrum, or None.
    """

    scan: volume.Volume
    annotation: vertebrae.Annotation
    masks: np.ndarray | None = None


def classes_of_spider(mask: np.ndarray, annotation: vertebrae.Annotation) -> np.ndarray:
    """Returns [slices, rows, columns] uint8 `targets.CLASSES` of a mask of SPIDER.

    Posterior elements are background; bodies that the annotation lacks are UNKNOWN.
    """
    is_front, classes = spider.in_front_of_canal(mask), np.zeros(mask.shape, np.uint8)
    known = {v.known_level.value for v in annotation.vertebrae}
    for value in np.unique(mask[(mask > 0) & (mask < levels.SPIDER_CANAL)]):
        level = levels.SPIDER_VERTEBRAE.get(int(value))
        name = level.value if level else ""
        number = targets.CLASSES.index(name) if name in known else targets.UNKNOWN
        classes[(mask == value) & is_front] = number
    classes[mask == levels.SPIDER_CANAL] = targets.CANAL
    classes[mask > levels.SPIDER_DISC_OFFSET] = targets.DISC
    return classes


def examples(labelled: Labelled, whose: dict) -> list[tf.train.Example]:
    """Makes the records of a volume.

    Args:
        labelled: The volume.
        whose: `ScanRequest.whose`.

    Raises:
        ValueError: If the volume shows nothing, or no slice shows the lowest vertebra.
    """
    found = [slice_schema.encode(one) for one in _slices(labelled, whose)]
    if not found:
        raise ValueError("`vertebrae` must lie within the scan, got none that does.")
    return found


def _slices(labelled: Labelled, whose: dict) -> Iterator[slice_schema.Slice]:
    scan = labelled.scan
    measured = intensities.describe(scan.array[..., np.newaxis])
    low, high = (np.array([value]) for value in slices.intensity_range(scan.array))
    shared = whose | dataclasses.asdict(measured) | {"low": low, "high": high}
    array = _partly_thick(scan.array, float(scan.spacing_mm[0]))
    image, affine = slices.resampled(array, scan.affine)
    lowest = labelled.annotation.vertebrae[-1].known_level
    masks = labelled.masks
    if masks is not None:
        masks, _ = slices.resampled(masks, scan.affine, is_label_map=True)
    for position in range(len(image)):
        quads = _quads(labelled.annotation, affine, position)
        if targets.CLASSES.index(lowest.value) not in quads:
            continue
        yield slice_schema.Slice(
            **shared,
            image=image[position][..., np.newaxis],
            inside=(0, 0, *image.shape[1:]),
            spacing_mm=geometry.spacing_mm(affine),
            view=slice_schema.SAGITTAL,
            position=position,
            num_positions=len(image),
            label_map=targets.label_map(
                quads, image.shape[1:], None if masks is None else masks[position]
            ),
            quads=quads,
        )


def _partly_thick(array: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Averages every other slice with its neighbours, where slices are thin."""
    if spacing_mm >= _THIN_MM:
        return array
    averaged = scipy.ndimage.uniform_filter1d(array, round(_THICK_MM / spacing_mm), axis=0)
    is_thick = (np.arange(len(array)) % 2 == 1)[:, np.newaxis, np.newaxis]
    return np.where(is_thick, averaged, array)


def _quads(
    annotation: vertebrae.Annotation, affine: np.ndarray, position: int
) -> dict[int, np.ndarray]:
    """Class -> quad (row, column) of the vertebrae whose own mid-slice is near a slice."""
    spacing_mm, quads = geometry.spacing_mm(affine)[0], {}
    for vertebra in annotation.vertebrae:
        name = vertebra.known_level.value
        if name not in targets.CLASSES:
            continue
        index = geometry.to_index(affine, vertebra.corners_mm)
        if abs(index[:, 0].mean() - position) * spacing_mm <= _REACH_MM:
            quads[targets.CLASSES.index(name)] = index[:, 1:]
    return targets.with_s2(quads)
