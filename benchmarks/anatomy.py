"""Pairs of vertebral bodies beside pairs of discs: Fig. 2 of Jamaludin 2017 as a measurement.

    spine-tf make-phantom --num_subjects=200 --seed=204 --one_visit_percent=0 --disc_pairs \\
        --direct_records --crop_scale=0.5 --output_dir=both
    python -m benchmarks.anatomy --data_dir=both --work_dir=work

The paper argues that bodies keep their looks over years and discs do not, so bodies are what a
longitudinal network should be trained on. The same network is trained on either with the same
number of steps, and its verification on the test subjects stands beside plain correlation.
Writes OUTPUT_DIR/anatomy.json. A run that was stopped goes on.
"""

import os

from absl import flags

from spine_tf import allocator, cli, config

_FLAGS = flags.FLAGS
ANATOMIES = ("vertebra", "disc")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("data_dir", None, "Records with pairs of bodies and of discs.")
    flags.DEFINE_string("work_dir", None, "Where models and evaluations go.")
    cli.required("data_dir", "work_dir")
    flags.DEFINE_string("output_dir", "docs/results", "Folder of anatomy.json.")
    flags.DEFINE_enum("preset", "tiny", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_integer("epochs", 30, "Epochs.", lower_bound=1)
    flags.DEFINE_integer("steps_per_epoch", 40, "Steps of an epoch.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 64, "Crops of a step.", lower_bound=4)
    flags.DEFINE_float("augment_strength", 0.1, "See spine-tf train.")
    flags.DEFINE_integer("seed", 0, "Seed.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Trains and evaluates both, and writes the result."""
    del argv
    allocator.keep_freed_memory()
    import tensorflow as tf

    from benchmarks import results_file
    from spine_tf import files
    from spine_tf.training import model_folder

    tf.config.experimental.enable_op_determinism()
    settings = config.TrainConfig(
        epochs=_FLAGS.epochs,
        steps_per_epoch=_FLAGS.steps_per_epoch,
        batch_size=_FLAGS.batch_size,
        augment_strength=_FLAGS.augment_strength,
        optimizer="adam",
        seed=_FLAGS.seed,
    )
    content = {name: _measure(name, settings) for name in ANATOMIES}
    content |= {"versions": model_folder.library_versions(), "preset": _FLAGS.preset}
    content["command"] = results_file.command("anatomy", _FLAGS)
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(os.path.join(_FLAGS.output_dir, "anatomy.json"), content)


def _measure(anatomy: str, settings: config.TrainConfig) -> dict:
    import keras

    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.evaluation import bootstrap, run
    from spine_tf.evaluation import options as options_lib
    from spine_tf.training import loop

    keras.backend.clear_session()
    keras.utils.set_random_seed(settings.seed)
    made = tasks.TASKS["longitudinal"](anatomy=anatomy, mode="all")
    folder = os.path.join(_FLAGS.work_dir, anatomy)
    request = loop.Request(
        task=made,
        model_config=config.preset(_FLAGS.preset),
        train_config=settings,
        data=records.open_folder(_FLAGS.data_dir),
        protocol=made.protocol,
        model_dir=folder,
    )
    loop.train(request)
    options = options_lib.Options(num_draws=_FLAGS.num_draws)
    found = run.evaluate(folder, _FLAGS.data_dir, f"{folder}-evaluation", options)["results"]
    result = {
        "embedding_auc": found["model"]["auc"],
        "correlation_auc": found["correlation"]["auc"],
        "counts": found["counts"],
    }
    print(f"{anatomy:10}{bootstrap.text(result['embedding_auc']):26}", end="")
    print(f"plain correlation {bootstrap.text(result['correlation_auc'])}")
    return result


if __name__ == "__main__":
    cli.run(define_flags, main)
