"""An earlier study beside the graded one: first whether they are of one person, then the changes.

What links two studies is for its owner only; see docs/verification.md.
"""

import dataclasses
import datetime

from data_prep import detected_study, rejection, study
from export import grade_input, report, verify_judge, verify_lib
from spine_tf.evaluation import study_reference

UNCHECKED, IMPOSSIBLE = "unchecked", "impossible"
_SAME, _DIFFERENT = study_reference.Verdict.SAME.value, study_reference.Verdict.DIFFERENT.value
_WORDS = {
    _SAME: "The same-person check says that both studies are of one person",
    _DIFFERENT: "No comparison: the same-person check says that the studies are of two persons;"
    " look at both and their paperwork",
    study_reference.Verdict.UNCERTAIN.value: "The same-person check is uncertain; make sure that"
    " both studies are of one patient before you read the changes",
}


@dataclasses.dataclass(frozen=True)
class Earlier:
    """An earlier study.

    Attributes:
        study_dir: Its folder, or what else `archive.open_input` takes.
        judge: What checks that it is of the same person; None leaves it unchecked.
    """

    study_dir: str
    judge: verify_judge.Judge | None = None


def check(
    found: grade_input.Input, earlier: grade_input.Input, judge: verify_judge.Judge | None
) -> report.Check:
    """Says whether two studies are of one person.

    Args:
        found: The study.
        earlier: The other one.
        judge: Model and evaluation, or None.

    Returns:
        The verdict. Where the check cannot be made, `impossible`.

    Raises:
        ValueError: If both are one series, or have the same images.
    """
    verify_lib.check_different(found.study, earlier.study)
    unknown = [item for item in (found, earlier) if not item.is_answered]
    if unknown:
        uid = unknown[0].study.series.uid
        return report.Check(
            IMPOSSIBLE, f"No comparison: the levels of the vertebrae of {uid} are unknown."
        )
    if judge is None:
        text = (
            "Nobody checked that both studies are of one person: grade was run without"
            " --verify_model."
        )
        return report.Check(UNCHECKED, text)
    try:
        compared = verify_lib.compare([earlier.study, found.study], judge)
    except ValueError as error:
        text = f"No comparison: the same-person check cannot be made: {error}"
        return report.Check(IMPOSSIBLE, text)
    verdict = compared.verdict.value
    text = (
        f"{_WORDS[verdict]} (score {compared.score:.2f}, where 1 is usual of two persons;"
        f" {judge.false_positive_rate:.2g} of pairs of two persons may be called the same)."
    )
    return report.Check(verdict, text, compared.to_json())


def refusal(done: report.Check, earlier: grade_input.Input) -> rejection.Rejection | None:
    """Returns why the studies must not be compared, or None if they may be."""
    if done.verdict not in (_DIFFERENT, IMPOSSIBLE):
        return None
    folder = detected_study.folder(earlier.study.series)
    return rejection.Rejection(folder, earlier.study.series.uid, done.text.rstrip("."))


def days_apart(found: study.Study, earlier: study.Study) -> int | None:
    """Returns the days from the earlier study to the other by their headers; None if unknown."""
    date, before = (_date(item.series.first.study_date) for item in (found, earlier))
    return None if date is None or before is None else (date - before).days


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def notes(found: study.Study, earlier: study.Study, done: report.Check) -> list[str]:
    """Returns what weakens a comparison; no date and no attribute of a patient."""
    said = list(done.result["notes"]) if done.result else []
    ids = {item.series.first.patient_id for item in (found, earlier)} - {""}
    if len(ids) > 1:
        said.append("The studies have different PatientIDs.")
    days = days_apart(found, earlier)
    if days is not None and days <= 0:
        said.append(
            "By the dates in the headers the study given as earlier is not older than the other."
        )
    return said
