"""Shows the whole way on this machine: from DICOM to graded discs, in one command.

    spine-tf demo
    spine-tf demo --data_dir=FOLDER

Without --data_dir a synthetic longitudinal cohort is written as DICOM, converted, used for
longitudinal pre-training, graded, exported and scored. With --data_dir, a folder in SPIDER's
layout, grading alone is shown: the longitudinal stage needs follow-up scans. Every step is a public
command, which is printed before it runs; a step that is done is not run again.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from spine_tf import cli, commands, files

_DONE = "demo.json"
_SEED = 1
VERIFICATION = "verification"
GRADING = "grading"
_NOTE = (
    "A small network trained for minutes on little data: these numbers show that the way works, and"
    " nothing about patients."
)


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything the demo makes."""

    num_subjects: int
    longitudinal_epochs: int
    grading_epochs: int
    spider_epochs: int
    reestimate_batches: int


SIZES = {
    "smallest": Size(
        num_subjects=12,
        longitudinal_epochs=1,
        grading_epochs=1,
        spider_epochs=1,
        reestimate_batches=20,
    ),
    "small": Size(
        num_subjects=26,
        longitudinal_epochs=3,
        grading_epochs=10,
        spider_epochs=10,
        reestimate_batches=200,
    ),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One public command with its flags; flags that are None are given without a value."""

    command: str
    flags: Mapping[str, str | int | float | None]

    @property
    def arguments(self) -> list[str]:
        """The flags as a shell takes them."""
        return [
            f"--{name}" if value is None else f"--{name}={value}"
            for name, value in self.flags.items()
        ]

    def __str__(self) -> str:
        return " ".join(["spine-tf", self.command, *self.arguments])

    @property
    def key(self) -> str:
        """What a step that is done is known by.

        The number of processes is this machine's and changes nothing of what is made.
        """
        return re.sub(r" --num_processes=\d+", "", str(self))


def _train(task: str, data: str, model: str, epochs: int, **more) -> Step:
    settings: dict[str, Any] = {
        "preset": "tiny",
        "optimizer": "adam",
        "learning_rate": 0.001,
        "epochs": epochs,
    }
    return Step("train", {"task": task, "data_dir": data, "model_dir": model, **settings, **more})


def _evaluate(model: str, data: str, output_dir: str) -> Step:
    return Step("evaluate", {"model_dir": model, "data_dir": data, "output_dir": output_dir})


def _use(output_dir: str, grader: str, data: str) -> list[Step]:
    """Returns the steps from a trained grading model to scores."""
    export = os.path.join(output_dir, "export")
    return [
        _evaluate(grader, data, os.path.join(output_dir, GRADING)),
        Step("calibrate", {"model_dir": grader, "data_dir": data}),
        Step("export", {"model_dir": grader, "export_dir": export}),
        Step(
            "score",
            {"model": export, "data_dir": data, "output": os.path.join(output_dir, "scores.csv")},
        ),
    ]


def phantom_steps(output_dir: str, size: Size) -> list[Step]:
    """Returns the steps from a synthetic cohort to a report."""
    cohort, data, siamese, grader = (
        os.path.join(output_dir, name) for name in ("cohort", "records", "siamese", "grader")
    )
    study = os.path.join(cohort, "studies", f"phantom-{_SEED}-00000", "visit-0")
    grading = {"task_options": json.dumps({"gradings": ["disc_degeneration"]})}
    start = {"init_from": siamese, "reestimate_batches": size.reestimate_batches}
    return [
        Step(
            "make-phantom",
            {
                "output_dir": cohort,
                "num_subjects": size.num_subjects,
                "seed": _SEED,
                "num_processes": os.cpu_count() or 1,
            },
        ),
        Step(
            "convert-dicom",
            {"input_dir": cohort, "output_dir": data, "crop_scale": 0.5, "held_out_fraction": 0.2},
        ),
        _train("longitudinal", data, siamese, size.longitudinal_epochs),
        _evaluate(siamese, data, os.path.join(output_dir, VERIFICATION)),
        _train("grading", data, grader, size.grading_epochs, **start, **grading),
        *_use(output_dir, grader, data),
        Step(
            "grade",
            {
                "study_dir": study,
                "vertebrae": os.path.join(cohort, "vertebrae.json"),
                "model": os.path.join(output_dir, "export"),
                "output_dir": os.path.join(output_dir, "report"),
            },
        ),
    ]


def spider_steps(data_dir: str, output_dir: str, size: Size) -> list[Step]:
    """Returns the steps from a folder in SPIDER's layout to scores."""
    data, grader = (os.path.join(output_dir, name) for name in ("records", "grader"))
    grading = {"task_options": json.dumps({"gradings": ["pfirrmann"]})}
    return [
        Step("convert-spider", {"input_dir": data_dir, "output_dir": data, "crop_scale": 0.5}),
        _train("grading", data, grader, size.spider_epochs, **grading),
        *_use(output_dir, grader, data),
    ]


def run(steps: Sequence[Step], output_dir: str) -> int:
    """Runs the steps as processes; steps that are done are left out.

    Returns:
        0, 3 if a step rejected something, or the exit status of the step that failed.
    """
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, _DONE)
    done = _load(path) or {}
    if set(done) - {step.key for step in steps}:
        raise ValueError(
            f"`output_dir` must be new or of the same demo, got {output_dir}. Choose another folder"
            " or delete this one."
        )
    rejected = False
    for number, step in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {step}", flush=True)
        if step.key not in done:
            start = time.monotonic()
            status = _run(step)
            if status not in (cli.EXIT_DONE, cli.EXIT_REJECTED):
                print(f"error: {step.command} failed with exit status {status}.", file=sys.stderr)
                return status
            done[step.key] = status
            files.write_json(path, done)
            print(f"    {time.monotonic() - start:.0f} s", flush=True)
        rejected |= done[step.key] == cli.EXIT_REJECTED
    return cli.EXIT_REJECTED if rejected else cli.EXIT_DONE


def _run(step: Step) -> int:
    module, _ = commands.COMMANDS[step.command]
    return subprocess.run([sys.executable, "-m", module, *step.arguments], check=False).returncode


def _load(path: str):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _interval(measured: Mapping) -> str:
    if measured["value"] is None:
        return f"- ({measured.get('reason', 'not defined')})"
    text = f"{measured['value']:.3f}"
    if measured.get("low") is not None:
        text += f" (95% interval {measured['low']:.3f} to {measured['high']:.3f})"
    return text


def summary(output_dir: str) -> str:
    """Returns the table at the end: what was measured, and where to look."""
    rows = []
    verification = _load(os.path.join(output_dir, VERIFICATION, "evaluation.json"))
    if verification:
        found = verification["results"]
        rows += [
            ("pair AUC", _interval(found["model"]["auc"])),
            ("  of cross-correlation", _interval(found["correlation"]["auc"])),
            ("level accuracy", _interval(found["level_accuracy"])),
        ]
    else:
        rows.append(("longitudinal stage", "left out: it needs follow-up scans"))
    grading = _load(os.path.join(output_dir, GRADING, "evaluation.json"))
    for name, found in grading["results"]["gradings"].items():
        for title, key in (("", "model"), ("  of ordinal ridge", "ordinal_ridge")):
            measured = found[key].get("balanced_accuracy", {"value": None})
            rows.append((title or f"{name}, balanced accuracy", _interval(measured)))
    for name in ("report/report.html", f"{VERIFICATION}/roc.png", f"{GRADING}/", "scores.csv"):
        path = os.path.join(output_dir, name)
        if os.path.exists(path):
            rows.append(("look at", path))
    lines = [f"{title:40}{value}" for title, value in rows]
    return "\n".join(["", *lines, _NOTE])


_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string(
        "output_dir",
        None,
        "Where everything goes; a folder of its own for each size in demo_output by default.",
    )
    flags.DEFINE_string("data_dir", "", "Folder in SPIDER's layout, instead of the phantom.")
    flags.DEFINE_enum(
        "size", "small", ["smallest", "small"], "small takes some minutes; smallest tests the way."
    )


def main(argv: list[str]) -> int:
    """Runs the demo; returns the exit status."""
    del argv
    size = SIZES[_FLAGS.size]
    kind = "spider" if _FLAGS.data_dir else "phantom"
    output_dir = _FLAGS.output_dir or os.path.join("demo_output", f"{kind}_{_FLAGS.size}")
    if _FLAGS.data_dir:
        steps = spider_steps(_FLAGS.data_dir, output_dir, size)
    else:
        steps = phantom_steps(output_dir, size)
    status = run(steps, output_dir)
    if status in (cli.EXIT_DONE, cli.EXIT_REJECTED):
        print(summary(output_dir))
    return status


if __name__ == "__main__":
    cli.run(define_flags, main)
