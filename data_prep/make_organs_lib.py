"""Writes the phantoms of planes and of the abdomen as the files that convert-images takes."""

import csv
import dataclasses
import json
import os
import shlex
from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
from PIL import Image

from data_prep import cohort_folder
from spine_tf import files, organ_phantom
from spine_tf.organ_phantom import abdomen, patient, planes, ultrasound

PLANES, ABDOMEN = "planes", "abdomen"
SETTINGS, TABLE, LABEL_NAMES = "organs.json", "images.csv", "labels.json"
_PARTS = {PLANES: "images", ABDOMEN: "volumes"}
_CT, _LABELS = "ct", "organs"


@dataclasses.dataclass(frozen=True)
class Cohort:
    """What is made.

    Attributes:
        kind: PLANES (one subject is an examination) or ABDOMEN (a case).
        num_subjects: How many.
        seed: Another seed, another cohort.
    """

    kind: str
    num_subjects: int
    seed: int = 0

    def __post_init__(self):
        if self.kind not in _PARTS:
            raise ValueError(f"`kind` must be among {', '.join(_PARTS)}, got {self.kind!r}.")
        if self.num_subjects < 1:
            raise ValueError(f"`num_subjects` must be at least 1, got {self.num_subjects!r}.")


def write(cohort: Cohort, output_dir: str, num_processes: int = 1) -> None:
    """Writes a cohort; subjects that are there already are kept.

    Args:
        cohort: What is made.
        output_dir: Made if missing. Planes go to images/SUBJECT/NUMBER.png and images.csv, cases to
            volumes/SUBJECT/ct.nii.gz and organs.nii.gz, and labels.json.
        num_processes: Worker processes; the files do not depend on it.

    Raises:
        ValueError: If the folder holds another cohort, or `num_processes` is not positive.
    """
    cohort_folder.claim(output_dir, SETTINGS, _settings(cohort))
    jobs = _jobs(cohort, output_dir)
    os.makedirs(os.path.join(output_dir, _PARTS[cohort.kind]), exist_ok=True)
    write_one = _write_examination if cohort.kind == PLANES else _write_case
    cohort_folder.write_missing(write_one, jobs, num_processes)
    if cohort.kind == PLANES:
        _write_table(cohort, output_dir)
    else:
        names = {str(number): name for name, number in patient.LABELS.items()}
        files.write_json(os.path.join(output_dir, LABEL_NAMES), names)


def planned(cohort: Cohort, output_dir: str) -> str:
    """Returns what `write` would do, for a person.

    Raises:
        ValueError: If the folder holds another cohort.
    """
    cohort_folder.check(output_dir, SETTINGS, _settings(cohort))
    missing = sum(not os.path.isdir(folder) for folder in _jobs(cohort, output_dir))
    images = len(planes.PLANES) if cohort.kind == PLANES else 1
    what = "images" if cohort.kind == PLANES else "volumes with label maps"
    return (
        f"{output_dir} would hold {cohort.num_subjects} subjects,"
        f" {images * cohort.num_subjects} {what}; {missing} subjects are still to be made."
    )


def _settings(cohort: Cohort) -> dict:
    return dataclasses.asdict(cohort) | {"phantom_version": organ_phantom.VERSION}


def _jobs(cohort: Cohort, output_dir: str) -> dict[str, tuple[int, int]]:
    """Folder of a subject -> seed and number."""
    part = os.path.join(output_dir, _PARTS[cohort.kind])
    return {
        os.path.join(part, subject_name(number)): (cohort.seed, number)
        for number in range(cohort.num_subjects)
    }


def subject_name(number: int) -> str:
    """Returns the name of a subject, in its folder and in the table."""
    return f"subject-{number:05d}"


def _image_name(position: int) -> str:
    return f"{position:02d}.png"


def _write_examination(job: tuple[int, int], folder: str) -> None:
    """Writes one image per class."""
    for position, label in enumerate(planes.PLANES):
        image = planes.make_image(*job, label)
        Image.fromarray(image).save(os.path.join(folder, _image_name(position)))


def _write_case(job: tuple[int, int], folder: str) -> None:
    """Writes a volume and its label map."""
    scan = abdomen.make_case(*job)
    for name, array in ((_CT, scan.hu), (_LABELS, scan.label_map)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(scan.spacing_mm[::-1])
        image.SetOrigin(scan.origin_mm)
        sitk.WriteImage(image, os.path.join(folder, f"{name}.nii.gz"), useCompression=True)


def _write_table(cohort: Cohort, output_dir: str) -> None:
    """Writes which image is of which examination and shows which plane."""
    with files.atomic_write(os.path.join(output_dir, TABLE)) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "subject", "label"))
        for number in range(cohort.num_subjects):
            subject = subject_name(number)
            for position, label in enumerate(planes.PLANES):
                writer.writerow((f"{subject}/{_image_name(position)}", subject, label))


def next_command(kind: str, output_dir: str) -> str:
    """Returns the command that makes records of what `write` wrote."""
    part = os.path.join(output_dir, _PARTS[kind])
    if kind == PLANES:
        arguments = [
            f"--images_csv={os.path.join(output_dir, TABLE)}",
            f"--image_dir={part}",
            "--kinds=slice",
            f"--image_rows={ultrasound.ROWS}",
            f"--image_columns={ultrasound.COLUMNS}",
        ]
    else:
        arguments = [
            "--layout=volumes",
            f"--input_dir={part}",
            f"--channels={_CT}",
            f"--label_ending={_LABELS}",
            f"--label_names={os.path.join(output_dir, LABEL_NAMES)}",
            "--window_hu=-200,300",
            "--spacing_mm=4",
            "--resample=isotropic",
            "--views=axial,coronal,sagittal",
        ]
    arguments.append(f"--output_dir={os.path.normpath(output_dir)}_records")
    return shlex.join(["spine-tf", "convert-images", *arguments])


def read_settings(output_dir: str) -> dict:
    """Returns the cohort that `write` wrote to a folder, and the version of the phantom.

    Raises:
        FileNotFoundError: If the folder holds none.
    """
    with open(os.path.join(output_dir, SETTINGS), encoding="utf-8") as file:
        return json.load(file)


def read_images(output_dir: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yields (subject, class, [rows, columns] uint8) of every image that `write` wrote."""
    with open(os.path.join(output_dir, TABLE), encoding="utf-8") as file:
        for row in csv.DictReader(file):
            with Image.open(os.path.join(output_dir, _PARTS[PLANES], row["image"])) as image:
                yield row["subject"], row["label"], np.asarray(image)


def read_cases(
    output_dir: str,
) -> Iterator[tuple[np.ndarray, np.ndarray, tuple[float, float, float]]]:
    """Yields (HU, label map, spacing in mm), all by slices, rows, columns, of every case."""
    for number in range(read_settings(output_dir)["num_subjects"]):
        folder = os.path.join(output_dir, _PARTS[ABDOMEN], subject_name(number))
        images = [sitk.ReadImage(os.path.join(folder, f"{name}.nii.gz")) for name in (_CT, _LABELS)]
        hu, label_map = map(sitk.GetArrayFromImage, images)
        yield hu, label_map, images[0].GetSpacing()[::-1]
