"""What became of every file below a folder: converted, not needed (why) or rejected (why)."""

import collections
import csv
import dataclasses
import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from data_prep import dicom, local_files, rejection, series_choice, study

OUTCOMES = CONVERTED, NOT_NEEDED, REJECTED = ("converted", "not needed", "rejected")
FILES = "files.csv"  # in the folder `local` of a data set
_OTHER_T2 = "another sagittal T2"
_COPY = "its study is a copy of another one"


@dataclasses.dataclass(frozen=True)
class Files:
    """Every file that was found, as far as headers tell.

    Attributes:
        scans: Path -> key of the scan that the file is a part of; the conversion decides.
        not_needed: Path -> why.
        rejected: Path -> why.
    """

    scans: Mapping[str, str]
    not_needed: Mapping[str, str]
    rejected: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Row:
    """One file; its outcome is one of `OUTCOMES`."""

    path: str
    outcome: str
    why: str = ""


def of_studies(
    scan: dicom.FolderScan,
    studies: Sequence[study.StudyFiles],
    scans: Mapping[str, str],
    rejections: Iterable[rejection.Rejection],
    copies: Collection[str] = (),
) -> Files:
    """Says what becomes of every file of a folder of studies.

    Of a study that is converted, the other series are not needed. Of one that is rejected, the
    sagittal T2 series are rejected, or all files if it has none.

    Args:
        scan: What lies in the folder.
        studies: Its series by study.
        scans: Path -> key of the scan, of the files that are going to be converted.
        rejections: Why studies and series are not.
        copies: Study UIDs that are not converted because they are copies of another study.
    """
    reasons = {item.uid: item.reason for item in rejections if item.uid}
    not_needed, rejected = dict(scan.unused), dict(scan.rejected)
    for item in studies:
        choice = series_choice.choose_sagittal_t2(item.series)
        is_copy = item.uid in copies
        is_used = any(path in scans for series in item.series for path in series.paths)
        for verdict in choice.verdicts:
            is_needed = not (is_used or is_copy or (verdict.reason and choice.candidates))
            why = verdict.reason or (_COPY if is_copy else _OTHER_T2)
            if is_needed:
                uids = (verdict.series.uid, item.uid)
                found = (reasons[uid] for uid in uids if uid in reasons)
                why = next(found, f"its study {item.uid} cannot be used")
            for path in verdict.series.paths:
                (rejected if is_needed else not_needed)[path] = why
    return Files(dict(scans), not_needed, rejected)


def settle(found: Files, rejected_scans: Mapping[str, str]) -> list[Row]:
    """Returns a row per file, sorted by path.

    Args:
        found: What headers tell.
        rejected_scans: Key of a scan that could not be converted -> why.
    """
    rows = {path: Row(path, NOT_NEEDED, why) for path, why in found.not_needed.items()}
    rows |= {path: Row(path, REJECTED, why) for path, why in found.rejected.items()}
    for path, key in found.scans.items():
        why = rejected_scans.get(key, "")
        rows[path] = Row(path, REJECTED if why else CONVERTED, why)
    return [rows[path] for path in sorted(rows)]


def write(output_dir: str, found: Files | None, rejected_scans: Mapping[str, str]) -> None:
    """Writes a line per file to `local/files.csv`, which only the owner reads.

    Args:
        output_dir: Folder of the data set.
        found: What headers tell; nothing is written of None.
        rejected_scans: As of `settle`.
    """
    if found is None:
        return
    with local_files.opened(output_dir, FILES) as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("outcome", "why", "file"))
        for row in settle(found, rejected_scans):
            table.writerow((row.outcome, row.why, rejection.printable(row.path)))


def read_summary(output_dir: str) -> str:
    """Returns what `read_counts` does, and where the accounts are; "" without accounts."""
    counts = read_counts(output_dir)
    path = os.path.join(output_dir, local_files.LOCAL, FILES)
    return f"{counts}; {path} names them." if counts else ""


def read_counts(output_dir: str) -> str:
    """Returns how many files were found, and how many ended in which way; "" without accounts."""
    path = os.path.join(output_dir, local_files.LOCAL, FILES)
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", newline="") as file:
        counts = collections.Counter(row["outcome"] for row in csv.DictReader(file))
    ended = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
    return f"{rejection.counted(sum(counts.values()), 'file')} found: {ended}"
