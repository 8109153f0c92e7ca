"""Single values of a DICOM header, which real archives fill with anything.

What is not needed and cannot be read (`MagneticFieldStrength` of "000...") counts as absent; what
is needed raises `BrokenHeader`, whose message names the attribute.
"""

import datetime
import math

import numpy as np
import pydicom
import pydicom.multival

SAME_DIRECTION = 0.01  # of a direction cosine, half a degree
_LARGEST_SIZE = 2**16 - 1  # Rows and Columns have 16 bits


class BrokenHeader(ValueError):
    """A value that an image needs is absent or impossible; says no attribute of a patient."""


def texts(dataset: pydicom.Dataset, keyword: str) -> tuple[str, ...]:
    """Returns the values as text; none if the attribute is absent, empty or unreadable."""
    try:
        value = dataset.get(keyword)
    except Exception:  # pydicom converts on access, and raises nearly anything.
        return ()
    if value is None or value == "":
        return ()
    values = value if isinstance(value, list | pydicom.multival.MultiValue) else [value]
    return tuple(str(item).strip(" \0\t\r\n") for item in values)


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Returns all values as one text, "" if there is none."""
    return "\\".join(texts(dataset, keyword))


def uid(dataset: pydicom.Dataset, keyword: str) -> str:
    """Returns a UID that must be there.

    Raises:
        BrokenHeader: If it is absent.
    """
    found = text(dataset, keyword)
    if not found:
        raise BrokenHeader(f"{keyword} is absent")
    return found


def patient_id(dataset: pydicom.Dataset) -> str:
    """Returns PatientID, "" if absent.

    Raises:
        BrokenHeader: If its characters are lost: two patients could have the same ruin of an id.
    """
    found = text(dataset, "PatientID")
    if "\ufffd" in found:
        raise BrokenHeader("PatientID cannot be read with this SpecificCharacterSet")
    return found


def number(dataset: pydicom.Dataset, keyword: str) -> float | None:
    """Returns the first value as a finite number, or None."""
    try:
        found = float(texts(dataset, keyword)[0])
    except (ValueError, IndexError):
        return None
    return found if math.isfinite(found) else None


def integer(dataset: pydicom.Dataset, keyword: str) -> int | None:
    """Returns the first value as a whole number, or None."""
    found = number(dataset, keyword)
    return None if found is None else int(found)


def numbers(dataset: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Returns exactly `count` finite numbers.

    Raises:
        BrokenHeader: If there are not as many.
    """
    try:
        found = tuple(float(item) for item in texts(dataset, keyword))
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(item) for item in found):
        raise BrokenHeader(f"{keyword} is not {count} numbers")
    return found


def positive(dataset: pydicom.Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Returns exactly `count` numbers above 0.

    Raises:
        BrokenHeader: If there are not as many.
    """
    found = numbers(dataset, keyword, count)
    if min(found) <= 0:
        raise BrokenHeader(f"{keyword} is {found}, and not above 0")
    return found


def size(dataset: pydicom.Dataset, keyword: str) -> int:
    """Returns Rows or Columns.

    Raises:
        BrokenHeader: If it is no number from 1 to 65535.
    """
    found = number(dataset, keyword)
    if not found or not 1 <= found <= _LARGEST_SIZE:
        raise BrokenHeader(f"{keyword} is {found}")
    return int(found)


def orientation(dataset: pydicom.Dataset) -> tuple[float, ...]:
    """Returns the direction cosines of a row, then of a column.

    Raises:
        BrokenHeader: If they are not two unit vectors at a right angle.
    """
    found = numbers(dataset, "ImageOrientationPatient", 6)
    row, column = np.array(found[:3]), np.array(found[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(row @ column)) > SAME_DIRECTION:
        raise BrokenHeader(f"ImageOrientationPatient {found} is not two unit vectors at 90 degrees")
    return found


def study_date(dataset: pydicom.Dataset) -> str:
    """Returns YYYYMMDD from the first usable date, or ""."""
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate"):
        digits = text(dataset, keyword).replace(".", "").replace("-", "")
        try:
            datetime.datetime.strptime(digits, "%Y%m%d")
        except ValueError:
            continue
        return digits
    return ""
