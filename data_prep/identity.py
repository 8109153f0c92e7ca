"""Traps of identity: one PatientID that stands for several people, one person under several ids.

The first would join strangers, so such studies are quarantined: rejected with the reason, which
tells counts and never a value. The second would put one person on two sides of a split, so those
ids are taken for one subject.
"""

import collections
import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.cluster import hierarchy

from data_prep import archive, dicom, dicom_header, rejection, study

# What archives and anonymisers write where no id was known, after removing all but letters and
# digits; besides these, any run of one character such as 0000, 9999 or XXX.
_FAKE_IDS = frozenset(
    "anon anonym anonymous anonymized anonymised anonymouspatient deidentified removed redacted"
    " unknown none null nil na nan noid nopatientid test patient patientid subject default".split()
)
_FAKE_RUN = re.compile(r"0+|9{4,}|x{2,}|1{4,}")


def is_fake(patient_id: str) -> bool:
    """Says whether a PatientID is a placeholder, which several patients may share."""
    plain = re.sub(r"[\W_]", "", patient_id.lower())  # letters of any alphabet stay
    return not plain or plain in _FAKE_IDS or bool(_FAKE_RUN.fullmatch(plain))


def quarantined(studies: Sequence[study.StudyFiles], max_visits: int) -> dict[str, str]:
    """Finds the studies whose PatientID cannot be trusted.

    Args:
        studies: All studies.
        max_visits: Most studies that one patient may have.

    Returns:
        StudyInstanceUID -> reason. It tells counts, never a value.
    """
    by_id = collections.defaultdict(list)
    for item in studies:
        for patient_id in item.patient_ids:
            by_id[patient_id].append(item)
    reasons = {}
    for patient_id, found in by_id.items():
        reason = _reason(patient_id, found, max_visits)
        if reason:
            reasons |= {item.uid: reason for item in found}
    return reasons


def _reason(patient_id: str, found: Sequence[study.StudyFiles], max_visits: int) -> str:
    """Why the studies of one PatientID are not used, or ""."""
    count = f"{len(found)} {'study' if len(found) == 1 else 'studies'}"
    if conflicts := _conflicts(found):
        why = f"stands for {count} with {' and '.join(conflicts)}"
    elif len(found) > 1 and is_fake(patient_id):
        why = f"is {'a placeholder' if patient_id else 'empty'} and shared by {count}"
    elif len(found) > max_visits:
        why = f"stands for {count}, more than --max_visits={max_visits}"
    else:
        return ""
    return f"quarantined: its PatientID {why}; give each patient an id of their own"


def _conflicts(found: Sequence[study.StudyFiles]) -> list[str]:
    """What the headers of one PatientID contradict each other in, with counts."""
    slices = [item for one in found for series in one.series for item in series.slices]
    conflicts = []
    for number, keyword in enumerate(("PatientSex", "PatientBirthDate")):
        different = {item.person_marks[number] for item in slices} - {""}
        if len(different) > 1:
            conflicts.append(f"{len(different)} different {keyword}")
    return conflicts


@dataclasses.dataclass(frozen=True)
class Scan:
    """The chosen series of one study, and whose it is said to be."""

    study_uid: str
    subject: str = dataclasses.field(repr=False)
    series: dicom_header.SeriesFiles
    is_graded: bool = False


@dataclasses.dataclass(frozen=True)
class People:
    """Who is one person.

    Attributes:
        subject_of: Subject -> the subject that stands for all ids of that person.
        copies: StudyInstanceUID of a copy -> that of the study with the same pixels that is used.
    """

    subject_of: Mapping[str, str] = dataclasses.field(repr=False)
    copies: Mapping[str, str]

    def lines(self) -> list[str]:
        """What a person should read: UIDs and no id."""
        return [
            f"study {copy} has the pixels of study {original} under another PatientID: both ids"
            " are taken for one subject, and the copy is not used"
            for copy, original in self.copies.items()
        ]

    def families(self, family_of: Mapping[str, str]) -> dict[str, str]:
        """Joins the families of all ids of a person.

        Args:
            family_of: Subject -> family, of the subjects that have one besides their own.

        Returns:
            The subject that stands for a person -> family.
        """
        families = {name: family_of.get(name, name) for name in self.subject_of}
        groups = hierarchy.DisjointSet(set(families.values()))
        for subject, main in self.subject_of.items():
            groups.merge(families[subject], families[main])
        return {main: min(groups.subset(families[main])) for main in self.subject_of.values()}


def people(scans: Sequence[Scan]) -> People:
    """Finds one person under several ids by equal pixels.

    Only scans of one size can be equal, so of the others no pixels are read.

    Args:
        scans: The scans that would be converted.

    Returns:
        Who is one person. Of equal scans one with gradings is used, else the first.
    """
    subjects = {item.subject for item in scans}
    by_hash, groups, copies = collections.defaultdict(list), hierarchy.DisjointSet(subjects), {}
    for same_size in _by_size(scans):
        if len({item.subject for item in same_size}) > 1:
            for item in same_size:
                by_hash[pixel_hash(item.series)].append(item)
    by_hash.pop(b"", None)
    for same in by_hash.values():
        original, *others = sorted(same, key=lambda item: not item.is_graded)
        for item in others:
            if item.subject != original.subject:
                groups.merge(original.subject, item.subject)
                copies[item.study_uid] = original.study_uid
    return People({name: min(groups.subset(name)) for name in sorted(subjects)}, copies)


def _by_size(scans: Sequence[Scan]) -> list[list[Scan]]:
    found = collections.defaultdict(list)
    for item in scans:
        first = item.series.first
        found[first.rows, first.columns, len(item.series.slices)].append(item)
    return list(found.values())


def pixel_hash(series: dicom_header.SeriesFiles) -> bytes:
    """Returns the SHA-256 of the decoded pixels of the middle slice of a series.

    Two slices of anything scanned differ at least in their noise. A slice of one value tells
    nothing and has the hash b"", as one that cannot be read, which is rejected later.
    """
    middle = series.slices[len(series.slices) // 2]
    try:
        with archive.local_files([middle.path]) as (path,):
            pixels = dicom.read_pixels(path)[middle.frame]
    except (rejection.RejectedInput, IndexError):
        return b""
    if pixels.min() == pixels.max():
        return b""
    return hashlib.sha256(np.ascontiguousarray(pixels, np.float32).tobytes()).digest()
