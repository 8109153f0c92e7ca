"""What a DICOM header tells of a patient, reduced to classes at once; nothing else is kept.

Real headers hold placeholders where somebody removed a value ('0000', '000Y', 0 kg): these are
unknown. A birth date is used only where PatientAge is absent or empty. A PatientAge that is there
and cannot be used was removed on purpose, and is not made good from a birth date.
"""

import datetime
import math
import re
from collections.abc import Callable, Iterable

from spine_tf import header_facts

# Fact -> attributes that are read for it.
TAGS = {
    "sex": ("PatientSex",),
    "age": ("PatientAge", "PatientBirthDate"),
    "weight": ("PatientWeight",),
}

_SEX = {"F": "female", "M": "male"}
_UNITS_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_MOST_YEARS = 120
_LEAST_KG, _MOST_KG = 1.0, 350.0
_PLACEHOLDER_BIRTH_DATE = "19000101"


def read(text: Callable[[str], str], study_date: str, names: Iterable[str]) -> dict[str, int]:
    """Reads the facts that were asked for.

    Args:
        text: Keyword -> value as text, "" if absent.
        study_date: YYYYMMDD, or "".
        names: Which of `header_facts.FACTS`.

    Returns:
        Name -> class index, `header_facts.UNKNOWN` where the header does not tell.

    Source: DICOM PS3.3 C.7.1.1 and C.7.2.2 (Patient and Patient Study Modules); PS3.5 6.2 (AS, DS).
    """
    readers = {
        "sex": lambda: sex_class(text("PatientSex")),
        "age": lambda: age_class(text("PatientAge"), text("PatientBirthDate"), study_date),
        "weight": lambda: weight_class(text("PatientWeight")),
    }
    return {name: readers[name]() for name in names}


def sex_class(text: str) -> int:
    """Returns the class of PatientSex; anything but F and M is unknown."""
    title = _SEX.get(text.strip().upper())
    return header_facts.SEX.titles.index(title) if title else header_facts.UNKNOWN


def age_class(age: str, birth_date: str, study_date: str) -> int:
    """Returns the class of an age.

    Args:
        age: PatientAge, a number with D, W, M or Y ("018M"); "000Y" and "0000" are unknown.
        birth_date: PatientBirthDate, YYYYMMDD; used only where `age` is empty.
        study_date: YYYYMMDD.
    """
    years = _years(age.strip()) if age.strip() else _years_between(birth_date, study_date)
    if years is None or not 0 < years <= _MOST_YEARS:
        return header_facts.UNKNOWN
    return header_facts.age_class(years)


def weight_class(text: str) -> int:
    """Returns the class of PatientWeight in kg; below 1 and above 350 kg is unknown."""
    try:
        kg = float(text)
    except ValueError:
        return header_facts.UNKNOWN
    if not math.isfinite(kg) or not _LEAST_KG <= kg <= _MOST_KG:
        return header_facts.UNKNOWN
    return header_facts.weight_class(kg)


def _years(age: str) -> float | None:
    match = re.fullmatch(r"(\d{1,3})([DWMY])", age.upper())
    return int(match[1]) / _UNITS_PER_YEAR[match[2]] if match else None


def _years_between(birth_date: str, study_date: str) -> float | None:
    """Whole years between two YYYYMMDD, or None."""
    digits = re.sub(r"[.-]", "", birth_date.strip())
    if digits == _PLACEHOLDER_BIRTH_DATE:
        return None
    try:
        born, seen = (datetime.datetime.strptime(t, "%Y%m%d") for t in (digits, study_date))
    except ValueError:
        return None
    days = (seen - born).days
    whole = seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
    return max(whole, 0.5) if days >= 0 else None
