"""Two DICOM studies to a verdict: of one person, or of two?"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from data_prep import scan_crops, study
from export import verify_judge, verify_report
from spine_tf import files
from spine_tf.data import augmentation, schema
from spine_tf.evaluation import embedding, pair_scores, study_pairs

_OWNER_ONLY = 0o600
_CROPS = {
    schema.VERTEBRA_PAIRS: scan_crops.vertebra_crops,
    schema.DISC_PAIRS: scan_crops.disc_crops,
}


@dataclasses.dataclass(frozen=True)
class Embedded:
    """One study: what was read, and level -> embedding, which is never written or shown."""

    study: study.Study
    levels: Mapping[str, np.ndarray]


def _embed(judge: verify_judge.Judge, tower: keras.Model, found: study.Study) -> Embedded:
    """Cuts and embeds the bodies as conversion and evaluation do."""
    kind, task = judge.folder.task.record_kind, judge.folder.task
    inputs = augmentation.InputConfig(
        judge.folder.data["crop_scale"], judge.folder.model_config.crop_scale
    )
    cut = _CROPS[kind](found.volume, found.annotation, inputs.stored_scale)
    dark = [name for name, crop in cut.items() if not np.isfinite(crop["median"])]
    if not cut or dark:
        raise ValueError(
            f"{os.path.dirname(found.series.paths[0])} ({found.series.uid}): its annotation must"
            " hold neighbouring vertebrae between T12 and S1 that lie inside the scan, got"
            f" {', '.join(dark) + ' without any voxel' if dark else 'none'}."
        )
    crops = [
        augmentation.record_input(crop, None, task.crop_kind, inputs, seed=None)
        for crop in cut.values()
    ]
    vectors = embedding.embed(tower, tf.stack(crops))["embedding"].numpy()
    return Embedded(found, dict(zip(cut, vectors, strict=True)))


def check_different(one: study.Study, two: study.Study) -> None:
    """Checks that two studies are two.

    Raises:
        ValueError: If they are one series, or have the same images.
    """
    for same, what in (
        (one.series.uid == two.series.uid, "the series"),
        (np.array_equal(one.volume.array, two.volume.array), "the images of the series"),
    ):
        if same:
            raise ValueError(
                f"the two studies must be two examinations, got {what} {one.series.uid} twice:"
                " comparing a series with itself is not a check."
            )


def _distances(judge: verify_judge.Judge, one: Embedded, two: Embedded) -> dict[str, float]:
    """Level -> distance of the levels that both have and the evaluation knows."""
    reference = judge.reference
    common = [name for name in one.levels if name in two.levels and name in reference.scale]
    if len(common) < reference.levels_at_least:
        raise ValueError(
            f"the two studies must share at least {reference.levels_at_least} levels, got"
            f" {', '.join(common) or 'none'} in {one.study.series.uid} and {two.study.series.uid}."
            " Annotate more vertebrae of both."
        )
    return {
        name: float(np.linalg.norm(one.levels[name].astype(float) - two.levels[name]))
        for name in common
    }


def verify(
    study_dirs: tuple[str, str], vertebrae_path: str | None, judge: verify_judge.Judge
) -> verify_report.Report:
    """Compares two studies.

    Args:
        study_dirs: Folders with one DICOM study each.
        vertebrae_path: A `vertebrae/1` file or folder; None looks in each study and beside it.
        judge: Model and evaluation.

    Returns:
        Distances, score and verdict.

    Raises:
        FileNotFoundError: If a study or its annotation is not there.
        ValueError: If a study cannot be used, both are the same, or share too few levels; the
            message names folders and UIDs and says what to do.
    """
    return compare([study.load_study(folder, vertebrae_path) for folder in study_dirs], judge)


def compare(studies: Sequence[study.Study], judge: verify_judge.Judge) -> verify_report.Report:
    """Compares two studies that were read.

    Args:
        studies: Both; their vertebrae have levels.
        judge: Model and evaluation.

    Returns:
        As `verify`.

    Raises:
        ValueError: As `verify`.
    """
    check_different(*studies)
    tower = embedding.load_tower(judge.folder)
    distances = _distances(judge, *(_embed(judge, tower, found) for found in studies))
    score = study_pairs.score(distances, judge.reference.scale)
    return verify_report.Report(
        judge, studies, distances, score, _notes(judge, studies, len(distances))
    )


def _notes(judge: verify_judge.Judge, studies: Sequence[study.Study], num_levels: int) -> list[str]:
    """What weakens the verdict."""
    reference = judge.reference
    notes = [found.note for found in studies if found.note]
    if studies[0].study_instance_uid == studies[1].study_instance_uid:
        notes.append("both series are of one study; the evaluation compares visits long apart")
    if num_levels < reference.usual_levels:
        notes.append(
            f"{num_levels} levels are compared, the evaluation has {reference.usual_levels:g}: the"
            " score is less sure than its thresholds say"
        )
    fields = [pair_scores.field_name(f.series.first.field_strength_t) for f in studies]
    known = {" to ".join(ends) for ends in (fields, fields[::-1])}
    if not known & set(reference.field_strengths_t):
        notes.append(
            f"field strengths of {' and '.join(fields)} T are not in the evaluation, which has"
            f" {', '.join(reference.field_strengths_t)}"
        )
    if judge.folder.data["source"] == "phantom":
        notes.append("the model was trained on phantoms: it says nothing of real persons")
    if judge.evaluation["split"] == "validation":
        notes.append("the thresholds are of the split the epoch was chosen on: they are too good")
    return notes


def write(found: verify_report.Report, path: str) -> None:
    """Writes the result as JSON that only its owner can read: it links two studies."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    files.write_json(path, found.to_json(), permissions=_OWNER_ONLY)
