"""Compares pretexts on a downstream task by one protocol: the tables of Chen 2019.

    spine-tf convert-images --layout=spider --input_dir=SPIDER --output_dir=slices \\
        --folds=3 --train_percents=50,25 --train_subjects=2 --spacing_mm=1 --resample=in_plane
    python -m benchmarks.pretext_comparison --data_dir=slices --task=segmentation \\
        --task_options='{"patch_size": 128}' --preset=unet-16 \\
        --settings='{"batch_size": 2, "weight_decay": 0}' \\
        --pretext_options='{"anatomy": "slice", "patch_size": 128}' \\
        --pretext_settings='{"batch_size": 4, "weight_decay": 0}' \\
        --rows=percent100=RD/CR,subjects2=RD/AE/CR --work_dir=work

trains every start with every amount of labelled subjects, on every fold, with every seed. A pretext
sees all training images of its fold, whatever the amount, and never those of validation or test.
A run that was stopped goes on with the same command; what is done is not done again. After
--budget_hours no further model is started; what was not run is listed as not run. WORK_DIR/results
and WORK_DIR/evaluations are all that tables and further seeds need: models whose job is done may be
deleted, those of a pretext once nothing waits for them.

    RD   random weights           JS   jigsaw                  LO   --longitudinal_dir
    AE   autoencoder              CP   context prediction      +AG  after any of them: augmented
    RP   relative positions       CR   context restoration     -frozen  ... the encoder as it is

    RD+LT, RD+AG+LT   random weights, and as many steps more as a pretext has

Crops of discs, of the task grading, are augmented in every row; other images with +AG alone. An
amount is of training subjects: validation, by which pretexts are judged, keeps all of its own.
The rate falls as a cosine and the last epoch is kept. --settings='{"schedule": "plateau"}' lets
validation choose the epoch, with labels of more subjects than the amount says; in few steps the
rate then falls in some runs and never in others. Every model is tested once.
Intervals are 95% bootstrap intervals over subjects; seeds are averaged. A pretext that was not
learned, by the rules of docs/evaluation.md and its validation, is marked and stays in the table.

Writes OUTPUT_DIR/pretexts_NAME.json, .md and .png.
"""

import json
import os

from absl import flags

from spine_tf import allocator, cli, config

_FLAGS = flags.FLAGS
_NAME = "pretext_comparison"


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("data_dir", None, "Records with folds, and parts of them.")
    flags.DEFINE_string("work_dir", None, "Where models and their results go.")
    cli.required("data_dir", "work_dir")
    flags.DEFINE_string("output_dir", "docs/results", "Where the results go.")
    flags.DEFINE_string("name", "", "NAME in the names of the results; empty is the task.")
    flags.DEFINE_string("about", "", "What the data are, for the picture's title: phantoms, say.")
    tasks = ["segmentation", "classification", "localisation", "grading"]
    flags.DEFINE_enum("task", "segmentation", tasks, "The downstream task.")
    flags.DEFINE_string("task_options", "{}", "JSON object of its fields.")
    flags.DEFINE_string(
        "pretext_options",
        "{}",
        'JSON object of fields of every pretext; "jigsaw": {...} in it are those of that one.',
    )
    flags.DEFINE_enum("preset", "unet-16", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_list(
        "rows",
        [],
        "AMOUNT=START/START, ... with amounts such as percent50 and subjects2; empty is the"
        " paper's: percent100=RD, and RD/RD+AG/AE/RP/JS/CP/CR at percent50 and percent25.",
    )
    flags.DEFINE_list("folds", ["0", "1", "2"], "Folds.")
    flags.DEFINE_list("seeds", ["0"], "Seeds; the lowest is run first.")
    flags.DEFINE_string("longitudinal_dir", "", "Model folder of the starts LO and LO-frozen.")
    flags.DEFINE_integer("steps", 1500, "Steps of the downstream task.", lower_bound=1)
    flags.DEFINE_integer("pretext_steps", 1500, "Steps of a pretext.", lower_bound=1)
    flags.DEFINE_integer("epoch_steps", 150, "Steps between validations.", lower_bound=1)
    flags.DEFINE_string("settings", "{}", "JSON object of settings of the downstream task.")
    flags.DEFINE_string("pretext_settings", "{}", "JSON object of settings of every pretext.")
    flags.DEFINE_float("budget_hours", 10.0, "After so many hours no model is started.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> int:
    """Runs the jobs and writes the results; returns the exit status."""
    del argv
    allocator.keep_freed_memory()
    import tensorflow as tf

    from benchmarks import comparison_jobs, job_list

    tf.config.experimental.enable_op_determinism()
    plan = _plan()
    rows = comparison_jobs.parse_rows(_FLAGS.rows, _FLAGS.task)
    jobs = comparison_jobs.ordered(rows, cli.whole_numbers("folds"), cli.whole_numbers("seeds"))
    comparison_jobs.check(plan, jobs)
    comparison_jobs.try_out(plan, jobs)
    job_list.stop_on_signal()
    not_run = comparison_jobs.run_all(
        jobs, plan, _FLAGS.budget_hours, print, lambda found: _write(jobs, plan, found)
    )
    print(_write(jobs, plan, not_run))
    return cli.EXIT_REJECTED if any("failed" in reason for reason in not_run.values()) else 0


def _plan():
    from benchmarks import comparison_jobs

    return comparison_jobs.Plan(
        data_dir=_FLAGS.data_dir,
        task=_FLAGS.task,
        task_options=json.loads(_FLAGS.task_options),
        train_config=_settings(_FLAGS.steps, _FLAGS.settings),
        pretext_options=json.loads(_FLAGS.pretext_options),
        pretext_config=_settings(_FLAGS.pretext_steps, _FLAGS.pretext_settings),
        model_config=config.preset(_FLAGS.preset),
        work_dir=_FLAGS.work_dir,
        longitudinal_dir=_FLAGS.longitudinal_dir,
        num_draws=_FLAGS.num_draws,
    )


def _settings(steps: int, text: str) -> config.TrainConfig:
    """Adam for a number of steps, its rate falling as a cosine unless the settings say otherwise.

    With a schedule of plateaus the rate falls after three epochs without progress, and none ends a
    run: all starts have the same number of steps.
    """
    epoch = min(_FLAGS.epoch_steps, steps)
    count = -(-steps // epoch)
    values = {"epochs": count, "steps_per_epoch": epoch, "optimizer": "adam"}
    values |= {"schedule": config.COSINE, "patience": 3, "max_drops": count}
    return config.TrainConfig(**values | json.loads(text))


def _write(jobs, plan, not_run) -> str:
    """Writes JSON, table and picture of what there is so far; returns the table."""
    import dataclasses

    from benchmarks import comparison_claims, comparison_picture, comparison_results, results_file
    from spine_tf import files
    from spine_tf.evaluation import plots

    tested = comparison_results.read(jobs, plan)
    content = comparison_results.collect(jobs, plan, not_run, tested)
    content["claims"] = comparison_claims.judge(tested)
    settings = {name: dataclasses.asdict(getattr(plan, name)) for name in _CONFIGS}
    settings |= {"task_options": plan.task_options, "pretext_options": plan.pretext_options}
    content |= {"command": results_file.command(_NAME, _FLAGS), "settings": settings}
    content["about"] = _FLAGS.about
    path = os.path.join(_FLAGS.output_dir, f"pretexts_{_FLAGS.name or _FLAGS.task}")
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    text = comparison_results.table(content) + "\n" + comparison_claims.table(content["claims"])
    files.write_json(f"{path}.json", content)
    with files.atomic_write(f"{path}.md") as file:
        file.write(text)
    if content["rows"]:
        with files.atomic_write(f"{path}.png", "wb") as file:
            comparison_picture.draw(content).savefig(file, **plots.save_options())
    return text


_CONFIGS = ("train_config", "pretext_config", "model_config")


if __name__ == "__main__":
    cli.run(define_flags, main)
