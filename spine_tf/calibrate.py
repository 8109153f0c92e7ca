"""Calibrates a trained grading model, so that it can abstain.

    spine-tf calibrate --model_dir=model --data_dir=data

Fits a temperature per grading on the validation split of the protocol the model was trained on, and
chooses the threshold below which a grade is called uncertain: the lowest at which at most
--error_rate of the other grades are wrong. Looks at the training split once, so that an input far
outside of it can be flagged. Writes calibration.json and reference.npz into the model folder;
`spine-tf export` takes them along.
"""

from absl import flags

from spine_tf import allocator, calibrate_settings, cli, dataclass_flags


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("model_dir", None, "Model folder, the --model_dir of spine-tf train.")
    flags.DEFINE_string("data_dir", None, "Data set that the model was trained on.")
    cli.required("model_dir", "data_dir")
    dataclass_flags.define(calibrate_settings.Settings)


def main(argv: list[str]) -> None:
    """Runs the calibration and prints a short table."""
    del argv
    allocator.keep_freed_memory()
    from spine_tf import calibrate_lib

    values = flags.FLAGS
    chosen = dataclass_flags.make(calibrate_settings.Settings)
    content = calibrate_lib.calibrate(values.model_dir, values.data_dir, chosen)
    print("\n".join(calibrate_lib.lines(content)))


if __name__ == "__main__":
    cli.run(define_flags, main)
