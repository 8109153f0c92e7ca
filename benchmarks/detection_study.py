"""What the detector finds in one real study that it never saw, and in changed copies of it.

    python -m benchmarks.detection_study --study_dir=../shared/data/lumbar_study/dicom \\
        --vertebrae=../shared/data/lumbar_study/vertebrae.json

The copies: tags that are not needed for geometry stripped and files renamed; moved; 20 mm cut off
at each side; other contrast; and every series alone, of which none but the sagittal T2 may be
named. Writes OUTPUT_DIR/detection_study.json: for each copy whether it is answered, names, and the
distances of centres from the annotation in 3-D and in the plane of the slices, mm. One study has
no interval.
"""

import dataclasses
import os
import shutil
import tempfile

from absl import flags

from spine_tf import cli

_FLAGS = flags.FLAGS
_RESULTS = "detection_study.json"
_FORM = "spine_tf detection of a study/1"
_SHIFT_MM = (13.0, -27.0, 41.0)
_CUT_MM = 20.0
_KEPT = (  # of a file with stripped tags, besides groups 0002, 0028 and pixels
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    *("PatientID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient"),
    *("FrameOfReferenceUID", "SliceThickness", "SpacingBetweenSlices", "PixelData"),
)


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("study_dir", None, "Folder with one DICOM study.")
    flags.DEFINE_string("vertebrae", None, "Its vertebrae by hand, `vertebrae/1`.")
    cli.required("study_dir", "vertebrae")
    flags.DEFINE_string("detector", "builtin", "builtin, a packed file, or a model folder.")
    flags.DEFINE_string("output_dir", "docs/results", f"Folder of {_RESULTS}.")


def main(argv: list[str]) -> None:
    """Detects, compares and writes the results."""
    del argv
    from benchmarks import results_file
    from data_prep import detectors, dicom, study
    from spine_tf import vertebrae

    true = vertebrae.load(_FLAGS.vertebrae)[0]
    ready = detectors.load(_FLAGS.detector)
    series = dicom.scan_folder(_FLAGS.study_dir).series
    chosen = study.group(series)[0]
    found = {}
    for name, scan, moved in _copies(chosen, ready, true):
        found[name] = _judge(moved, ready.find(scan).annotation)
        print(name, found[name])
    with tempfile.TemporaryDirectory() as folder:
        found["tags stripped, files renamed"] = _judge(true, _stripped(series, folder))
        print("tags stripped, files renamed", found["tags stripped, files renamed"])
    found["series alone"] = [_alone(one) for one in series]
    print(found["series alone"])
    path = os.path.join(_FLAGS.output_dir, _RESULTS)
    command = results_file.command("detection_study", _FLAGS)
    results_file.write(path, _FORM, "study", found, command)


def _copies(chosen, ready, true):
    """Yields (name, volume, annotation) of the sagittal T2 and of changed copies of it."""
    import numpy as np

    from data_prep import detected_study
    from spine_tf import volume

    scan = detected_study.find(chosen, ready).scan
    yield "as it is", scan, true
    affine = scan.affine.copy()
    affine[:3, 3] += _SHIFT_MM
    bodies = [
        dataclasses.replace(body, corners_mm=body.corners_mm + np.array(_SHIFT_MM))
        for body in true.vertebrae
    ]
    moved = dataclasses.replace(true, vertebrae=tuple(bodies))
    yield "moved", volume.Volume(scan.array, affine), moved
    for side in ("head", "foot", "front", "back"):
        yield f"20 mm cut off, {side}", *_cut(scan, true, side)
    top = float(np.percentile(scan.array, 99.5))
    for name, change in (
        ("gamma 0.6", lambda grey: top * np.clip(grey / top, 0, 1) ** 0.6),
        ("gamma 1.6", lambda grey: top * np.clip(grey / top, 0, 1) ** 1.6),
        ("window of half the range", lambda grey: np.clip(grey, 0, top / 2)),
        ("three times as bright, plus 100", lambda grey: 3 * grey + 100),
    ):
        yield name, volume.Volume(change(scan.array).astype(np.float32), scan.affine), true


def _cut(scan, true, side: str):
    """Cuts 20 mm off a side."""
    from benchmarks import cut_view

    axis = 1 if side in ("head", "foot") else 2
    number = round(_CUT_MM / scan.spacing_mm[axis])
    size = scan.array.shape[axis]
    begin, end = (number, size) if side in ("head", "front") else (0, size - number)
    return cut_view.cut(scan, true, axis, begin, end)


def _judge(true, predicted) -> dict:
    """Status, names and distances in mm."""
    import numpy as np

    from spine_tf.evaluation import detection

    row = detection.compare(detection.Case("one", true, predicted))
    by_level = predicted.by_level if row.answered else {}
    differences = {
        body.level.value: by_level[body.level].corners_mm.mean(axis=0)
        - body.corners_mm.mean(axis=0)
        for body in true.vertebrae
        if body.level in by_level
    }
    return {
        "status": predicted.status,
        "reason": predicted.reason,
        "annotated": row.num_true,
        "named_right": row.num_right,
        "is_wrong": row.is_wrong,
        "centroid_mm": {n: round(float(np.linalg.norm(d)), 2) for n, d in differences.items()},
        "in_plane_mm": {n: round(float(np.linalg.norm(d[1:])), 2) for n, d in differences.items()},
    }


def _stripped(series, folder: str):
    """What is found in the whole study without the tags that say what it is."""
    import pydicom

    from data_prep import detect_lib
    from spine_tf import vertebrae

    studies, output = os.path.join(folder, "x"), os.path.join(folder, "found")
    os.makedirs(studies)
    for number, path in enumerate(path for one in series for path in one.paths):
        dataset = pydicom.dcmread(path)
        for element in list(dataset):
            if element.tag.group != 0x0028 and element.keyword not in _KEPT:
                del dataset[element.tag]
        dataset.save_as(os.path.join(studies, f"{number:04d}"))
    report = detect_lib.detect(studies, output, _FLAGS.detector)
    names = [name for name in os.listdir(output) if name.endswith(detect_lib.ENDING)]
    if len(names) != 1:
        raise ValueError(f"`study_dir` must be one study, got {len(names)}: {report}")
    return vertebrae.load(os.path.join(output, names[0]), allow_unknown=True)[0]


def _alone(one) -> dict:
    """What is said of one series without the others."""
    from data_prep import detect_lib

    with tempfile.TemporaryDirectory() as folder:
        alone, output = os.path.join(folder, "alone"), os.path.join(folder, "found")
        os.makedirs(alone)
        for number, path in enumerate(one.paths):
            shutil.copy(path, os.path.join(alone, f"{number:04d}.dcm"))
        report = detect_lib.detect(alone, output, _FLAGS.detector)
    return {
        "files": len(one.paths),
        "answered": report.num_answered,
        "reasons": [item.reason for item in report.rejections],
    }


if __name__ == "__main__":
    cli.run(define_flags, main)
