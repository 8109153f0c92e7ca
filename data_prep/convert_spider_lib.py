"""SPIDER's folder to scan requests: which series of a patient, which grades, which sacrum."""

import collections
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from data_prep import (
    annotations,
    dataset_lib,
    deidentify,
    detectors,
    rejection,
    spider,
    volume_file,
)
from spine_tf import gradings, levels, vertebrae, volume

IMAGES, MASKS = "images", "masks"
GRADINGS_CSV = "radiological_gradings.csv"
SACRUM_JSON = "sacrum.json"
DEFAULT_SERIES = ("t2", "t2_SPACE")
_NAME = re.compile(r"(?P<patient>\d+)_(?P<series>\w+)\.(mha|nii\.gz|nii)")
_OTHER_DISCS = "gradings of discs outside T12-L1 to L5-S1"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        input_dir: Folder with images/, masks/ and radiological_gradings.csv.
        sacrum: File or folder with S1; None takes sacrum.json of `input_dir`, if there is one.
        series: Names of series, the preferred first; one scan per patient is taken.
        detector: That finds the vertebrae of images without a mask, see `detectors.weights`; then
            masks/ and the gradings may be missing. `detectors.NONE` rejects such images.
    """

    input_dir: str
    sacrum: str | None = None
    series: tuple[str, ...] = DEFAULT_SERIES
    detector: str = detectors.NONE


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be converted."""

    requests: Sequence[dataset_lib.ScanRequest]
    rejections: Sequence[rejection.Rejection]
    not_needed: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Payload:
    """What a worker needs to read one scan.

    Attributes:
        image_path: The image.
        mask_path: Its mask, or None: then the detector finds the vertebrae.
        sacrum: S1, which no mask labels, if it is known.
        detector: Its name.
        weights: Its source; a part that was made with others is made anew.
    """

    image_path: str
    mask_path: str | None
    sacrum: vertebrae.Vertebra | None
    detector: str = detectors.NONE
    weights: str = ""


@dataclasses.dataclass(frozen=True)
class Image:
    """One file below images/: PATIENT_SERIES with an extension."""

    path: str
    patient: str
    series: str

    @property
    def stem(self) -> str:
        """Name without its extension."""
        return f"{self.patient}_{self.series}"


def load(request: dataset_lib.ScanRequest) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Reads one image and reduces its mask to quads, or finds its vertebrae, in a worker.

    Raises:
        rejection.RejectedInput: If a file cannot be read, or the mask is none of this image, or
            the levels are unknown.
    """
    payload = request.payload
    image = volume_file.read(payload.image_path)
    if payload.mask_path is None:
        scan = volume.Volume.from_array(image.array, image.affine)
        found = detectors.load(payload.detector).find(scan)
        return scan, detectors.check_named(found, payload.image_path, "")
    mask = volume_file.read(payload.mask_path)
    if not volume_file.on_one_grid(image, mask):
        raise rejection.RejectedInput(
            payload.mask_path,
            "",
            f"does not cover its image ({mask.shape} voxels, the image {image.shape}); get both"
            " files of this patient again",
        )
    try:
        annotation = spider.annotation_from_mask(mask.array, image.affine, payload.sacrum)
    except ValueError as error:
        raise rejection.RejectedInput(payload.mask_path, "", str(error)) from None
    return volume.Volume.from_array(image.array, image.affine), annotation


def plan(inputs: Inputs, key: bytes) -> Plan:
    """Lists the scans of a SPIDER folder.

    Args:
        inputs: Where the files are.
        key: Of the pseudonyms.

    Returns:
        The plan; single files that cannot be used are in its rejections.

    Raises:
        FileNotFoundError: If the folder has not SPIDER's layout.
        ValueError: If no image is of a wanted series.
    """
    images, not_needed = list_images(inputs.input_dir)
    chosen = choose(images, inputs.series)
    if not chosen:
        raise ValueError(
            f"{inputs.input_dir}: no image in {IMAGES}/ is of series {', '.join(inputs.series)};"
            f" there are {', '.join(sorted({image.series for image in images})) or 'none'}."
        )
    for image in images:
        if image not in chosen:
            is_t1 = image.series.lower().startswith("t1")
            not_needed["T1 series" if is_t1 else "further series of a patient"] += 1
    sacra = read_sacra(_sacrum_paths(inputs))
    has_detector = inputs.detector != detectors.NONE
    grades, rejections = {}, []
    if not has_detector or os.path.exists(os.path.join(inputs.input_dir, GRADINGS_CSV)):
        patients = {image.patient for image in chosen}
        grades, rejections, other_discs = read_grades(inputs.input_dir, patients)
        if other_discs:
            not_needed[_OTHER_DISCS] += other_discs
    masks = {}
    if not has_detector or os.path.isdir(os.path.join(inputs.input_dir, MASKS)):
        masks = list_masks(inputs.input_dir)
    without_mask = {}
    if has_detector and any(image.stem not in masks for image in chosen):
        weights = detectors.source(inputs.detector)
        without_mask = {"detector": inputs.detector, "weights": weights}
    requests = []
    for image in chosen:
        if image.stem in masks:
            payload = Payload(image.path, masks[image.stem], sacra.get(image.stem))
        elif has_detector:
            payload = Payload(image.path, None, None, **without_mask)
        else:
            rejections.append(no_mask(image))
            continue
        requests.append(_request(image, payload, grades.get(image.patient, {}), key))
    return Plan(requests, rejections, dict(not_needed))


def no_mask(image: Image) -> rejection.Rejection:
    """Returns what is said of an image without a mask."""
    reason = f"there is no mask {MASKS}/{image.stem}; get the masks of SPIDER, too"
    return rejection.Rejection(image.path, "", reason)


def choose(images: Iterable[Image], series: Sequence[str]) -> list[Image]:
    """Returns one image per patient, the first of `series` that there is, by patient number."""
    by_patient = collections.defaultdict(dict)
    for image in images:
        by_patient[image.patient][image.series] = image
    chosen = []
    for patient in sorted(by_patient, key=int):
        wanted = [by_patient[patient][name] for name in series if name in by_patient[patient]]
        chosen += wanted[:1]
    return chosen


def list_images(input_dir: str) -> tuple[list[Image], collections.Counter]:
    """Returns the images of a SPIDER folder, and what is not needed -> count.

    Raises:
        FileNotFoundError: If the folder has not SPIDER's layout.
    """
    images, not_needed = [], collections.Counter()
    for path in _files(input_dir, IMAGES):
        match = _NAME.fullmatch(os.path.basename(path))
        if match:
            images.append(Image(path, match["patient"], match["series"]))
        else:
            not_needed["files with another name than PATIENT_SERIES.mha or .nii.gz"] += 1
    return images, not_needed


def list_masks(input_dir: str) -> dict[str, str]:
    """Returns name without extension -> path of the masks of a SPIDER folder.

    Raises:
        FileNotFoundError: If the folder has not SPIDER's layout.
    """
    return {os.path.basename(path).split(".")[0]: path for path in _files(input_dir, MASKS)}


def _files(input_dir: str, name: str) -> list[str]:
    folder = os.path.join(input_dir, name)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"{folder}: there is no such folder; --input_dir must be a SPIDER folder with"
            f" {IMAGES}/, {MASKS}/ and {GRADINGS_CSV}."
        )
    return [os.path.join(folder, file) for file in sorted(os.listdir(folder))]


def _request(image: Image, payload: Payload, graded, key: bytes) -> dataset_lib.ScanRequest:
    return dataset_lib.ScanRequest(
        subject_key=deidentify.pseudonym(key, "subject", image.patient),
        family_key=deidentify.pseudonym(key, "family", image.patient),
        scan_key=deidentify.pseudonym(key, "scan", image.stem),
        visit=0,
        days=0,
        field_strength_t=0.0,
        gradings=graded,
        path=image.path,
        uid="",
        payload=payload,
    )


def read_grades(
    input_dir: str, patients: Iterable[str]
) -> tuple[dict[str, dict[str, dict[str, int]]], list[rejection.Rejection], int]:
    """Reads radiological_gradings.csv, all eight columns.

    Args:
        input_dir: The folder it is in.
        patients: The patients that are converted.

    Returns:
        Patient -> disc -> grading -> published grade; rows that cannot be used; and how many rows
        are of discs outside T12-L1 to L5-S1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing.
    """
    known, report, num_other = set(patients), annotations.RowReport(), 0
    columns = ("Patient", "IVD label", *gradings.SPIDER_COLUMNS)
    grades = collections.defaultdict(dict)
    for row in annotations.read_rows(os.path.join(input_dir, GRADINGS_CSV), columns):
        try:
            disc = levels.SPIDER_DISCS.get(int(row.values["IVD label"]))
        except ValueError:
            report.add(row, f"`IVD label` must be a number, got {row.values['IVD label']!r}")
            continue
        patient = row.values["Patient"]
        if disc not in levels.LUMBAR_DISCS:
            num_other += 1
        elif patient not in known:
            report.add(row, "no image here is of this patient")
        elif disc.value in grades[patient]:
            report.add(row, "another row grades this disc; the first one is used")
        else:
            grades[patient][disc.value] = _parse_grades(row, report)
    return dict(grades), report.rejections(), num_other


def _parse_grades(row: annotations.Row, report: annotations.RowReport) -> dict[str, int]:
    """Grading -> published grade of one row; a cell that cannot be is reported."""
    parsed = {}
    for column, name in gradings.SPIDER_COLUMNS.items():
        try:
            parsed[name] = annotations.parse_grade(gradings.from_name(name), row.values[column])
        except ValueError as error:
            report.add(row, f"{column}: {error}")
    return {name: grade for name, grade in parsed.items() if grade != gradings.NOT_GRADED}


def _sacrum_paths(inputs: Inputs) -> list[str]:
    beside = os.path.join(inputs.input_dir, SACRUM_JSON)
    return annotations.find(inputs.sacrum, SACRUM_JSON, [beside] if os.path.isfile(beside) else [])


def read_sacra(paths: Iterable[str]) -> dict[str, vertebrae.Vertebra]:
    """Reads S1 from files with `vertebrae/1` objects, each of which names its `image`.

    Args:
        paths: JSON files: one object, a list of them, or {"patients": {NUMBER: object}}.

    Returns:
        Name of an image without extension -> S1.

    Raises:
        ValueError: If a file holds something else; the message names it.
    """
    sacra = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            for item in _objects(content):
                level = vertebrae.parse(item).by_level.get(levels.VertebraLevel.S1)
                if level is None or not item.get("image"):
                    raise ValueError("an object must name its `image` and hold S1")
                sacra[item["image"].split(".")[0]] = level
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from None
    return sacra


def _objects(content) -> list:
    """The `vertebrae/1` objects of a file."""
    if isinstance(content, Mapping) and "patients" in content:
        return list(content["patients"].values())
    return content if isinstance(content, list) else [content]
