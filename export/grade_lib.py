"""One DICOM study to grades and a report."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep import rejection, scan_crops, study
from export import figure, report, saved_model, table
from spine_tf import files, levels
from spine_tf.data import augmentation, crops

CSV, JSON, HTML = "grades.csv", "grades.json", "report.html"
Outputs = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Report:
    """What grading a study did."""

    content: report.Content
    paths: Sequence[str]
    rejections: Sequence[rejection.Rejection]

    @property
    def exit_status(self) -> int:
        """3 if a file of the study could not be used, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        lines = [*self.content.choice.lines(), *self.content.notes]
        lines += [f"rejected: {item}" for item in self.rejections]
        for disc in self.content.discs:
            lines += [f"{disc.level:7} {_say(grade)}" for grade in disc.grades]
        return "\n".join([*lines, *self.paths])


def _say(grade: table.Grade) -> str:
    text = f"{grade.grading.title}: {grade.grade} (expected {grade.expected_grade:.1f})"
    return text if grade.was_graded else f"{text}, a level that training never saw graded"


def grade(study_dir: str, vertebrae_path: str | None, model: str, output_dir: str) -> Report:
    """Grades the discs of one study and writes grades.csv, grades.json and report.html.

    Args:
        study_dir: Folder with one DICOM study.
        vertebrae_path: A `vertebrae/1` file or folder; None looks in the study and beside it.
        model: An export folder (its newest version) or one version.
        output_dir: Where the files go; made if missing. Each is written whole or not at all.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If the study, its annotation or the model is not there.
        ValueError: If one of them cannot be used; the message names it and says what to do.
    """
    exported = saved_model.load(model)
    found = study.load_study(study_dir, vertebrae_path)
    content = _content(exported, found)
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in (CSV, JSON, HTML)]
    texts = report.to_csv(content), None, report.to_html(content)
    for path, text in zip(paths, texts, strict=True):
        if text is None:
            files.write_json(path, report.to_json(content))
            continue
        with files.atomic_write(path) as file:
            file.write(text)
    return Report(content, paths, found.rejections)


def _content(exported: saved_model.Exported, found: study.Study) -> report.Content:
    outputs = _with_marked(exported, found, _run(exported, found))
    names = list(outputs["disc"])
    discs = [
        report.Disc(
            level=name,
            crop_png=figure.crop_png(outputs["crops"][number]),
            grades=table.grades_of(exported.gradings, outputs, number),
        )
        for number, name in enumerate(names)
    ]
    shown = [levels.DiscLevel(name) for name in names]
    return report.Content(
        study_instance_uid=found.study_instance_uid,
        series=found.series,
        choice=found.choice,
        notes=[found.note] if found.note else [],
        info=exported.info,
        model_version=exported.version,
        gradings=exported.gradings,
        discs=discs,
        figure=figure.draw(found.volume, found.annotation, shown),
    )


def _run(exported: saved_model.Exported, found: study.Study) -> Outputs:
    """Outputs of the `scan` signature."""
    bodies = found.annotation.vertebrae
    try:
        outputs = exported.run(
            "scan",
            volume=found.volume.as_uint16(),
            affine=np.asarray(found.volume.affine, np.float64),
            corners_mm=np.stack([body.corners_mm for body in bodies]).astype(np.float64),
            levels=[body.level.value for body in bodies],
        )
    except saved_model.InputError as error:
        folder = os.path.dirname(found.series.paths[0])
        raise ValueError(f"{folder} ({found.series.uid}): {error}.") from None
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
    marked = [name for name in marked if name in stored]
    cut = np.stack([_network_crop(stored[name], *scales) for name in marked])
    added = exported.run("serving_default", crops=cut) | {"crops": cut, "disc": np.array(marked)}
    for item in exported.gradings:
        added[f"{item.name}_was_graded"] = np.isin(marked, item.graded_levels)
    order = [levels.DiscLevel(name).order for name in (*outputs["disc"], *marked)]
    return {
        name: np.concatenate([value, added[name]])[np.argsort(order)]
        for name, value in outputs.items()
    }


def _network_crop(crop: Mapping, record_scale: float, scale: float) -> np.ndarray:
    valid = crop["slice_is_valid"], crop["pixel_is_valid"]
    inputs = augmentation.InputConfig(stored_scale=record_scale, crop_scale=scale)
    return augmentation.network_input(crop["image"], *valid, crops.DISC, inputs, seed=None).numpy()
