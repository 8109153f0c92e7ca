"""Annotated volumes of any source to the slices that the detector is trained on."""

import dataclasses
from collections.abc import Mapping, Sequence

from data_prep import (
    convert_dicom_lib,
    convert_spider_lib,
    dataset_lib,
    detection_slices,
    make_phantom_lib,
    rejection,
    settings,
    volume_file,
)
from spine_tf.data import schema
from spine_tf.phantom import cohort


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read; any mixture.

    Attributes:
        spider_dir: SPIDER's folder, or "".
        sacrum: File or folder with S1 of SPIDER's images; None is sacrum.json of `spider_dir`.
        series: SPIDER's series to use, the preferred first.
        dicom_dir: Folder with DICOM studies and `vertebrae/1` files, or "".
        phantoms: Synthetic subjects, each seen once.
        phantom_seed: Their seed.
    """

    spider_dir: str = ""
    sacrum: str | None = None
    series: tuple[str, ...] = convert_spider_lib.DEFAULT_SERIES
    dicom_dir: str = ""
    phantoms: int = 0
    phantom_seed: int = 0

    @property
    def source(self) -> str:
        """What the manifest says."""
        parts = {"spider": self.spider_dir, "dicom": self.dicom_dir, "phantom": self.phantoms}
        return "+".join(name for name, is_there in parts.items() if is_there)

    @property
    def has_persons(self) -> bool:
        """Whether not all is of phantoms."""
        return bool(self.spider_dir or self.dicom_dir)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be converted."""

    requests: Sequence[dataset_lib.ScanRequest]
    rejections: Sequence[rejection.Rejection]
    not_needed: Mapping[str, int]


def plan(inputs: Inputs, key: bytes) -> Plan:
    """Lists the scans of all sources.

    Args:
        inputs: Where they are.
        key: Of the pseudonyms.

    Raises:
        FileNotFoundError: If a folder does not exist.
        ValueError: If there is no source, or a folder holds nothing that can be used.
    """
    if not inputs.source:
        raise ValueError("`spider_dir`, `dicom_dir` or `phantoms` must be given, got none of them.")
    parts: list[convert_spider_lib.Plan | convert_dicom_lib.Plan | Plan] = []
    if inputs.spider_dir:
        wanted = convert_spider_lib.Inputs(inputs.spider_dir, inputs.sacrum, inputs.series)
        parts.append(convert_spider_lib.plan(wanted, key))
    if inputs.dicom_dir:
        parts.append(convert_dicom_lib.plan(convert_dicom_lib.Inputs(inputs.dicom_dir), key))
    if inputs.phantoms:
        config = cohort.CohortConfig(
            inputs.phantoms, inputs.phantom_seed, one_visit_percent=100, three_visits_percent=0
        )
        parts.append(Plan(make_phantom_lib.scan_requests(config, key), (), {}))
    not_needed = {}
    for part in parts:
        for what, count in part.not_needed.items():
            not_needed[what] = not_needed.get(what, 0) + count
    return Plan(
        [request for part in parts for request in part.requests],
        [rejected for part in parts for rejected in part.rejections],
        not_needed,
    )


def load(request: dataset_lib.ScanRequest) -> detection_slices.Labelled:
    """Reads or renders one scan, in a worker.

    Raises:
        rejection.RejectedInput: If it cannot be read.
    """
    payload = request.payload
    if isinstance(payload, make_phantom_lib.Payload):
        return detection_slices.Labelled(*make_phantom_lib.load(request))
    if not isinstance(payload, convert_spider_lib.Payload):
        return detection_slices.Labelled(*convert_dicom_lib.load(request))
    if payload.mask_path is None:
        raise rejection.RejectedInput(request.path, request.uid, "has no mask; give the image one")
    scan, annotation = convert_spider_lib.load(request)
    mask = volume_file.read(payload.mask_path).array
    masks = detection_slices.classes_of_spider(mask, annotation)
    return detection_slices.Labelled(scan, annotation, masks)


def encode(
    labelled: detection_slices.Labelled,
    request: dataset_lib.ScanRequest,
    chosen: settings.Settings,
) -> dataset_lib.Examples:
    """Makes the records of one scan, in a worker."""
    del chosen
    return {schema.SLICE: detection_slices.examples(labelled, request.whose)}
