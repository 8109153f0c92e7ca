"""One volume with its label map to the records of its slices."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from data_prep import intensities, settings
from spine_tf import geometry
from spine_tf.data import resampling, slice_schema, swaps

# View -> canonical axes that run along its slices, its rows and its columns. Axial and coronal
# slices show the patient's right on their left.
_AXES = {
    slice_schema.SAGITTAL: (0, 1, 2),
    slice_schema.CORONAL: (2, 1, 0),
    slice_schema.AXIAL: (1, 2, 0),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """A volume in memory, in canonical order.

    Attributes:
        array: [slices, rows, columns, channels] float32.
        label_map: [slices, rows, columns] uint8, or None.
        affine: [4, 4] index to LPS mm.
        view: The view that its files are cut in.
    """

    array: np.ndarray
    label_map: np.ndarray | None
    affine: np.ndarray
    view: str


def examples(case: Case, whose: dict, chosen: settings.VolumeSettings) -> list:
    """Makes the records of a case.

    Args:
        case: The volume.
        whose: `ScanRequest.whose`.
        chosen: Views, spacing, and which slices are kept.

    Returns:
        tf.train.Examples, view after view, in order of position.

    Raises:
        ValueError: If a channel has one value everywhere, or no slice is kept.
    """
    measured = intensities.describe(case.array)
    if chosen.window_hu:
        low, high = (np.full_like(measured.low, value) for value in chosen.window_hu)
        measured = dataclasses.replace(measured, low=low, high=high)
    shared = whose | dataclasses.asdict(measured)
    views = [case.view if view == settings.NATIVE else view for view in chosen.views]
    found = [
        slice_schema.encode(one)
        for view in dict.fromkeys(views)
        for one in _slices(case, view, shared, chosen)
        if _is_kept(one, chosen.slices)
    ]
    if not found:
        raise ValueError(f"has no slice to keep with --slices={chosen.slices}; leave the case out")
    return found


def _slices(
    case: Case, view: str, shared: dict, chosen: settings.VolumeSettings
) -> Iterator[slice_schema.Slice]:
    """All slices of a case in one view."""
    axes = _AXES[view]
    spacing_mm = geometry.spacing_mm(case.affine)[list(axes)]
    wanted_mm = _wanted_mm(spacing_mm, chosen)
    array = resampling.resampled(np.transpose(case.array, (*axes, 3)), spacing_mm, wanted_mm)
    swaps.check_size(*array.shape[1:3])
    labels = None
    if case.label_map is not None:
        labels = np.transpose(case.label_map, axes)[..., None]
        labels = resampling.resampled(labels, spacing_mm, wanted_mm, is_label_map=True)[..., 0]
    for position, image in enumerate(array):
        yield slice_schema.Slice(
            **shared,
            image=image,
            inside=(0, 0, *image.shape[:2]),
            spacing_mm=wanted_mm,
            view=view,
            position=position,
            num_positions=len(array),
            label_map=None if labels is None else labels[position],
        )


def _wanted_mm(spacing_mm: np.ndarray, chosen: settings.VolumeSettings) -> np.ndarray:
    if not chosen.spacing_mm:
        return spacing_mm
    wanted_mm = np.full(3, chosen.spacing_mm)
    if chosen.resample == "in_plane":
        wanted_mm[0] = spacing_mm[0]
    return wanted_mm


def _is_kept(one: slice_schema.Slice, which: str) -> bool:
    if which == "foreground":
        return bool(slice_schema.foreground(one.image, one.background).any())
    return which == "all" or (one.label_map is not None and bool(one.label_map.any()))
