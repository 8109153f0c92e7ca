"""Renders one visit: a sagittal T2 and a sagittal T1 volume on one grid."""

import numpy as np

from spine_tf import volume
from spine_tf.phantom import anatomy, appearance, canvas, pose, spine, surroundings


def render(
    subject: anatomy.Anatomy,
    laid_out: pose.Spine,
    body: pose.Pose,
    plan: pose.Acquisition,
    scanner: appearance.Scanner,
    random: np.random.Generator,
) -> tuple[volume.Volume, volume.Volume]:
    """Paints the subject and acquires both series.

    Args:
        subject: Identity: canal, conus, marrow.
        laid_out: The spine in the body frame.
        body: How the subject lies.
        plan: The slices.
        scanner: The scanner of the visit.
        random: Generator of the visit; it decides noise and everything that is not identity.

    Returns:
        (T2, T1) volumes [slices, rows, columns] of whole numbers from 0 to 4095.
    """
    shape = (plan.num_slices, plan.matrix, plan.matrix)
    image = canvas.make(
        plan.affine, shape, pose.body_to_patient(body), laid_out.midline_x_mm
    )
    tissues = appearance.tissues(scanner, subject.marrow, random)
    column = surroundings.make_column(image, laid_out, subject.canal_mm)
    surroundings.paint_soft_tissue(image, column, body.skin, tissues, random)
    surroundings.paint_posterior(image, laid_out, tissues)
    surroundings.paint_canal(image, column, laid_out, subject.conus, tissues, random)
    spine.paint_discs(image, laid_out, tissues, random)
    spine.paint_vertebrae(image, laid_out, tissues)
    surroundings.paint_pedicles(image, laid_out, tissues)
    depth_mm = (np.float32(70.0) - column.behind_mm) * np.float32(body.scale)
    return tuple(
        volume.Volume(
            appearance.acquire(signal, plan.pixel_mm, depth_mm, scanner, random), plan.affine
        )
        for signal in (image.t2, image.t1)
    )
