"""Tiny DICOM series and studies for tests."""

import os
import zlib

import numpy as np
import pydicom

from data_prep import dicom_writer
from spine_tf import levels, vertebrae


def make_header(**changes) -> dicom_writer.SeriesHeader:
    """A sagittal T2 header; give fields to change."""
    values = dict(
        patient_id="someone",
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.3.4",
        frame_of_reference_uid="1.2.3.5",
        study_date="20200131",
        series_number=3,
        series_description="",
        repetition_time_ms=3000.0,
        echo_time_ms=100.0,
        inversion_time_ms=None,
        field_strength_t=1.5,
        slice_thickness_mm=4.0,
    )
    return dicom_writer.SeriesHeader(**{**values, **changes})


def make_affine(slice_mm=5.0, row_mm=0.9, column_mm=0.6, tilt_deg=0.0) -> np.ndarray:
    """A canonical sagittal affine, turned about z (the body axis) by `tilt_deg`."""
    angle = np.radians(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = np.array([np.cos(angle), np.sin(angle), 0]) * slice_mm
    affine[:3, 1] = np.array([0, 0, -1.0]) * row_mm
    affine[:3, 2] = np.array([-np.sin(angle), np.cos(angle), 0]) * column_mm
    affine[:3, 3] = [-10.0, -20.0, 30.0]
    return affine


def make_axial_affine() -> np.ndarray:
    """Slices from foot to head, rows to the back, columns to the left."""
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = affine[3, 3] = 1.0
    return affine


def make_array(slices=4, rows=6, columns=5) -> np.ndarray:
    """Every voxel has another value."""
    return np.arange(slices * rows * columns, dtype=np.uint16).reshape(slices, rows, columns)


def write_series(folder, affine=None, array=None, **header) -> list[str]:
    """Writes one series; `header` changes `make_header`."""
    affine = make_affine() if affine is None else affine
    array = make_array() if array is None else array
    return dicom_writer.write_series(str(folder), array, affine, make_header(**header))


def write_study(folder, uid="1.2.3", **header) -> str:
    """Writes a study with a T2, a T1 and an axial series; returns the UID of the T2.

    Another `uid`, other pixels, as the same ones would be of the same person. Those of the default
    are `make_array`.
    """
    header = {"study_instance_uid": uid, **header}
    array = make_array() + np.uint16((zlib.crc32(uid.encode()) ^ zlib.crc32(b"1.2.3")) % 50000)
    write_series(os.path.join(folder, "t2"), array=array, series_instance_uid=f"{uid}.1", **header)
    write_series(
        os.path.join(folder, "t1"), series_instance_uid=f"{uid}.2", echo_time_ms=10.0, **header
    )
    write_series(
        os.path.join(folder, "axial"),
        make_axial_affine(),
        series_instance_uid=f"{uid}.3",
        **header,
    )
    return f"{uid}.1"


def edit(path, **values) -> None:
    """Sets attributes of one file; None deletes one."""
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def make_annotation(series_uid) -> vertebrae.Annotation:
    """One vertebra, L4."""
    corners_mm = [[0, -19, 29], [0, -18, 29], [0, -18, 28], [0, -19, 28]]
    found = vertebrae.Vertebra(levels.VertebraLevel.L4, corners_mm)
    return vertebrae.Annotation((found,), series_instance_uid=series_uid)
