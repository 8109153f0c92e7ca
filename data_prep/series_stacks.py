"""Groups images into series: without copies, and each stack of one SeriesInstanceUID by itself."""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from data_prep import dicom_header, rejection

_MOSAIC = "MOSAIC"
_COPY = "copy of another file"
_MOSAIC_REASON = (
    "is a mosaic (ImageType MOSAIC): slices tiled in one image; export it as single slices"
)

_Slices = Sequence[dicom_header.SliceHeader]


@dataclasses.dataclass(frozen=True)
class Grouped:
    """The series, and what is not in them; see `dicom.FolderScan`."""

    series: list[dicom_header.SeriesFiles]
    rejections: list[rejection.Rejection]
    unused: Mapping[str, str]
    rejected: Mapping[str, str]


def group(
    slices: Iterable[dicom_header.SliceHeader], is_same_image: Callable[[str, str], bool]
) -> Grouped:
    """Groups images into series, sorted by study and series UID.

    Args:
        slices: Images in any order.
        is_same_image: Says whether two files hold the same pixels; it may raise `RejectedInput`.

    Returns:
        A series for each stack. Of copies of one image, with the same UID, header and pixels, the
        first by path stays. What has the same UID and differs stays, so that the series is refused.
    """
    by_series = collections.defaultdict(list)
    for item in slices:
        by_series[item.study_instance_uid, item.series_instance_uid].append(item)
    series, rejections, unused, rejected = [], [], {}, {}
    for uids in sorted(by_series):
        found, copies, broken = _without_copies(by_series[uids], is_same_image)
        unused |= copies
        rejections += broken
        rejected |= {item.path: item.reason for item in broken}
        if any(_MOSAIC in item.image_type for item in found):
            folder = os.path.dirname(found[0].path)
            rejections.append(rejection.Rejection(folder, uids[1], _MOSAIC_REASON))
            rejected |= {item.path: _MOSAIC_REASON for item in found}
        else:
            series += map(dicom_header.SeriesFiles, _stacks(found))
    return Grouped(series, rejections, unused, rejected)


def _without_copies(
    slices: _Slices, is_same_image: Callable[[str, str], bool]
) -> tuple[list[dicom_header.SliceHeader], dict[str, str], list[rejection.Rejection]]:
    """The images without copies, path of a copy -> why, and copies that cannot be read."""
    by_path = collections.defaultdict(list)
    for item in sorted(slices, key=lambda item: (item.path, item.frame)):
        by_path[item.path].append(item)
    kept, copies, broken = collections.defaultdict(list), {}, {}
    for path, found in by_path.items():
        same = kept[found[0].sop_instance_uid]
        for other in list(same):
            if not _is_same_header(found, by_path[other]):
                continue
            try:
                if is_same_image(other, path):
                    copies[path] = _COPY
                    break
            except rejection.RejectedInput as error:
                broken[error.rejection.path] = error.rejection
                if error.rejection.path == path:
                    break
                same.remove(other)
        else:
            same.append(path)
    images = [item for paths in kept.values() for path in paths for item in by_path[path]]
    return images, copies, list(broken.values())


def _is_same_header(one: _Slices, other: _Slices) -> bool:
    plain = [[dataclasses.replace(item, path="") for item in found] for found in (one, other)]
    return plain[0] == plain[1]


_SPLITS: tuple[Callable[[dicom_header.SliceHeader], tuple], ...] = (
    lambda item: (),
    lambda item: (item.echo_time_ms or 0.0,),
    lambda item: (item.acquisition or 0,),
    lambda item: (item.echo_time_ms or 0.0, item.acquisition or 0),
)


def _stacks(slices: _Slices) -> list[tuple[dicom_header.SliceHeader, ...]]:
    """Stacks without two slices in one place; one, if nothing tells them apart."""
    for key in _SPLITS:
        stacks = collections.defaultdict(list)
        for item in slices:
            stacks[key(item)].append(item)
        if all(_is_distinct(stack) for stack in stacks.values()):
            return [tuple(stacks[name]) for name in sorted(stacks)]
    return [tuple(slices)]


def _is_distinct(slices: _Slices) -> bool:
    """Whether every slice has a plane of its own."""
    planes = {
        (item.orientation, round(float(item.normal @ item.position_mm), 2)) for item in slices
    }
    return len(planes) == len(slices)
