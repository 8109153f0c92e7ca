"""Ten hand-made features of an ultrasound image, and ten of an abdominal CT volume."""

import numpy as np
from scipy import ndimage, stats

from spine_tf.organ_phantom import patient

IMAGE_FEATURES = (
    "mean",
    "spread",
    "skewness",
    "dark share",
    "bright share",
    "gradient",
    "coherence of gradients",
    "symmetry",
    "extent of bright pixels",
    "elongation of bright pixels",
)
VOLUME_FEATURES = (
    "length",
    "width",
    "depth",
    "centre x",
    "centre y",
    "lungs reach down",
    "lung share",
    "mean of soft tissue",
    "fat share",
    "bone share",
)
_BODY_HU, _LUNG_HU, _FAT_HU, _BONE_HU = -300, -500, (-150, -40), 250
_LUNG_SHARE = 0.05  # of a slice of the body, where the lungs are said to begin


def of_image(image: np.ndarray) -> np.ndarray:
    """Measures one image.

    Args:
        image: [rows, columns] uint8.

    Returns:
        [10] float64, `IMAGE_FEATURES`.
    """
    grey = ndimage.gaussian_filter(image / 255.0, 1.5)
    inside = image > 0
    values = grey[inside]
    rows, columns = np.gradient(grey)
    tensor = [np.mean(rows**2), np.mean(columns**2), np.mean(rows * columns)]
    coherence = np.hypot(tensor[0] - tensor[1], 2 * tensor[2]) / (tensor[0] + tensor[1])
    top = np.percentile(values, 90)
    return np.array(
        [
            values.mean(),
            values.std(),
            stats.skew(values),
            np.mean(values < 0.1),
            np.mean(values > 0.6),
            np.hypot(rows, columns)[inside].mean(),
            coherence,
            np.corrcoef(grey.ravel(), grey[:, ::-1].ravel())[0, 1],
            *_spread(np.argwhere(grey > top)),
        ]
    )


def _spread(places: np.ndarray) -> tuple[float, float]:
    """Root mean square distance of places from their middle, and length over width."""
    low, high = np.linalg.eigvalsh(np.cov(places.T))
    return np.sqrt(low + high), np.sqrt(high / low)


def of_volume(hu: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Measures the outline and the intensities of one volume.

    Args:
        hu: [slices, rows, columns].
        spacing_mm: Of slices, rows and columns.

    Returns:
        [10] float64, `VOLUME_FEATURES`; lengths in mm from the first voxel.
    """
    slices_mm, rows_mm, columns_mm = spacing_mm
    outline = _outline(hu)
    rows, columns = np.nonzero(outline.any(axis=0))
    body = hu[outline]
    lung = np.mean((hu < _LUNG_HU) & outline, axis=(1, 2)) / np.mean(outline, axis=(1, 2))
    first = np.argmax(lung > _LUNG_SHARE) if lung.max() > _LUNG_SHARE else len(lung)
    return np.array(
        [
            len(hu) * slices_mm,
            np.ptp(columns) * columns_mm,
            np.ptp(rows) * rows_mm,
            (columns.min() + columns.max()) / 2 * columns_mm,
            (rows.min() + rows.max()) / 2 * rows_mm,
            first * slices_mm,
            lung.mean(),
            body[(body > 0) & (body < 200)].mean(),
            np.mean((body > _FAT_HU[0]) & (body < _FAT_HU[1])),
            np.mean(body > _BONE_HU),
        ]
    )


def _outline(hu: np.ndarray) -> np.ndarray:
    """[slices, rows, columns] bool: the largest piece of every slice, air in it included."""
    found = np.zeros(hu.shape, bool)
    for position, image in enumerate(hu):
        solid = ndimage.binary_opening(image > _BODY_HU, iterations=2)
        pieces, count = ndimage.label(solid)
        if count:
            largest = 1 + np.argmax(np.bincount(pieces.ravel())[1:])
            found[position] = ndimage.binary_fill_holes(pieces == largest)
    return found


def boxes_mm(label_map: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Returns the true boxes of the organs.

    Args:
        label_map: [slices, rows, columns] uint8, `patient.LABELS`.
        spacing_mm: Of slices, rows and columns.

    Returns:
        [5, 2, 3] first and last edge along z, y, x in mm from the first voxel; NaN without organ.
    """
    found = np.full((len(patient.ORGANS), 2, 3), np.nan)
    for number, places in enumerate(ndimage.find_objects(label_map, len(patient.ORGANS))):
        if places is not None:
            edges = [(place.start, place.stop) for place in places]
            found[number] = np.transpose(edges) * spacing_mm
    return found
