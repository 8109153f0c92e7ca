"""Gradings of a disc: the one table of names, published grades and sources.

A grade is always kept and shown as published (Pfirrmann 1 to 5). Networks see a class
index, which starts at 0; `Grading.class_index` and `Grading.grade` are the only way from one
to the other. A disc that was not graded has the grade `NOT_GRADED`.
"""

import dataclasses
from collections.abc import Iterable, Sequence

NOT_GRADED = -1


@dataclasses.dataclass(frozen=True)
class Grading:
    """One grading scheme with consecutive integer grades.

    Attributes:
        name: Lower-case name, used in records, outputs and `gradings.csv`.
        first_grade: The lowest published grade.
        num_classes: Number of grades.
        title: What a person reads.
        source: Where the scale comes from.
    """

    name: str
    first_grade: int
    num_classes: int
    title: str
    source: str

    @property
    def grades(self) -> tuple[int, ...]:
        """The published grades, lowest first."""
        return tuple(range(self.first_grade, self.first_grade + self.num_classes))

    def class_index(self, grade: int) -> int:
        """Returns the class index of a published grade, or -1 for `NOT_GRADED`.

        Raises:
            ValueError: If the scheme has no such grade.
        """
        if grade == NOT_GRADED:
            return NOT_GRADED
        if grade not in self.grades:
            raise ValueError(
                f"`{self.name}` must be one of {list(self.grades)} or {NOT_GRADED} (not graded),"
                f" got {grade!r}."
            )
        return grade - self.first_grade

    def grade(self, class_index: int) -> int:
        """Returns the published grade of a class index."""
        return self.grades[class_index]


_SPINENET = "SpineNet, Jamaludin et al. 2017 (MedIA)"
_SPIDER = "SPIDER, van der Graaf et al. 2024"

GRADINGS = {
    grading.name: grading
    for grading in (
        Grading("disc_degeneration", 1, 4, "Disc degeneration", "Jamaludin 2017, section 4.2"),
        Grading("pfirrmann", 1, 5, "Pfirrmann grade", "Pfirrmann et al. 2001; SPIDER, SpineNet"),
        Grading("disc_narrowing", 1, 4, "Disc narrowing", _SPINENET),
        Grading("central_canal_stenosis", 0, 2, "Central canal stenosis", _SPINENET),
        Grading("spondylolisthesis", 0, 2, "Spondylolisthesis", f"{_SPINENET}; {_SPIDER}"),
        Grading("upper_endplate_defect", 0, 2, "Upper endplate defect", f"{_SPINENET}; {_SPIDER}"),
        Grading("lower_endplate_defect", 0, 2, "Lower endplate defect", f"{_SPINENET}; {_SPIDER}"),
        Grading("upper_marrow_change", 0, 2, "Upper marrow change", _SPINENET),
        Grading("lower_marrow_change", 0, 2, "Lower marrow change", _SPINENET),
        Grading("modic", 0, 4, "Modic type", _SPIDER),
        Grading("disc_herniation", 0, 2, "Disc herniation", _SPIDER),
        Grading("disc_narrowing_present", 0, 2, "Disc narrowing present", _SPIDER),
        Grading("disc_bulging", 0, 2, "Disc bulging", _SPIDER),
    )
}

# The eight gradings of the strongly supervised network (methods 1.8).
SPINENET_GRADINGS = (
    "pfirrmann",
    "disc_narrowing",
    "central_canal_stenosis",
    "spondylolisthesis",
    "upper_endplate_defect",
    "lower_endplate_defect",
    "upper_marrow_change",
    "lower_marrow_change",
)

# Column of SPIDER's radiological_gradings.csv -> grading. Spelling as published.
SPIDER_COLUMNS = {
    "Modic": "modic",
    "UP endplate": "upper_endplate_defect",
    "LOW endplate": "lower_endplate_defect",
    "Spondylolisthesis": "spondylolisthesis",
    "Disc herniation": "disc_herniation",
    "Disc narrowing": "disc_narrowing_present",
    "Disc bulging": "disc_bulging",
    "Pfirrman grade": "pfirrmann",
}


def parse_names(names: Sequence[str]) -> tuple[str, ...]:
    """Returns names of gradings as a tuple.

    Raises:
        ValueError: If it is not a list of names, or there is no grading of a name.
    """
    if isinstance(names, str):
        raise ValueError(f"`gradings` must be a list of names, got {names!r}.")
    for name in names:
        from_name(name)
    return tuple(names)


def num_classes(names: Iterable[str]) -> dict[str, int]:
    """Returns name -> number of classes."""
    return {name: from_name(name).num_classes for name in names}


def from_name(name: str) -> Grading:
    """Returns the grading called `name`.

    Raises:
        ValueError: If there is no such grading.
    """
    if name not in GRADINGS:
        raise ValueError(f"`grading` must be one of {', '.join(GRADINGS)}, got {name!r}.")
    return GRADINGS[name]
