"""A folder with annotations of other tools to one `vertebrae/1` file."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import tqdm

from data_prep import annotations, dicom, other_annotations, rejection, study, volume_file
from spine_tf import files, levels, vertebrae

_UID_COLUMNS = ("file", "series_instance_uid")


@dataclasses.dataclass(frozen=True)
class Report:
    """What was converted.

    Attributes:
        output: The file; "" if nothing was written.
        num_converted: Annotations in it.
        rejections: What cannot be used.
    """

    output: str
    num_converted: int
    rejections: Sequence[rejection.Rejection]

    @property
    def exit_status(self) -> int:
        """3 if something was rejected, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        where = self.output or "nothing is written"
        lines = [f"{where}: {self.num_converted} annotated series."]
        return "\n".join([*lines, *(f"rejected: {item}" for item in self.rejections)])


def convert(
    input_dir: str,
    form: str,
    output: str,
    dicom_dir: str = "",
    series_csv: str = "",
    dry_run: bool = False,
) -> Report:
    """Converts every annotation below a folder.

    Args:
        input_dir: Folder with the files of the tool.
        form: One of `other_annotations.FORMATS`.
        output: The JSON file to write.
        dicom_dir: The studies that were annotated, to check that the quads lie in their images;
            needed for SpineNet, whose polygons are pixels.
        series_csv: `file,series_instance_uid`; without it a file is named after its series. A
            DICOM SEG names its series itself.
        dry_run: Reads and checks everything, and writes nothing.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: If a folder or file does not exist.
        ValueError: If nothing could be converted.
    """
    scan = dicom.scan_folder(dicom_dir) if dicom_dir else None
    stacks = scan.series if scan else []
    by_uid = {item.uid: item for item in reversed(stacks)}  # the first stack of each
    named, rejections = _read_names(series_csv)
    found = {}
    for path in tqdm.tqdm(_paths(input_dir, form), unit="file", disable=None):
        try:
            uid, annotation = _read(path, form, named, by_uid)
            if uid in found:
                raise rejection.RejectedInput(path, uid, "annotates its series a second time")
            if by_uid:
                study.stack_of(_series(path, uid, by_uid).uid, stacks, annotation)
            found[uid] = dataclasses.replace(annotation, series_instance_uid=uid)
        except rejection.RejectedInput as error:
            rejections.append(error.rejection)
    if not found:
        reasons = "\n".join(map(str, rejections[:5])) or "there is no file of this format"
        raise ValueError(f"{input_dir}: holds no annotation that can be used.\n{reasons}")
    if not dry_run:
        files.write_json(output, [vertebrae.to_json(found[uid]) for uid in sorted(found)])
    return Report("" if dry_run else output, len(found), rejections)


def _paths(input_dir: str, form: str) -> list[str]:
    endings = volume_file.ENDINGS if form in levels.LABEL_MAPS else ()
    endings = {other_annotations.SPINENET: (".csv",)}.get(form, endings)
    return [
        path
        for path in dicom.list_files(input_dir)
        if path.lower().endswith(endings or ("",)) and not other_annotations.is_second_map(path)
    ]


def _read_names(series_csv: str) -> tuple[dict[str, str], list[rejection.Rejection]]:
    """File name -> SeriesInstanceUID, and what cannot be used."""
    named, report = {}, annotations.RowReport()
    for row in annotations.read_rows(series_csv, _UID_COLUMNS) if series_csv else ():
        name, uid = (row.values[column] for column in _UID_COLUMNS)
        if named.setdefault(os.path.basename(name), uid) != uid:
            report.add(row, "another row gives this file another series")
    return named, report.rejections()


def _read(
    path: str, form: str, named: Mapping[str, str], by_uid: Mapping
) -> tuple[str, vertebrae.Annotation]:
    if form == other_annotations.SEG:
        return other_annotations.from_seg(path)
    uid = named.get(os.path.basename(path)) or _uid_in_name(path)
    if form == other_annotations.SPINENET:
        return uid, other_annotations.from_spinenet(path, _series(path, uid, by_uid))
    return uid, other_annotations.from_label_map(path, form)


def _uid_in_name(path: str) -> str:
    """The SeriesInstanceUID that a file is named after."""
    base = os.path.basename(path)
    ending = next((e for e in (*volume_file.ENDINGS, ".csv") if base.lower().endswith(e)), "")
    uid = base.removesuffix(base[len(base) - len(ending) :]).split("_")[0]
    if not uid or uid.strip("0123456789."):
        raise rejection.RejectedInput(
            path, "", "is not named after its SeriesInstanceUID; give --series_csv"
        )
    return uid


def _series(path: str, uid: str, by_uid: Mapping):
    if uid not in by_uid:
        raise rejection.RejectedInput(path, uid, "annotates a series that is not below --dicom_dir")
    return by_uid[uid]
