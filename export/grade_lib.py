"""One DICOM study to grades and a report."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep import detected_study, detectors, dicom, rejection, scan_crops, study
from export import figure, report, saved_model, table
from spine_tf import files, levels
from spine_tf.data import augmentation, crops
from spine_tf.detection import finder

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


def grade(
    study_dir: str,
    vertebrae_path: str | None,
    model: str,
    output_dir: str,
    detector: str = detectors.NONE,
) -> Report:
    """Grades the discs of one study and writes grades.csv, grades.json and report.html.

    Where the levels are unknown to the detector nothing is graded; the report says why.

    Args:
        study_dir: Folder with one DICOM study.
        vertebrae_path: A `vertebrae/1` file or folder; None looks in the study and beside it.
        model: An export folder (its newest version) or one version.
        output_dir: Where the files go; made if missing. Each is written whole or not at all.
        detector: That finds the vertebrae where there is no annotation, see `detectors.weights`.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If the study, its annotation or the model is not there.
        ValueError: If one of them cannot be used; the message names it and says what to do.
    """
    exported = saved_model.load(model)
    content, rejections = _grade(exported, study_dir, vertebrae_path, detector)
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in (CSV, JSON, HTML)]
    texts = report.to_csv(content), None, report.to_html(content)
    for path, text in zip(paths, texts, strict=True):
        if text is None:
            files.write_json(path, report.to_json(content))
            continue
        with files.atomic_write(path) as file:
            file.write(text)
    return Report(content, paths, rejections)


def _grade(
    exported: saved_model.Exported, study_dir: str, vertebrae_path: str | None, detector: str
) -> tuple[report.Content, Sequence[rejection.Rejection]]:
    """The report, and what could not be used."""
    if detector == detectors.NONE or study.annotation_paths(study_dir, vertebrae_path):
        found = study.load_study(study_dir, vertebrae_path)
        return _content(exported, found), found.rejections
    scan = dicom.scan_folder(study_dir)
    item = study.only_study(study_dir, scan)
    seen = detected_study.find(item, detectors.load(detector))
    found = _as_study(item, seen, scan.rejections)
    make = _content if seen.found.is_answered else _ungraded
    content = make(exported, found)
    notes = [*content.notes, _say_detected(seen.found)]
    content = dataclasses.replace(content, notes=notes, detected=seen.found.to_json())
    if seen.found.is_answered:
        return content, found.rejections
    unknown = rejection.Rejection(item.folder, seen.series.uid, notes[-1])
    return content, [*found.rejections, unknown]


def _as_study(
    item: study.StudyFiles,
    seen: detected_study.Detected,
    rejections: Sequence[rejection.Rejection],
) -> study.Study:
    return study.Study(
        volume=seen.scan,
        annotation=seen.found.annotation,
        series=seen.series,
        study_instance_uid=item.uid,
        choice=seen.choice,
        note=seen.note,
        rejections=tuple(rejections),
    )


def _say_detected(found: finder.Found) -> str:
    """What a reader should know of vertebrae that nobody annotated."""
    made = found.annotation
    if not found.is_answered:
        return f"not graded: the levels of the vertebrae are unknown: {made.reason}"
    least = min(made.vertebrae, key=lambda body: body.probability)
    return (
        f"The vertebrae were found by {made.source}, not by a person; least sure is"
        f" {least.level.value}, probability {least.probability:.2f}. Check the levels."
    )


def _ungraded(exported: saved_model.Exported, found: study.Study) -> report.Content:
    """A report that shows bodies without names, and no grade."""
    return _report(exported, found, [])


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
    return _report(exported, found, discs)


def _report(
    exported: saved_model.Exported, found: study.Study, discs: Sequence[report.Disc]
) -> report.Content:
    shown = [levels.DiscLevel(disc.level) for disc in discs]
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
