"""What can be measured on one visit without a network: crops, shapes, headers, discs."""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy import ndimage

from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.data import crops
from spine_tf.phantom import anatomy, cohort

_CROP_SLICES = 7
_MARKING_ERROR_MM = 1.0  # of a point marked by hand, as in the annotation of a real study
_STREAM = 77

SHAPE_FEATURES = (
    "height / width",
    "front / back height",
    "upper / lower width",
    "shear / width",
    "upper endplate depth / width",
    "lower endplate depth / width",
    "upper endplate apex",
    "lower endplate apex",
    "front wall depth / width",
    "back wall depth / width",
)
HEADER_FEATURES = ("width", "pixel", "slice distance", "slices", "rows", "median", "view")
DISC_FEATURES = ("mean", "maximum", "deviation", "height", "height / width")


@dataclasses.dataclass(frozen=True)
class Measures:
    """Of one visit.

    Attributes:
        crops: [7 levels, 7 slices, 112, 112] float16, normalised as for the network.
        shapes: [7 levels, 10] `SHAPE_FEATURES`.
        headers: [7 levels, 7] `HEADER_FEATURES`.
        discs: [5 discs, 5] `DISC_FEATURES`.
        grades: [5 discs] disc degeneration.
    """

    crops: np.ndarray
    shapes: np.ndarray
    headers: np.ndarray
    discs: np.ndarray
    grades: np.ndarray


def measure(config: cohort.CohortConfig, index: int, visit: int) -> Measures:
    """Renders one visit and measures it."""
    scan, annotation = cohort.make_sagittal_t2(config, index, visit)
    graded = cohort.make_plan(config, index).gradings[visit]
    random = np.random.default_rng([_STREAM, config.seed, index, visit])
    spine = cohort.laid_out_spine(config, index, visit)
    shapes = [
        shape_features(spine.shapes[anatomy.RENDERED.index(name)], random)
        for name in anatomy.ANNOTATED
    ]
    return Measures(
        crops=_crops(scan, annotation),
        shapes=np.array(shapes),
        headers=_headers(scan, annotation),
        discs=np.array([disc_features(scan, annotation, disc) for disc in graded]),
        grades=np.array([grades["disc_degeneration"] for grades in graded.values()]),
    )


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None, None], tf.float32),
        tf.TensorSpec([4, 4], tf.float64),
        tf.TensorSpec([7, 4, 3], tf.float64),
    ]
)
def _crop_vertebrae(array, affine, corners_mm):
    return crops.crop_vertebrae(array, affine, corners_mm, scale=0.5, stored=False)["image"]


def _crops(scan: volume.Volume, annotation: vertebrae.Annotation) -> np.ndarray:
    corners_mm = np.stack([vertebra.corners_mm for vertebra in annotation.vertebrae])
    images = _crop_vertebrae(scan.array, scan.affine, corners_mm).numpy()
    skipped = (images.shape[1] - _CROP_SLICES) // 2
    return images[:, skipped : skipped + _CROP_SLICES].astype(np.float16)


def shape_features(shape: anatomy.VertebraShape, random: np.random.Generator) -> np.ndarray:
    """Returns [10] `SHAPE_FEATURES` as measured by hand on the true contour.

    Args:
        shape: The body at this visit.
        random: Draws the error of every marked point.
    """
    corners = shape.corners_mm + _MARKING_ERROR_MM * random.standard_normal((4, 2))
    edges = np.roll(corners, -1, axis=0) - corners
    top, back, bottom, front = np.linalg.norm(edges, axis=1)
    width = (top + bottom) / 2
    inner = shape.curves_mm[:, 4:-4]
    depths = np.array([inner[0].max(), inner[1].mean(), inner[2].max(), inner[3].mean()])
    depths = depths + _MARKING_ERROR_MM * random.standard_normal(4)
    error = _MARKING_ERROR_MM / 12.0 * random.standard_normal(2)
    apexes = np.array([inner[0].argmax(), inner[2].argmax()]) / (inner.shape[1] - 1) + error
    shear = (corners[0] + corners[1] - corners[2] - corners[3])[0] / 2
    return np.array(
        [
            (back + front) / 2 / width,
            front / back,
            top / bottom,
            shear / width,
            depths[0] / width,
            depths[2] / width,
            apexes[0],
            apexes[1],
            depths[3] / width,
            depths[1] / width,
        ]
    )


def _headers(scan: volume.Volume, annotation: vertebrae.Annotation) -> np.ndarray:
    slice_mm, row_mm, _ = scan.spacing_mm
    rows = []
    for vertebra in annotation.vertebrae:
        corners_mm = vertebra.corners_mm
        width_mm = np.linalg.norm(corners_mm[1] - corners_mm[0]) / 2
        width_mm += np.linalg.norm(corners_mm[2] - corners_mm[3]) / 2
        median = np.median(sample_quad(scan, corners_mm))
        size = scan.array.shape
        rows.append(
            [width_mm, row_mm, slice_mm, size[0], size[1], np.log(median), row_mm * size[1]]
        )
    return np.array(rows)


def sample_quad(scan: volume.Volume, corners_mm: np.ndarray, margin: float = 0.12) -> np.ndarray:
    """Returns [3, 12, 24] signals inside a quad, on its mid-slice and the two beside it."""
    down, across = np.meshgrid(
        np.linspace(margin, 1 - margin, 12), np.linspace(margin, 1 - margin, 24), indexing="ij"
    )
    down, across = down[..., None], across[..., None]
    top = corners_mm[0] + across * (corners_mm[1] - corners_mm[0])
    bottom = corners_mm[3] + across * (corners_mm[2] - corners_mm[3])
    index = geometry.to_index(scan.affine, top + down * (bottom - top))
    middle = int(np.clip(np.round(index[..., 0].mean()), 1, scan.array.shape[0] - 2))
    return np.stack(
        [
            ndimage.map_coordinates(
                scan.array[k], [index[..., 1], index[..., 2]], order=1, mode="nearest"
            )
            for k in (middle - 1, middle, middle + 1)
        ]
    )


def disc_features(
    scan: volume.Volume, annotation: vertebrae.Annotation, disc: levels.DiscLevel
) -> np.ndarray:
    """Returns [5] `DISC_FEATURES`: signals against the bodies beside it, and size in mm."""
    upper = annotation.by_level[disc.upper].corners_mm
    lower = annotation.by_level[disc.lower].corners_mm
    quad_mm = np.stack([upper[3], upper[2], lower[1], lower[0]])
    bodies = np.concatenate([sample_quad(scan, upper), sample_quad(scan, lower)])
    signal = sample_quad(scan, quad_mm) / np.median(bodies)
    edges = np.linalg.norm(np.roll(quad_mm, -1, axis=0) - quad_mm, axis=1)
    height_mm, width_mm = (edges[1] + edges[3]) / 2, (edges[0] + edges[2]) / 2
    return np.array(
        [signal.mean(), np.percentile(signal, 98), signal.std(), height_mm, height_mm / width_mm]
    )
