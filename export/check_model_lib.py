"""The gate in front of production: every rule on one version, and the blessing."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

from export import (
    c_api,
    c_api_process,
    check_model_answers,
    check_model_blessing,
    check_model_refusals,
    check_model_rules,
    check_model_served,
    check_model_settings,
    check_model_trained,
    check_model_whole,
    saved_model,
    warmup,
)
from spine_tf import files
from spine_tf.training import model_folder

FORMAT = "spine_tf gate/1"
RULES = (
    *check_model_whole.FIRST,
    *check_model_answers.RULES,
    *check_model_refusals.RULES,
    *check_model_whole.LAST,
)
_FAILURES = (c_api.Error, c_api_process.CrashError, ValueError, TypeError, KeyError, OSError)
_LOADS = "loads"


@dataclasses.dataclass(frozen=True)
class Gate:
    """What a gate found.

    Attributes:
        version: Folder of the version.
        checks: Every rule, judged.
        hashes: Path -> hash of the version's files when they were judged.
    """

    version: str
    checks: Sequence[check_model_rules.Check]
    hashes: dict[str, str] = dataclasses.field(repr=False)

    @property
    def passed(self) -> bool:
        """Whether all rules hold."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Returns the content of gate.json; no path."""
        return {
            "format": FORMAT,
            "passed": self.passed,
            "version": os.path.basename(os.path.abspath(self.version)),
            "version_sha256": check_model_blessing.version_sha256(self.hashes),
            "libraries": model_folder.library_versions(),
            "checks": [dataclasses.asdict(check) for check in self.checks],
        }


def check(
    export_dir: str,
    model_dir: str,
    data_dir: str,
    settings: check_model_settings.Settings,
    output: str = "",
    say: Callable[[str], object] = lambda line: None,
) -> Gate:
    """Judges a version, writes gate.json, and blesses the version if all rules hold.

    Args:
        export_dir: An export folder (its newest version) or one version.
        model_dir: The model folder that was exported.
        data_dir: Data set of the accuracy; empty is none, which is not enough for a blessing.
        settings: Limits.
        output: Where gate.json goes; empty is beside model.json in the version.
        say: Is told every check as it is judged.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If there is no version or no model folder.
        ValueError: If the version is not one of a grading model, or the model folder is not valid.
    """
    version = saved_model.find_version(export_dir)
    info = saved_model.read_info(version)
    trained = check_model_trained.Trained(model_dir)
    check_model_blessing.withdraw(version)
    hashes = check_model_blessing.file_hashes(version)
    checks = []
    for one in _judge(version, info, trained, data_dir, settings):
        say(str(one))
        checks.append(one)
    checks.append(_unchanged(version, hashes))
    gate = Gate(version, checks, hashes)
    files.write_json(output or os.path.join(version, check_model_blessing.GATE), gate.to_json())
    if gate.passed:
        check_model_blessing.bless(version, hashes)
    return gate


def _judge(version, info, trained, data_dir: str, settings):
    """Yields the checks; those that need a loaded version are not run if it cannot be."""
    served, problem = None, ""
    try:
        served = check_model_served.Served(version, settings.timeout_seconds)
    except _FAILURES as error:
        problem = _message(error)
    requests = _requests(version)
    subject = check_model_rules.Subject(
        version, info, served, trained, requests, data_dir, settings
    )
    try:
        for rule in RULES:
            yield _check(rule, subject, problem)
    finally:
        if served:
            served.close()


def _requests(version: str) -> list[warmup.Request]:
    path = os.path.join(version, saved_model.EXTRA, warmup.FILE)
    return warmup.read(path) if os.path.exists(path) else []


def _check(
    rule: check_model_rules.Rule, subject: check_model_rules.Subject, problem: str
) -> check_model_rules.Check:
    wanted = rule.wanted.format(**dataclasses.asdict(subject.settings))
    try:
        verdict = _judged(rule, subject, problem)
    except check_model_rules.NotRunError as error:
        return check_model_rules.Check(rule.name, False, str(error), wanted, "", was_run=False)
    return check_model_rules.Check(rule.name, *verdict, wanted, rule.remedy)


def _judged(
    rule: check_model_rules.Rule, subject: check_model_rules.Subject, problem: str
) -> check_model_rules.Verdict:
    if problem and rule.name == _LOADS:
        return check_model_rules.Verdict(False, problem)
    if problem and rule.needs_served:
        raise check_model_rules.NotRunError(f"the rule {_LOADS} does not hold")
    try:
        return rule.judge(subject)
    except _FAILURES as error:
        return check_model_rules.Verdict(False, _message(error))


def _message(error: Exception) -> str:
    """One line, without where in the graph it was said."""
    return saved_model.reason(str(error)) or type(error).__name__


def _unchanged(version: str, hashes) -> check_model_rules.Check:
    found = check_model_blessing.file_hashes(version)
    return check_model_rules.Check(
        "unchanged",
        found == hashes,
        check_model_blessing.version_sha256(found),
        "the same files after the checks as before",
        "Something writes into the version: stop it, and run the gate again.",
    )
