"""Checks an exported grading model before it is served, and blesses it if all is well.

    spine-tf check-model --export_dir=export --model_dir=model --data_dir=data

The version is loaded through TensorFlow's C API alone, the loader of TF Serving. Its answers are
compared with the training-side model, bad inputs must be refused, time and size are measured, and
the accuracy on the test split must reach the lower 95 % bound in the model card. What was measured,
what was wanted and what to do is written to assets.extra/gate.json of the version, or --output.

If all holds assets.extra/blessed.json is written. It names the hash of every file, so a later
change of one takes the blessing away; --blessing_only says whether a version is blessed now.

Exit status: 0 if the version is blessed, 3 if a check failed. docs/check_model.md has the checks.
"""

from absl import flags

from export import check_model_settings
from spine_tf import cli, dataclass_flags


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("export_dir", None, "Export folder (its newest version) or one version.")
    flags.DEFINE_string("model_dir", None, "Model folder that was exported.")
    flags.DEFINE_string(
        "data_dir", "", "Data set of the training, for the accuracy; without it nothing is blessed."
    )
    flags.DEFINE_string("output", "", "Where gate.json goes; empty: into the version.")
    flags.DEFINE_bool("blessing_only", False, "Check nothing; say whether the version is blessed.")
    dataclass_flags.define(check_model_settings.Settings)
    cli.required("export_dir")


def main(argv: list[str]) -> int:
    """Runs the gate."""
    del argv
    values = flags.FLAGS
    if values.blessing_only:
        return _blessing(values.export_dir)
    if not values.model_dir:
        raise cli.UsageError("--model_dir must be given, unless with --blessing_only.")
    settings = dataclass_flags.make(check_model_settings.Settings)
    from export import check_model_lib

    gate = check_model_lib.check(
        *(values.export_dir, values.model_dir, values.data_dir, settings, values.output),
        say=lambda line: print(line, flush=True),
    )
    print(f"{gate.version}: {'blessed' if gate.passed else 'not blessed'}.")
    return cli.EXIT_DONE if gate.passed else cli.EXIT_REJECTED


def _blessing(export_dir: str) -> int:
    from export import check_model_blessing, saved_model

    version = saved_model.find_version(export_dir)
    problem = check_model_blessing.problem(version)
    print(problem or f"{version}: blessed.")
    return cli.EXIT_REJECTED if problem else cli.EXIT_DONE


if __name__ == "__main__":
    cli.run(define_flags, main)
