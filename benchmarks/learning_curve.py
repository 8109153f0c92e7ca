"""Learning curve of grading by where the encoder comes from: Fig. 8 of Jamaludin 2017.

    spine-tf make-phantom --cohort=paper --seed=100 --direct_records --crop_scale=0.5 \\
        --output_dir=paper                                   # its phantoms have seeds 200 and 201
    spine-tf make-phantom --num_subjects=1840 --seed=202 --direct_records --crop_scale=0.5 \\
        --one_visit_percent=100 --three_visits_percent=0 --output_dir=strong
    spine-tf make-phantom --num_subjects=1000 --seed=203 --direct_records --crop_scale=0.5 \\
        --one_visit_percent=100 --three_visits_percent=0 --output_dir=further
    python -m benchmarks.learning_curve --data_dir=paper --test_dir=further --strong_dir=strong \\
        --work_dir=work --budget_hours=10

trains every regime at every size with every seed, the most telling first. A run that was stopped
goes on with the same command; what is done is not done again. After --budget_hours no further
model is started; what was not run is listed as not run.

Validation (50 subjects) chooses the epoch. Every model is tested once, on the subjects of
--test_dir. Intervals are 95% bootstrap intervals over those subjects; seeds are averaged.

Writes OUTPUT_DIR/learning_curve.json, .md and, once there are points, .png.
"""

import json
import os

from absl import flags

from spine_tf import allocator, cli, config

_FLAGS = flags.FLAGS
NAME = "learning_curve"
# Epochs and batch size.
_STAGES = {"siamese": (60, 32), "strong": (60, 32), "restoration": (60, 32), "grading": (60, 128)}


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("data_dir", None, "Records of the paper's cohort, with its protocols.")
    flags.DEFINE_string("test_dir", None, "Records of further subjects, for the test.")
    flags.DEFINE_string("strong_dir", "", "Records of further subjects with the eight gradings.")
    flags.DEFINE_string("work_dir", None, "Where models and their results go.")
    flags.DEFINE_string("output_dir", "docs/results", "Where the results of the curve go.")
    cli.required("data_dir", "test_dir", "work_dir")
    flags.DEFINE_enum("preset", "tiny", list(config.PRESETS), "Size of the network.")
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds; the lowest is run first.")
    flags.DEFINE_list("sizes", ["240", "361", "670"], "Training subjects.")
    flags.DEFINE_list("regimes", [], "Regimes; empty is all.")
    flags.DEFINE_float("budget_hours", 10.0, "After so many hours no model is started.")
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)
    for stage, (epochs, batch_size) in _STAGES.items():
        flags.DEFINE_integer(f"{stage}_epochs", epochs, f"Epochs of {stage} at most.")
        flags.DEFINE_integer(f"{stage}_batch_size", batch_size, f"Batch size of {stage}.")
        flags.DEFINE_string(
            f"{stage}_settings", "{}", f"JSON object of further training settings of {stage}."
        )
        flags.DEFINE_string(f"{stage}_options", "{}", f"JSON object of task fields of {stage}.")


def main(argv: list[str]) -> int:
    """Runs the jobs and writes the results; returns the exit status."""
    del argv
    allocator.keep_freed_memory()
    import tensorflow as tf

    from benchmarks import curve_jobs, job_list

    tf.config.experimental.enable_op_determinism()
    regimes = _FLAGS.regimes or list(curve_jobs.REGIMES)
    unknown = set(regimes) - set(curve_jobs.REGIMES)
    if unknown:
        raise cli.UsageError(
            f"--regimes must be among {', '.join(curve_jobs.REGIMES)}, got {', '.join(unknown)}."
        )
    jobs = curve_jobs.ordered(regimes, cli.whole_numbers("sizes"), cli.whole_numbers("seeds"))
    plan = _plan()
    curve_jobs.check(plan, jobs)
    job_list.stop_on_signal()
    not_run = curve_jobs.run_all(
        jobs, plan, _FLAGS.budget_hours, print, lambda found: _write(jobs, plan, found)
    )
    _write(jobs, plan, not_run)
    with open(os.path.join(_FLAGS.output_dir, f"{NAME}.md"), encoding="utf-8") as file:
        print(file.read())
    return cli.EXIT_REJECTED if any("failed" in reason for reason in not_run.values()) else 0


def _plan():
    from benchmarks import curve_jobs

    options = {
        "grading": {"gradings": [curve_jobs.GRADING]},
        "restoration": {"anatomy": "vertebra"},
    }
    stages = {
        name: curve_jobs.Stage(
            data_dir=_FLAGS.strong_dir if name == curve_jobs.STRONG else _FLAGS.data_dir,
            train_config=_settings(name),
            task_options=options.get(name, {}) | json.loads(_FLAGS[f"{name}_options"].value),
        )
        for name in _STAGES
    }
    return curve_jobs.Plan(
        stages=stages,
        model_config=config.preset(_FLAGS.preset),
        test_dir=_FLAGS.test_dir,
        work_dir=_FLAGS.work_dir,
        num_draws=_FLAGS.num_draws,
    )


def _settings(stage: str) -> config.TrainConfig:
    values = {name: _FLAGS[f"{stage}_{name}"].value for name in ("epochs", "batch_size")}
    return config.TrainConfig(**values | json.loads(_FLAGS[f"{stage}_settings"].value))


def _write(jobs, plan, not_run) -> None:
    """Writes JSON, table and picture of what there is so far."""
    from benchmarks import curve_results, results_file
    from benchmarks.figures import curve, sheet
    from spine_tf import files

    content = curve_results.collect(jobs, plan, not_run)
    content |= {"command": results_file.command(NAME, _FLAGS), "settings": _described(plan)}
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    path = os.path.join(_FLAGS.output_dir, f"{NAME}.json")
    files.write_json(path, content)
    if content["points"]:
        sheet.save(curve.draw(path), os.path.join(_FLAGS.output_dir, f"{NAME}.png"))
    with files.atomic_write(os.path.join(_FLAGS.output_dir, f"{NAME}.md")) as file:
        file.write(curve_results.table(content))


def _described(plan) -> dict:
    """The settings of all stages, with the hash of the manifest of each one's data set."""
    import dataclasses

    from benchmarks import curve_jobs

    stages = {
        name: dataclasses.asdict(stage.train_config)
        | {
            "task_options": stage.task_options,
            "records_sha256": curve_jobs.records_hash(stage.data_dir),
        }
        for name, stage in plan.stages.items()
    }
    for stage in stages.values():
        del stage["seed"]
    described = {"preset": _FLAGS.preset, "num_draws": plan.num_draws, **stages}
    return described | {"test_records_sha256": curve_jobs.records_hash(plan.test_dir)}


if __name__ == "__main__":
    cli.run(define_flags, main)
