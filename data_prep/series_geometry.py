"""Where the slices of one series lie: an even stack, or the reason why it is none."""

import os

import numpy as np

from data_prep import dicom_header, rejection
from spine_tf import geometry

_SAME_POSITION_MM = 0.01
_EVEN = 0.1  # of the slice distance; scanners round positions
_MOST_OFFSET_MM = 0.5  # in the plane, from the line through the first and last slice


def series_affine(series: dicom_header.SeriesFiles) -> np.ndarray:
    """Returns [4, 4], index (slice, row, column) of the sorted slices to LPS mm.

    The distance of slices comes from their positions, never from SpacingBetweenSlices.

    Raises:
        rejection.RejectedInput: If the slices are not one even, complete stack of one size.
    """
    _check_uids(series)
    _check_same_size(series)
    first = series.first
    positions_mm = np.array([item.position_mm for item in series.slices])
    if len(positions_mm) < 2:
        raise _rejected(series, "has a single slice; export the whole series")
    _check_even(series, (positions_mm - positions_mm[0]) @ _growing_normal(positions_mm, first))
    _check_in_line(series, positions_mm)
    row_mm, column_mm = first.pixel_spacing_mm
    return geometry.affine_from_axes(
        (positions_mm[-1] - positions_mm[0]) / (len(positions_mm) - 1),
        np.array(first.orientation[3:]) * row_mm,
        np.array(first.orientation[:3]) * column_mm,
        positions_mm[0],
    )


def _rejected(
    series: dicom_header.SeriesFiles, reason: str, path: str = ""
) -> rejection.RejectedInput:
    return rejection.RejectedInput(path or os.path.dirname(series.paths[0]), series.uid, reason)


def _check_uids(series: dicom_header.SeriesFiles) -> None:
    """Raises if two files have one SOPInstanceUID; copies are left out before."""
    paths = {}
    for item in series.slices:
        other = paths.setdefault(item.sop_instance_uid, item.path)
        if other != item.path:
            raise _rejected(
                series,
                f"has the SOPInstanceUID of another file, with other content ({other});"
                " keep the right one",
                item.path,
            )


def _check_in_line(series: dicom_header.SeriesFiles, positions_mm: np.ndarray) -> None:
    """Raises for slices that are shifted in their plane, which one affine cannot tell."""
    steps = np.linspace(0, 1, len(positions_mm))[:, None]
    expected_mm = positions_mm[0] + steps * (positions_mm[-1] - positions_mm[0])
    normal = series.first.normal
    offsets_mm = positions_mm - expected_mm
    offsets_mm -= (offsets_mm @ normal)[:, None] * normal
    lengths_mm = np.linalg.norm(offsets_mm, axis=1)
    at = int(lengths_mm.argmax())
    if lengths_mm[at] > _MOST_OFFSET_MM:
        raise _rejected(
            series,
            f"is shifted by {lengths_mm[at]:.1f} mm in its plane, against the other slices; export"
            " the whole series, not a reformat",
            series.slices[at].path,
        )


def _check_same_size(series: dicom_header.SeriesFiles) -> None:
    first = series.first
    size = first.rows, first.columns
    for item in series.slices:
        if (item.rows, item.columns) != size:
            found = f"{item.rows}x{item.columns} pixels and others {first.rows}x{first.columns}"
        elif not np.allclose(item.pixel_spacing_mm, first.pixel_spacing_mm, rtol=1e-3):
            found = f"pixels of {item.pixel_spacing_mm} mm and others {first.pixel_spacing_mm} mm"
        elif not np.allclose(item.orientation, first.orientation, atol=0.01):
            found = "another orientation than others"
        else:
            continue
        raise _rejected(
            series, f"a slice has {found}; remove what does not belong to it", item.path
        )


def _growing_normal(positions_mm: np.ndarray, first: dicom_header.SliceHeader) -> np.ndarray:
    normal = first.normal
    return normal if (positions_mm[-1] - positions_mm[0]) @ normal >= 0 else -normal


def _check_even(series: dicom_header.SeriesFiles, offsets_mm: np.ndarray) -> None:
    """Raises for slices that are duplicate, missing or unevenly spaced."""
    gaps_mm = np.diff(offsets_mm)
    smallest_mm = gaps_mm.min()
    if smallest_mm < _SAME_POSITION_MM:
        at = int(gaps_mm.argmin())
        other = series.slices[at].path
        raise _rejected(
            series,
            f"has the slice position of another file ({other}); remove the duplicate slice",
            series.slices[at + 1].path,
        )
    steps = gaps_mm / smallest_mm
    if np.all(np.abs(steps - 1) <= _EVEN):
        return
    at = int(gaps_mm.argmax())
    between = f"between {series.slices[at].path} and {series.slices[at + 1].path}"
    if np.all(np.abs(steps - np.round(steps)) <= _EVEN):
        count = int(np.sum(np.round(steps) - 1))
        raise _rejected(
            series,
            f"{count} of its slices missing, {between} ({gaps_mm[at]:.2f} mm apart, others"
            f" {smallest_mm:.2f} mm); export the whole series again",
        )
    raise _rejected(
        series,
        f"slices unevenly spaced, {smallest_mm:.2f} to {gaps_mm[at]:.2f} mm, widest {between};"
        " export the whole series, not a reformat",
    )
