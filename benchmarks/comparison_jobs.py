"""The jobs of the comparison of pretexts: what each trains, in which order, and how one is run.

A job is one model: a pretext of one fold, or the downstream task of one fold, with an amount of
labelled subjects and a start. Pretexts see all training images of their fold, whatever the amount.

Source: Chen 2019, section 3 (rows of Tables 3 to 5); methods 3.3.
"""

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from benchmarks import job_list
from spine_tf import config, files, tasks
from spine_tf.data import records
from spine_tf.evaluation import options as options_lib
from spine_tf.evaluation import run
from spine_tf.training import batches, loop, new_model, pretext_mark


@dataclasses.dataclass(frozen=True)
class Start:
    """Where the weights of a downstream model come from.

    Attributes:
        pretext: Task that is trained first, or "".
        is_augmented: Whether the downstream images are augmented.
        is_given: Whether the weights are those of `Plan.longitudinal_dir`.
        is_frozen: Whether the encoder stays as it is.
        is_longer: Whether as many steps are trained in addition as a pretext has: what another
            start gains over it is not of longer training.
    """

    pretext: str = ""
    is_augmented: bool = False
    is_given: bool = False
    is_frozen: bool = False
    is_longer: bool = False


PLAIN = {
    "RD": Start(),
    "AE": Start("autoencoder"),
    "RP": Start("relative_positions"),
    "JS": Start("jigsaw"),
    "CP": Start("context_prediction"),
    "CR": Start("context_restoration"),
    "LO": Start(is_given=True),
}
AUGMENTED, FROZEN, LONGER = "+AG", "-frozen", "+LT"
STARTS = (
    PLAIN
    | {n + AUGMENTED: dataclasses.replace(one, is_augmented=True) for n, one in PLAIN.items()}
    | {n + FROZEN: dataclasses.replace(one, is_frozen=True) for n, one in PLAIN.items()}
    | {"RD" + LONGER: Start(is_longer=True)}
    | {"RD" + AUGMENTED + LONGER: Start(is_augmented=True, is_longer=True)}
)
ROWS = {"percent100": ("RD",)} | {
    amount: ("RD", "RD+AG", "AE", "RP", "JS", "CP", "CR") for amount in ("percent50", "percent25")
}
_AMOUNT = re.compile(r"(?P<unit>percent|subjects)(?P<number>[0-9]+)")
_PRETEXT = "pretext"
_CLASSES = ("classes", "organs", "labels")  # what tasks call them


def plain(start: str) -> str:
    """Returns the name of a start without "+AG", "-frozen" or "+LT"."""
    return start.removesuffix(LONGER).removesuffix(AUGMENTED).removesuffix(FROZEN)


@dataclasses.dataclass(frozen=True)
class Job:
    """One model.

    Attributes:
        start: Name in `STARTS`.
        amount: Training subjects: "percent50", "subjects2"; "pretext" is the pretext itself.
        fold: Number of the fold.
        seed: Seed of weights, order and disordering.
    """

    start: str
    amount: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder and of its result."""
        return f"{self.start}-{self.amount}-fold{self.fold}-seed{self.seed}"

    @property
    def is_pretext(self) -> bool:
        """Whether it is a pretext."""
        return self.amount == _PRETEXT

    @property
    def needs(self) -> "Job | None":
        """The pretext whose weights it takes."""
        if self.is_pretext or not STARTS[self.start].pretext:
            return None
        return dataclasses.replace(self, start=plain(self.start), amount=_PRETEXT)

    @property
    def protocol(self) -> str:
        """Protocol of the data set."""
        whole = self.is_pretext or self.amount == "percent100"
        return f"fold{self.fold}" if whole else f"fold{self.fold}_{self.amount}"


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that the jobs share.

    Attributes:
        data_dir: The data set, with folds and parts of them.
        task: Name of the downstream task.
        task_options: Its fields.
        train_config: Its settings; the seed is the job's.
        pretext_options: Fields of every pretext; under the name of one, fields of that one alone.
        pretext_config: Settings of every pretext.
        model_config: Sizes of the network.
        work_dir: Where models and results go.
        longitudinal_dir: Model folder of the start LO, or "".
        num_draws: Bootstrap draws.
    """

    data_dir: str
    task: str
    task_options: Mapping[str, Any]
    train_config: config.TrainConfig
    pretext_options: Mapping[str, Any]
    pretext_config: config.TrainConfig
    model_config: config.ModelConfig
    work_dir: str
    longitudinal_dir: str = ""
    num_draws: int = 2000

    def folder(self, job: Job) -> str:
        """Model folder of a job."""
        return os.path.join(self.work_dir, job.name)

    def options_of(self, pretext: str) -> dict[str, Any]:
        """Fields of one pretext.

        Raises:
            ValueError: If what stands under its name is no object.
        """
        names = {start.pretext for start in PLAIN.values()}
        shared = {name: one for name, one in self.pretext_options.items() if name not in names}
        own = self.pretext_options.get(pretext, {})
        if not isinstance(own, Mapping):
            raise ValueError(
                f"`pretext_options` must hold an object of fields under {pretext}, got {own!r}."
            )
        return {**shared, **own}

    def evaluation_dir(self, job: Job) -> str:
        """Where the evaluation of a job goes."""
        return os.path.join(self.work_dir, "evaluations", job.name)

    def result(self, job: Job) -> dict[str, Any] | None:
        """The result of a job, or None if it is not done."""
        return job_list.result(self.work_dir, job)


def rank(amount: str) -> tuple[bool, int]:
    """Returns (whether it is a share, its number) of an amount; numbers come before shares.

    Raises:
        ValueError: If the amount has another form than "percent50" or "subjects2".
    """
    found = _AMOUNT.fullmatch(amount)
    if not found:
        raise ValueError(f"`amount` must be such as percent50 or subjects2, got {amount!r}.")
    return found["unit"] == "percent", int(found["number"])


def parse_rows(texts: Sequence[str], task: str) -> dict[str, tuple[str, ...]]:
    """Returns amount -> starts of texts such as "percent50=RD/CR"; none are the paper's rows.

    Crops of discs are always augmented, so grading has no start with "+AG".

    Raises:
        ValueError: If a text has another form, or names a start that there is not.
    """
    fields = {field.name for field in dataclasses.fields(tasks.TASKS[task])}
    possible = [name for name in STARTS if "augment" in fields or not STARTS[name].is_augmented]
    found = {}
    for text in texts:
        amount, _, starts = text.partition("=")
        names = tuple(starts.split("/"))
        if not _AMOUNT.fullmatch(amount) or set(names) - set(possible):
            ends = " or ".join(end for end in (AUGMENTED, FROZEN) if f"RD{end}" in possible)
            raise ValueError(
                "`rows` must be of the form percent50=RD/CR or subjects2=RD/CR, of the starts of"
                f" {task}: {', '.join(PLAIN)}, each also with {ends}, and RD with {LONGER},"
                f" got {text!r}."
            )
        found[amount] = names
    paper = {amount: tuple(n for n in names if n in possible) for amount, names in ROWS.items()}
    return found or paper


def ordered(
    rows: Mapping[str, Sequence[str]], folds: Sequence[int], seeds: Sequence[int]
) -> list[Job]:
    """Returns all jobs: seed by seed, row by row, fold by fold; a pretext before its first use."""
    jobs: dict[Job, None] = {}
    for seed in seeds:
        for amount, starts in rows.items():
            for fold in folds:
                for start in starts:
                    job = Job(start, amount, fold, seed)
                    jobs |= dict.fromkeys(filter(None, (job.needs, job)))
    return list(jobs)


def check(plan: Plan, jobs: Sequence[Job]) -> None:
    """Looks up every protocol before hours are spent.

    Raises:
        FileNotFoundError: If the data set is missing.
        ValueError: If it lacks a protocol, or a start needs a model that is not given.
    """
    known = records.open_folder(plan.data_dir).protocols
    missing = sorted({job.protocol for job in jobs} - set(known))
    if missing:
        raise ValueError(
            f"`data_dir` must have the protocols {', '.join(missing)}, got {', '.join(known)}."
            " Convert with --folds, --train_percents and --train_subjects."
        )
    if not plan.longitudinal_dir and any(STARTS[job.start].is_given for job in jobs):
        raise ValueError("`longitudinal_dir` must be a model folder for the start LO, got ''.")


def try_out(plan: Plan, jobs: Sequence[Job]) -> None:
    """Configures every task on its protocols and builds its model, before hours are spent.

    Raises:
        ValueError: If one cannot be trained on the data set, has no network, or folds would have
            other classes than each other, so that they cannot be taken together.
    """
    kinds = {(job.start, job.protocol): job for job in reversed(jobs)}
    classes: dict[tuple[str, str], dict[str, tuple]] = {}
    for job in reversed(kinds.values()):
        keras.backend.clear_session()
        try:
            one = request(job, plan)
            scale = one.model_config.crop_scale
            found = batches.prepare(one.task, one.train_config, scale, one.data, one.protocol)
            statistics = new_model.statistics(found.task, found.indices["train"], "")
            new_model.build(found.task, one.model_config, statistics, job.seed, "")
            here = {name: getattr(found.task, name, ()) for name in _CLASSES}
            if classes.setdefault((job.start, job.amount), here) != here:
                raise ValueError(
                    f"folds must have the same classes, got {_listed(here)} and"
                    f" {_listed(classes[job.start, job.amount])}. Name them in --task_options, so"
                    " that a fold whose training images lack one has it, too."
                )
        except ValueError as error:
            raise ValueError(f"{job.name}: {error}") from error


def _listed(classes: Mapping[str, Sequence]) -> str:
    return ", ".join(str(one) for found in classes.values() for one in found)


def run_all(
    jobs: Sequence[Job],
    plan: Plan,
    budget_hours: float,
    say: Callable[[str], None],
    done: Callable[[dict[Job, str]], None],
) -> dict[Job, str]:
    """Runs jobs in their order until the budget is used; see `job_list.run_all`."""

    def why_not(job: Job) -> str:
        needed = job.needs
        return f"{needed.name} is missing" if needed and not plan.result(needed) else ""

    return job_list.run_all(
        jobs,
        plan.work_dir,
        budget_hours,
        run=lambda job: run_one(job, plan, say),
        settings_of=lambda job: settings(job, plan),
        why_not=why_not,
        say=say,
        done=done,
    )


def run_one(job: Job, plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Trains and evaluates one job and returns its result."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(job.seed)
    trained = request(job, plan)
    loop.train(trained, say=say)
    options = options_lib.Options(num_draws=plan.num_draws)
    content = run.evaluate(trained.model_dir, plan.data_dir, plan.evaluation_dir(job), options)
    result = dataclasses.asdict(job) | job_list.progress(trained.model_dir)
    if job.is_pretext:
        result["pretext_learned"] = pretext_mark.learned(trained.model_dir)
        result["results"] = content["results"]
    return result


def settings(job: Job, plan: Plan) -> dict[str, Any]:
    """Returns what the result of a job depends on.

    The weights that it began with are those that its pretext was evaluated with, so models may be
    deleted.
    """
    asked, needed = request(job, plan), job.needs
    if not needed:
        return job_list.settings(asked, num_draws=plan.num_draws)
    path = os.path.join(plan.evaluation_dir(needed), run.EVALUATION)
    (weights,) = files.read_json(path, run.FORMAT)["weights_sha256"]
    found = job_list.settings(dataclasses.replace(asked, init_from=""), num_draws=plan.num_draws)
    return found | {"init_from_sha256": weights}


def _longer(
    train_config: config.TrainConfig, pretext_config: config.TrainConfig
) -> config.TrainConfig:
    """The settings with the steps of a pretext in addition, in whole epochs.

    Drops of the rate may be as many more, so that they end no run.
    """
    steps = pretext_config.epochs * pretext_config.steps_per_epoch
    more = -(-steps // train_config.steps_per_epoch)
    epochs, drops = train_config.epochs + more, train_config.max_drops + more
    return dataclasses.replace(train_config, epochs=epochs, max_drops=drops)


def request(job: Job, plan: Plan) -> loop.Request:
    """Returns what is trained for a job."""
    start = STARTS[job.start]
    name, options = plan.task, dict(plan.task_options)
    train_config = plan.train_config
    if job.is_pretext:
        name, train_config = start.pretext, plan.pretext_config
        options = plan.options_of(name)
    if start.is_augmented:
        options["augment"] = True
    if start.is_longer:
        train_config = _longer(train_config, plan.pretext_config)
    init_from = plan.longitudinal_dir if start.is_given else ""
    if job.needs:
        init_from = plan.folder(job.needs)
    return loop.Request(
        task=tasks.make(name, json.dumps(dict(options))),
        model_config=plan.model_config,
        train_config=dataclasses.replace(train_config, seed=job.seed),
        data=records.open_folder(plan.data_dir),
        protocol=job.protocol,
        model_dir=plan.folder(job),
        init_from=init_from,
        freeze_encoder=start.is_frozen,
    )
