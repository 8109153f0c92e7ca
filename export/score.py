"""Runs a SavedModel over the discs of a data set and writes a CSV file.

    spine-tf score --model=export --data_dir=data --output=scores.csv

One row per disc and grading, sorted by key; the same file for any number of processes. Columns:

    key, subject, visit, level   which disc
    grading, grade               the most probable grade, as published
    expected_grade               mean grade under the probabilities
    p_0, p_1, ...                probability of the published grade 0, 1, ...; empty where the
                                 grading has no such grade
    label                        the grade in the records, empty if not graded
    was_graded                   0 where the training data never graded this level
    model_version                number of the version and start of the hash of its weights
    error                        why the record could not be scored; the run goes on, and its exit
                                 status is 3

A run that was stopped goes on where it was: shards that are done lie in OUTPUT.parts until the end.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    from export import score_settings

    flags.DEFINE_string("model", None, "Export folder (its newest version) or one version.")
    flags.DEFINE_string("data_dir", None, "Data set with disc records.")
    flags.DEFINE_string("output", None, "CSV file to write.")
    cli.required("model", "data_dir", "output")
    cli.define_dataclass_flags(score_settings.Settings)


def main(argv: list[str]) -> int:
    """Runs the model; returns the exit status."""
    del argv
    from export import score_lib, score_settings

    values = flags.FLAGS
    settings = cli.dataclass_from_flags(score_settings.Settings)
    report = score_lib.score(values.model, values.data_dir, values.output, settings)
    print(report)
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
