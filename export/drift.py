"""Says whether scored discs look like the training set, and which scanner or level moved.

    spine-tf drift --scored=scores.parquet --model=export --output_dir=drift

--scored is a table of spine-tf score, --model the calibrated model that scored it. Intensities,
embedding and the mix of grades of all discs, of each scanner and of each level are compared with
the training discs that travel in the model: population stability index and a two-sample test.
OUTPUT_DIR then holds drift.json and drift.html, which needs no other file.

The exit status is 0 whatever is found, unless --fail_on says otherwise; then it is 3.
"""

from absl import flags

from spine_tf import cli


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("scored", None, "Table of spine-tf score.")
    flags.DEFINE_string("model", None, "Export folder (its newest version) or one version.")
    flags.DEFINE_string("output_dir", None, "Folder of the report; made if missing.")
    flags.DEFINE_enum(
        "fail_on",
        "never",
        ["never", "slight", "moved"],
        "From which shift on of any group the exit status is 3.",
    )
    cli.required("scored", "model", "output_dir")


def main(argv: list[str]) -> int:
    """Compares; returns the exit status."""
    del argv
    from export import drift_lib

    values = flags.FLAGS
    report = drift_lib.drift(values.scored, values.model, values.output_dir)
    print(report)
    return report.exit_status(values.fail_on)


if __name__ == "__main__":
    cli.run(define_flags, main)
