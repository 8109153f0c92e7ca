"""What lies beside the studies: vertebrae.json, gradings.csv and families.csv.

Each may be one file or a folder of such files. Rows that cannot be used, or that match nothing, are
reported by row number, one line per file and reason; a PatientID is never shown.
"""

import collections
import csv
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from data_prep import rejection
from spine_tf import gradings, levels, vertebrae

VERTEBRAE = "vertebrae.json"
GRADINGS = "gradings.csv"
FAMILIES = "families.csv"
_SHOWN_ROWS = 10

Rejections = list[rejection.Rejection]
GradingsOfDiscs = Mapping[str, Mapping[str, int]]  # disc -> grading -> published grade


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a CSV file; `number` counts from 1 and the header is row 1."""

    path: str
    number: int
    values: Mapping[str, str]


class RowReport:
    """Collects rows that are not used, and why."""

    def __init__(self):
        self._rows = collections.defaultdict(list)

    def add(self, row: Row, reason: str) -> None:
        """Notes one row."""
        self._rows[row.path, reason].append(row.number)

    def rejections(self) -> Rejections:
        """One rejection per file and reason."""
        return [
            rejection.Rejection(path, "", f"{_numbers(numbers)}: {reason}")
            for (path, reason), numbers in self._rows.items()
        ]


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_ROWS]))
    more = f" and {len(numbers) - _SHOWN_ROWS} more" if len(numbers) > _SHOWN_ROWS else ""
    return f"{'row' if len(numbers) == 1 else 'rows'} {shown}{more}"


def find(given: str | None, name: str, paths: Iterable[str]) -> list[str]:
    """Returns the files to read.

    Args:
        given: What the flag says: a file, a folder, or None.
        name: The name to look for without a flag, such as `gradings.csv`.
        paths: Every file beside the studies.

    Raises:
        FileNotFoundError: If `given` does not exist or is a folder without such a file.
    """
    if not given:
        return [path for path in paths if os.path.basename(path) == name]
    if os.path.isfile(given):
        return [given]
    extension = os.path.splitext(name)[1]
    found = sorted(
        os.path.join(root, file)
        for root, _, files in os.walk(given)
        for file in files
        if file.lower().endswith(extension)
    )
    if not found:
        raise FileNotFoundError(
            f"{given}: must be a {extension} file or a folder with such files; there is none."
        )
    return found


def read_rows(path: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yields the rows of a CSV file.

    Args:
        path: The file, UTF-8.
        columns: What it must have.
        optional: What it may have; "" in every row where it has not.

    Raises:
        ValueError: If a column is missing or the file is no text; the message names the file.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(
                    f"must have the columns {', '.join(columns)}; {', '.join(missing)} is missing"
                )
            for values in reader:
                wanted = (*columns, *optional)
                stripped = {name: (values.get(name) or "").strip() for name in wanted}
                yield Row(path, reader.line_num, stripped)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}.") from None


def read_vertebrae(
    paths: Iterable[str], series_uids: Iterable[str]
) -> tuple[dict[str, vertebrae.Annotation], Rejections]:
    """Reads `vertebrae/1` files.

    Args:
        paths: Files with one `vertebrae/1` object or a list of them.
        series_uids: The series that exist.

    Returns:
        SeriesInstanceUID -> annotation for the series that exist, and what cannot be used: broken
        files, and annotations of series that do not exist.
    """
    known, found, rejections = set(series_uids), {}, []
    for path in paths:
        try:
            items = vertebrae.read_items(path)
        except ValueError as error:
            reason = str(error).removeprefix(f"{path}: ")
            rejections.append(rejection.Rejection(path, "", reason))
            continue
        absent = []
        for number, item in enumerate(items):
            uid = str(item.get("series_instance_uid") or "") if isinstance(item, dict) else ""
            if uid and uid not in known:
                absent.append(uid)
                continue
            try:
                found[uid] = _usable(item, uid, found)
            except (ValueError, TypeError, AttributeError) as error:
                reason = str(error) if uid else f"annotation {number + 1}: {error}"
                rejections.append(rejection.Rejection(path, uid, reason))
        if absent:
            rejections.append(rejection.Rejection(path, absent[0], _absent(len(absent))))
    return found, rejections


def _usable(item, uid: str, found: Mapping) -> vertebrae.Annotation:
    annotation = vertebrae.parse(item)
    if not uid:
        raise ValueError("`series_instance_uid` is missing; name the series that was annotated")
    if uid in found:
        raise ValueError("annotates a series a second time; remove one of the two")
    return annotation


def _absent(count: int) -> str:
    others = f" (and {count - 1} more of the file)" if count > 1 else ""
    return (
        f"annotates a series that is not here{others}; give the study that it belongs to, or"
        " correct its `series_instance_uid`"
    )


def read_gradings(
    paths: Iterable[str], study_uids: Iterable[str]
) -> tuple[dict[str, GradingsOfDiscs], Rejections]:
    """Reads gradings.csv files: study_instance_uid, disc, grading, value.

    Args:
        paths: The files.
        study_uids: The studies that exist.

    Returns:
        Study -> disc -> grading -> published grade, and the rows that cannot be used.
        An empty value is a disc that was not graded.

    Raises:
        ValueError: If a file has not these columns.
    """
    known, report = set(study_uids), RowReport()
    grades = {}
    for path in paths:
        for row in read_rows(path, ("study_instance_uid", "disc", "grading", "value")):
            study = row.values["study_instance_uid"]
            if study not in known:
                report.add(row, "no study here has this study_instance_uid")
                continue
            _add_grade(grades.setdefault(study, {}), row, report)
    return grades, report.rejections()


def _add_grade(grades: dict, row: Row, report: RowReport) -> None:
    """Puts the grade of one row into disc -> grading -> grade, or reports the row."""
    try:
        disc = levels.DiscLevel.from_name(row.values["disc"]).value
        grading = gradings.from_name(row.values["grading"])
        grade = parse_grade(grading, row.values["value"])
    except ValueError as error:
        report.add(row, str(error))
        return
    if grade == gradings.NOT_GRADED:
        return
    if grades.setdefault(disc, {}).setdefault(grading.name, grade) != grade:
        report.add(row, "another row gives this disc another grade; the first one is used")


def parse_grade(grading: gradings.Grading, text: str) -> int:
    """Returns a published grade, or NOT_GRADED for an empty cell.

    Raises:
        ValueError: If the scheme has no such grade.
    """
    if not text:
        return gradings.NOT_GRADED
    try:
        grade = int(text)
    except ValueError:
        raise ValueError(f"`{grading.name}` must be a whole number, got {text!r}.") from None
    grading.class_index(grade)
    return grade


def read_families(
    paths: Iterable[str], patient_ids: Iterable[str]
) -> tuple[dict[str, str], Rejections]:
    """Reads families.csv files: patient_id, family.

    Args:
        paths: The files.
        patient_ids: The patients that exist.

    Returns:
        PatientID -> family, and the rows that cannot be used.

    Raises:
        ValueError: If a file has not these columns.
    """
    known, report, families = set(patient_ids), RowReport(), {}
    for path in paths:
        for row in read_rows(path, ("patient_id", "family")):
            patient_id, family = row.values["patient_id"], row.values["family"]
            if patient_id not in known:
                report.add(row, "no study here has this patient_id")
            elif not family:
                report.add(row, "`family` is empty")
            elif families.setdefault(patient_id, family) != family:
                report.add(row, "another row gives this patient another family; it is not used")
    return families, report.rejections()
