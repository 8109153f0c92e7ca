"""Trains a task on a data set.

    spine-tf train --task=longitudinal --data_dir=records --model_dir=siamese
    spine-tf train --task=grading --data_dir=records --model_dir=grader \\
        --init_from=siamese --freeze_encoder
    spine-tf train --config=search/best.json --data_dir=records --model_dir=grader
    spine-tf train --task=grading --task_options='{"gradings": ["pfirrmann"]}' \\
        --data_dir=spider --model_dir=folds --fold=all

Fields of the task longitudinal: anatomy (vertebra, disc, image), mode (sampled, all),
baseline_only, margin, margin_unit, min_interval_days, contrastive_weight,
level_weight, header_facts (sex, age, weight). Of grading and strong: gradings.

The same command goes on where a run was stopped. Tasks: longitudinal (vertebral bodies of one
person at two times, and their levels), strong (eight gradings of discs and levels of bodies, to
train an encoder), grading (discs); the pretexts context_restoration, autoencoder,
context_prediction, relative_positions and jigsaw; of slices classification, localisation,
segmentation and detection. docs/transfer.md has a command for each way to an encoder.
"""

import dataclasses
import sys

from absl import flags

from spine_tf import allocator, cli, config, dataclass_flags, flag_field

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_enum("task", None, config.TASKS, "What is learned; see above.")
    flags.DEFINE_string("task_options", "{}", "JSON object of the task's fields.")
    flags.DEFINE_enum("preset", "small", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_string(
        "config",
        "",
        "File with task, sizes and settings, such as best.json of spine-tf tune; flags that are"
        " given win over it.",
    )
    flags.DEFINE_string("data_dir", None, "Data set made by a convert command.", required=True)
    flags.DEFINE_string("model_dir", None, "Where the model goes.", required=True)
    flags.DEFINE_string(
        "init_from",
        "",
        "Model folder whose encoder is taken over; with --fold also a folder of folds, of which"
        " each fold takes its own.",
    )
    flags.DEFINE_bool("freeze_encoder", False, "Train the fully connected layers only.")
    flags.DEFINE_string(
        "feature_cache",
        "",
        "Folder of the features of frozen encoders, which runs may share; empty is"
        " MODEL_DIR/features.",
    )
    flags.DEFINE_string(
        "fold",
        "",
        "Number of a fold, or all for every fold into MODEL_DIR/fold0 and so on; empty is the split"
        " of the task's own protocol.",
    )
    flags.DEFINE_string(
        "protocol",
        "",
        "Protocol of the data set's splits.json, such as grading240; empty is the task's own.",
    )
    flags.DEFINE_bool(
        "json_lines",
        False,
        "Print one JSON object per epoch to stdout; what a person reads goes to stderr.",
    )
    flags.DEFINE_bool("dry_run", False, flag_field.DRY_RUN)
    dataclass_flags.define(config.TrainConfig)


def main(argv: list[str]) -> None:
    """Trains."""
    del argv
    cli.check_exist("data_dir", "init_from", "config")
    allocator.keep_freed_memory()
    import keras
    import tensorflow as tf

    from spine_tf import tasks, train_lib
    from spine_tf.data import records
    from spine_tf.training import strategy as strategies

    if _FLAGS.fold and _FLAGS.protocol:
        raise cli.UsageError("--fold and --protocol cannot both be given.")
    model_config = _read_config() or config.preset(_FLAGS.preset)
    if not _FLAGS.task:
        raise cli.UsageError("--task or --config must be given.")
    try:
        made = tasks.make(_FLAGS.task, _FLAGS.task_options)
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    settings = dataclass_flags.make(config.TrainConfig)
    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    workers = strategies.waited_for(settings.strategy)
    if workers and _FLAGS.dry_run:
        print(f"would run on {', '.join(workers)}; what this asks of the batch is not checked")
        settings = dataclasses.replace(settings, strategy="one")
    elif workers:
        print(f"waits until all of {', '.join(workers)} have started", file=sys.stderr, flush=True)
    strategies.make(settings.strategy)  # several workers must find each other before all else
    wanted = train_lib.requests(
        made,
        model_config,
        settings,
        records.open_folder(_FLAGS.data_dir),
        _FLAGS.model_dir,
        fold=_FLAGS.fold,
        protocol=_FLAGS.protocol,
        init_from=_FLAGS.init_from,
        freeze_encoder=_FLAGS.freeze_encoder,
        feature_cache=_FLAGS.feature_cache,
    )
    if _FLAGS.dry_run:
        print("\n".join([*train_lib.planned(wanted), "Nothing was written."]))
    else:
        train_lib.train(wanted, json_lines=_FLAGS.json_lines)


def _read_config() -> config.ModelConfig | None:
    """Makes the values of --config the defaults of flags; returns its sizes of the network."""
    from spine_tf import run_config

    if not _FLAGS.config:
        return None
    found = run_config.read(_FLAGS.config)
    for name, value in found.flag_values().items():
        if not _FLAGS[name].present:
            _FLAGS.set_default(name, value)
    return None if _FLAGS["preset"].present else found.model_config


if __name__ == "__main__":
    cli.run(define_flags, main)
