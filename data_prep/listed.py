"""What a converter has listed: whose each image is and when it was made, as scan requests."""

import collections
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from data_prep import annotations, dataset_lib, deidentify, settings
from spine_tf.data import splits


@dataclasses.dataclass(frozen=True)
class Listed:
    """One image or volume.

    Attributes:
        name: Its name in the input; another image has another one.
        path: Where it is.
        subject: Whose it is.
        family: Of the subject.
        days: When: days since any fixed date.
        payload: What a worker needs to read it.
        uid: Its UID, or "".
        header_facts: Name of a fact -> class index, of the facts that were asked for.
    """

    name: str
    path: str
    subject: str = dataclasses.field(repr=False)
    family: str = dataclasses.field(repr=False)
    days: int
    payload: Any
    uid: str = ""
    header_facts: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)


def check_exist(*paths: str) -> None:
    """Checks that all of the input is there.

    Raises:
        FileNotFoundError: If not.
    """
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(f"{path}: there is no such file or folder.")


def problem(values: Mapping[str, str], needed: Sequence[str]) -> str:
    """Returns what is wrong with one row by itself, or ""; a subject's values are not shown.

    Args:
        values: Of the row, with `days`, which may be empty unless it is needed.
        needed: Names of the columns that must not be empty.
    """
    for name in needed:
        if not values[name] and name != "days":
            return f"`{name}` is empty"
    if not values["days"] and "days" not in needed:
        return ""
    try:
        int(values["days"])
    except ValueError:
        return "`days` must be a whole number"
    return ""


class Families:
    """The family of every subject, as the first row that names the subject gives it."""

    def __init__(self):
        self._of = {}

    def problem(self, subject: str, family: str) -> str:
        """Returns what is wrong with the family of one row, or ""."""
        if self._of.setdefault(subject, family) != family:
            return "another row gives this subject another family; the first one is used"
        return ""


def report_problem(report: annotations.RowReport, row: annotations.Row, *problems: str) -> bool:
    """Reports the first problem of a row; returns whether there is one."""
    found = next(filter(None, problems), "")
    if found:
        report.add(row, found)
    return bool(found)


def requests(items: Iterable[Listed], key: bytes) -> list[dataset_lib.ScanRequest]:
    """Returns a request for each item; a subject's visits are its different days, in order.

    Args:
        items: All that is converted.
        key: Of the pseudonyms.
    """
    items = list(items)
    days_of = collections.defaultdict(set)
    for item in items:
        days_of[item.subject].add(item.days)
    return [_request(item, sorted(days_of[item.subject]), key) for item in items]


def protocols_of_slices(
    made: Sequence[dataset_lib.ScanRequest], chosen: settings.Settings
) -> dict[str, dict[str, str]]:
    """Returns the protocol that data sets of slices have besides those of all data sets."""
    families = splits.families_of((r.family_key, r.subject_key, r.visit) for r in made)
    found = splits.by_subject(
        families, seed=chosen.split_seed, held_out_fraction=chosen.held_out_fraction
    )
    return {splits.SUBJECTS: found}


def _request(item: Listed, days: Sequence[int], key: bytes) -> dataset_lib.ScanRequest:
    return dataset_lib.ScanRequest(
        subject_key=deidentify.pseudonym(key, "subject", item.subject),
        family_key=deidentify.pseudonym(key, "family", item.family),
        scan_key=deidentify.pseudonym(key, "scan", item.name),
        visit=days.index(item.days),
        days=item.days - days[0],
        field_strength_t=0.0,
        gradings={},
        path=item.path,
        uid=item.uid,
        payload=item.payload,
        header_facts=item.header_facts,
    )
