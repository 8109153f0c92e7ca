"""Grades the discs of one DICOM study and writes a report.

    spine-tf grade --study_dir=study --output_dir=graded
    spine-tf grade --study_dir=study --model=serving --output_dir=graded

The sagittal T2 series is chosen by its headers, and the choice is printed and shown in the report.
Without vertebrae.json the vertebrae are found by the detector; where it does not know the levels
the report says so, no disc is graded, and the exit status is 3.
OUTPUT_DIR then holds

    grades.csv    a row per disc and grading: level, grading, grade, expected_grade, p_0, p_1, ...
                  (probability of each published grade), was_graded, uncertain, distance,
                  is_outlier (these three are empty if the model is not calibrated), model_version
    grades.json   the same, with the series and the model
    report.html   to read in a browser or print; it needs no other file

With --earlier_study the report has both studies side by side and the change per disc, once
--verify_model does not say that they are of two persons; then there is no comparison, and the exit
status is 3. The files are readable by their owner only, because they link two studies.

With --structured_report there is structured_report.dcm, too, a DICOM Structured Report for the
archive. IT NAMES THE PATIENT, as the study does, and is readable by its owner only. No other output
holds an attribute of the patient. Research only, not a medical device.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string(
        "study_dir", None, "Folder with one DICOM study; a DICOMDIR or a zip file will do, too."
    )
    flags.DEFINE_string(
        "vertebrae",
        None,
        "vertebrae.json of the study (and of the earlier one), or a folder of such files; without"
        " it the file in the study or beside it is used.",
    )
    flags.DEFINE_string(
        "detector",
        "builtin",
        "Finds the vertebrae where there is no annotation: builtin, that of the package; a file of"
        " pack-detector; a model folder; or none.",
    )
    flags.DEFINE_string(
        "model",
        "builtin",
        "Export folder (its newest version), one version, or builtin: the small Pfirrmann model of"
        " the package, trained on 15 patients, for trying out only.",
    )
    flags.DEFINE_string("output_dir", None, "Folder of the report; made if missing.")
    flags.DEFINE_bool(
        "saliency",
        False,
        "Show on each crop where covering a patch changes the grade; about 100 runs of the model"
        " per disc.",
    )
    flags.DEFINE_bool(
        "structured_report",
        False,
        "Write structured_report.dcm, too. It NAMES THE PATIENT. Needs highdicom.",
    )
    _define_earlier()
    cli.required("study_dir", "output_dir")


def _define_earlier() -> None:
    flags.DEFINE_string("earlier_study", None, "An earlier study of the same patient.")
    flags.DEFINE_string(
        "verify_model",
        None,
        "Model folder of the longitudinal task: checks first that both studies are of one person.",
    )
    flags.DEFINE_string(
        "verify_evaluation", None, "Output folder of `evaluate` with --verify_model."
    )
    flags.DEFINE_float(
        "false_positive_rate",
        0.01,
        "Share of pairs of different persons that the check may call same: 0.1, 0.05, 0.01, 0.001.",
        lower_bound=0,
        upper_bound=1,
    )


def main(argv: list[str]) -> int:
    """Grades the study; returns the exit status."""
    del argv
    from export import grade_lib

    values = flags.FLAGS
    _check_flags(values)
    options = grade_lib.Options(
        saliency=values.saliency,
        structured_report=values.structured_report,
        earlier=_earlier(values),
    )
    found = grade_lib.grade(
        values.study_dir,
        values.vertebrae,
        values.model,
        values.output_dir,
        values.detector,
        options,
    )
    print(found)
    return found.exit_status


def _check_flags(values) -> None:
    if (values.verify_model is None) != (values.verify_evaluation is None):
        raise cli.UsageError("--verify_model and --verify_evaluation must be given together.")
    if values.verify_model and not values.earlier_study:
        raise cli.UsageError("--verify_model must be given with --earlier_study only.")


def _earlier(values):
    from export import grade_earlier, verify_judge

    if not values.earlier_study:
        return None
    judge = None
    if values.verify_model:
        judge = verify_judge.load(
            values.verify_model, values.verify_evaluation, values.false_positive_rate
        )
    return grade_earlier.Earlier(values.earlier_study, judge)


if __name__ == "__main__":
    cli.run(define_flags, main)
