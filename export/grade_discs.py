"""A study that was read to its graded discs: crops, grades, distance to the training data."""

import dataclasses
import os
from collections.abc import Mapping

import numpy as np

from data_prep import scan_crops, study
from export import figure, report, saliency, saved_model, table
from spine_tf import levels, serving
from spine_tf.data import augmentation, crops

Outputs = dict[str, np.ndarray]


def grade(
    exported: saved_model.Exported, found: study.Study, with_saliency: bool = False
) -> list[report.Disc]:
    """Grades the discs of a study whose vertebrae have levels.

    Args:
        exported: A model with the signatures `serving_default` and `scan`.
        found: The study.
        with_saliency: Whether to ask the model again with patches covered; slow.

    Returns:
        The discs, head to foot.

    Raises:
        ValueError: If the model lacks a signature, or its graph refuses the annotation; the message
            names the model or the series and says why.
    """
    try:
        return _graded(exported, found, with_saliency)
    except saved_model.InputError as error:
        folder = os.path.dirname(found.series.paths[0])
        raise ValueError(f"{folder} ({found.series.uid}): {error}.") from None


def _graded(
    exported: saved_model.Exported, found: study.Study, with_saliency: bool
) -> list[report.Disc]:
    outputs = _with_marked(exported, found, _run(exported, found))
    discs = [_disc(exported, outputs, number) for number in range(len(outputs["disc"]))]
    if not with_saliency:
        return discs
    maps = saliency.occlusion(exported, outputs["crops"])
    overlays = {name: figure.overlays(found) for name, found in maps.items()}
    return [
        dataclasses.replace(disc, overlays={name: each[i] for name, each in overlays.items()})
        for i, disc in enumerate(discs)
    ]


def _disc(exported: saved_model.Exported, outputs: Outputs, number: int) -> report.Disc:
    distance, is_outlier = outputs.get("distance"), outputs.get("is_outlier")
    return report.Disc(
        level=str(outputs["disc"][number]),
        crop_png=figure.crop_png(outputs["crops"][number]),
        grades=table.grades_of(exported.gradings, outputs, number),
        distance=None if distance is None else float(distance[number]),
        is_outlier=None if is_outlier is None else bool(is_outlier[number]),
    )


def _run(exported: saved_model.Exported, found: study.Study) -> Outputs:
    """Outputs of the `scan` signature."""
    bodies = found.annotation.vertebrae
    outputs = exported.run(
        serving.SCAN,
        volume=found.volume.as_uint16(),
        affine=np.asarray(found.volume.affine, np.float64),
        corners_mm=np.stack([body.corners_mm for body in bodies]).astype(np.float64),
        levels=[body.known_level.value for body in bodies],
    )
    return outputs | {"disc": np.array([name.decode() for name in outputs["disc"]])}


def _with_marked(exported: saved_model.Exported, found: study.Study, outputs: Outputs) -> Outputs:
    """Adds the discs that have a quad of their own, because a neighbour is not annotated.

    The `scan` signature knows vertebrae only; these are cut as conversion does.
    """
    marked = [disc.value for disc in found.annotation.disc_corners_mm]
    marked = [name for name in marked if name not in outputs["disc"]]
    if not marked:
        return outputs
    scales = exported.info["crop"]["record_scale"], exported.info["crop"]["scale"]
    stored = scan_crops.disc_crops(found.volume, found.annotation, scales[0])
    marked = [name for name in marked if name in stored]  # those without a neighbour are not
    if not marked:
        return outputs
    cut = np.stack([_network_crop(stored[name], *scales) for name in marked])
    added = exported.run(serving.DEFAULT, crops=cut) | {"crops": cut, "disc": np.array(marked)}
    for item in exported.gradings:
        added[f"{item.name}_was_graded"] = np.isin(marked, item.graded_levels)
    order = [levels.DiscLevel(name).order for name in (*outputs["disc"], *marked)]
    return {
        name: np.concatenate([value, added[name]])[np.argsort(order)]
        for name, value in outputs.items()
    }


def _network_crop(crop: Mapping, record_scale: float, scale: float) -> np.ndarray:
    inputs = augmentation.InputConfig(stored_scale=record_scale, crop_scale=scale)
    return augmentation.record_input(crop, None, crops.DISC, inputs, seed=None).numpy()
