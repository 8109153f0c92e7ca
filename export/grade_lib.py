"""One DICOM study to grades and a report."""

import contextlib
import dataclasses
import os
from collections.abc import Sequence

from data_prep import detectors, rejection, restart
from export import (
    figure,
    grade_discs,
    grade_earlier,
    grade_input,
    report,
    report_card,
    report_page,
    saved_model,
    structured_report,
    table,
    verify_judge,
)
from spine_tf import files, levels

CSV, JSON, HTML = "grades.csv", "grades.json", "report.html"
STRUCTURED_REPORT = "structured_report.dcm"
_OWNER_ONLY = 0o600


@dataclasses.dataclass(frozen=True)
class Options:
    """What is made besides.

    Attributes:
        saliency: Show where covering a part of a crop changes its grade.
        structured_report: Write a DICOM Structured Report, which names the patient.
        earlier: An earlier study of the same patient.
    """

    saliency: bool = False
    structured_report: bool = False
    earlier: grade_earlier.Earlier | None = None


@dataclasses.dataclass(frozen=True)
class Report:
    """What grading a study did."""

    content: report.Content
    paths: Sequence[str]
    rejections: Sequence[rejection.Rejection]

    @property
    def exit_status(self) -> int:
        """3 if a file of the study could not be used, or may not be compared, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        lines = [*self.content.choice.lines(), f"vertebrae: {self.content.vertebrae_from}"]
        if self.content.earlier:
            lines.append(f"vertebrae, earlier study: {self.content.earlier.vertebrae_from}")
        lines += self.content.notes
        lines += [f"rejected: {item}" for item in self.rejections]
        for disc in self.content.discs:
            unlike = ", unlike the training data" if disc.is_outlier else ""
            lines += [f"{disc.level:7} {_say(grade)}{unlike}" for grade in disc.grades]
        if self.content.comparison:
            lines += [self.content.comparison.check.text, *self.content.comparison.notes]
        lines += [_say_change(change) for change in report.changes(self.content)]
        return "\n".join([*lines, *self.paths])


def _say(grade: table.Grade) -> str:
    text = f"{grade.grading.title}: {grade.grade} (expected {grade.expected_grade:.1f})"
    text = f"{text}, uncertain" if grade.uncertain else text
    return text if grade.was_graded else f"{text}, a level that training never saw graded"


def _say_change(change: report.Change) -> str:
    return (
        f"{change.level:7} {change.now.grading.title}: {change.earlier.grade} earlier,"
        f" {change.now.grade} now (expected {report.signed(change.expected)})"
    )


def grade(
    study_dir: str,
    vertebrae_path: str | None,
    model: str,
    output_dir: str,
    detector: str = detectors.NONE,
    options: Options | None = None,
) -> Report:
    """Grades the discs of one study and writes grades.csv, grades.json and report.html.

    Where the levels are unknown to the detector nothing is graded; the report says why.

    Args:
        study_dir: Folder with one DICOM study, or what else `archive.open_input` takes.
        vertebrae_path: A `vertebrae/1` file or folder; None looks in the study and beside it.
        model: An export folder (its newest version) or one version.
        output_dir: Where the files go; made if missing. Each is written whole or not at all, and
            those of an earlier run are removed first, its structured report too.
        detector: That finds the vertebrae where there is no annotation, see `detectors.weights`.
        options: What is made besides.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If the study, its annotation or the model is not there.
        ValueError: If one of them cannot be used; the message names it and says what to do.
        ImportError: If a structured report is wanted and highdicom is not installed.
    """
    options = options or Options()
    if options.structured_report:
        structured_report.check_installed()
    exported = saved_model.load(model)
    found = grade_input.read(study_dir, vertebrae_path, detector)
    content = _content(exported, found, options)
    rejections = list(found.rejections)
    if options.earlier:
        earlier = grade_input.read(options.earlier.study_dir, vertebrae_path, detector)
        rejections += earlier.rejections
        comparison, refused = _compare(exported, found, earlier, options.earlier.judge)
        rejections += refused
        content = dataclasses.replace(content, comparison=comparison)
    paths = _write(content, output_dir)
    if options.structured_report and content.discs:
        paths.append(os.path.join(output_dir, STRUCTURED_REPORT))
        structured_report.write(content, paths[-1])
    return Report(content, paths, rejections)


def _content(
    exported: saved_model.Exported, found: grade_input.Input, options: Options
) -> report.Content:
    """What is said of one study; of unknown levels, bodies without names and no grade."""
    read, discs = found.study, []
    if found.is_answered:
        discs = grade_discs.grade(exported, read, options.saliency)
    shown = [levels.DiscLevel(disc.level) for disc in discs]
    return report.Content(
        study_instance_uid=read.study_instance_uid,
        series=read.series,
        choice=read.choice,
        vertebrae_from=found.vertebrae_from,
        notes=found.notes,
        info=exported.info,
        model_version=exported.version,
        gradings=exported.gradings,
        discs=discs,
        figure=figure.draw(read.volume, read.annotation, shown),
        detected=found.detected,
        card=report_card.rows(exported),
        results=report_card.results(exported),
    )


def _compare(
    exported: saved_model.Exported,
    found: grade_input.Input,
    earlier: grade_input.Input,
    judge: verify_judge.Judge | None,
) -> tuple[report.Comparison, list[rejection.Rejection]]:
    """The comparison, and why there is none."""
    done = grade_earlier.check(found, earlier, judge)
    refused = grade_earlier.refusal(done, earlier)
    if refused:
        return report.Comparison(done), [refused]
    comparison = report.Comparison(
        check=done,
        earlier=_content(exported, earlier, Options()),
        days=grade_earlier.days_apart(found.study, earlier.study),
        notes=grade_earlier.notes(found.study, earlier.study, done),
    )
    return comparison, []


def _write(content: report.Content, output_dir: str) -> list[str]:
    """Writes the files; those that link two studies are for their owner only.

    What an earlier run left goes first: its report must not lie beside other grades.
    """
    facts = report.to_json(content)
    texts = {CSV: report.to_csv(content), HTML: report_page.to_html(content)}
    os.makedirs(output_dir, exist_ok=True)
    paths = [os.path.join(output_dir, name) for name in (CSV, JSON, HTML)]
    for path in (*paths, os.path.join(output_dir, STRUCTURED_REPORT)):
        restart.clear_temporaries([output_dir], os.path.basename(path))
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
    permissions = _OWNER_ONLY if content.comparison else None
    files.write_json(os.path.join(output_dir, JSON), facts, permissions)
    for name, text in texts.items():
        with files.atomic_write(os.path.join(output_dir, name), permissions=permissions) as file:
            file.write(text)
    return paths
