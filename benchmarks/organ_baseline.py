"""How hard the phantoms of planes and of the abdomen are for ten hand-made features.

    spine-tf make-organs --kind=planes --num_subjects=120 --output_dir=planes
    spine-tf make-organs --kind=abdomen --num_subjects=60 --output_dir=abdomen
    python -m benchmarks.organ_baseline --planes_dir=planes --abdomen_dir=abdomen

measures ten features of each image and of each volume (benchmarks/organ_features.py), and
cross-validates by subject, 5 folds:

    planes    logistic regression and a random forest on the features: F1, the mean over 14 classes
    abdomen   ridge regression of the organs' boxes from the features, and the mean box of the
              training cases: distance of the middles of true and predicted boxes in mm

The phantoms are meant to be too hard for them: F1 below 0.6, and above 15 mm. Writes
OUTPUT_DIR/organ_baseline.json, with which phantoms were measured.
"""

import os

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
NAME = "organ_baseline.json"
MOST_F1, LEAST_MM = 0.6, 15.0


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("planes_dir", None, "Folder of make-organs --kind=planes.")
    flags.DEFINE_string("abdomen_dir", None, "Folder of make-organs --kind=abdomen.")
    flags.DEFINE_string("output_dir", "docs/results", "Where the result goes.")
    cli.required("planes_dir", "abdomen_dir")


def main(argv: list[str]) -> None:
    """Measures, writes and prints."""
    del argv
    from spine_tf import files

    content = {
        "command": "python -m benchmarks.organ_baseline --planes_dir=planes --abdomen_dir=abdomen",
        "phantom": phantom(),
        "planes": _planes(_FLAGS.planes_dir),
        "abdomen": _abdomen(_FLAGS.abdomen_dir),
    }
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, NAME), content)
    print(table(content))


def phantom() -> dict:
    """Returns the version and the SHA-256 of the modules that make the phantoms."""
    import hashlib
    import pathlib

    from spine_tf import organ_phantom

    sources = sorted(pathlib.Path(organ_phantom.__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return {"version": organ_phantom.VERSION, "sha256": digest}


def _planes(folder: str) -> dict:
    """Measures the planes."""
    import numpy as np
    import tqdm

    from benchmarks import organ_features, organ_scores
    from data_prep import make_organs_lib

    rows = list(make_organs_lib.read_images(folder))
    bar = tqdm.tqdm(rows, desc="images", unit="image", disable=None)
    features = np.array([organ_features.of_image(image) for _, _, image in bar])
    subjects, labels = (np.array([row[column] for row in rows]) for column in (0, 1))
    return {
        "cohort": make_organs_lib.read_settings(folder),
        "num_images": len(rows),
        "features": list(organ_features.IMAGE_FEATURES),
        "at_most": MOST_F1,
    } | organ_scores.classification(features, labels, subjects)


def _abdomen(folder: str) -> dict:
    """Measures the abdomen."""
    import numpy as np
    import tqdm

    from benchmarks import organ_features, organ_scores
    from data_prep import make_organs_lib

    scans = make_organs_lib.read_cases(folder)
    features, boxes = [], []
    for hu, label_map, spacing_mm in tqdm.tqdm(scans, desc="volumes", unit="volume", disable=None):
        features.append(organ_features.of_volume(hu, spacing_mm))
        boxes.append(organ_features.boxes_mm(label_map, spacing_mm))
    return {
        "cohort": make_organs_lib.read_settings(folder),
        "features": list(organ_features.VOLUME_FEATURES),
        "at_least": LEAST_MM,
    } | organ_scores.localisation(np.array(features), np.array(boxes))


def table(content: dict) -> str:
    """Returns the result as a person reads it."""
    lines = [f"phantom version {content['phantom']['version']}"]
    lines += [f"  F1 {name:24}{value:8.3f}" for name, value in content["planes"]["f1"].items()]
    lines.append(f"    must be below {MOST_F1}")
    found = content["abdomen"]["centroid_mm"]
    lines += [f"  centroid, mm {name:24}{value:8.1f}" for name, value in found.items()]
    lines.append(f"    must be above {LEAST_MM}")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run(define_flags, main)
