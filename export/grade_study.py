"""Grades the discs of one DICOM study and writes a report.

    spine-tf grade --study_dir=study --model=export --output_dir=graded

The sagittal T2 series is chosen by its headers, and the choice is printed and shown in the report.
Without vertebrae.json the vertebrae are found by the detector; where it does not know the levels
the report says so, no disc is graded, and the exit status is 3.
OUTPUT_DIR then holds

    grades.csv    a row per disc and grading: level, grading, grade, expected_grade, p_0, p_1, ...
                  (probability of each published grade), was_graded, model_version
    grades.json   the same, with the series and the model
    report.html   to read in a browser or print; it needs no other file

No attribute of the patient is written. Research only, not a medical device.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("study_dir", None, "Folder with one DICOM study.")
    flags.DEFINE_string(
        "vertebrae",
        None,
        "vertebrae.json of the study, or a folder of such files; without it the file in the study"
        " or beside it is used.",
    )
    flags.DEFINE_string(
        "detector",
        "builtin",
        "Finds the vertebrae where there is no annotation: builtin, that of the package; a file of"
        " pack-detector; a model folder; or none.",
    )
    flags.DEFINE_string("model", None, "Export folder (its newest version) or one version.")
    flags.DEFINE_string("output_dir", None, "Folder of the report; made if missing.")
    cli.required("study_dir", "model", "output_dir")


def main(argv: list[str]) -> int:
    """Grades the study; returns the exit status."""
    del argv
    from export import grade_lib

    values = flags.FLAGS
    found = grade_lib.grade(
        values.study_dir, values.vertebrae, values.model, values.output_dir, values.detector
    )
    print(found)
    return found.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
