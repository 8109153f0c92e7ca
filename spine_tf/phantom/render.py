"""Renders one visit: T2 and T1 signals on any grid, and the scans a scanner makes of them."""

import dataclasses

import numpy as np

from spine_tf import geometry, volume
from spine_tf.phantom import (
    anatomy,
    appearance,
    canal,
    canvas,
    column_tables,
    pose,
    posterior,
    soft_tissue,
    spine,
)


@dataclasses.dataclass(frozen=True)
class Scene:
    """One subject on the table of one scanner.

    Attributes:
        subject: Identity: canal, conus, marrow.
        spine: The spine in the body frame.
        body: How the subject lies.
        scanner: The scanner of the visit.
    """

    subject: anatomy.Anatomy
    spine: pose.Spine
    body: pose.Pose
    scanner: appearance.Scanner


def sagittal(
    scene: Scene, plan: pose.Acquisition, random: np.random.Generator
) -> tuple[volume.Volume, volume.Volume]:
    """Scans a sagittal T2 and a sagittal T1 series on one grid.

    Args:
        scene: Who lies where.
        plan: The slices.
        random: Generator of the visit; it decides noise and everything that is not identity.

    Returns:
        (T2, T1) volumes [slices, rows, columns] of whole numbers from 0 to 4095.
    """
    scans = scan(scene, plan.affine, plan.shape, random)
    return tuple(volume.Volume(array, plan.affine) for array in scans)


def sagittal_t2(scene: Scene, plan: pose.Acquisition, random: np.random.Generator) -> volume.Volume:
    """Scans the T2 series of `sagittal` alone; the same voxels in less time."""
    return volume.Volume(scan(scene, plan.affine, plan.shape, random, ("t2",))[0], plan.affine)


def scan(
    scene: Scene,
    affine: np.ndarray,
    shape: tuple[int, int, int],
    random: np.random.Generator,
    contrasts: tuple[str, ...] = ("t2", "t1"),
) -> tuple[np.ndarray, ...]:
    """Scans any grid.

    Args:
        scene: Who lies where.
        affine: [4, 4] index to patient mm; slices in any direction.
        shape: Of the grid; rows and columns even.
        random: Generator of the visit.
        contrasts: "t2" or "t1", in the order in which they are scanned.

    Returns:
        Per contrast a float32 array of `shape` with whole numbers from 0 to 4095.
    """
    to_patient = pose.body_to_patient(scene.body)
    image = canvas.make(affine, shape, to_patient, scene.spine.midline_x_mm)
    tissues = appearance.tissues(scene.scanner, scene.subject.marrow, random)
    behind_mm = _paint_background(image, scene, affine, tissues, random)
    posterior.paint_sides(image, scene.spine, tissues)
    posterior.paint_processes(image, scene.spine, tissues, random)
    canal.paint(image, scene.spine, scene.subject, behind_mm, tissues, random)
    spine.paint_discs(image, scene.spine, tissues, random)
    spine.paint_vertebrae(image, scene.spine, tissues)
    posterior.paint_pedicles(image, scene.spine, tissues)
    depth_mm = (np.float32(70.0) - behind_mm) * np.float32(scene.body.scale)
    pixel_mm = float(geometry.spacing_mm(affine)[1])
    return tuple(
        appearance.acquire(getattr(image, name), pixel_mm, depth_mm, scene.scanner, random)
        for name in contrasts
    )


def _paint_background(image, scene: Scene, affine, tissues, random) -> np.ndarray:
    """Paints soft tissue on every second pixel and interpolates it.

    Returns:
        [slices, rows / 2, columns / 2] distance behind the back walls in mm.
    """
    slices, rows, columns = image.t2.shape
    half = np.diag([1.0, 2.0, 2.0, 1.0])
    half[1:3, 3] = 0.5
    coarse = canvas.make(
        affine @ half,
        (slices, rows // 2, columns // 2),
        pose.body_to_patient(scene.body),
        scene.spine.midline_x_mm,
    )
    column = column_tables.make(coarse, scene.spine)
    soft_tissue.paint(coarse, column, scene.body.skin, tissues, random)
    image.t2[:], image.t1[:] = canvas.double(coarse.t2), canvas.double(coarse.t1)
    return column.behind_mm
