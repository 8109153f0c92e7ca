"""Annotations of other tools to `vertebrae/1`: label maps, DICOM SEG, and the CSV of SpineNet.

Sources: levels.LABEL_MAPS; DICOM PS3.3 A.51 (Segmentation IOD); Windsor et al. 2022 (SpineNet).
"""

import csv
import os
import re
from collections.abc import Callable

import numpy as np
import pydicom

from data_prep import dicom_header, rejection, series_geometry, spider, volume_file
from spine_tf import geometry, levels, vertebrae
from spine_tf.detection import quads

SPINENET, SEG = "spinenet", "seg"
FORMATS = (*levels.LABEL_MAPS, SPINENET, SEG)
# SPINEPS writes the vertebrae and the canal to two files of one name.
_INSTANCES, _SUBREGIONS = "_seg-vert_", "_seg-spine_"
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[+-]?\d+)?", re.IGNORECASE)
_LEVEL = r"(T9|T1[0-2]|L[1-6]|S1)"
_VERTEBRA_LABEL = re.compile(rf"\b{_LEVEL}\b")
_DISC_LABEL = re.compile(rf"\b{_LEVEL}\W*{_LEVEL}\b")


def from_label_map(path: str, name: str) -> vertebrae.Annotation:
    """Reduces a label map to quads.

    Args:
        path: A file that SimpleITK reads. Of SPINEPS the `*_seg-vert_*` file; its `*_seg-spine_*`
            must lie beside it.
        name: One of `levels.LABEL_MAPS`.

    Raises:
        rejection.RejectedInput: If it cannot be read or holds no vertebra or no canal.
    """
    numbers, found = levels.LABEL_MAPS[name], volume_file.read(path)
    mask = np.round(found.array).astype(np.int32)
    folder, base = os.path.split(path)
    if _INSTANCES in base:
        other = volume_file.read(os.path.join(folder, base.replace(_INSTANCES, _SUBREGIONS)))
        if not volume_file.on_one_grid(found, other):
            raise rejection.RejectedInput(
                other.path, "", f"has another grid than the map of instances ({base})"
            )
        is_canal = np.isin(np.round(other.array).astype(np.int32), numbers.canal)
        mask = np.where((mask == 0) & is_canal, numbers.canal[0], mask)
    return _checked(path, lambda: spider.annotation_from_mask(mask, found.affine, numbers=numbers))


def is_second_map(path: str) -> bool:
    """Says whether a file is the canal's of SPINEPS, which is read with that of the vertebrae."""
    return _SUBREGIONS in os.path.basename(path)


def from_seg(path: str) -> tuple[str, vertebrae.Annotation]:
    """Reduces a DICOM segmentation to quads.

    The names of its segments tell what they are: `L4`, `vertebra L4`, `disc L4-L5`, `canal`.

    Args:
        path: A DICOM SEG file.

    Returns:
        SeriesInstanceUID of the series that was segmented, and its annotation.

    Raises:
        ImportError: If highdicom is not installed.
        rejection.RejectedInput: If it cannot be read, or its segments are not vertebrae and canal.
    """
    try:
        import highdicom
    except ImportError:
        raise ImportError(
            "DICOM SEG is read with highdicom, which is not installed; pip install 'spine-tf[seg]'."
        ) from None

    def read():
        found = highdicom.seg.segread(path)
        numbers = _segment_numbers(found)
        mask = found.get_volume(combine_segments=True, skip_overlap_checks=True)
        array, affine = geometry.canonicalise(np.asarray(mask.array, np.int32), mask.affine)
        uid = str(found.ReferencedSeriesSequence[0].SeriesInstanceUID)
        return uid, spider.annotation_from_mask(array, affine, numbers=numbers)

    return _checked(path, read)


def _segment_numbers(found) -> levels.LabelNumbers:
    """What the segments of a data set are, by their names."""
    bodies, discs, canal = {}, {}, []
    for number in found.segment_numbers:
        label = str(found.get_segment_description(number).segment_label)
        if pair := _DISC_LABEL.search(label):
            discs[number] = levels.DiscLevel.from_name(f"{pair[1]}-{pair[2]}")
        elif level := _VERTEBRA_LABEL.search(label):
            bodies[number] = levels.VertebraLevel.from_name(level[1])
        elif re.search("canal|cord", label, re.IGNORECASE):
            canal.append(number)
    return levels.LabelNumbers("DICOM SEG", bodies, discs, tuple(canal))


def from_spinenet(path: str, series: dicom_header.SeriesFiles) -> vertebrae.Annotation:
    """Reads the CSV file of SpineNet's `save_vert_dicts_to_csv`.

    Its polygons are (column, row) pixels, and its slices count from 0 in the order of
    InstanceNumber.

    Args:
        path: The CSV file.
        series: The series that SpineNet was run on.

    Raises:
        rejection.RejectedInput: If it is no such file, or names levels or slices there are not.
    """
    affine = series_geometry.series_affine(series)
    order = np.argsort([_instance_number(item) for item in series.slices], kind="stable")

    def read():
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.DictReader(file) if _is_known(row["predicted_label"])]
        corners = [_spinenet_quad(row, order, affine) for row in rows]
        centres = np.array([quad.mean(axis=0)[1:] * [1, -1] for quad in corners])
        found = []
        for i, (row, quad) in enumerate(zip(rows, corners, strict=True)):
            near = centres[max(i - 1, 0) : i + 2]
            near = near[np.argsort(near[:, 1])]
            points = quads.in_corner_order(quad[:, 1:] * [1, -1], near[-1] - near[0])
            corners_mm = np.column_stack([np.full(4, quad[:, 0].mean()), points * [1, -1]])
            level = levels.VertebraLevel(row["predicted_label"])
            found.append(vertebrae.Vertebra(level, corners_mm))
        return vertebrae.Annotation(tuple(found), source="SpineNet")

    return _checked(path, read)


def _instance_number(item: dicom_header.SliceHeader) -> int:
    tags = pydicom.dcmread(item.path, stop_before_pixels=True, specific_tags=["InstanceNumber"])
    return int(tags.get("InstanceNumber", None) or 0)


def _is_known(name: str) -> bool:
    return name in {level.value for level in levels.VertebraLevel}


def _spinenet_quad(row, order: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """[4, 3] LPS mm of one row, in the middle one of its slices."""
    points = np.array(_NUMBER.findall(row["average_polygon"]), float).reshape(4, 2)
    slices = sorted(int(float(text)) for text in _NUMBER.findall(row["slice_nos"]))
    index = order[slices[len(slices) // 2]]
    return geometry.to_patient(
        affine, np.column_stack([np.full(4, index), points[:, 1], points[:, 0]])
    )


def _checked(path: str, read: Callable):
    """What `read` returns; whatever a broken file makes it raise becomes a rejection."""
    try:
        return read()
    except rejection.RejectedInput:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise rejection.RejectedInput(path, "", f"{type(error).__name__}: {first}") from None
