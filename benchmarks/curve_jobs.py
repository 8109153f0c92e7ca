"""The jobs of the learning curve: what each trains, in which order, and how one is run.

A job is one model. Its folder is WORK_DIR/NAME; when it is done WORK_DIR/results/NAME.json says how
it went, and a job whose result is there is not run again. A job that was stopped goes on.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import keras

from benchmarks import job_list
from data_prep import paper_cohort
from spine_tf import config, tasks
from spine_tf.data import dataset_hash, records, schema, splits
from spine_tf.evaluation import options as options_lib
from spine_tf.evaluation import run
from spine_tf.training import loop

GRADING = "disc_degeneration"
SIAMESE, STRONG, RESTORATION = "siamese", "strong", "restoration"
# Pre-training -> its task and protocol. Restoration sees the bodies that the Siamese network sees.
PRETRAININGS = {
    SIAMESE: ("longitudinal", splits.LONGITUDINAL),
    STRONG: ("strong", splits.GRADING),
    RESTORATION: ("context_restoration", splits.LONGITUDINAL),
}


@dataclasses.dataclass(frozen=True)
class Regime:
    """Where the encoder of a grading model comes from.

    Attributes:
        source: Pre-training whose encoder is taken, or "".
        is_frozen: Whether the encoder stays as it is.
    """

    source: str
    is_frozen: bool


REGIMES = {
    "scratch": Regime("", False),
    "longitudinal_frozen": Regime(SIAMESE, True),
    "strong": Regime(STRONG, True),
    "frozen_random": Regime("", True),
    "longitudinal_finetuned": Regime(SIAMESE, False),
    "context_restoration": Regime(RESTORATION, False),
}
_FIRST_REGIMES = ("scratch", "longitudinal_frozen", "strong")
_FIRST_SIZES = (670, 240)


@dataclasses.dataclass(frozen=True)
class Job:
    """One model: a pre-training (no size), or the grading of one regime and size.

    Attributes:
        kind: Name of a pre-training or of a regime.
        seed: Seed of weights, order and augmentation.
        num_subjects: Training subjects; 0 for a pre-training.
    """

    kind: str
    seed: int
    num_subjects: int = 0

    @property
    def name(self) -> str:
        """Name of its folder and of its result."""
        size = f"-{self.num_subjects}" if self.num_subjects else "-pretraining"
        return f"{self.kind}{size}-seed{self.seed}"

    @property
    def needs(self) -> "Job | None":
        """The job whose encoder it takes."""
        source = REGIMES[self.kind].source if self.num_subjects else ""
        return Job(source, self.seed) if source else None


@dataclasses.dataclass(frozen=True)
class Stage:
    """How one kind of model is trained.

    Attributes:
        data_dir: The data set; "" if there is none.
        train_config: Settings; the seed is the job's.
        task_options: Fields of the task.
    """

    data_dir: str
    train_config: config.TrainConfig
    task_options: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that the jobs share.

    Attributes:
        stages: "siamese", "strong", "restoration" and "grading".
        model_config: Sizes of the network.
        test_dir: Data set of further subjects, on which every grading model is tested once.
        work_dir: Where models and results go.
        num_draws: Bootstrap draws of the evaluations.
    """

    stages: dict[str, Stage]
    model_config: config.ModelConfig
    test_dir: str
    work_dir: str
    num_draws: int = 2000

    def folder(self, job: Job) -> str:
        """Model folder of a job."""
        return os.path.join(self.work_dir, job.name)

    def predictions_path(self, job: Job) -> str:
        """The predictions of a grading job for the further subjects."""
        return os.path.join(self.evaluation_dir(job), "predictions.csv")

    def evaluation_dir(self, job: Job) -> str:
        """Where the evaluation of a job goes."""
        return os.path.join(self.work_dir, "evaluations", job.name)

    def result(self, job: Job) -> dict[str, Any] | None:
        """The result of a job, or None if it is not done."""
        return job_list.result(self.work_dir, job)


def ordered(regimes: Sequence[str], sizes: Sequence[int], seeds: Sequence[int]) -> list[Job]:
    """Returns all jobs, the most telling first.

    Seed by seed: scratch, longitudinal frozen and strong at the largest and the smallest size, then
    between; then the other regimes. A pre-training comes before its first use.
    """

    def rank(job: Job) -> tuple:
        is_first = job.kind in _FIRST_REGIMES
        sizes_first = [*_FIRST_SIZES, *sizes]
        return (not is_first, sizes_first.index(job.num_subjects), list(REGIMES).index(job.kind))

    jobs: dict[Job, None] = {}
    for seed in seeds:
        graders = [Job(regime, seed, size) for regime in regimes for size in sizes]
        for job in sorted(graders, key=rank):
            jobs |= dict.fromkeys(filter(None, (job.needs, job)))
    return list(jobs)


def check(plan: Plan, jobs: Sequence[Job]) -> None:
    """Opens every data set and looks up every protocol before hours are spent.

    Raises:
        FileNotFoundError: If a data set is missing.
        ValueError: If it is not whole, or a size of the curve has no protocol in it.
    """
    folders = {stage.data_dir for stage in plan.stages.values()} | {plan.test_dir}
    data = {path: records.open_folder(path) for path in folders if path}
    known = data[plan.stages["grading"].data_dir].protocols
    for size in sorted({job.num_subjects for job in jobs} - {0}):
        if paper_cohort.protocol_name(size) not in known:
            raise ValueError(
                f"`sizes` must be of protocols of {plan.stages['grading'].data_dir}, got {size}."
                f" It has {', '.join(known)}."
            )


def run_all(
    jobs: Sequence[Job],
    plan: Plan,
    budget_hours: float,
    say: Callable[[str], None],
    done: Callable[[dict[Job, str]], None],
) -> dict[Job, str]:
    """Runs jobs in their order until the budget is used; see `job_list.run_all`."""
    return job_list.run_all(
        jobs,
        plan.work_dir,
        budget_hours,
        run=lambda job: run_one(job, plan, say),
        settings_of=lambda job: settings(job, plan),
        why_not=lambda job: _why_not(job, plan),
        say=say,
        done=done,
    )


def _why_not(job: Job, plan: Plan) -> str:
    if job.needs and not plan.result(job.needs):
        return f"{job.needs.name} is missing"
    if not plan.stages.get(job.kind, plan.stages["grading"]).data_dir:
        return "there is no data set for it"
    return ""


def records_hash(data_dir: str) -> str:
    """Returns the hash of a data set's records; "" without a data set."""
    return dataset_hash.content(records.open_folder(data_dir)) if data_dir else ""


def settings(job: Job, plan: Plan) -> dict[str, Any]:
    """Returns what the result of a job depends on."""
    has_test = bool(plan.test_dir and job.num_subjects)
    test = records_hash(plan.test_dir) if has_test else ""
    return job_list.settings(
        _request(job, plan), test_records_sha256=test, num_draws=plan.num_draws
    )


def run_one(job: Job, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Trains and evaluates one job and returns its result."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(job.seed)
    request = _request(job, plan)
    loop.train(request, say=say)
    result = dataclasses.asdict(job) | job_list.progress(request.model_dir)
    tested = _evaluate_grader(job, plan, request) if job.num_subjects else _evaluate(job, plan)
    return result | tested


def _request(job: Job, plan: Plan) -> loop.Request:
    if job.num_subjects:
        stage, regime = plan.stages["grading"], REGIMES[job.kind]
        task, protocol = "grading", paper_cohort.protocol_name(job.num_subjects)
    else:
        stage, regime = plan.stages[job.kind], Regime("", False)
        task, protocol = PRETRAININGS[job.kind]
    return loop.Request(
        task=tasks.make(task, json.dumps(stage.task_options)),
        model_config=plan.model_config,
        train_config=dataclasses.replace(stage.train_config, seed=job.seed),
        data=records.open_folder(stage.data_dir),
        protocol=protocol,
        model_dir=plan.folder(job),
        init_from=plan.folder(job.needs) if job.needs else "",
        freeze_encoder=regime.is_frozen,
        feature_cache=os.path.join(plan.work_dir, "features"),
    )


def _evaluate(job: Job, plan: Plan) -> dict[str, Any]:
    """Verification of the longitudinal model on its test subjects; nothing of the others."""
    if job.kind != SIAMESE:
        return {}
    options = options_lib.Options(num_draws=plan.num_draws)
    data_dir = plan.stages[job.kind].data_dir
    found = run.evaluate(plan.folder(job), data_dir, plan.evaluation_dir(job), options)["results"]
    return {
        "pair_auc": found["model"]["auc"],
        "mean_level_auc": found["model"]["mean_level_auc"],
        "correlation_pair_auc": found["correlation"]["auc"],
        "level_accuracy": found["level_accuracy"],
        "test_subjects": found["counts"]["subjects"],
    }


def _evaluate_grader(job: Job, plan: Plan, request: loop.Request) -> dict[str, Any]:
    """Tests a grading model on the further subjects."""
    options = options_lib.Options(other_data=True, num_draws=plan.num_draws)
    found = run.evaluate(plan.folder(job), plan.test_dir, plan.evaluation_dir(job), options)
    train = request.data.index(schema.DISC, request.protocol, splits.SPLITS[0])
    validation = f"val_{GRADING}/balanced_accuracy"
    best = job_list.progress(request.model_dir)["validation"]
    return {
        "num_scans": len({scan for row in train.rows for scan in row["scan"]}),
        "validation_balanced_accuracy": best[validation],
        "test_balanced_accuracy": found["results"]["gradings"][GRADING]["model"][
            "balanced_accuracy"
        ],
    }
