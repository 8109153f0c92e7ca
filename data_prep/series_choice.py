"""Which series of a study is the sagittal T2 of the lumbar spine, and why the others are not."""

import dataclasses
import re
from collections.abc import Callable, Sequence

from data_prep import dicom_header

MAX_TILT_DEG = 20.0
_ROUNDED_DEG = 0.05  # what writing direction cosines as text may cost
MIN_ECHO_TIME_MS = 70.0
MAX_FOV_MM = 400.0
MIN_SLICES = 3  # a single thick slice is a myelogram
_LOCALIZER_WORDS = re.compile(r"(?<![a-z])loc|locali[sz]er|scout|(?-i:Loc)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One series and why it is not needed; an empty reason means that it qualifies."""

    series: dicom_header.SeriesFiles
    reason: str

    def __str__(self) -> str:
        return f"{describe(self.series)}: {self.reason or 'sagittal T2'}"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The sagittal T2 series of one study.

    Attributes:
        candidates: Qualifying series, the best first; empty if there is none.
        verdicts: One per series of the study.
    """

    candidates: tuple[dicom_header.SeriesFiles, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def series(self) -> dicom_header.SeriesFiles | None:
        """The chosen series, or None."""
        return self.candidates[0] if self.candidates else None

    def lines(self) -> list[str]:
        """One printable line per series, with the tags that decided."""
        return [
            f"{'chosen' if verdict.series is self.series else 'not chosen'}: {verdict}"
            for verdict in self.verdicts
        ]


def choose_sagittal_t2(series: Sequence[dicom_header.SeriesFiles]) -> Choice:
    """Chooses the sagittal T2 series of a study by its headers.

    The normal is within 20 degrees of the patient's x axis, the echo time at least 70 ms, without
    inversion, and the series is no localizer. Among several: the finest pixels, then the most
    slices.

    Args:
        series: The series of one study.

    Returns:
        The choice, with a reason for every series that does not qualify.
    """
    verdicts = tuple(Verdict(item, why_not_sagittal_t2(item)) for item in series)
    candidates = sorted((v.series for v in verdicts if not v.reason), key=_rank)
    return Choice(tuple(candidates), verdicts)


def why_not_sagittal_t2(series: dicom_header.SeriesFiles) -> str:
    """Returns the first rule that a series breaks, with the values that broke it, or ""."""
    for rule in _RULES:
        reason = rule(series)
        if reason:
            return reason
    return ""


def describe(series: dicom_header.SeriesFiles) -> str:
    """Returns the tags that decide, on one line; no attribute of the patient."""
    first = series.first
    row_mm, column_mm = first.pixel_spacing_mm
    height_mm, width_mm = series.fov_mm
    return (
        f"{series.uid} {len(series.slices)} slices"
        f" {first.rows}x{first.columns} pixels of {row_mm:.3g}x{column_mm:.3g} mm,"
        f" tilt {series.tilt_deg:.0f} deg, TE {_ms(first.echo_time_ms)},"
        f" TR {_ms(first.repetition_time_ms)}, TI {_ms(first.inversion_time_ms)},"
        f" FOV {height_mm:.0f}x{width_mm:.0f} mm, {'/'.join(first.image_type)}"
    )


def _ms(value_ms: float | None) -> str:
    return "absent" if value_ms is None else f"{value_ms:.4g} ms"


def _rank(series: dicom_header.SeriesFiles) -> tuple:
    row_mm, column_mm = series.first.pixel_spacing_mm
    return round(row_mm * column_mm, 4), -len(series.slices), series.uid


def _mixed(series: dicom_header.SeriesFiles) -> str:
    return "mixed orientation" if series.is_mixed else ""


def _not_sagittal(series: dicom_header.SeriesFiles) -> str:
    if series.tilt_deg <= MAX_TILT_DEG + _ROUNDED_DEG:
        return ""
    return f"not sagittal (normal {series.tilt_deg:.0f} degrees from x)"


def _localizer(series: dicom_header.SeriesFiles) -> str:
    first = series.first
    if max(series.fov_mm) > MAX_FOV_MM:
        return f"localizer (field of view {max(series.fov_mm):.0f} mm)"
    if "LOCALIZER" in (word.upper() for word in first.image_type):
        return "localizer (ImageType)"
    if _LOCALIZER_WORDS.search(first.description):
        return "localizer (SeriesDescription)"
    return ""


def _not_t2(series: dicom_header.SeriesFiles) -> str:
    first = series.first
    if first.echo_time_ms is None or first.echo_time_ms < MIN_ECHO_TIME_MS:
        return f"not T2 (TE {_ms(first.echo_time_ms)})"
    if first.has_inversion:
        return f"inversion (TI {_ms(first.inversion_time_ms)})"
    return ""


def _too_few(series: dicom_header.SeriesFiles) -> str:
    count = len(series.slices)
    return "" if count >= MIN_SLICES else f"{count} slices, fewer than {MIN_SLICES}"


_RULES: tuple[Callable[[dicom_header.SeriesFiles], str], ...] = (
    _mixed,
    _not_sagittal,
    _localizer,
    _not_t2,
    _too_few,
)
