"""Runs exported models over the discs of records, of SPIDER or of DICOM studies.

    spine-tf score --model=export --data_dir=data --output=scores.csv
    spine-tf score --model=pfirrmann,canal --dicom_dir=studies --output=scores.parquet

--output is CSV, Parquet (.parquet) or JSON lines (.jsonl) by its ending: one row per disc and
model, sorted by key. Columns, all in docs/scoring.md:

    key, subject, scan, visit, level, scanner, is_detected     which disc
    model, model_version      the export folder; number of the version, start of its weights' hash
    NAME_grade, NAME_expected_grade, NAME_p1, ...              of each grading NAME
    NAME_uncertain, NAME_was_graded, NAME_label
    distance, is_outlier      how far from the training set, of a calibrated model; then what is
                              watched of an input, for spine-tf drift
    error                     why it could not be scored; then the exit status is 3

Vertebrae of scans without annotation are found by the detector. Scans have pseudonyms, with the key
of --key_file; OUTPUT.scans.csv says which scan is which, for its owner only.

Killed and started again with the same command, it goes on, and the table has the same bytes.
"""

import os

from absl import flags

from spine_tf import cli, dataclass_flags

_FOLDERS = ("data_dir", "spider_dir", "dicom_dir")


def define_flags() -> None:
    """Defines the flags of this script."""
    from export import score_settings

    flags.DEFINE_list(
        "model", None, "Export folder (its newest version) or one version; several in one pass."
    )
    flags.DEFINE_string("output", None, "Table to write: .csv, .parquet or .jsonl.")
    cli.required("model", "output")
    flags.DEFINE_string("data_dir", None, "Data set with disc records.")
    flags.DEFINE_string("spider_dir", None, "Folder in SPIDER's layout; masks may be missing.")
    flags.DEFINE_string(
        "dicom_dir", None, "DICOM studies, as --input_dir of convert-dicom: a folder, a zip file..."
    )
    for name in ("vertebrae.json", "gradings.csv"):
        flags.DEFINE_string(
            os.path.splitext(name)[0],
            None,
            f"Of --dicom_dir: a file or a folder; without it the files {name} in it are used.",
        )
    flags.DEFINE_string(
        "detector",
        "builtin",
        "Finds the vertebrae of scans without annotation: builtin, that of the package; a file of"
        " pack-detector; a model folder; or none, then such scans fail.",
    )
    flags.DEFINE_string(
        "key_file",
        None,
        "Key of the pseudonyms of scans, made on first use; OUTPUT.key by default.",
    )
    dataclass_flags.define(score_settings.Settings)
    flags.DEFINE_string("runner", "DirectRunner", "Beam runner; docs/data_preparation.md, Scale.")
    flags.DEFINE_string("beam_options", "", "Beam's own options for it, in one text.")


def main(argv: list[str]) -> int:
    """Runs the models; returns the exit status."""
    del argv
    values = flags.FLAGS
    given = [name for name in _FOLDERS if values[name].value]
    if len(given) != 1:
        names = ", ".join(f"--{name}" for name in _FOLDERS)
        raise cli.UsageError(f"One of {names} must be given, got {len(given)}.")
    from data_prep import beam_runner, deidentify
    from export import score_inputs, score_settings

    runner = beam_runner.parse_runner(values.runner, values.beam_options)
    settings = dataclass_flags.make(score_settings.Settings)
    # Before TensorFlow begins: sums of several threads are rounded in another order.
    for name, value in beam_runner.UNDIVIDED.items():
        os.environ.setdefault(name, value)
    from export import score_lib

    key_file = "" if values.data_dir else deidentify.choose_key_file(values.key_file, values.output)
    inputs = score_inputs.Inputs(
        **{name: values[name].value for name in _FOLDERS},
        vertebrae=values.vertebrae,
        gradings=values.gradings,
        detector=values.detector,
        key_file=key_file,
        keep_key=not settings.dry_run,
    )
    if settings.dry_run:
        print("\n".join(score_lib.planned(values.model, inputs, values.output, settings)))
        return cli.EXIT_DONE
    report = score_lib.score(values.model, inputs, values.output, settings, runner)
    print(report)
    return report.exit_status


if __name__ == "__main__":
    cli.run(define_flags, main)
