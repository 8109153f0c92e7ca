"""The codes of a structured report: standard ones where DICOM has them, else scheme 99SPINETF.

Discs are the SNOMED CT codes of DICOM's context group 7604 (Intervertebral Disc). It has none for a
spine with six lumbar vertebrae, and no context group of DICOM has the Pfirrmann grade or the other
gradings: those are private. docs/report.md lists all.

Source: DICOM PS3.16 CID 100, 230, 270, 7162 and 7604; PS3.3 section 8 (coding schemes).
"""

import dataclasses

from spine_tf import gradings, levels

SNOMED, PRIVATE = "SCT", "99SPINETF"
PRIVATE_NAME = "spine_tf gradings of intervertebral discs"


@dataclasses.dataclass(frozen=True)
class Code:
    """One code.

    Attributes:
        value: At most 16 characters.
        scheme: `SNOMED`, `PRIVATE`, LN (LOINC), DCM or UCUM.
        meaning: What a person reads, at most 64 characters.
    """

    value: str
    scheme: str
    meaning: str


_SNOMED_DISCS = {
    levels.DiscLevel.T9_T10: "113209001",
    levels.DiscLevel.T10_T11: "34959001",
    levels.DiscLevel.T11_T12: "1537001",
    levels.DiscLevel.T12_L1: "76206002",
    levels.DiscLevel.L1_L2: "80064006",
    levels.DiscLevel.L2_L3: "67459009",
    levels.DiscLevel.L3_L4: "62551000",
    levels.DiscLevel.L4_L5: "84020006",
    levels.DiscLevel.L5_S1: "715056000",
}
_GRADINGS = {
    "disc_degeneration": "DDG",
    "pfirrmann": "PFI",
    "disc_narrowing": "DNA",
    "central_canal_stenosis": "CCS",
    "spondylolisthesis": "SPL",
    "upper_endplate_defect": "UED",
    "lower_endplate_defect": "LED",
    "upper_marrow_change": "UMC",
    "lower_marrow_change": "LMC",
    "modic": "MOD",
    "disc_herniation": "DHE",
    "disc_narrowing_present": "DNP",
    "disc_bulging": "DBU",
}

PROCEDURE = Code("25056-3", "LN", "MRI unspecified body region")
FAMILY = Code("123110", "DCM", "Artificial Intelligence")
DEVICE = Code("121007", "DCM", "Device")
NO_UNITS = Code("1", "UCUM", "no units")
YES = Code("373066001", SNOMED, "Yes")
NO = Code("373067005", SNOMED, "No")
CALIBRATED = Code("CALIBRATED", PRIVATE, "Probabilities are calibrated")
OUTLIER = Code("OUTLIER", PRIVATE, "Image is unlike the training data")
DISTANCE = Code("DISTANCE", PRIVATE, "Distance to the training data, limit 1")


def disc(level: levels.DiscLevel) -> Code:
    """Returns the code of a disc, such as SCT 84020006 of L4-L5."""
    if level in _SNOMED_DISCS:
        return Code(_SNOMED_DISCS[level], SNOMED, f"{level.value.replace('-', '/')} disc")
    return Code(f"DISC-{level.value}", PRIVATE, f"{level.value.replace('-', '/')} disc")


def grading(name: str) -> Code:
    """Returns the code of what was graded, such as PFI, Pfirrmann grade."""
    return Code(_GRADINGS[name], PRIVATE, gradings.from_name(name).title)


def grade(name: str, published: int) -> Code:
    """Returns the code of one grade, such as PFI-3, Pfirrmann grade: 3."""
    return Code(f"{_GRADINGS[name]}-{published}", PRIVATE, f"{_title(name)}: {published}")


def probability(name: str) -> Code:
    """Returns the code of the probability of the grade."""
    return Code(f"{_GRADINGS[name]}-P", PRIVATE, f"{_title(name)}: probability of the grade")


def expected(name: str) -> Code:
    """Returns the code of the mean grade under the probabilities."""
    return Code(f"{_GRADINGS[name]}-E", PRIVATE, f"{_title(name)}: expected grade")


def uncertain(name: str) -> Code:
    """Returns the code of whether the grade is uncertain."""
    return Code(f"{_GRADINGS[name]}-U", PRIVATE, f"{_title(name)}: grade is uncertain")


def was_graded(name: str) -> Code:
    """Returns the code of whether the training data graded this level."""
    return Code(f"{_GRADINGS[name]}-T", PRIVATE, f"{_title(name)}: level graded in training")


def _title(name: str) -> str:
    return gradings.from_name(name).title
