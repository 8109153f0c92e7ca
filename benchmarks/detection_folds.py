"""How well vertebrae are found and named in SPIDER patients that the detector has not seen.

    spine-tf convert-detection --spider_dir=../shared/data/spider_t2space --phantoms=20 \\
        --output_dir=slices --folds=5
    spine-tf train --task=detection --preset=unet-16 --data_dir=slices --model_dir=detectors \\
        --fold=all --optimizer=adam --batch_size=4
    python -m benchmarks.detection_folds --spider_dir=../shared/data/spider_t2space \\
        --data_dir=slices --model_dir=detectors

Every patient is read from its volume and tested with the model of the fold it was left out of.
Writes OUTPUT_DIR/detection_folds.json: the measures of `evaluation.detection` with intervals over
patients, once more for S1 alone and without it, and a line for each patient. S1 is marked by hand
and has no outline in the masks.
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
    from data_prep import convert_detection_lib
    from spine_tf import files
    from spine_tf.data import records
    from spine_tf.evaluation import detection as measures
    from spine_tf.evaluation import fold

    data = records.open_folder(_FLAGS.data_dir)
    key = _key(_FLAGS.data_dir)
    inputs = convert_detection_lib.Inputs(spider_dir=_FLAGS.spider_dir)
    requests = convert_detection_lib.plan(inputs, key).requests
    cases, lines = [], []
    for folder in fold.find_folders(_FLAGS.model_dir):
        split_of = data.families(folder.protocol)
        held_out = [request for request in requests if split_of[request.family_key] == "test"]
        for case, line in _cases(folder.load_model(), held_out):
            cases.append(case)
            lines.append(line | _outcome(measures.compare(case)))
            print(lines[-1])
    found = measures.evaluate(cases, _FLAGS.num_draws)
    for name, is_s1 in (("s1", True), ("without_s1", False)):
        parts = [part for part in (_part(case, is_s1) for case in cases) if part]
        measured = measures.evaluate(parts, _FLAGS.num_draws) if parts else {}
        found[name] = {key: measured.get(key) for key in _PLACES}
    found["per_patient"] = lines
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, "detection_folds.json"), found)


def _key(data_dir: str) -> bytes:
    """The key of the data set's pseudonyms, by which patients are found in its folds."""
    from data_prep import deidentify

    path = deidentify.choose_key_file(None, data_dir)
    if path and not os.path.exists(path):
        raise FileNotFoundError(
            f"{path}: the key of the pseudonyms in {data_dir} is missing, and no other can be made."
            f" Put it there, or set {deidentify.KEY_VARIABLE}."
        )
    return deidentify.load_or_make_key(path)


def _cases(model, held_out):
    """Yields (case, facts) of every scan."""
    from data_prep import convert_spider_lib
    from spine_tf.detection import detector, labelling
    from spine_tf.evaluation import detection as measures

    predict = detector.predictor(model)
    for request in held_out:
        scan, true = convert_spider_lib.load(request)
        begin = time.monotonic()
        found = detector.detect(scan, predict)
        named = labelling.label(found.bodies, found.discs, foot_edge_mm=detector.foot_edge_mm(scan))
        seconds = round(time.monotonic() - begin, 2)
        predicted = labelling.annotate(found.bodies, named)
        image = os.path.basename(request.path)
        case = measures.Case(image, true, predicted)
        yield (
            case,
            {"image": image, "status": named.status, "reason": named.reason}
            | {
                "names": list(named.names),
                "seconds": seconds,
            },
        )


def _part(case, is_s1: bool):
    """A case judged by S1 alone, or by the rest; None if nothing of it is annotated."""
    from spine_tf import levels, vertebrae

    s1 = levels.VertebraLevel.S1
    kept = tuple(v for v in case.true.vertebrae if (v.level is s1) == is_s1)
    return dataclasses.replace(case, true=vertebrae.Annotation(kept)) if kept else None


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
