"""How well vertebrae are found and named in SPIDER patients that the detector has not seen.

    spine-tf convert-detection --spider_dir=../shared/data/spider_t2space --phantoms=20 \\
        --output_dir=slices --folds=5
    spine-tf train --task=detection --preset=unet-16 --data_dir=slices --model_dir=detectors \\
        --fold=all --optimizer=adam --learning_rate=2e-3 --weight_decay=1e-5 --batch_size=4 \\
        --patience=3 --max_drops=2 --epochs=40 --task_options='{"corner_share": 3.0}'
    python -m benchmarks.detection_folds --spider_dir=../shared/data/spider_t2space \\
        --data_dir=slices --model_dir=detectors

Every patient is read from its volume and tested with the model of the fold it was left out of.
Writes OUTPUT_DIR/detection_folds.json: the measures of `evaluation.detection` with intervals over
patients, once more for S1 alone and without it, the range of every measure of the domain, and a
line for each patient. S1 is marked by hand and has no outline in the masks.
"""

import dataclasses
import os
import time

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_PLACES = ("recall", "centroid_mm", "corner_mm", "iou")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("spider_dir", None, "SPIDER folder with sacrum.json.")
    flags.DEFINE_string("data_dir", None, "Slices that the models were trained on.")
    flags.DEFINE_string("model_dir", None, "Model folder of a fold, or with all of them.")
    cli.required("spider_dir", "data_dir", "model_dir")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of detection_folds.json.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Detects, labels, compares and writes the results."""
    del argv
    from benchmarks import spider_folds
    from spine_tf import files
    from spine_tf.evaluation import detection as measures

    cases, lines = [], []
    for folder, held_out in spider_folds.left_out(
        _FLAGS.spider_dir, _FLAGS.data_dir, _FLAGS.model_dir
    ):
        for case, line in _cases(folder.load_model(), held_out):
            cases.append(case)
            lines.append(line | _outcome(measures.compare(case)))
            print(lines[-1])
    found = measures.evaluate(cases, _FLAGS.num_draws)
    for name, is_s1 in (("s1", True), ("without_s1", False)):
        parts = [part for part in (_part(case, is_s1) for case in cases) if part]
        measured = measures.evaluate(parts, _FLAGS.num_draws) if parts else {}
        found[name] = {key: measured.get(key) for key in _PLACES}
    found["domain"] = _ranges([line["domain"] for line in lines if "domain" in line])
    found["per_patient"] = lines
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, "detection_folds.json"), found)


def _cases(model, held_out):
    """Yields (case, facts) of every scan, found as `spine-tf detect` finds it."""
    from data_prep import convert_spider_lib
    from spine_tf.detection import detector, domain, finder
    from spine_tf.evaluation import detection as measures

    ready = finder.Finder(detector.predictor(model), "a fold")
    for request in held_out:
        scan, true = convert_spider_lib.load(request)
        begin = time.monotonic()
        found = ready.find(scan)
        seconds = round(time.monotonic() - begin, 2)
        predicted = found.annotation
        image = os.path.basename(request.path)
        facts = {"image": image, "status": predicted.status, "reason": predicted.reason}
        if found.labelled is not None:
            facts["names"] = list(found.labelled.names)
        if found.measures is not None:
            facts["domain"] = {
                name: round(float(getattr(found.measures, name)), 3) for name in domain.LIMITS
            }
        yield measures.Case(image, true, predicted), facts | {"seconds": seconds}


def _part(case, is_s1: bool):
    """A case judged by S1 alone, or by the rest; None if nothing of it is annotated."""
    from spine_tf import levels, vertebrae

    s1 = levels.VertebraLevel.S1
    kept = tuple(v for v in case.true.vertebrae if (v.level is s1) == is_s1)
    return dataclasses.replace(case, true=vertebrae.Annotation(kept)) if kept else None


def _ranges(rows: list[dict]) -> dict:
    """Measure of `detection.domain` -> the least and the most over patients."""
    return {
        name: [min(row[name] for row in rows), max(row[name] for row in rows)]
        for name in (rows[0] if rows else ())
    }


def _outcome(row) -> dict:
    return {
        "right": row.num_right,
        "of": row.num_true,
        "missed": row.num_true - len(row.offsets),
        "centroid_mm": [round(float(value), 2) for value in row.centroid_mm],
        "corner_mm": [round(float(value), 2) for value in row.corner_mm],
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
