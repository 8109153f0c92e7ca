"""Are two DICOM studies of one person? The wrong-patient check.

    spine-tf evaluate --model_dir=siamese --data_dir=data --output_dir=evaluation
    spine-tf verify --study_a=before --study_b=after --model=siamese --evaluation=evaluation

compares the vertebrae of the two studies with the longitudinal model and says same, different or
uncertain, at a threshold the evaluation set for the false positive rate: the share of pairs of
different persons that are called the same. The exit status is 0 with any verdict, and 3 where a
file of a study could not be used besides.

No attribute of the patient is written, and no embedding. docs/verification.md says what this must
not be used for. Research only, not a medical device.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("study_a", None, "Folder with one DICOM study.")
    flags.DEFINE_string("study_b", None, "Folder with another one.")
    flags.DEFINE_string(
        "vertebrae",
        None,
        "vertebrae.json of the studies, or a folder of such files; without it the file in each"
        " study or beside it is used.",
    )
    flags.DEFINE_string("model", None, "Model folder of the longitudinal task.")
    flags.DEFINE_string("evaluation", None, "Output folder of `evaluate` with this model.")
    flags.DEFINE_float(
        "false_positive_rate",
        0.01,
        "Share of pairs of different persons that may be called same: 0.1, 0.05, 0.01 or 0.001.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_string("output", None, "JSON file of the result; readable by its owner only.")
    cli.required("study_a", "study_b", "model", "evaluation")


def main(argv: list[str]) -> int:
    """Compares the studies; returns the exit status."""
    del argv
    from export import verify_judge, verify_lib

    values = flags.FLAGS
    judge = verify_judge.load(values.model, values.evaluation, values.false_positive_rate)
    report = verify_lib.verify((values.study_a, values.study_b), values.vertebrae, judge)
    if values.output:
        verify_lib.write(report, values.output)
    print(report)
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
