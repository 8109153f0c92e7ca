"""Plain 2-D images and their table to scan requests, and one image to its record."""

import dataclasses
import functools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tqdm

from data_prep import (
    annotations,
    dataset_lib,
    image_file,
    intensities,
    listed,
    rejection,
    settings,
)
from spine_tf.data import plain_images, schema, slice_schema, swaps

NO_LABEL = "image"  # the level of pairs whose label is empty
_COLUMNS = ("image", "subject", "days", "label")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        images_csv: Table with the columns image, subject, label, days (which only pairs need) and,
            if wanted, family.
        image_dir: The folder that `image` is relative to.
        kinds: Kinds of records that will be made.
        classes: The labels that there are; any without them.
        header_facts: Which of `spine_tf.header_facts.FACTS` to take from DICOM headers.
    """

    images_csv: str
    image_dir: str
    header_facts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = (settings.PAIRS,)
    classes: tuple[str, ...] = ()


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


def load(request: dataset_lib.ScanRequest) -> np.ndarray:
    """Reads the pixels of one request, [rows, columns] float32, in a worker.

    Raises:
        rejection.RejectedInput: If they cannot be read.
    """
    return image_file.read(request.payload.path)


def encode(
    image: np.ndarray, request: dataset_lib.ScanRequest, chosen: settings.ImageSettings
) -> dataset_lib.Examples:
    """Makes the records of one image, in a worker.

    Args:
        image: [rows, columns] float32.
        request: Whose it is.
        chosen: The kinds and the size.

    Returns:
        Kind -> one record.

    Raises:
        ValueError: If every pixel is 0 or, for a slice, has the same value; or if the image is
            smaller than the part that is kept or, for a slice, than two patches.
    """
    image = _kept(image, chosen.keep_box)
    made = {settings.PAIRS: _pair, settings.SLICES: _slice}
    return {kind: [made[kind](image, request, chosen)] for kind in chosen.kinds}


def _kept(image: np.ndarray, box: Sequence[int]) -> np.ndarray:
    """The part of an image that is kept."""
    if not box:
        return image
    if box[1] > image.shape[0] or box[3] > image.shape[1]:
        raise ValueError(f"its pixels {image.shape} must hold --keep_box={','.join(map(str, box))}")
    return image[box[0] : box[1], box[2] : box[3]]


def _pair(image: np.ndarray, request: dataset_lib.ScanRequest, chosen: settings.ImageSettings):
    """A record with one visit, in the size and intensities of stored crops."""
    kind = schema.stored_kind(schema.IMAGE_PAIRS, dataclasses.asdict(chosen))
    fit = _compiled(plain_images.fit, kind.stored_shape(chosen.crop_scale)[1:])
    found = {name: value.numpy() for name, value in fit(image).items()}
    if not np.isfinite(found["median"]):
        raise ValueError("its pixels must not all be 0; give the image that it should be")
    crop = schema.Crop(
        **request.identity,
        **found,
        level=request.payload.label or NO_LABEL,
        slice_is_valid=np.ones(1, bool),
        spacing_mm=np.zeros(3),
        slice_pitch_mm=0.0,
        width_mm=0.0,
        angle_deg=0.0,
        corners_mm=np.zeros((4, 3)),
    )
    return schema.encode(schema.IMAGE_PAIRS, crop)


def _slice(image: np.ndarray, request: dataset_lib.ScanRequest, chosen: settings.ImageSettings):
    """A record of the image in the size of the network's input, its intensities as they are."""
    swaps.check_size(*image.shape)
    lowest = image.min()
    place = _compiled(plain_images.place, (chosen.image_rows, chosen.image_columns))
    placed, valid = (value.numpy() for value in place(image - lowest))
    box = tuple(slice(found.min(), found.max() + 1) for found in np.nonzero(valid))
    swaps.check_size(*(s.stop - s.start for s in box))  # a long one is thin when it is fitted in
    measured = intensities.describe(placed[box][..., None] + lowest)
    one = slice_schema.Slice(
        **request.whose,
        **dataclasses.asdict(measured),
        image=placed[..., None] + lowest,
        inside=(*(s.start for s in box), *(s.stop - s.start for s in box)),
        spacing_mm=np.zeros(3),
        label=request.payload.label,
    )
    return slice_schema.encode(one)


@functools.cache
def _compiled(function, shape: tuple[int, int]):
    """`function` of an image and `shape` as a graph that takes any image."""
    signature = [tf.TensorSpec([None, None], tf.float32)]
    return tf.function(lambda image: function(image, shape), input_signature=signature)


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
    listed.check_exist(inputs.images_csv, inputs.image_dir)
    rows, bad_rows = _read_table(inputs)
    usable, bad_files, num_colour = [], [], 0
    for item in tqdm.tqdm(rows, desc="headers", unit="file", disable=None):
        try:
            info = image_file.inspect(item.path, inputs.header_facts)
        except rejection.RejectedInput as error:
            bad_files.append(error.rejection)
            continue
        usable.append(dataclasses.replace(item, uid=info.uid, header_facts=info.header_facts))
        num_colour += info.is_colour
    lines = [f"{num_colour} of {len(usable)} images are in colour; they are converted to grey."]
    requests = listed.requests(usable, key)
    return Plan(requests, [*bad_rows, *bad_files], lines if num_colour else [])


def _read_table(inputs: Inputs) -> tuple[list[listed.Listed], list[rejection.Rejection]]:
    report, found = annotations.RowReport(), {}
    families, visits = listed.Families(), set()
    has_pairs = settings.PAIRS in inputs.kinds
    columns = [name for name in _COLUMNS if name != "days" or has_pairs]
    needed = [name for name in columns if name != "label"]
    for row in annotations.read_rows(inputs.images_csv, columns, ("days", "family")):
        if listed.report_problem(report, row, listed.problem(row.values, needed)):
            continue
        item = _item(row.values, inputs.image_dir)
        visit = (item.subject, item.days, item.payload.label)
        again = "another row {}; the first one is used"
        problems = (
            again.format("names this image") if item.name in found else "",
            _problem_of_label(item.payload.label, inputs),
            again.format("has this subject, days and label")
            if has_pairs and visit in visits
            else "",
            families.problem(item.subject, item.family),
        )
        if not listed.report_problem(report, row, *problems):
            visits.add(visit)
            found[item.name] = item
    return list(found.values()), report.rejections()


def _problem_of_label(label: str, inputs: Inputs) -> str:
    """What is wrong with a label, or ""; an image without a label is only not labelled."""
    if not inputs.classes or not label or label in inputs.classes:
        return ""
    return f"`label` {label!r} is not among --classes; correct it or name it there"


def _item(values, image_dir: str) -> listed.Listed:
    name = os.path.normpath(values["image"])
    path = os.path.join(image_dir, name)
    return listed.Listed(
        name=name,
        path=path,
        subject=values["subject"],
        family=values["family"] or values["subject"],
        days=int(values["days"] or 0),
        payload=Payload(path, values["label"]),
    )
