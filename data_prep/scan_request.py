"""What is asked of a worker: one scan, how it is read, and how its records are made."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import tensorflow as tf

from data_prep import settings as settings_lib


@dataclasses.dataclass(frozen=True)
class ScanRequest:
    """One scan to convert, made from headers only.

    Attributes:
        subject_key: Pseudonym of the subject.
        family_key: Pseudonym of the family.
        scan_key: Pseudonym of the scan.
        visit: 0-based visit of the subject.
        days: Days since the subject's first study.
        field_strength_t: Tesla; 0 is unknown.
        gradings: Disc name -> grading -> published grade.
        path: Where the scan came from; for rejections only.
        uid: Its UID; for rejections only.
        payload: What `load` needs; it must pickle.
        header_facts: Name of a fact -> class index, of the facts that were asked for.
    """

    subject_key: str
    family_key: str
    scan_key: str
    visit: int
    days: int
    field_strength_t: float
    gradings: Mapping[str, Mapping[str, int]]
    path: str
    uid: str
    payload: Any
    header_facts: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def whose(self) -> dict[str, Any]:
        """Those fields of `slice_schema.Slice` that all slices of the scan share."""
        found = {"subject": self.subject_key, "family": self.family_key, "scan": self.scan_key}
        return found | {"visit": self.visit, "days": self.days}

    @property
    def identity(self) -> dict[str, Any]:
        """Those fields of `schema.Crop` that all crops of the scan share."""
        names = ("field_strength_t", "header_facts")
        return self.whose | {name: getattr(self, name) for name in names}


Examples = dict[str, list[tf.train.Example]]  # kind of record -> records of one scan
Load = Callable[[ScanRequest], Any]
ScanSettings = TypeVar("ScanSettings", bound=settings_lib.Settings)
Encode = Callable[[Any, ScanRequest, ScanSettings], Examples]
