"""Plain 2-D images and their table to scan requests, and one image to its record."""

import collections
import dataclasses
import functools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tqdm

from data_prep import annotations, dataset_lib, deidentify, image_file, rejection, settings
from spine_tf.data import plain_images, schema

NO_LABEL = "image"  # the level of images whose label is empty
_COLUMNS = ("image", "subject", "days", "label")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        images_csv: Table with the columns image, subject, days, label and, if wanted, family.
        image_dir: The folder that `image` is relative to.
        header_facts: Which of `spine_tf.header_facts.FACTS` to take from DICOM headers.
    """

    images_csv: str
    image_dir: str
    header_facts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be converted, from the table and headers only.

    Attributes:
        requests: One per image.
        rejections: Rows and files that cannot be used.
        lines: What a person should read.
    """

    requests: Sequence[dataset_lib.ScanRequest]
    rejections: Sequence[rejection.Rejection]
    lines: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Payload:
    """What a worker needs to make the record of one image."""

    path: str
    label: str


@dataclasses.dataclass(frozen=True)
class _Listed:
    """One usable row and the header of its image."""

    name: str
    path: str
    subject: str
    family: str
    days: int
    label: str
    info: image_file.ImageInfo | None = None


def load(request: dataset_lib.ScanRequest) -> np.ndarray:
    """Reads the pixels of one request, [rows, columns] float32, in a worker.

    Raises:
        rejection.RejectedInput: If they cannot be read.
    """
    return image_file.read(request.payload.path)


def encode(
    image: np.ndarray, request: dataset_lib.ScanRequest, chosen: settings.ImageSettings
) -> dataset_lib.Examples:
    """Makes the record of one image, in a worker.

    Args:
        image: [rows, columns] float32.
        request: Whose it is.
        chosen: The size it gets.

    Returns:
        `image_pairs` -> one record with one visit.

    Raises:
        ValueError: If every pixel is 0.
    """
    kind = schema.crop_kind(schema.IMAGE_PAIRS, dataclasses.asdict(chosen))
    fit = _compiled(kind.stored_shape(chosen.crop_scale)[1:])
    found = {name: value.numpy() for name, value in fit(image).items()}
    if not np.isfinite(found["median"]):
        raise ValueError("its pixels must not all be 0; give the image that it should be")
    crop = schema.Crop(
        **request.identity,
        **found,
        level=request.payload.label,
        slice_is_valid=np.ones(1, bool),
        spacing_mm=np.zeros(3),
        slice_pitch_mm=0.0,
        width_mm=0.0,
        angle_deg=0.0,
        corners_mm=np.zeros((4, 3)),
    )
    return {schema.IMAGE_PAIRS: [schema.encode(schema.IMAGE_PAIRS, crop)]}


@functools.cache
def _compiled(shape: tuple[int, int]):
    """`plain_images.fit` as a graph that takes any image."""
    signature = [tf.TensorSpec([None, None], tf.float32)]
    return tf.function(lambda image: plain_images.fit(image, shape), input_signature=signature)


def plan(inputs: Inputs, key: bytes) -> Plan:
    """Reads the table and the header of every image.

    Args:
        inputs: Where they are.
        key: Of the pseudonyms.

    Returns:
        The plan; single rows and files that cannot be used are in its rejections.

    Raises:
        FileNotFoundError: If the table or the folder does not exist.
        ValueError: If the table has not its columns.
    """
    for path, exists in ((inputs.images_csv, os.path.isfile), (inputs.image_dir, os.path.isdir)):
        if not exists(path):
            raise FileNotFoundError(f"{path}: there is no such file or folder.")
    listed, bad_rows = _read_table(inputs)
    usable, bad_files = [], []
    for item in tqdm.tqdm(listed, desc="headers", unit="file", disable=None):
        try:
            info = image_file.inspect(item.path, inputs.header_facts)
            usable.append(dataclasses.replace(item, info=info))
        except rejection.RejectedInput as error:
            bad_files.append(error.rejection)
    return Plan(_requests(usable, key), [*bad_rows, *bad_files], _lines(usable))


def _read_table(inputs: Inputs) -> tuple[list[_Listed], list[rejection.Rejection]]:
    report, listed = annotations.RowReport(), {}
    families, seen = {}, set()
    for row in annotations.read_rows(inputs.images_csv, _COLUMNS, ("family",)):
        problem = _problem(row.values)
        if problem:
            report.add(row, problem)
            continue
        item = _item(row.values, inputs.image_dir)
        visit = (item.subject, item.days, item.label)
        if item.name in listed:
            report.add(row, "another row names this image; the first one is used")
        elif visit in seen:
            report.add(row, "another row has this subject, days and label; the first one is used")
        elif families.setdefault(item.subject, item.family) != item.family:
            report.add(row, "another row gives this subject another family; the first one is used")
        else:
            seen.add(visit)
            listed[item.name] = item
    return list(listed.values()), report.rejections()


def _problem(values) -> str:
    """What is wrong with one row by itself, or ""; a subject's values are not shown."""
    for name in ("image", "subject"):
        if not values[name]:
            return f"`{name}` is empty"
    try:
        int(values["days"])
    except ValueError:
        return "`days` must be a whole number"
    return ""


def _item(values, image_dir: str) -> _Listed:
    name = os.path.normpath(values["image"])
    return _Listed(
        name=name,
        path=os.path.join(image_dir, name),
        subject=values["subject"],
        family=values["family"] or values["subject"],
        days=int(values["days"]),
        label=values["label"] or NO_LABEL,
    )


def _requests(usable: Sequence[_Listed], key: bytes) -> list[dataset_lib.ScanRequest]:
    days_of = collections.defaultdict(set)
    for item in usable:
        days_of[item.subject].add(item.days)
    requests = []
    for item in usable:
        days = sorted(days_of[item.subject])
        requests.append(_request(item, days.index(item.days), item.days - days[0], key))
    return requests


def _request(item: _Listed, visit: int, days: int, key: bytes) -> dataset_lib.ScanRequest:
    return dataset_lib.ScanRequest(
        subject_key=deidentify.pseudonym(key, "subject", item.subject),
        family_key=deidentify.pseudonym(key, "family", item.family),
        scan_key=deidentify.pseudonym(key, "scan", item.name),
        visit=visit,
        days=days,
        field_strength_t=0.0,
        gradings={},
        path=item.path,
        uid=item.info.uid,
        payload=Payload(item.path, item.label),
        header_facts=item.info.header_facts,
    )


def _lines(usable: Sequence[_Listed]) -> list[str]:
    num_colour = sum(item.info.is_colour for item in usable)
    if not num_colour:
        return []
    return [f"{num_colour} of {len(usable)} images are in colour; they are converted to grey."]
