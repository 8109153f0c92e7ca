"""What a grader loses where discs are cut from detected vertebrae and not from annotated ones.

    python -m benchmarks.detected_boxes --spider_dir=../shared/data/spider_t2space \\
        --slices_dir=slices --detector_dir=detectors --data_dir=spider --model_dir=grader

Every SPIDER patient is graded by the grading model of the fold it was left out of, twice: from its
masks, and from what the detector of a fold that left it out finds. Writes
OUTPUT_DIR/detected_boxes.json: agreement with the reader for both on the discs that both have, the
difference in quadratic kappa with its interval over patients, and what detection left out.
"""

import os
from collections.abc import Sequence

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_RESULTS = "detected_boxes.json"
_FORM = "spine_tf detected boxes/1"
_PART = "grading"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("spider_dir", None, "SPIDER folder with sacrum.json.")
    flags.DEFINE_string("slices_dir", None, "Slices that the detectors were trained on.")
    flags.DEFINE_string("detector_dir", None, "Model folder with the folds of the detector.")
    flags.DEFINE_string("data_dir", None, "Records that the graders were trained on.")
    flags.DEFINE_string("model_dir", None, "Model folder with the folds of the grader.")
    cli.required("spider_dir", "slices_dir", "detector_dir", "data_dir", "model_dir")
    flags.DEFINE_string("output_dir", "docs/results", f"Folder of {_RESULTS}.")
    flags.DEFINE_string("grading", "pfirrmann", "Which grading is compared.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Detects, grades twice, compares and writes the results."""
    del argv
    from benchmarks import results_file, spider_folds
    from spine_tf import gradings

    grading = gradings.from_name(_FLAGS.grading)
    found_of, unknown = _detected(
        spider_folds.left_out(_FLAGS.spider_dir, _FLAGS.slices_dir, _FLAGS.detector_dir)
    )
    rows = []
    for folder, held_out in spider_folds.left_out(
        _FLAGS.spider_dir, _FLAGS.data_dir, _FLAGS.model_dir
    ):
        model, scale = folder.load_model(), folder.model_config.crop_scale
        for request in held_out:
            rows += _graded(
                model, scale, request, found_of[os.path.basename(request.path)], grading
            )
    found = compare(rows, grading.num_classes, _FLAGS.num_draws) | {"unknown_patients": unknown}
    print(found)
    path = os.path.join(_FLAGS.output_dir, _RESULTS)
    command = results_file.command("detected_boxes", _FLAGS)
    results_file.write(path, _FORM, _PART, found, command)


def _detected(folds) -> tuple[dict, int]:
    """Name of each image -> what was found, and how many are unknown."""
    from data_prep import convert_spider_lib
    from spine_tf.detection import detector, finder

    found = {}
    for folder, held_out in folds:
        ready = finder.Finder(detector.predictor(folder.load_model()), "a fold")
        for request in held_out:
            scan, _ = convert_spider_lib.load(request)
            found[os.path.basename(request.path)] = ready.find(scan)
    return found, sum(not one.is_answered for one in found.values())


def _graded(model, scale: float, request, found, grading) -> list[tuple[str, int, int, int | None]]:
    """(patient, class by the reader, from the annotation, from the detection) of graded discs."""
    from data_prep import convert_spider_lib, scan_crops

    scan, true = convert_spider_lib.load(request)
    annotated = _classes(model, scan_crops.disc_crops(scan, true, scale), scale, grading)
    detected = {}
    if found.is_answered:
        cut = scan_crops.disc_crops(scan, found.annotation, scale)
        detected = _classes(model, cut, scale, grading)
    return [
        (
            request.family_key,
            grading.class_index(grades[grading.name]),
            annotated[disc],
            detected.get(disc),
        )
        for disc, grades in request.gradings.items()
        if grading.name in grades and disc in annotated
    ]


def _classes(model, cut, scale: float, grading) -> dict[str, int]:
    """Disc -> class index by a model; `cut` is from `scan_crops.disc_crops`."""
    import numpy as np

    from spine_tf.data import augmentation, crops

    if not cut:
        return {}
    inputs = augmentation.InputConfig(stored_scale=scale, crop_scale=scale)
    images = np.stack(
        [
            augmentation.record_input(one, None, crops.DISC, inputs, seed=None)
            for one in cut.values()
        ]
    )
    logits = model({"crop": images[..., np.newaxis]}, training=False)[grading.name]
    return dict(zip(cut, np.argmax(logits, axis=1).tolist(), strict=True))


def compare(
    rows: Sequence[tuple[str, int, int, int | None]], num_classes: int, num_draws: int
) -> dict:
    """Compares both on the discs that both have.

    Args:
        rows: (patient, class by the reader, from the annotation, from the detection or None).
        num_classes: Number of classes.
        num_draws: Bootstrap draws.

    Returns:
        Agreement of both, differences (detected less annotated) with intervals over patients, the
        share of discs that get the same grade, and how many discs detection left out.
    """
    import numpy as np

    from spine_tf.evaluation import bootstrap, contrasts, grading, ordinal

    both = [row for row in rows if row[3] is not None]
    units, num_units = bootstrap.codes([row[0] for row in both])
    counts = bootstrap.draw_counts(num_units, num_draws, 0)
    true, annotated, detected = (np.array([row[i] for row in both], int) for i in (1, 2, 3))
    metrics = ("quadratic_kappa", "balanced_accuracy")
    scores = {
        name: [
            contrasts.score(true, one, num_classes, units, counts, ordinal.METRICS[name])
            for one in (annotated, detected)
        ]
        for name in metrics
    }
    return {
        "discs": len(both),
        "discs_without_detection": len(rows) - len(both),
        "patients": num_units,
        "same_grade": bootstrap.share(annotated == detected, units, counts, "there is no disc"),
        "annotated": grading.agreement(true, annotated, num_classes, units, counts),
        "detected": grading.agreement(true, detected, num_classes, units, counts),
        "difference": {
            name: contrasts.describe(contrasts.weighted_sum([(1.0, after), (-1.0, before)]))
            for name, (before, after) in scores.items()
        },
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
