"""Searches for good settings of a task with Keras Tuner.

    spine-tf tune --task=grading --data_dir=records --work_dir=search --max_trials=30
    spine-tf tune --task=longitudinal --probe=grading --tuner=hyperband --epochs=27 \\
        --data_dir=records --work_dir=search
    spine-tf train --config=search/best.json --data_dir=records --model_dir=model

The same command goes on where a search was stopped. --space is a JSON file of settings and their
values; every other flag of training is the value of a setting that is not searched. What is made
large is a metric of the validation split, never a loss and never the test split. Several processes:
KERASTUNER_TUNER_ID, KERASTUNER_ORACLE_IP, KERASTUNER_ORACLE_PORT (docs/search.md).

Exit status 3: some trials failed; 1: all of them.
"""

from absl import flags

from spine_tf import allocator, cli, config, dataclass_flags, flag_field
from spine_tf.search import options

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_enum("task", None, config.TASKS, "Task of spine-tf train.", required=True)
    flags.DEFINE_string("task_options", "{}", "JSON object of the task's fields.")
    flags.DEFINE_enum("preset", "small", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_string("data_dir", None, "Data set made by a convert command.", required=True)
    flags.DEFINE_string("work_dir", None, "Where trials and results go.", required=True)
    flags.DEFINE_string("protocol", "", "Protocol of the split; empty is the task's own.")
    flags.DEFINE_string("init_from", "", "Model folder whose encoder is taken over.")
    flags.DEFINE_bool("freeze_encoder", False, "Train the fully connected layers only.")
    flags.DEFINE_bool("dry_run", False, flag_field.DRY_RUN)
    dataclass_flags.define(options.Options)
    dataclass_flags.define(config.TrainConfig)


def main(argv: list[str]) -> int:
    """Searches; returns the exit status."""
    del argv
    cli.check_exist("data_dir", "init_from", "space")
    allocator.keep_freed_memory()
    import tensorflow as tf

    from spine_tf import run_config, tasks
    from spine_tf.data import records
    from spine_tf.search import run

    chosen = dataclass_flags.make(options.Options)
    settings = dataclass_flags.make(config.TrainConfig)
    try:
        made = tasks.make(_FLAGS.task, _FLAGS.task_options)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    tf.config.experimental.enable_op_determinism()
    setup = run.prepare(
        chosen,
        run_config.RunConfig(made, config.preset(_FLAGS.preset), settings),
        records.open_folder(_FLAGS.data_dir),
        _FLAGS.work_dir,
        protocol=_FLAGS.protocol,
        init_from=_FLAGS.init_from,
        freeze_encoder=_FLAGS.freeze_encoder,
    )
    if _FLAGS.dry_run:
        print("\n".join([*run.lines(setup, chosen), "Nothing was written."]))
        return cli.EXIT_DONE
    num_failed = run.report(setup, run.search(setup, chosen))
    return cli.EXIT_REJECTED if num_failed else cli.EXIT_DONE


if __name__ == "__main__":
    cli.run(define_flags, main)
